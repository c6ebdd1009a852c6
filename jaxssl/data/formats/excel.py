"""Sheets of workbooks (Excel, OpenDocument), as lines of text; read by calamine, an extra."""

import csv
import datetime
import functools
import gzip
import importlib.util
import io
import itertools
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from jaxssl.types import InputError

_ZIP, _OLD = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"  # the latter of xls, and of what has a password
_PROBE = 20  # rows by which the corner of the table is found
_LARGEST_TEXT = 1 << 30  # bytes of shared texts, which come into memory as a whole
_GZIP = b"\x1f\x8b"
_SHARED = "xl/sharedStrings.xml"
_LARGEST_SHEET = 10**8  # cells, which lie in memory also where they are empty
_FAR = re.compile(rb"\sr=[\"'](?:[A-Za-z]{3}|[A-Za-z]{0,2}\d{6})")
_CELL = re.compile(rb"\sr=[\"']([A-Za-z]{0,3})(\d{1,7})[\"']")
_BLOCK, _LONGEST_NAME = 1 << 20, 20  # bytes
_OTHERS = {
    "xl/workbook.bin": "a binary workbook of Excel (xlsb)",
    "Index/Document.iwa": "a spreadsheet of Numbers",
}
_SHOWN_SHORT = 1e11  # from where Excel shows a name that it took for a number as 2.31E+13


def is_workbook(path: Path) -> bool:
    """Whether a file is an xlsx, ods or xls, or locked as such, by itself or packed by gzip."""
    try:
        with _opened(path) as file:
            start = file.read(4)
            file.seek(0)
            names = zipfile.ZipFile(file).namelist() if start == _ZIP else ()
    except zipfile.BadZipFile:
        return False
    return start == _OLD or "xl/workbook.xml" in names or {"mimetype", "content.xml"} <= {*names}


def refuse_other(path: Path, names: Sequence[str]) -> None:
    """Refuse the workbooks of other programs by name."""
    for name, what in _OTHERS.items():
        if name in names:
            raise InputError(f"{path} is {what}, which is not read", "save it as xlsx or csv")


def lines(path: Path, sheet: str) -> Iterator[bytes]:
    """The rows of a sheet, as lines of cells between tabs.

    A date or a large number in the first row or column, where names stand, is written as Excel
    shows it: 1-Mar, 2.31E+13. Dates that most names are were never symbols, and stay whole.
    """
    stat = path.stat()
    table = _load(path, stat.st_mtime_ns, stat.st_size, sheet)
    rows = table.iter_rows()
    head = list(itertools.islice(rows, _PROBE))
    filled = [[i for i, cell in enumerate(row) if cell != ""] for row in head]
    first = min((where[0] for where in filled if where), default=0)
    width = max((where[-1] + 1 for where in filled if where), default=0)
    are_dates = _are_dates([row[first] for row in head]) and _are_dates(
        row[first] for row in table.iter_rows()
    )
    is_top = True  # down to the row of names, below titles of one cell
    for row in itertools.chain(head, rows):
        cells = row[first:]
        while cells and cells[-1] == "":
            cells.pop()
        if not cells:
            continue
        above = is_top and not _are_dates(cells[1:])
        texts = [_text(cells[0], is_name=not are_dates)]
        texts += [_text(cell, is_name=above) for cell in cells[1:]]
        is_title = is_top and len(cells) == 1
        is_top = is_title
        yield _line(texts if is_title else [*texts, *[""] * (width - first - len(texts))])


def forget() -> None:
    """Leave the sheet that was read last."""
    _load.cache_clear()


def _are_dates(cells: Iterable[Any]) -> bool:
    """Whether most cells that are not empty are dates."""
    there = [isinstance(cell, datetime.date) for cell in cells if cell != ""]
    return 2 * sum(there) > len(there)


def _line(cells: list[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line, delimiter="\t", lineterminator="\n").writerow(cells)
    return line.getvalue().encode()


def _text(cell: Any, *, is_name: bool) -> str:
    """What a cell holds, as text on one line; an error of a formula is an empty cell."""
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, int | float):
        is_cut = is_name and abs(cell) >= _SHOWN_SHORT
        return f"{cell:.2E}" if is_cut else repr(cell).removesuffix(".0")
    if isinstance(cell, datetime.date):
        if is_name:
            return f"{cell.day}-{cell:%b}"
        return str(cell).removesuffix(" 00:00:00")
    return " ".join(str(cell).split())


