"""Names of samples, genes and classes: what no file could give back is refused before its use."""

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from jaxssl.data.genes import duplicates
from jaxssl.types import InputError, note_quoted

_UNWRITABLE = r"\0\ud800-\udfff"  # HDF5 ends a text at the one and has no bytes for the other
_CONTROL = re.compile(rf"[{_UNWRITABLE}\x01-\x08\x0a-\x1f\x7f-\x84\x86-\x9f\u2028\u2029]")
_NUMBERED = re.compile(r"(.*\D)\d+")
_LOST = re.compile(rf"[{_UNWRITABLE}]")


def check_names(names: Iterable[Any], what: str) -> None:
    """Refuse names with a line break or another control character, but for a tab."""
    _refuse(names, what, _CONTROL, "a line break or another control character")


def check_text(frame: pd.DataFrame, what: str) -> None:
    """Refuse names in the index as `check_names` does, and in the columns what HDF5 cannot hold."""
    check_names(frame.index, what)
    check_names(frame.columns, f"columns about {what}")
    names = [str(name) for name in frame.columns]
    ill = [name for name in names if not _is_key(name, names)]
    if ill:
        raise InputError(
            f"{len(ill)} columns about {what} have names that no h5ad can hold beside the others "
            f"(first: {ill[0]!r})",
            "rename them, without a slash",
        )
    for name in frame:
        _refuse(frame[name], f"values of {name}", _LOST, "a character that no file can hold")


def check_alike(values: pd.Series, column: str) -> None:
    """Refuse values that are not the same and would be as text, such as the number 1 and "1"."""
    known = values.dropna().astype(object)
    if not known.map(lambda value: isinstance(value, Hashable)).all():
        raise InputError(f"column {column} holds lists or tables", "make each value a text")
    apart = [names for names in known.map(str).groupby(known).unique() if len(names) > 1]
    if apart:
        raise InputError(
            f"column {column} holds one value as {' and as '.join(map(repr, apart[0]))}",
            "make all of one type",
        )
    twice = duplicates(np.array(list(map(str, known.unique())), object))
    if len(twice):
        raise InputError(
            f"column {column} holds {twice[0]!r} as text and as another type", "make all text"
        )


def numbered(names: Iterable[str]) -> np.ndarray:
    """Names of which none is another, as R's make.unique has them.

    >>> numbered(["WT", "WT", "KO", "WT.1", "WT"]).tolist()
    ['WT', 'WT.2', 'KO', 'WT.1', 'WT.3']
    """
    names = list(names)
    taken, found = set(names), []
    count = dict.fromkeys(names, -1)
    for name in names:
        count[name] += 1
        new = name
        while count[name] and (new := f"{name}.{count[name]}") in taken:
            count[name] += 1
        taken.add(new)
        found.append(new)
    return np.array(found, dtype=object)


def without_id(samples: np.ndarray) -> list[str]:
    """A note on samples without an id, which `read` refuses; empty where there is none."""
    n = int((samples == "").sum())
    return [f"{n:,} samples have no id, as below merged cells: name each in the file"] if n else []


def _is_key(name: str, names: Sequence[str]) -> bool:
    """Whether HDF5, to which a slash opens a group, can hold a column among the others."""
    parts = name.split("/")
    groups = {"/".join(parts[:i]) for i in range(1, len(parts))}
    return not {"", "."} & set(parts) and not groups & set(names)


def _refuse(names: Iterable[Any], what: str, pattern: re.Pattern[str], character: str) -> None:
    known = dict.fromkeys(map(str, names))
    note_quoted(known)
    ill = [name for name in known if pattern.search(name)]
    if ill:
        raise InputError(f"{len(ill)} {what} hold {character} (first: {ill[0]!a})", "rename them")


def share_numbered(names: Sequence[str]) -> float:
    """The share of names that others are called like but for the number at the end: WT_1, P01."""
    stems = [found[1] if (found := _NUMBERED.fullmatch(name)) else "" for name in names]
    counts = Counter(stems)
    return sum(n for stem, n in counts.items() if stem and n > 1) / len(names)
