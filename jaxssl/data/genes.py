"""Feature identifiers: what kind they are, and what to do with genes that occur twice."""

import re
from collections import Counter
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float32, Int

from jaxssl.types import InputError

GENE_PATTERNS = {
    "Ensembl gene": r"ENS[A-Z]*G\d{11}(\.\d+)?(_PAR_Y)?",
    "Ensembl transcript": r"ENS[A-Z]*T\d{11}(\.\d+)?(_PAR_Y)?",
    "miRNA": r"(hsa|mmu|rno)-(mir|miR|let)-\S+",
    "Affymetrix probe set": r"(AFFX-\S+|\d+(_[a-z])*_at)",
    "Illumina probe": r"ILMN_\d+",
    "RefSeq": r"[NX][MR]_\d+(\.\d+)?",
    "symbol (Entrez)": r"\S+ \(\d+\)",
}
SYMBOL_PATTERN = {"gene symbol": r"([A-Z][A-Z0-9]+([-.][A-Z0-9]+)*|C\d+orf\d+)"}
ID_PATTERNS = GENE_PATTERNS | SYMBOL_PATTERN | {"number": r"\d+"}  # samples: S1 or 17 as well
SAMPLE_PATTERNS = {
    "TCGA barcode": r"TCGA[-.]\w{2}[-.]\w{4}\S*",
    "GTEx sample": r"(GTEX|K)[-.]\w+[-.]\S+",
    "TARGET barcode": r"TARGET[-.]\d{2}[-.]\S+",
    "GEO sample": r"GSM\d+\S*",
    "sequencing run": r"[SED]RR\d+",
    "DepMap model": r"ACH-\d{6}",
}
_VERSION = re.compile(r"^(ENS[A-Z]*[GT]\d{11})\.\d+")


def id_type(ids: np.ndarray, patterns: dict[str, str] = ID_PATTERNS) -> str:
    """Name the first pattern that most of at most 1,000 evenly spaced ids match; "" for none."""
    probe = ids[:: max(1, len(ids) // 1000)]
    for name, pattern in patterns.items():
        compiled = re.compile(pattern)
        if np.mean([compiled.fullmatch(str(i)) is not None for i in probe]) > 0.5:
            return name
    return ""


def without_version(gene: str) -> str:
    """Drop an Ensembl version; `_PAR_Y` stays, it names another locus.

    >>> without_version("ENSG00000182378.15_PAR_Y")
    'ENSG00000182378_PAR_Y'
    """
    return _VERSION.sub(r"\1", gene)


def duplicates(ids: np.ndarray) -> np.ndarray:
    """Ids that occur more than once, each once, in order of appearance."""
    return np.array([i for i, count in Counter(ids).items() if count > 1], dtype=object)


class Merge(NamedTuple):
    """Which columns become one, and how."""

    genes: np.ndarray  # ids that are left, in order of first appearance
    first: Int[np.ndarray, " kept"]  # column of each
    repeated: list[tuple[int, np.ndarray]]  # position among the kept, columns to combine
    policy: str

    def __call__(self, x: Float32[np.ndarray, "samples genes"]) -> np.ndarray:
        """Samples x the genes that are left."""
        if len(self.first) == x.shape[1]:
            return x
        merged = np.take(x, self.first, axis=1)
        if self.policy != "first":
            combine = {"mean": np.mean, "max": np.max}[self.policy]
            for target, members in self.repeated:
                merged[:, target] = combine(x[:, members], axis=1)
        return merged


def plan_merge(genes: np.ndarray, policy: str) -> Merge:
    """Leave one column per gene id: the mean, the largest value or the first of its columns."""
    twice = duplicates(genes)
    if len(twice) and policy == "error":
        raise InputError(
            f"{len(twice)} gene ids occur more than once (first: {twice[0]})",
            "choose what to keep with `duplicates=mean`, max or first",
        )
    position, kept = pd.factorize(pd.Series(genes, dtype=object))
    order = np.argsort(position, kind="stable")
    columns = np.split(order, np.flatnonzero(np.diff(position[order])) + 1)
    repeated = [(i, members) for i, members in enumerate(columns) if len(members) > 1]
    first = np.unique(position, return_index=True)[1]
    return Merge(np.asarray(kept, dtype=object), first, repeated, policy)
