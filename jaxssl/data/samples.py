"""The table of samples: labels, groups and batches, joined to a matrix by sample id."""

import difflib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from jaxssl.data.genes import duplicates
from jaxssl.data.table import as_text, sniff
from jaxssl.data.text import read_texts, sniff_text
from jaxssl.types import InputError

MISSING = ("NA", "N/A", "NaN", "nan", "null")  # what exports write for an empty cell


def read_samples(path: str | Path) -> pd.DataFrame:
    """Read a table of samples as text, "" where there is no value.

    csv, tsv (also gzip) or parquet, by content. Raises InputError for anything else.
    """
    path = Path(path)
    kind = sniff(path)
    if kind == "parquet":
        frame = pd.read_parquet(path)
        return _tidy(as_text(frame.reset_index() if frame.index.name else frame), path)
    if kind not in ("text", "gzip"):
        raise InputError(f"{path} holds {kind}; expected a csv or tsv table with one row a sample")
    return _tidy(read_texts(path, sniff_text(path, is_gzip=kind == "gzip")), path)


def sample_column_of(table: pd.DataFrame, sample_ids: np.ndarray) -> str:
    """The column that holds most of the sample ids; "" if none holds any."""
    known = pd.Index(sample_ids)
    counts = {name: int(known.isin(table[name]).sum()) for name in table.columns}
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] else ""


def join_samples(
    table: pd.DataFrame, sample_ids: np.ndarray, column: str, min_match: float
) -> tuple[pd.DataFrame, str]:
    """Rows of `table` in the order of `sample_ids`, "" where it has none, and what was matched.

    `column` "" finds the column of ids itself. Raises InputError when less than `min_match` of
    the samples match, and when two rows of a sample differ.
    """
    if column:
        require_column(table.columns, column, "sample")
    name = column or sample_column_of(table, sample_ids) or str(table.columns[0])
    keys = table[name].to_numpy(dtype=object)
    known = pd.Index(sample_ids).isin(keys)
    share = float(known.mean())
    note = f"{int(known.sum())} of {len(sample_ids)} samples found in column {name} of the labels"
    if share < min_match:
        raise InputError(f"only {note}; {_unmatched(sample_ids, known, keys)}")
    used = table.loc[np.isin(keys, sample_ids)].drop_duplicates()
    clash = duplicates(np.asarray(used[name], dtype=object))
    if len(clash):
        raise InputError(
            f"{len(clash)} samples have several, different rows in the labels (first: {clash[0]}); "
            "leave one row a sample"
        )
    joined = used.set_index(name).reindex(pd.Index(sample_ids, dtype=object), fill_value="")
    return joined, note if known.all() else f"{note}; the others stay unlabelled"


def require_column(columns: Sequence[str] | pd.Index, name: str, role: str) -> None:
    """Raise InputError unless there is such a column; proposes the nearest names."""
    names = [str(c) for c in columns]
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    known = f"did you mean {', '.join(near)}?" if near else f"there are {_some(names)}"
    if not names:
        known = "the file has no table of samples; import it by launch.prepare --labels=TABLE"
    raise InputError(
        f"there is no {role} column {name!r}; {known} (--{role}_column in launch.prepare, "
        f"--{role} elsewhere)"
    )


def _unmatched(sample_ids: np.ndarray, known: np.ndarray, keys: np.ndarray) -> str:
    data = sample_ids[~known]
    labels = [str(key) for key in keys if key not in set(sample_ids)]
    message = f"only in the data: {_some(data, 5)}; only in the labels: {_some(labels, 5)}"
    undotted = {str(i).replace(".", "-") for i in data}
    if len(undotted & {key.replace(".", "-") for key in labels}) > len(data) // 2:
        return f"{message}; they differ in '.' and '-' (R's check.names): export the matrix again"
    return f"{message}; pass --sample_column, the right --labels, or a lower --min_match"


def _some(names: Sequence[str] | np.ndarray, count: int = 12) -> str:
    shown = ", ".join(str(name) for name in names[:count]) or "none"
    return shown + (f", ... ({len(names)})" if len(names) > count else "")


def _tidy(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    twice = duplicates(np.asarray(frame.columns, dtype=object))
    if len(twice):
        raise InputError(f"{path} has several columns called {twice[0]!r}; rename or remove them")
    if not len(frame):
        raise InputError(f"{path} has a header and no rows")
    return frame.mask(frame.isin(MISSING), "")
