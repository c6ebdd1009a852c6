"""recount3's coverage sums as counts: each is larger by the length of the reads mapped."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float32

from jaxssl.data.formats.matrix import RawTable
from jaxssl.data.import_options import ImportOptions
from jaxssl.data.samples import join_samples, require_column
from jaxssl.data.scale import COVERAGE
from jaxssl.types import InputError

_COLUMN = "star.average_mapped_length"  # of *.recount_qc.*.MD.gz, as recount3 itself divides


def divisors(
    raw: RawTable,
    path: Path,
    sample_ids: np.ndarray,
    tables: Sequence[pd.DataFrame],
    options: ImportOptions,
) -> tuple[Float32[np.ndarray, " samples"] | None, list[str]]:
    """What every sample is divided by, None for data that are no coverage; and what was done.

    Raises InputError where coverage comes without a read length, and the other way round.
    """
    wanted = options.read_length
    if raw.scale != COVERAGE:
        if wanted:
            raise InputError(f"`read_length` is for coverage sums of recount3; {path} is no such")
        return None, []
    if not wanted:
        raise InputError(
            f"{path} holds sums of base-pair coverage, not counts: each is too large by the "
            "length of its reads",
            f"pass `labels=*.recount_qc.*.MD.gz` and `read_length={_COLUMN}`, or "
            "`read_length=BASES` where all samples have one length",
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
            f"`read_length={column}` is a column, yet there is no `labels`", "pass the *.MD.gz file"
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
