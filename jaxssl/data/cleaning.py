"""What is done to genes and values before they are written: renamed, filled on request, merged."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float32, Int

from jaxssl.data.damage import damage, is_lost
from jaxssl.data.formats.matrix import names_of
from jaxssl.data.gene_map import rename_genes
from jaxssl.data.genes import (
    GENE_PATTERNS,
    Merge,
    duplicates,
    id_type,
    plan_merge,
    whole_numbers,
    without_version,
)
from jaxssl.data.import_options import ImportOptions
from jaxssl.data.parts import Part
from jaxssl.data.sample_major import SampleMajor
from jaxssl.types import InputError

_MIN_SHARED = 0.7  # of the genes of the file that has fewest
_COUNTED = {
    "n_missing_values": "`impute={impute}`: {count} missing values",
    "n_genes_dropped": "{count} genes with missing values dropped",
    "n_genes_merged": "`duplicates={duplicates}`: {count} columns merged away",
}


class Cleaning(NamedTuple):
    """How a file's blocks become what is written: choose, fill, merge, order."""

    x: SampleMajor
    columns: Int[np.ndarray, " chosen"]  # genes of the file
    fill: Float32[np.ndarray, " chosen"]  # of missing values
    merge: Merge  # of genes called alike
    order: Int[np.ndarray, " genes"] | None = None  # of the merged ones, those that all files have
    least: float = -np.inf  # lower values become it

    def blocks(self) -> Iterator[Float32[np.ndarray, "block genes"]]:
        """Successive samples, cleaned."""
        for block in self.x.blocks():
            chosen = np.take(block, self.columns, axis=1)
            missing = np.isnan(chosen)
            if missing.any():
                chosen[missing] = self.fill[np.nonzero(missing)[1]]
            if self.least > -np.inf:
                np.maximum(chosen, self.least, out=chosen)
            merged = self.merge(chosen)
            yield merged if self.order is None else np.take(merged, self.order, axis=1)


def plan_cleaning(
    parts: Sequence[Part], options: ImportOptions, gene_map: pd.DataFrame | None
) -> tuple[list[Cleaning], pd.DataFrame, dict[str, int], list[str]]:
    """Plans for all files, the text of the genes that stay, what is counted, and notes.

    Names follow the gene map; genes that it does not know, and names that stand for several genes,
    go. Then gaps are filled, each file's by its own means, and genes called alike merged.
    """
    plans, texts, notes, policy = [], [], [], ""
    counts = dict.fromkeys(_COUNTED, 0)
    for part in parts:
        names = genes = whole_numbers(names_of(part.var))
        if gene_map is not None:
            names, note = rename_genes(gene_map, options, genes)
            notes += [note, *damage(names)]
        notes += damage(genes)
        chosen = np.flatnonzero((names != "") & ~is_lost(genes) & ~is_lost(names))
        keep, fill = _plan_missing(part, chosen, names[chosen], options.impute)
        columns = chosen[keep]
        are_parts = part.raw.of_transcripts or _are_transcripts(part.var)
        is_summed = are_parts and gene_map is not None and len(duplicates(names[columns])) > 0
        policy = _policy(part, options, is_summed=is_summed)
        merge = plan_merge(names[columns], policy, are_parts=are_parts)
        counts["n_missing_values"] += int(part.seen.n_missing[chosen].sum())
        counts["n_genes_dropped"] += len(chosen) - len(columns)
        counts["n_genes_merged"] += len(columns) - len(merge.genes)
        least = 0.0 if part.scale == "linear" else -np.inf
        plans.append(Cleaning(part.x, columns, fill[keep], merge, least=least))
        texts.append(part.var.iloc[columns[merge.first]].set_axis(merge.genes, axis=0))
    for name, note in _COUNTED.items():
        if counts[name]:
            notes.append(note.format(**vars(options) | {"duplicates": policy}, count=counts[name]))
    if len(plans) == 1:
        return plans, texts[0], counts, notes
    of_files = _by_stem([plan.merge.genes for plan in plans], notes)
    shared = _shared_genes(of_files)
    notes.append(f"{len(shared):,} genes shared by {len(parts)} files")
    orders = [pd.Index(genes).get_indexer(pd.Index(shared)) for genes in of_files]
    plans = [plan._replace(order=order) for plan, order in zip(plans, orders, strict=True)]
    return plans, texts[0].set_axis(of_files[0], axis=0).loc[shared], counts, notes


