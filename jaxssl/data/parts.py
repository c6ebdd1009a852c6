"""One file, oriented and looked through; several files brought to the genes that all have."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from jaxssl.data.formats import read_table
from jaxssl.data.formats.matrix import RawTable, Reading, SampleMajor
from jaxssl.data.gene_map import read_gene_map
from jaxssl.data.genes import duplicates
from jaxssl.data.import_options import ImportOptions
from jaxssl.data.orientation import resolve_orientation
from jaxssl.data.read_length import divisors
from jaxssl.data.samples import known_ids
from jaxssl.data.scale import COVERAGE, resolve_scale
from jaxssl.data.survey import Survey, survey
from jaxssl.types import InputError


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


def orient(
    raw: RawTable, wanted: str, known: np.ndarray | None
) -> tuple[str, str, np.ndarray, np.ndarray, pd.DataFrame, pd.DataFrame]:
    """Orientation and reason, sample ids, gene ids, text of samples, text of genes.

    Raises:
        InputError: where it cannot be told.
    """
    found, reason = resolve_orientation(
        wanted, raw.row_ids, raw.column_ids, known, raw.format, raw.orientation
    )
    if found == "genes_in_rows":
        return found, reason, raw.column_ids, raw.row_ids, raw.of_columns, raw.of_rows
    return found, reason, raw.row_ids, raw.column_ids, raw.of_rows, raw.of_columns


def read_part(
    path: Path, options: ImportOptions, tables: Sequence[pd.DataFrame], reading: Reading
) -> Part:
    """Read a file, turn it, look at every value once, and settle its scale.

    Raises:
        InputError: where orientation or scale cannot be told, and on samples or genes without id.
    """
    text = [options.label_column, options.group_column, options.batch_column]
    inside = [] if tables else [name for name in text if name]
    raw = read_table(path, reading._replace(text_columns=inside, layer=options.layer))
    known = known_ids(tables[0], raw, options.sample_column) if tables else None
    found, reason, samples, genes, obs, gene_text = orient(raw, options.orientation, known)
    _check_named("genes", genes)
    _check_named("samples", samples)
    kept = None if raw.dropped is None else np.flatnonzero(~raw.dropped)
    if kept is not None:
        samples, obs = samples[kept], obs.iloc[kept]
    divisor, length_notes = divisors(raw, path, samples, tables, options)
    x = SampleMajor(raw.x, found == "genes_in_rows", kept, divisor)
    seen = survey(x)
    recorded = str(raw.prepared.get("scale", "")) if options.scale == "auto" else ""
    declared = "counts" if raw.scale == COVERAGE else raw.scale
    scale, why = resolve_scale(recorded or options.scale, seen, declared)
    why = "as launch.prepare recorded it" if recorded else why
    notes = [f"format {raw.format}", *raw.notes, f"orientation {found}: {reason}"]
    notes += [*length_notes, f"scale {scale}: {why}"]
    return Part(path, raw, x, samples, genes, gene_text, obs, found, scale, seen, notes)


def _check_named(kind: str, names: np.ndarray) -> None:
    empty = np.flatnonzero(names == "")
    if len(empty):
        where = f"first: number {empty[0] + 1} of {len(names)}"
        raise InputError(f"{len(empty)} {kind} have no id ({where}); name or remove them")


def check_samples(sample_ids: np.ndarray) -> None:
    """Every sample has a name of its own.

    Raises:
        InputError: if two share one.
    """
    twice = duplicates(sample_ids)
    if len(twice):
        raise InputError(
            f"{len(twice)} sample ids occur more than once (first: {twice[0]}); remove or rename "
            "the copies: a copy in two parts of a split would leak"
        )


def common_scale(parts: Sequence[Part]) -> str:
    """The scale that all files are on.

    Raises:
        InputError: if two differ.
    """
    first = parts[0]
    for part in parts[1:]:
        if part.scale != first.scale:
            raise InputError(
                f"{first.path.name} is on the {first.scale} scale, {part.path.name} on "
                f"{part.scale}; bring them to one scale first"
            )
    return first.scale


def common_genes(
    parts: Sequence[Part], options: ImportOptions
) -> tuple[np.ndarray, pd.DataFrame, list[np.ndarray], list[str]]:
    """Names of the genes that all files have, and where each file has them.

    Names follow the gene map; genes that it does not know, and names that stand for several
    genes, go. Of one file, all copies of a gene stay for the policy on duplicates.

    Raises:
        InputError: if a file has a gene twice, or the files share too few.
    """
    renamed, notes = [], []
    for part in parts:
        names = part.genes
        if options.gene_map:
            names, note = read_gene_map(options.gene_map, options.gene_column, part.genes)
            notes.append(note)
        renamed.append(names)
    if len(parts) == 1:
        where = np.flatnonzero(renamed[0] != "")
        return renamed[0][where], parts[0].gene_text.iloc[where], [where], notes
    for part, names in zip(parts, renamed, strict=True):
        twice = duplicates(names[names != ""])
        if len(twice):
            raise InputError(
                f"{part.path.name} has {len(twice)} gene ids more than once (first: {twice[0]}); "
                "import it by itself with --duplicates, then join the results"
            )
    shared = set.intersection(*(set(names) - {""} for names in renamed))
    order = np.array([i for i, name in enumerate(renamed[0]) if name in shared], dtype=np.int64)
    genes = renamed[0][order]
    fewest = min(len(set(names) - {""}) for names in renamed)
    if len(genes) < 0.7 * fewest:
        raise InputError(
            f"the files share {len(genes):,} genes, fewer than 70 % of the {fewest:,} of the "
            "smallest; name them alike with --gene_map, or import them apart"
        )
    places = [pd.Index(names).get_indexer(pd.Index(genes)) for names in renamed[1:]]
    notes.append(f"{len(genes):,} genes shared by {len(parts)} files")
    return genes, parts[0].gene_text.iloc[order], [order, *places], notes
