"""Sheets of Excel workbooks, as lines of text; read by openpyxl, which is an extra."""

import csv
import datetime
import importlib.util
import io
import itertools
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jaxssl.types import InputError

_PROBE = 20  # rows by which the corner of the table is found
_LARGEST_TEXT = 1 << 30  # bytes of shared texts, which come into memory as a whole
_SHARED = "xl/sharedStrings.xml"
_OTHERS = {
    "xl/workbook.bin": "a binary workbook of Excel (xlsb)",
    "content.xml": "a spreadsheet of OpenDocument (ods)",
    "Index/Document.iwa": "a spreadsheet of Numbers",
}
_SHOWN_SHORT = 1e11  # from where Excel shows a name that it took for a number as 2.31E+13


def is_workbook(names: Sequence[str]) -> bool:
    """Whether a zip of these files is an xlsx."""
    return "xl/workbook.xml" in names


def refuse_other(path: Path, names: Sequence[str]) -> None:
    """Refuse the workbooks of other programs by name."""
    for name, what in _OTHERS.items():
        if name in names:
            raise InputError(f"{path} is {what}, which is not read", "save it as xlsx or csv")


def lines(path: Path, archive: zipfile.ZipFile, sheet: str) -> Iterator[bytes]:
    """The rows of a sheet, as lines of cells between tabs.

    A date or a large number in the first row or column, where names stand, is written as Excel
    shows it: 1-Mar, 2.31E+13.
    """
    book = _open(path, archive)
    rows = iter(_choose(path, book, sheet).iter_rows(values_only=True))
    head = [list(row) for row in itertools.islice(rows, _PROBE)]
    filled = [[i for i, cell in enumerate(row) if cell is not None] for row in head]
    first = min((where[0] for where in filled if where), default=0)
    width = max((where[-1] + 1 for where in filled if where), default=0)
    is_top = True  # down to the row of names, below titles of one cell
    for row in itertools.chain(head, rows):
        cells = list(row[first:])
        while cells and cells[-1] is None:
            cells.pop()
        if not cells:
            continue
        texts = [_text(cell, is_name=is_top or i == 0) for i, cell in enumerate(cells)]
        is_title = is_top and len(cells) == 1
        is_top = is_title
        yield _line(texts if is_title else [*texts, *[""] * (width - first - len(texts))])


def _line(cells: list[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line, delimiter="\t", lineterminator="\n").writerow(cells)
    return line.getvalue().encode()


def _text(cell: Any, *, is_name: bool) -> str:
    """What a cell holds, as text on one line."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, int | float):
        is_cut = is_name and abs(cell) >= _SHOWN_SHORT
        return f"{cell:.2E}" if is_cut else repr(cell).removesuffix(".0")
    if isinstance(cell, datetime.datetime | datetime.date):
        if is_name:
            return f"{cell.day}-{cell:%b}"
        return cell.isoformat().removesuffix("T00:00:00")
    return " ".join(str(cell).split())


def _open(path: Path, archive: zipfile.ZipFile) -> Any:
    if importlib.util.find_spec("openpyxl") is None:
        raise InputError(
            f"{path} is an Excel workbook, which openpyxl reads, and that is not installed",
            "pip install 'jaxssl[excel]', or save the sheet as csv",
        )
    import openpyxl

    assert archive.fp is not None
    if _SHARED in archive.namelist() and archive.getinfo(_SHARED).file_size > _LARGEST_TEXT:
        raise InputError(f"{path} has more text than fits in memory", "save the sheet as csv")
    warnings.filterwarnings("ignore", category=UserWarning, module="openpyxl")  # of styles
    try:
        return openpyxl.load_workbook(archive.fp, read_only=True, data_only=True)
    except Exception as error:  # of many kinds, by what is damaged
        raise InputError(
            f"{path} is a damaged Excel workbook ({' '.join(str(error).split())})",
            "save it again, or save the sheet as csv",
        ) from error


def _choose(path: Path, book: Any, name: str) -> Any:
    """The sheet that is named, or the only one with cells."""
    sheets = {sheet.title: sheet for sheet in book.worksheets}
    for sheet in sheets.values():
        sheet.reset_dimensions()  # which some programs write wrong
    if name and name not in sheets:
        raise InputError(
            f"{path} has no sheet {name!r}: it has {', '.join(sheets)}", "correct `sheet`"
        )
    if name:
        return sheets[name]
    shown = [sheet for sheet in sheets.values() if sheet.sheet_state == "visible"]
    filled = [sheet for sheet in shown if _is_filled(sheet)]
    if len(filled) > 1:
        raise InputError(
            f"{path} has {len(filled)} sheets: {', '.join(sheet.title for sheet in filled)}",
            f"say which with `sheet={filled[0].title}`",
        )
    if not filled:
        raise InputError(f"{path} is an Excel workbook without a cell")
    return filled[0]


def _is_filled(sheet: Any) -> bool:
    rows = itertools.islice(sheet.iter_rows(values_only=True), _PROBE)
    return any(cell is not None for row in rows for cell in row)
