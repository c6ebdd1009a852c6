"""Which way a table lies: files have genes in rows nearly everywhere, but not everywhere."""

import re

import numpy as np

from jaxssl.data.formats.matrix import RawTable
from jaxssl.data.genes import GENE_PATTERNS, SAMPLE_PATTERNS, SYMBOL_PATTERN, id_type
from jaxssl.types import InputError

ORIENTATIONS = ("genes_in_rows", "samples_in_rows")
_TRANSCRIPTOME = (12_000, 70_000)  # genes, probe sets or transcripts of a whole-genome assay
_SIDES = ("row", "column")


def detect_orientation(raw: RawTable, sample_ids: np.ndarray | None = None) -> tuple[str, str]:
    """Tell the orientation and the reason; an orientation of "" means that nothing decides.

    In order of weight: what the format says, ids of the label table (`sample_ids`), identifier
    patterns of genes and of samples, ids like gene symbols, a shape that only one reading explains.
    """
    if raw.orientation:
        return raw.orientation, f"as the format {raw.format} has it"
    found, reason = _by_ids(raw, sample_ids)
    if found:
        return found, reason
    ids = raw.ids
    are_symbols = [_are_symbols(side) for side in ids]
    if sum(are_symbols) == 1:
        side = are_symbols.index(True)
        reason = f"{_SIDES[side]} ids look like gene symbols, such as {ids[side][0]}"
        return ORIENTATIONS[side], reason
    low, high = _TRANSCRIPTOME
    n_rows, n_columns = map(len, ids)
    for side, n_ids, n_others in (0, n_rows, n_columns), (1, n_columns, n_rows):
        if low <= n_ids <= high and n_ids >= 5 * n_others:
            return ORIENTATIONS[side], f"the shape, {n_rows} rows by {n_columns} columns"
    return "", f"rows are called {ids[0][0]}, columns {ids[1][0]}: neither is a known kind of id"


def resolve_orientation(
    wanted: str, raw: RawTable, sample_ids: np.ndarray | None
) -> tuple[str, str]:
    """Settle on an orientation, with the reason; ids that contradict user or format are refused."""
    by_ids, evidence = _by_ids(raw, sample_ids)
    if wanted != "auto":
        if by_ids not in ("", wanted):
            raise InputError(
                f"`orientation={wanted}` contradicts the ids ({evidence})",
                f"leave it out or pass `orientation={by_ids}`",
            )
        return wanted, "as told by `orientation`"
    found, reason = detect_orientation(raw, sample_ids)
    if raw.orientation and by_ids not in ("", found):
        rows = found.split("_")[0]
        raise InputError(
            f"{raw.format} has {rows} in rows, yet {evidence}: the file seems transposed",
            f"write it again, or pass `orientation={by_ids}`",
        )
    if not found:
        raise InputError(
            f"cannot tell whether genes are in rows or in columns ({reason})",
            "pass `orientation=genes_in_rows` or `orientation=samples_in_rows`",
        )
    return found, reason


def _by_ids(raw: RawTable, sample_ids: np.ndarray | None) -> tuple[str, str]:
    """Evidence strong enough to contradict the user."""
    ids = raw.ids
    known = set() if sample_ids is None else set(sample_ids)
    hits = [sum(i in known for i in side) for side in ids]
    for side in (0, 1):
        if hits[side] > 10 * hits[1 - side]:
            reason = f"{hits[side]} of {len(ids[side])} {_SIDES[side]} ids are in the label table"
            return ORIENTATIONS[1 - side], reason
    strong = (GENE_PATTERNS, ORIENTATIONS), (SAMPLE_PATTERNS, ORIENTATIONS[::-1])
    for patterns, orientations in strong:
        kinds = [id_type(side, patterns) for side in ids]
        if bool(kinds[0]) != bool(kinds[1]):
            side = int(not kinds[0])
            reason = f"{_SIDES[side]} ids are of the kind {kinds[side]}, such as {ids[side][0]}"
            return orientations[side], reason
    return "", ""


def _are_symbols(ids: np.ndarray) -> bool:
    # samples are called A1 to H12; genes hardly ever share the letters they start with
    starts = {re.split(r"[^A-Z]", str(i), maxsplit=1)[0] for i in ids[:1000]}
    return bool(id_type(ids, SYMBOL_PATTERN)) and len(starts) > 0.3 * min(len(ids), 1000)
