"""One file, oriented, looked through and planned clean; several brought to the genes of all."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float32, Int

from jaxssl.data.formats import read_table
from jaxssl.data.formats.delimited import no_expression
from jaxssl.data.formats.matrix import RawTable, Reading
from jaxssl.data.gene_map import rename_genes
from jaxssl.data.genes import Merge, plan_merge
from jaxssl.data.import_options import ImportOptions
from jaxssl.data.missing import plan_missing
from jaxssl.data.orientation import resolve_orientation
from jaxssl.data.read_length import divisors
from jaxssl.data.sample_major import SampleMajor
from jaxssl.data.samples import known_ids, require_column
from jaxssl.data.scale import COVERAGE, resolve_scale
from jaxssl.data.survey import Survey, survey
from jaxssl.types import InputError

_WITH_TEXT = ("csv", "tsv", "parquet")  # formats that may have columns of text
_MIN_SHARED = 0.7  # of the genes of the file that has fewest


class Part(NamedTuple):
    """One file, samples by genes, as yet uncleaned."""

    path: Path
    raw: RawTable
    x: SampleMajor
    sample_ids: np.ndarray
    genes: np.ndarray
    gene_text: pd.DataFrame
    obs: pd.DataFrame
    orientation: str
    scale: str
    seen: Survey
    notes: list[str]


class Cleaning(NamedTuple):
    """How a file's blocks become what is written: choose, fill, merge, order."""

    x: SampleMajor
    columns: Int[np.ndarray, " chosen"]  # genes of the file
    fill: Float32[np.ndarray, " chosen"]  # of missing values
    merge: Merge  # of genes called alike
    order: Int[np.ndarray, " genes"]  # of the merged ones, those that all files have
    n_missing: int
    n_dropped: int

    @property
    def n_merged(self) -> int:
        """Columns that another one of their name stands for."""
        return len(self.columns) - len(self.merge.genes)

    def blocks(self) -> Iterator[Float32[np.ndarray, "block genes"]]:
        """Successive samples, cleaned."""
        is_same = np.array_equal(self.order, np.arange(len(self.merge.genes)))
        for block in self.x.blocks():
            chosen = np.take(block, self.columns, axis=1)
            missing = np.isnan(chosen)
            if missing.any():
                chosen[missing] = self.fill[np.nonzero(missing)[1]]
            merged = self.merge(chosen)
            yield merged if is_same else np.take(merged, self.order, axis=1)


def read_part(
    path: Path, options: ImportOptions, tables: Sequence[pd.DataFrame], reading: Reading
) -> Part:
    """Read a file, turn it, look at every value once, and settle its scale.

    Raises InputError where orientation or scale cannot be told, and on samples or genes without id.
    """
    named = (options.label, options.group, options.batch)
    inside = [*options.text_columns, *filter(None, named)]
    raw = read_table(path, reading._replace(text_columns=inside, layer=options.layer))
    for name in options.text_columns:
        there = [*raw.of_rows.columns, *raw.of_columns.columns] or list(raw.column_ids)
        require_column(there, name, "text_columns")
    known = known_ids(tables[0], raw, options.sample_column) if tables else None
    found, reason = resolve_orientation(
        options.orientation, raw.row_ids, raw.column_ids, known, raw.format, raw.orientation
    )
    samples, genes, obs, gene_text = oriented(raw, found)
    _check_named(raw, path, samples, genes)
    kept = None if raw.dropped is None else np.flatnonzero(~raw.dropped)
    if kept is not None:
        samples, obs = samples[kept], obs.iloc[kept]
    divisor, length_notes = divisors(raw, path, samples, tables, options)
    x = SampleMajor(raw.x, found == "genes_in_rows", kept, divisor, str(path))
    seen = survey(x)
    recorded = str(raw.prepared.get("scale", "")) if options.scale == "auto" else ""
    declared = "counts" if raw.scale == COVERAGE else raw.scale
    scale, why = resolve_scale(recorded or options.scale, seen.range, declared)
    why = "as the file records it" if recorded else why
    notes = [f"format {raw.format}", *raw.notes, f"orientation {found}: {reason}"]
    notes += [*length_notes, f"scale {scale}: {why}"]
    return Part(path, raw, x, samples, genes, gene_text, obs, found, scale, seen, notes)


def oriented(
    raw: RawTable, orientation: str
) -> tuple[np.ndarray, np.ndarray, pd.DataFrame, pd.DataFrame]:
    """Sample ids, gene ids, text of samples, text of genes."""
    if orientation == "genes_in_rows":
        return raw.column_ids, raw.row_ids, raw.of_columns, raw.of_rows
    return raw.row_ids, raw.column_ids, raw.of_rows, raw.of_columns


def clean(
    parts: Sequence[Part], options: ImportOptions, gene_map: pd.DataFrame | None
) -> tuple[list[Cleaning], pd.DataFrame, list[str]]:
    """Plans for all files, the text of the genes that stay, and notes.

    Names follow the gene map; genes that it does not know, and names that stand for several genes,
    go. Then gaps are filled, each file's by its own means, and genes called alike merged. Raises
    InputError as the policies say, and where the files share too few genes.
    """
    plans, texts, notes = [], [], []
    for part in parts:
        names, note = part.genes, ""
        if gene_map is not None:
            names, note = rename_genes(gene_map, options, part.genes)
        chosen = np.flatnonzero(names != "")
        keep, fill = plan_missing(part.seen, chosen, part.sample_ids, names[chosen], options.impute)
        columns = chosen[keep]
        merge = plan_merge(names[columns], options.duplicates)
        n_missing = int(part.seen.n_missing[chosen].sum())
        order = np.arange(len(merge.genes))
        n_dropped = int((~keep).sum())
        plans.append(Cleaning(part.x, columns, fill[keep], merge, order, n_missing, n_dropped))
        texts.append(part.gene_text.iloc[columns[merge.first]].set_axis(merge.genes, axis=0))
        n_nameless = int((part.genes == "").sum())
        nameless = f"{n_nameless:,} genes without a name left out" if n_nameless else ""
        notes += filter(None, (note, nameless))
    if len(plans) == 1:
        return plans, texts[0], notes
    shared = _shared_genes([plan.merge.genes for plan in plans])
    plans = [
        plan._replace(order=pd.Index(plan.merge.genes).get_indexer(pd.Index(shared)))
        for plan in plans
    ]
    return plans, texts[0].loc[shared], notes


def _check_named(raw: RawTable, path: Path, samples: np.ndarray, genes: np.ndarray) -> None:
    """Every sample has a name, and nothing is called like what is no expression."""
    empty = np.flatnonzero(samples == "")
    if len(empty):
        where = f"first: number {empty[0] + 1} of {len(samples)}"
        raise InputError(
            f"{len(empty)} samples of {path} have no id ({where})", "name or remove them"
        )
    others = no_expression(samples) or no_expression(genes)
    if not others:
        return
    fix = "remove or rename it"
    if set(others) <= set(raw.column_ids) and raw.format.split()[0] in _WITH_TEXT:
        names = ",".join([*raw.of_rows.columns, *others])
        fix = f"pass `text_columns={names}` to keep it beside"
    raise InputError(
        f"{path} would have {', '.join(others[:4])} among its samples or genes, which seems to be "
        "no expression",
        fix,
    )


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
