"""Feature identifiers: what kind they are, and what to do with genes that occur twice."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float32, Int

from jaxssl.data.symbols import is_symbol
from jaxssl.types import InputError

GENE_PATTERNS = {
    "Ensembl gene": r"ENS[A-Z]*G(\d|R)\d{10}(\.\d+)?(_\d+)?(_PAR_Y)?(_\d+)?([|_ ]\S+)?",
    "Ensembl transcript": r"ENS[A-Z]*[TPE]\d{11}(\.\d+)?(_\d+)?(_PAR_Y)?(_\d+)?(\|\S+)?",
    "miRNA": r"[a-z]{3,4}-(mir|miR|let|lin|bantam|novel)-?\S+|MI(MAT)?\d{7}(_\d+)?",
    "Affymetrix probe set": r"(AFFX-\S+|\d+(_\w+)*_[as]t|TC[\dXYU]\w+\.hg\.\d)",
    "Illumina probe": r"ILMN_\d{4,7}",
    "Agilent probe": r"A_\d\d_[PS]\d{2,}",
    "CpG site": r"(cg|ch\.\d+\.)\d{6,}[RF]?",
    "RefSeq": r"[NX][MRP]_\d{6,}(\.\d+)?",
    "circular RNA": r"[a-z]{3}_?circ(RNA)?_?\d+",
    "symbol (Entrez)": r"\S+ \(\d+\)",
    "symbol|Entrez": r"\S+\|\d+(\|\S+)?|\d+\|[A-Za-z]\S*",
    "symbol with Ensembl gene": r"\S+[|_ (]+ENS[A-Z]*G\d{11}\S*",
    "HGNC id": r"HGNC:\d+",
    "gene of a model organism": r"FBgn\d{7}|WBGene\d{8}|Y[A-P][LR]\d{3}[WC](-[A-Z])?"
    r"|AT[1-5CM]G\d{5}(\.\d+)?|MGI:\d+|ERCC-\d{5}",
    "gene of a plant": r"[A-Za-z][A-Za-z._]*\d{1,3}([A-D]\d\d)?[Gg]\d{5,7}(\.\d+)*"
    r"|Zm\d{5}[a-z]{1,2}\d{6}",
    "gene of a parasite": r"(PF3D7|PBANKA|PVP01|PVX|PKNH|PCHAS|PY17X|TGME49|TGGT1|NCLIV|EHI|TVAG"
    r"|GL50803)_\d{6,7}(\.\d+)?",
    "SomaScan aptamer": r"(?i:seq[._-]?\d{4,5}[._-]\d{1,3})",
    "Olink assay": r"OID\d{5}",
    "numbered gene": r"(?i:(gene|probe|feature|transcript|mirna|locus|orf)s?[ _.-]?\d+)",
}
"""What genes, transcripts and probes alone are called."""
SYMBOL = "gene symbol"
SAMPLE_PATTERNS = {
    "TCGA barcode": r"TCGA[-._]\w{2}[-._]\w{4}\S*",
    "GTEx sample": r"(GTEX|K)[-.]\w+[-.]\S+|GTEX[-.]\w+",
    "TARGET barcode": r"TARGET[-.]\d{2}[-.]\S+",
    "GEO sample": r"GSM\d+\S*",
    "sequencing run": r"[SED]R[RSX]\d+\S*|SAM(N|EA|D)\d+|EGA[RFN]\d{11}",
    "DepMap model": r"(ACH|PR|MC)-\w{6}\S*",
    "CPTAC case": r"(C3[LN][-.]\d{5}|CPT\d{7})\S*",
    "METABRIC sample": r"MB[-.]\d{4}",
    "CCLE cell line": r"[A-Z0-9]+_(LUNG|BREAST|SKIN|OVARY|KIDNEY|LIVER|BONE|PANCREAS|STOMACH"
    r"|PROSTATE|LARGE_INTESTINE|CENTRAL_NERVOUS_SYSTEM|HAEMATOPOIETIC_AND_LYMPHOID_TISSUE|SOFT_TISSUE"
    r"|[A-Z]+_(TRACT|GLAND|GANGLIA)|OESOPHAGUS|ENDOMETRIUM|PLEURA|THYROID|PLACENTA)",
    "cell barcode": r"(\S*[^ACGT])?[ACGT]{12,16}([-_.]\S+)?",
    "file name": r"\S.*\.(CEL|cel|bam|BAM|sam|txt|tsv|counts|fastq|fq|gz|sf|results|idat|tab)",
    "UUID": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\S*",
    "sample by its name": r"(?i:\S*(sample|patient|subject|donor|control|tumou?r|normal|treated"
    r"|biopsy|replicate|library)s?[ _.-]?\w{0,4})",
}
"""What samples alone are called."""
_OF_SYMBOLS = {
    "symbol (Entrez)": lambda name: bool(_STEM_AND_ENTREZ.fullmatch(name)) and _has_symbol(name),
    "symbol|Entrez": lambda name: any(
        is_symbol(part) or (part.isdecimal() and len(part) > 2) for part in name.split("|")
    ),
    "CCLE cell line": lambda name: not _has_symbol(name),
}
"""What holds besides the pattern: WT (1) and leaf|1 are no genes, and ALB_LIVER no cell line."""
LOOSE = ("Affymetrix probe set", "Agilent probe", "symbol|Entrez")
"""Kinds of which names of samples may be, too: 101_at of adipose tissue, A_01_P10, leaf|101."""
_STEM_AND_ENTREZ = re.compile(r"\S+ \(\d{3,}\)")  # below 100 they number replicates
UNIPROT = r"([OPQ]\d[A-Z\d]{3}\d|[A-NR-Z]\d([A-Z][A-Z\d]{2}\d){1,2})"
_MAYBE_GENE = re.compile(rf"[A-Za-z][A-Za-z\d]{{0,8}}_?\d{{4,5}}[a-z]?|{UNIPROT}")
_MANY = 20  # ids from which their form tells something
_SPREAD = 10  # of Entrez ids, as a multiple of their number; those of samples count on
_VERSION = re.compile(r"^(ENS[A-Z]*[GTP]\d{11})\.\d+(_\d+(?=$|_))?")
_WHOLE = re.compile(r"^(\d+)\.0+$")
_PROBED = 1000  # evenly spaced ids of a side that are looked at


def probed(ids: np.ndarray) -> list[str]:
    """At most about a thousand ids, evenly spaced, as text."""
    return [str(i) for i in ids[:: max(1, len(ids) // _PROBED)]]


def kinds_of(names: Sequence[str], patterns: dict[str, str] = GENE_PATTERNS) -> Counter[str]:
    """How many of the names are of each kind; one counts for the first that it matches."""
    compiled = {kind: re.compile(pattern) for kind, pattern in patterns.items()}
    found = (next((k for k, p in compiled.items() if p.fullmatch(name)), "") for name in names)
    counts = Counter(
        kind
        for name, kind in zip(names, found, strict=True)
        if kind not in _OF_SYMBOLS or _OF_SYMBOLS[kind](name)
    )
    del counts[""]
    return counts


def may_be_genes(names: Sequence[str]) -> bool:
    """Whether ids could be of genes, as those of samples could: PA0001, P04637, or Entrez's 7157.

    Locus tags and accessions nearly all; numbers where they are far apart.
    """
    if len(names) < _MANY:
        return False
    plain = [_WHOLE.sub(r"\1", name) for name in names]
    if all(name.isdecimal() for name in plain):
        numbers = {int(name) for name in plain}
        return len(numbers) == len(names) and max(numbers) - min(numbers) > _SPREAD * len(names)
    return sum(_MAYBE_GENE.fullmatch(name) is not None for name in names) > 0.9 * len(names)


def are_row_numbers(ids: np.ndarray) -> bool:
    """Whether the ids count the rows, from 0 or 1, as pandas and R write them unasked."""
    if len(ids) < 2 or str(ids[0]) not in ("0", "1"):
        return False
    first = int(ids[0])
    return all(str(name) == str(i) for i, name in enumerate(ids, first))


def _has_symbol(name: str) -> bool:
    """Whether a known symbol stands before the first blank or line below."""
    return is_symbol(re.split("[ _]", name, maxsplit=1)[0])


def id_type(ids: np.ndarray, patterns: dict[str, str] | None = None) -> str:
    """The kind that most ids are of, by at most 1,000 evenly spaced ones; "" for none.

    Without `patterns`, of genes: those, symbols that are known, and numbers.
    """
    names = probed(ids)
    counts = kinds_of(names, GENE_PATTERNS if patterns is None else patterns)
    if patterns is None and counts.total() <= 0.5 * len(names):
        counts = Counter({SYMBOL: sum(map(is_symbol, names))})
        counts["number"] = sum(name.isdigit() for name in names)
    kind, n = counts.most_common(1)[0] if counts else ("", 0)
    return kind if n > 0.5 * len(names) else ""


def without_version(gene: str) -> str:
    """Drop an Ensembl version, lifted or not; `_PAR_Y` stays, it names another locus.

    >>> without_version("ENSG00000182378.15_PAR_Y")
    'ENSG00000182378_PAR_Y'
    """
    return _VERSION.sub(r"\1", gene)


def whole_numbers(genes: np.ndarray) -> np.ndarray:
    """Genes as they are; of numbers that a point and zeros follow, as in 7157.0, the numbers.

    >>> whole_numbers(np.array(["7157.0", "", "1956.0"], object)).tolist()
    ['7157', '', '1956']
    """
    plain = [_WHOLE.sub(r"\1", str(gene)) for gene in genes]
    if not all(name.isdigit() for name in plain if name):
        return genes
    return np.array(plain, dtype=object)


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
            combine = {"mean": np.mean, "max": np.max, "sum": np.sum}[self.policy]
            for target, members in self.repeated:
                merged[:, target] = combine(x[:, members], axis=1)
        return merged


def plan_merge(genes: np.ndarray, policy: str, *, are_parts: bool = False) -> Merge:
    """Leave one column per gene id: the mean, largest, sum or first of its columns."""
    twice = duplicates(genes)
    if len(twice) and policy == "error":
        fix = "add them up with `duplicates=sum`" if are_parts else ""
        raise InputError(
            f"{len(twice)} gene ids occur more than once (first: {twice[0]})",
            fix or "choose what to keep with `duplicates=mean`, max or first",
        )
    position, kept = pd.factorize(pd.Series(genes, dtype=object))
    order = np.argsort(position, kind="stable")
    columns = np.split(order, np.flatnonzero(np.diff(position[order])) + 1)
    repeated = [(i, members) for i, members in enumerate(columns) if len(members) > 1]
    first = np.unique(position, return_index=True)[1]
    return Merge(np.asarray(kept, dtype=object), first, repeated, policy)