@functools.lru_cache(maxsize=1)
def _load(path: Path, _changed: int, _size: int, name: str) -> Any:
    """The sheet that is named, or the only one with cells; kept, for it is asked for again."""
    if importlib.util.find_spec("python_calamine") is None:
        raise InputError(
            f"{path} is a workbook, which python-calamine reads, and that is not installed",
            "pip install 'jaxssl[excel]', or save the sheet as csv",
        )
    import python_calamine

    try:
        with _opened(path) as file:
            if file.read(4) == _ZIP:
                _refuse_large(path, file)
            file.seek(0)
            try:
                book = python_calamine.load_workbook(file)
            except python_calamine.CalamineError:
                book = python_calamine.load_workbook(path)  # which tells passwords from damage
            return _choose(path, book, name)
    except InputError:
        raise
    except python_calamine.PasswordError as error:
        raise InputError(
            f"{path} is a workbook with a password", "save it without one, or save the sheet as csv"
        ) from error
    except BaseException as error:  # of many kinds, by what is damaged, a panic of Rust's too
        if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError):
            raise
        raise InputError(
            f"{path} is a damaged workbook ({' '.join(str(error).split())})",
            "save it again, or save the sheet as csv",
        ) from error


def _opened(path: Path) -> io.BufferedIOBase:
    """The bytes of a workbook; of one that is packed, in memory."""
    file = path.open("rb")
    is_packed = file.read(2) == _GZIP
    file.seek(0)
    if is_packed:
        with file, gzip.open(file) as unpacked:
            start = unpacked.read(4)
            is_book = start in (_ZIP, _OLD)
            return io.BytesIO(start + unpacked.read() if is_book else start)
    return file


def _refuse_large(path: Path, file: io.BufferedIOBase) -> None:
    """Refuse an xlsx that would not fit in memory: its texts, or a sheet with all empty cells."""
    with zipfile.ZipFile(file) as archive:
        if _SHARED in archive.namelist() and archive.getinfo(_SHARED).file_size > _LARGEST_TEXT:
            raise InputError(f"{path} has more text than fits in memory", "save the sheet as csv")
        for name in archive.namelist():
            if name.startswith("xl/worksheets/") and _n_cells(archive, name) > _LARGEST_SHEET:
                raise InputError(
                    f"{path} has a sheet of more cells than fit in memory, or a cell far from the "
                    "others",
                    "save the sheet as csv, or remove what stands far from the table",
                )


def _n_cells(archive: zipfile.ZipFile, name: str) -> int:
    """Cells of the rectangle down to a sheet's last one; 0 where all lie within ZZ99999."""
    if not any(_FAR.search(block) for block in _blocks(archive, name)):
        return 0
    columns, n_rows = {b"A"}, 1
    for block in _blocks(archive, name):
        for column, row in _CELL.findall(block):
            columns.add(column.upper())
            n_rows = max(n_rows, int(row))
    last = max(columns, key=lambda column: (len(column), column))
    return n_rows * functools.reduce(lambda n, letter: 26 * n + letter - 64, last, 0)


def _blocks(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    rest = b""
    with archive.open(name) as file:
        while block := file.read(_BLOCK):
            yield rest + block
            rest = block[-_LONGEST_NAME:]


def _choose(path: Path, book: Any, name: str) -> Any:
    """The sheet that is named, or the only one with cells."""
    sheets = [sheet for sheet in book.sheets_metadata if str(sheet.typ).endswith(".WorkSheet")]
    names = [sheet.name for sheet in sheets]
    if name and name not in names:
        raise InputError(
            f"{path} has no sheet {name!r}: it has {', '.join(names)}", "correct `sheet`"
        )
    if name:
        return book.get_sheet_by_name(name)
    found, filled = None, []
    for shown in (sheet.name for sheet in sheets if str(sheet.visible).endswith(".Visible")):
        sheet = book.get_sheet_by_name(shown)
        if sheet.height:
            found = found or sheet
            filled.append(shown)
    if len(filled) > 1:
        raise InputError(
            f"{path} has {len(filled)} sheets: {', '.join(filled)}",
            f"say which with `sheet={filled[0]}`",
        )
    if found is None:
        raise InputError(f"{path} is a workbook without a cell")
    return found
