"""Names of samples, genes and classes: what no file could give back is refused before its use."""

import re
from collections.abc import Iterable
from typing import Any

import pandas as pd

from jaxssl.types import InputError

_UNWRITABLE = r"\0\ud800-\udfff"  # HDF5 ends a text at the one and has no bytes for the other
_CONTROL = re.compile(rf"[{_UNWRITABLE}\x01-\x08\x0a-\x1f\x7f\u2028\u2029]")
_LOST = re.compile(rf"[{_UNWRITABLE}]")


def check_names(names: Iterable[Any], what: str) -> None:
    """Refuse names with a line break or another control character, but for a tab."""
    _refuse(names, what, _CONTROL, "a line break or another control character")


def check_text(frame: pd.DataFrame, what: str) -> None:
    """Refuse names in the index as `check_names` does, and in the columns what HDF5 cannot hold."""
    check_names(frame.index, what)
    check_names(frame.columns, f"columns about {what}")
    for name in frame:
        _refuse(frame[name], f"values of {name}", _LOST, "a character that no file can hold")


def _refuse(names: Iterable[Any], what: str, pattern: re.Pattern[str], character: str) -> None:
    ill = [name for name in dict.fromkeys(map(str, names)) if pattern.search(name)]
    if ill:
        raise InputError(f"{len(ill)} {what} hold {character} (first: {ill[0]!a})", "rename them")
