"""What is done to genes and values before they are written: renamed, filled on request, merged."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float32, Int

from jaxssl.data.companions import is_nameless
from jaxssl.data.damage import damage, is_lost
from jaxssl.data.formats.matrix import names_of
from jaxssl.data.genes import Merge, plan_merge, whole_numbers, without_version
from jaxssl.data.import_options import ImportOptions
from jaxssl.data.parts import Part
from jaxssl.data.sample_major import SampleMajor
from jaxssl.data.samples import require_column
from jaxssl.types import InputError

_SYMBOLS = (
    "gene symbol|gene_symbol|hgnc_symbol|approved symbol|symbol|gene_name|gene name|gene"
    "|composite element database entry[hgnc]|composite element name[hgnc]|gene_assignment"
    "|gene assignment|genesymbol|hgnc symbol|hugo_symbol|external_gene_name"
)
"""Columns of a probemap, HGNC, GPL or ADF that hold symbols, the best first."""
_SEVERAL = ("//", "|", ";", ",")  # between the genes of one probe set
_ASSIGNED = re.compile(r"[^/]+ // +([^/]+?) +//.*")  # accession // symbol // title // ...
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

    def blocks(self) -> Iterator[Float32[np.ndarray, "block genes"]]:
        """Successive samples, cleaned."""
        for block in self.x.blocks():
            chosen = np.take(block, self.columns, axis=1)
            missing = np.isnan(chosen)
            if missing.any():
                chosen[missing] = self.fill[np.nonzero(missing)[1]]
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
            notes.append(note)
        notes += damage(genes)
        chosen = np.flatnonzero((names != "") & ~is_lost(genes))
        keep, fill = _plan_missing(part, chosen, names[chosen], options.impute)
        columns = chosen[keep]
        policy = _policy(part, options, is_mapped=gene_map is not None)
        merge = plan_merge(names[columns], policy, are_parts=part.raw.of_transcripts)
        counts["n_missing_values"] += int(part.seen.n_missing[chosen].sum())
        counts["n_genes_dropped"] += len(chosen) - len(columns)
        counts["n_genes_merged"] += len(columns) - len(merge.genes)
        plans.append(Cleaning(part.x, columns, fill[keep], merge))
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


def _policy(part: Part, options: ImportOptions, *, is_mapped: bool) -> str:
    """What becomes of genes called alike: transcripts are summed to the genes of a map."""
    is_summed = part.raw.of_transcripts and is_mapped and options.duplicates == "error"
    policy = "sum" if is_summed else options.duplicates
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


def rename_genes(
    table: pd.DataFrame, options: ImportOptions, genes: np.ndarray
) -> tuple[np.ndarray, str]:
    """New names of `genes`, "" where the map has none or several; and what was found, as a note.

    The column that knows most of the genes is the one they are looked up in, by the id as it is and
    then without an Ensembl version.
    """
    path, target = options.gene_map, column_of_names(table, options)
    names = [str(gene) for gene in genes]
    stems = [without_version(name) for name in names]
    wanted = set(names) | set(stems)
    hits = {str(c): int(table[c].isin(wanted).sum()) for c in table.columns if c != target}
    source = max(hits, key=lambda name: hits[name]) if hits else ""
    known = _lookup(table, source, target) if source else {}
    found = [known.get(name, known.get(stem)) for name, stem in zip(names, stems, strict=True)]
    n_known = sum(value is not None for value in found)
    if n_known < 0.1 * len(genes):
        raise InputError(
            f"{path} knows {n_known:,} of {len(genes):,} genes (first: {names[0]})",
            "pass the map of this platform or annotation",
        )
    n_several = sum(value == "" for value in found)
    renamed = np.array([value or "" for value in found], dtype=object)
    n_names = len(set(renamed) - {""})
    return renamed, (
        f"genes renamed from {source} to {target} by {Path(path or '').name}: {n_names:,} names of "
        f"{len(genes):,} ids; left out {len(genes) - n_known:,} unknown to it and {n_several:,} "
        "with none or several names"
    )


def column_of_names(table: pd.DataFrame, options: ImportOptions) -> str:
    """The column of the map that has the new names."""
    columns = [str(name) for name in table.columns]
    target = options.gene_column or next(
        (c for name in _SYMBOLS.split("|") for c in columns if c.lower() == name), ""
    )
    if not target:
        raise InputError(
            f"{options.gene_map} has no column of symbols",
            f"name one with `gene_column`: {', '.join(columns[:12])}",
        )
    require_column(columns, target, "gene_column")
    return target


def _symbol(value: str) -> str:
    """The gene that a cell names, "" for none or several; of NetAffx's assignments, the first.

    >>> [_symbol(cell) for cell in ("RFC2", "---", "DDR1 /// MIR4640")]
    ['RFC2', '', '']
    >>> _symbol("NM_000546 // TP53 // tumor protein p53 // 17p13.1 // 7157 /// ENST1 // TP53 // x")
    'TP53'
    """
    assigned = _ASSIGNED.fullmatch(value)
    name = (assigned[1] if assigned else value).strip()
    return "" if is_nameless(name) or any(mark in name for mark in _SEVERAL) else name


def _lookup(table: pd.DataFrame, source: str, target: str) -> dict[str, str]:
    """Id → name, "" for several; an id without version stands for all of its versions."""
    known: dict[str, str] = {}
    for key, value in zip(table[source], table[target], strict=True):
        if is_nameless(key):
            continue
        name = _symbol(value)
        for form in {key, without_version(key)}:
            known[form] = name if known.get(form, name) == name else ""
    return known
