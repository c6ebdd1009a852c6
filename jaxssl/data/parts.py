"""One file: turned to samples x genes, looked through once, its scale settled."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float32

from jaxssl.data.formats import read_table
from jaxssl.data.formats.matrix import FILE_NAME, RawTable, Reading, names_of
from jaxssl.data.import_options import ImportOptions
from jaxssl.data.joining import join_samples, known_ids
from jaxssl.data.orientation import resolve_orientation
from jaxssl.data.roles import scale_told, settle, surveyed
from jaxssl.data.sample_major import SampleMajor, Survey
from jaxssl.data.samples import require_column
from jaxssl.data.scale import COVERAGE, READ_LENGTHS, resolve_scale
from jaxssl.types import InputError


class Part(NamedTuple):
    """One file, samples by genes, as yet uncleaned."""

    path: Path
    raw: RawTable
    x: SampleMajor
    obs: pd.DataFrame  # text about the samples; their names are the index
    var: pd.DataFrame
    orientation: str
    scale: str
    seen: Survey
    notes: list[str]


def read_part(
    path: Path, options: ImportOptions, tables: Sequence[pd.DataFrame], reading: Reading
) -> Part:
    """Read a file, turn it, look at every value once, and settle its scale."""
    inside = [*options.text_columns, *filter(None, (options.label, options.group, options.batch))]
    told = {"text_columns": inside, "layer": options.layer, "sheet": options.sheet}
    told |= {"no_header": options.no_header, "id_column": options.id_column}
    raw = called_by_files(read_table(path, reading._replace(**told)), tables)
    for name in options.text_columns:
        there = [*raw.rows.columns, *raw.columns.columns] or list(raw.columns.index)
        require_column(there, name, "text_columns")
    known = known_ids(tables[0], raw, options.sample_column) if tables else None
    orientation, reason = resolve_orientation(options.orientation, raw, known)
    table = settle(raw, orientation, path)
    divisor, length_notes = _divisors(raw, path, names_of(table.obs), tables, options)
    table = table._replace(x=table.x._replace(divisor=divisor, name=str(path)))
    table, seen = surveyed(table)
    _check_named(path, names_of(table.obs))
    recorded = str(raw.prepared.get("scale", "")) if options.scale == "auto" else ""
    declared = scale_told(raw, table, seen)
    wanted = recorded or options.scale
    scale, why = resolve_scale(wanted, seen.range, declared, path.name, is_lifted=True)
    why = "as the file records it" if recorded else why
    notes = [f"format {raw.format}", *raw.notes, f"orientation {orientation}: {reason}"]
    notes += [*table.notes, *length_notes, f"scale {scale}: {why}"]
    if scale == "linear" and seen.range.lowest < 0:
        notes.append(f"values below 0, from {seen.range.lowest:.4g} on, become 0")
    return Part(path, raw, table.x, table.obs, table.var, orientation, scale, seen, notes)


def called_by_files(raw: RawTable, tables: Sequence[pd.DataFrame]) -> RawTable:
    """Samples under the names of their files, where a table knows them by these alone."""
    side = next((side for side in ("rows", "columns") if FILE_NAME in getattr(raw, side)), "")
    if not side or not tables:
        return raw
    about: pd.DataFrame = getattr(raw, side)
    files, known = about[FILE_NAME], set(tables[0].to_numpy(dtype=object).ravel())
    if not set(files) & known or set(about.index) & known:
        return raw
    return raw._replace(**{side: about.set_axis(pd.Index(files, dtype=object), axis=0)})


def _check_named(path: Path, samples: np.ndarray) -> None:
    """Every sample has a name."""
    empty = np.flatnonzero(samples == "")
    if len(empty):
        where = f"first: number {empty[0] + 1} of {len(samples)}"
        raise InputError(
            f"{len(empty)} samples of {path} have no id ({where})", "name or remove them"
        )


def _divisors(
    raw: RawTable,
    path: Path,
    sample_ids: np.ndarray,
    tables: Sequence[pd.DataFrame],
    options: ImportOptions,
) -> tuple[Float32[np.ndarray, " samples"] | None, list[str]]:
    """What every sample is divided by, None for data that are no coverage; and what was done.

    Sums of coverage, of recount2 and 3, are larger than counts by the length of the reads mapped.
    """
    wanted = options.read_length
    if raw.scale != COVERAGE:
        if wanted:
            raise InputError(f"`read_length` is for coverage sums of recount; {path} is no such")
        return None, []
    if not wanted:
        table, column = READ_LENGTHS[raw.format.split(" (")[0]]
        counts = "; `read_length=1` if they are counts" if "recount2" in raw.format else ""
        raise InputError(
            f"{path} holds sums of base-pair coverage, not counts: each is too large by the "
            "length of its reads",
            f"pass `labels={table}` and `read_length={column}`, or "
            f"`read_length=BASES` where all samples have one length{counts}",
        )
    try:
        lengths = np.full(len(sample_ids), float(wanted))
    except ValueError:
        lengths = _lengths(wanted, sample_ids, tables, options)
    is_length = np.isfinite(lengths) & (lengths > 0)
    if not is_length.all():
        i = int(np.argmin(is_length))
        raise InputError(
            f"`read_length={wanted}`: sample {sample_ids[i]} has {lengths[i]:g}; lengths are "
            "above 0"
        )
    span = f"{lengths.min():g}" + (f" to {lengths.max():g}" if np.ptp(lengths) else "")
    return lengths.astype(np.float32), [f"coverage divided by read lengths of {span} bases"]


def _lengths(
    column: str, sample_ids: np.ndarray, tables: Sequence[pd.DataFrame], options: ImportOptions
) -> np.ndarray:
    if not tables:
        raise InputError(
            f"`read_length={column}` is a column, yet there is no `labels`",
            "pass the table that has it",
        )
    table = next((t for t in tables if column in t), tables[0])
    require_column(table.columns, column, "read_length")
    named = options.sample_column if options.sample_column in table else ""
    joined = join_samples(table, sample_ids, named, options.min_match)[0]
    lengths = pd.to_numeric(joined[column], errors="coerce").to_numpy(dtype=float)
    absent = np.flatnonzero(np.isnan(lengths))
    if len(absent):
        raise InputError(
            f"{len(absent)} samples have no {column} (first: {sample_ids[absent[0]]}); every one "
            "needs its read length"
        )
    return lengths
