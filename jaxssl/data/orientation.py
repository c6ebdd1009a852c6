"""Which way a table lies: files have genes in rows nearly everywhere, but not everywhere."""

import re

import numpy as np

from jaxssl.data.genes import ID_PATTERNS, SAMPLE_PATTERNS, WEAK_PATTERNS, id_type
from jaxssl.types import InputError

ORIENTATIONS = ("genes_in_rows", "samples_in_rows")
_TRANSCRIPTOME = (12_000, 70_000)  # genes, probe sets or transcripts of a whole-genome assay


def detect_orientation(
    row_ids: np.ndarray, column_ids: np.ndarray, sample_ids: np.ndarray | None = None
) -> tuple[str, str]:
    """Tell the orientation and the reason; an orientation of "" means that nothing decides.

    In order of weight: ids of the label table (`sample_ids`), identifier patterns of genes and of
    samples, ids that look like gene symbols, and a shape that only one reading explains.
    """
    shape = len(row_ids), len(column_ids)
    for found, reason in (
        _by_ids(row_ids, column_ids, sample_ids),
        _by_symbols(row_ids, column_ids),
        _by_shape(*shape),
    ):
        if found:
            return found, reason
    return "", (
        f"rows are called {row_ids[0]}, columns {column_ids[0]}: neither is a known kind of id"
    )


def resolve_orientation(
    wanted: str,
    row_ids: np.ndarray,
    column_ids: np.ndarray,
    sample_ids: np.ndarray | None = None,
    form: str = "",
    declared: str = "",
) -> tuple[str, str]:
    """Settle on an orientation, with the reason; `wanted` is "auto" or one of ORIENTATIONS.

    `declared` is what the format called `form` says itself.

    Raises:
        InputError: where "auto" cannot tell, and where ids contradict the format or what was
            asked for.
    """
    by_ids, evidence = _by_ids(row_ids, column_ids, sample_ids)
    if wanted != "auto":
        if by_ids not in ("", wanted):
            raise InputError(
                f"`orientation={wanted}` contradicts the ids ({evidence})",
                f"leave it out or pass `orientation={by_ids}`",
            )
        return wanted, "as told by `orientation`"
    if declared:
        if by_ids not in ("", declared):
            rows = declared.split("_")[0]
            raise InputError(
                f"{form} has {rows} in rows, yet {evidence}: the file seems transposed",
                f"write it again, or pass `orientation={by_ids}`",
            )
        return declared, f"as the format {form} has it"
    found, reason = detect_orientation(row_ids, column_ids, sample_ids)
    if not found:
        raise InputError(
            f"cannot tell whether genes are in rows or in columns ({reason})",
            "pass `orientation=genes_in_rows` or `orientation=samples_in_rows`",
        )
    return found, reason


def _by_ids(
    row_ids: np.ndarray, column_ids: np.ndarray, sample_ids: np.ndarray | None
) -> tuple[str, str]:
    """Evidence strong enough to contradict the user."""
    by_labels = _by_labels(row_ids, column_ids, sample_ids)
    return by_labels if by_labels[0] else _by_pattern(row_ids, column_ids)


def _by_labels(
    row_ids: np.ndarray, column_ids: np.ndarray, sample_ids: np.ndarray | None
) -> tuple[str, str]:
    if sample_ids is None:
        return "", ""
    known = set(sample_ids)
    rows = sum(i in known for i in row_ids)
    columns = sum(i in known for i in column_ids)
    if rows > 10 * columns:
        return "samples_in_rows", f"{rows} of {len(row_ids)} row ids are in the label table"
    if columns > 10 * rows:
        reason = f"{columns} of {len(column_ids)} column ids are in the label table"
        return "genes_in_rows", reason
    return "", ""


def _by_pattern(row_ids: np.ndarray, column_ids: np.ndarray) -> tuple[str, str]:
    strong = {k: v for k, v in ID_PATTERNS.items() if k not in WEAK_PATTERNS}
    for patterns, of_rows, of_columns in (
        (strong, "genes_in_rows", "samples_in_rows"),
        (SAMPLE_PATTERNS, "samples_in_rows", "genes_in_rows"),
    ):
        rows, columns = id_type(row_ids, patterns)[0], id_type(column_ids, patterns)[0]
        if rows and not columns:
            return of_rows, f"row ids are of the kind {rows}, such as {row_ids[0]}"
        if columns and not rows:
            return of_columns, f"column ids are of the kind {columns}, such as {column_ids[0]}"
    return "", ""


def _by_symbols(row_ids: np.ndarray, column_ids: np.ndarray) -> tuple[str, str]:
    rows, columns = _are_symbols(row_ids), _are_symbols(column_ids)
    if rows and not columns:
        return "genes_in_rows", f"row ids look like gene symbols, such as {row_ids[0]}"
    if columns and not rows:
        return "samples_in_rows", f"column ids look like gene symbols, such as {column_ids[0]}"
    return "", ""


def _are_symbols(ids: np.ndarray) -> bool:
    # Samples are called A1 to H12; genes hardly ever share the letters they start with.
    starts = {re.split(r"[^A-Z]", str(i), maxsplit=1)[0] for i in ids[:1000]}
    pattern = {"gene symbol": ID_PATTERNS["gene symbol"]}
    return bool(id_type(ids, pattern)[0]) and len(starts) > 0.3 * min(len(ids), 1000)


def _by_shape(n_rows: int, n_columns: int) -> tuple[str, str]:
    low, high = _TRANSCRIPTOME
    reason = f"the shape, {n_rows} rows by {n_columns} columns"
    if low <= n_rows <= high and n_rows >= 5 * n_columns:
        return "genes_in_rows", reason
    if low <= n_columns <= high and n_columns >= 5 * n_rows:
        return "samples_in_rows", reason
    return "", ""