def _by_stem(of_files: list[np.ndarray], notes: list[str]) -> list[np.ndarray]:
    """Genes of all files without Ensembl versions where they share more so and none is two."""
    stems = [np.array([without_version(str(g)) for g in genes], object) for genes in of_files]
    n_exact, n_stems = (len(set.intersection(*map(set, genes))) for genes in (of_files, stems))
    if n_stems <= n_exact or any(len(set(genes)) < len(genes) for genes in stems):
        return of_files
    notes.append(
        f"genes named without their Ensembl versions, in which the files differ: "
        f"{n_exact:,} would be shared with them"
    )
    return stems


def _are_transcripts(var: pd.DataFrame) -> bool:
    """Whether rows are of transcripts, by their ids or by those that stand beside."""
    columns = [names_of(var), *(var[name].to_numpy() for name in var)]
    return any(id_type(ids, GENE_PATTERNS) == "Ensembl transcript" for ids in columns)


def _policy(part: Part, options: ImportOptions, *, is_summed: bool) -> str:
    """What becomes of genes called alike: transcripts are summed to the genes of a map."""
    policy = "sum" if is_summed and options.duplicates == "error" else options.duplicates
    if policy == "sum" and part.scale not in ("counts", "linear"):
        raise InputError(
            f"`duplicates=sum` adds values, and those of {part.path} are on the {part.scale} scale",
            "sum them before the logarithm is taken, or pass `duplicates=mean`",
        )
    return policy


def _shared_genes(of_files: Sequence[np.ndarray]) -> np.ndarray:
    """Genes of all files, in the order of the first."""
    known = set.intersection(*(set(genes) for genes in of_files))
    shared = np.array([gene for gene in of_files[0] if gene in known], dtype=object)
    fewest = min(map(len, of_files))
    if len(shared) < _MIN_SHARED * fewest:
        raise InputError(
            f"the files share {len(shared):,} genes, fewer than {_MIN_SHARED:.0%} of the "
            f"{fewest:,} of the smallest",
            "name them alike with `gene_map`, or import them apart",
        )
    return shared


def _plan_missing(
    part: Part, chosen: Int[np.ndarray, " chosen"], genes: np.ndarray, policy: str
) -> tuple[Bool[np.ndarray, " chosen"], Float32[np.ndarray, " chosen"]]:
    """Of the chosen genes, called `genes`, which stay and what fills the gaps of each."""
    seen = part.seen
    n_infinite, n_missing = seen.n_infinite[chosen], seen.n_missing[chosen]
    if n_infinite.any():
        raise InputError(
            f"{int(n_infinite.sum())} values are infinite, as the logarithm of 0 is, or beyond "
            f"float32 (first: {_first(part, chosen, genes, np.isinf)})",
            "export log2(x + 1) instead, or correct them",
        )
    keep, fill = np.ones(len(chosen), bool), np.zeros(len(chosen), np.float32)
    if not n_missing.any():
        return keep, fill
    if policy == "error":
        worst = int(np.argmax(n_missing))
        raise InputError(
            f"{n_missing.sum() / (seen.n_samples * len(chosen)):.2%} of the values are missing "
            f"(first: {_first(part, chosen, genes, np.isnan)}; {int((n_missing > 0).sum())} genes, "
            f"worst {genes[worst]} at {n_missing[worst] / seen.n_samples:.0%})",
            "choose `impute=mean`, zero or drop_genes",
        )
    if policy == "drop_genes":
        keep = n_missing == 0
    elif policy == "mean":
        keep, fill = n_missing < seen.n_samples, seen.mean[chosen]
    if not keep.any():
        raise InputError(f"no gene is left by `impute={policy}`: every gene has missing values")
    return keep, fill


def _first(part: Part, chosen: np.ndarray, genes: np.ndarray, is_hit: Callable) -> str:
    """The first sample with a hit, and its first gene; a file is read again to refuse it."""
    start = 0
    for block in part.x.blocks():
        samples, columns = np.nonzero(is_hit(block[:, chosen]))
        if len(samples):
            return f"sample {part.obs.index[start + samples[0]]}, gene {genes[columns[0]]}"
        start += len(block)
    return "none"
