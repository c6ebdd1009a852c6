"""What stands around a table of text: a title above it, empty cells at the ends of its rows."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxssl.data.corner import is_name_for_ids
from jaxssl.data.formats.cells import has_marks, split_line
from jaxssl.types import InputError

_DELIMITERS = "\t,;"


def refuse_title(path: Path, lines: Sequence[str]) -> None:
    """Refuse lines of a single cell, the first, above a table of several columns.

    `lines` are the first of the text that are not blank. R's header of one sample is such a line,
    too, of a name without spaces: then the line below it has numbers.
    """
    firsts = {mark: _n_filled(split_line(path, lines[0], mark)) for mark in _DELIMITERS}
    usual = {mark: int(np.median([line.count(mark) for line in lines])) for mark in _DELIMITERS}
    if any(firsts[mark] > 1 and 2 * firsts[mark] > usual[mark] > 0 for mark in _DELIMITERS):
        return  # it is a header, though its cells may hold another delimiter
    for delimiter in (mark for mark in _DELIMITERS if firsts[mark] == 1):
        rows = [split_line(path, line, delimiter) for line in lines]
        usual = int(np.median([_n_filled(row) for row in rows]))
        is_title = [_n_filled(row) == 1 and row[0] != "" for row in rows]
        n_above = len(list(itertools.takewhile(bool, is_title)))
        if usual < 2 or not 0 < n_above < len(rows) - 1:
            continue
        (header, first), title = rows[n_above : n_above + 2], rows[0][0]
        are_names = not _is_number(header[1]) and len(first) > 1 and _is_number(first[1])
        if usual > 2 or are_names or (" " in title and is_name_for_ids(header[0])):
            shown = title if len(title) <= 40 else f"{title[:40]}..."
            raise InputError(
                f"{path} has a title above its header: {shown!r}",
                f"remove what stands above the row that starts with {header[0]!r}",
            )


def trim(
    path: Path, header: list[str], lines: Sequence[str], delimiter: str, *, has_corner: bool
) -> tuple[list[str], int]:
    """The header without empty names at its end, and how many empty cells more every row ends with.

    `lines` are the first rows. Without a corner, a name is missing above the ids: then the
    last cell of a row is a value.
    """
    first = split_line(path, lines[0], delimiter)
    if header[-1:] != [""] and first[-1:] != [""]:
        return header, 0
    named = header[: _width(header)]
    rows = [split_line(path, line, delimiter) for line in lines]
    widths = {len(row) for row in rows}
    n_more = min(widths) - len(named)
    if len(widths) > 1 or max(map(_width, rows)) > len(named) or n_more < 0:
        return header, 0
    if n_more and len(named) == len(header) and not has_corner:
        marks = f"{n_more} empty cells" if n_more > 1 else "an empty cell"
        raise InputError(
            f"{path}: every row ends with {marks} more than the header, whose first name is "
            f"{header[0]!r}",
            "remove the delimiter at the end of the rows if that is the name of the ids, or add "
            "one above them if it is not",
        )
    return named, n_more


def _n_filled(row: Sequence[str]) -> int:
    return sum(cell != "" for cell in row)


def _width(row: Sequence[str]) -> int:
    """How many cells a row has up to its last that is not empty."""
    return max((i + 1 for i, cell in enumerate(row) if cell != ""), default=0)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return has_marks(cell)
    return True
