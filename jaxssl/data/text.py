"""Delimited text: what separates the fields, and the matrix inside, read in blocks of rows."""

import csv
import gzip
import io
import itertools
import re
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import pandas as pd

from jaxssl.types import InputError

_BLOCK = 1 << 24  # numbers parsed together: 64 MB as float32
_TEXT_BLOCK = 1 << 19  # cells parsed together as text
_DELIMITERS = {"\t": "tsv", ",": "csv", ";": "csv", "|": "csv", " ": "csv"}


class Dialect(NamedTuple):
    """How a text file is written."""

    delimiter: str
    encoding: str
    compression: str | None  # "gzip" or None
    header: list[str]  # one name per column; the first column holds the row ids
    skip: int  # lines up to and including the header

    @property
    def format(self) -> str:
        """Name to print: "csv" or "tsv", with "(gzip)" where compressed."""
        return _DELIMITERS[self.delimiter] + (" (gzip)" if self.compression else "")


def sniff_text(path: Path, *, is_gzip: bool) -> Dialect:
    """Find delimiter, encoding and header from the first lines.

    Raises InputError for an empty or binary file, a web page, and text without columns.
    """
    with _readable(path), _open(path, is_gzip=is_gzip) as file:
        head = file.read(1 << 16)
    _refuse_foreign(path, head, is_gzip=is_gzip)
    with _readable(path), _open(path, is_gzip=is_gzip) as file:
        start = list(itertools.islice(file, 20))
    encoding = _encoding(b"".join(start))
    lines = [line.decode(encoding).rstrip("\r\n") for line in start]
    filled = [number for number, line in enumerate(lines) if line.strip()]
    if len(filled) < 2:
        raise InputError(f"{path} holds {len(filled)} line of text; expected a header and rows")
    if lines[filled[0]].startswith(("#", "!")):
        raise InputError(
            f"{path} starts with the comment {lines[filled[0]][:40]!r}; expected a row of column "
            "names: remove the lines above it"
        )
    delimiter = _delimiter(path, [lines[i] for i in filled])
    header, first = _fields(lines[filled[0]], delimiter), _fields(lines[filled[1]], delimiter)
    if len(header) == len(first) - 1:  # R's write.table leaves the corner out
        header = ["", *header]
    compression = "gzip" if is_gzip else None
    return Dialect(delimiter, encoding, compression, header, filled[0] + 1)


def read_rows(
    path: Path, dialect: Dialect, text_columns: Sequence[str]
) -> Iterator[tuple[np.ndarray, np.ndarray, pd.DataFrame]]:
    """Yield (row ids, float32 values, text columns) of successive blocks of rows.

    All columns but the first and `text_columns` are numbers. Raises InputError naming the first
    cell that is not, a row of another length, and a file that ends early.
    """
    texts = [i for i, name in enumerate(dialect.header) if i and name in text_columns]
    numbers = [i for i in range(1, len(dialect.header)) if i not in set(texts)]
    dtypes: dict[int, type] = defaultdict(lambda: np.float32, dict.fromkeys([0, *texts], str))
    rows = max(1, _BLOCK // len(dialect.header))
    blocks = _blocks(path, dialect, dtypes, rows)
    while True:
        try:
            frame = next(blocks, None)
        except UnicodeDecodeError as error:
            raise InputError(f"{path} is not UTF-8 ({error}); save it as UTF-8") from error
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            found = _offending_cell(path, dialect, numbers) or f"{path}: {error}"
            raise InputError(found) from error
        if frame is None:
            return
        columns = pd.DataFrame(frame[texts].fillna("").astype(object))
        columns.columns = [dialect.header[i] for i in texts]
        values = frame[numbers].to_numpy(dtype=np.float32)
        yield frame[0].fillna("").to_numpy(dtype=object), values, columns


def read_texts(path: Path, dialect: Dialect) -> pd.DataFrame:
    """Read a whole table as text; nothing is taken for a missing value but the empty cell.

    Portals write latin-1 into free text far down, so what is not UTF-8 is read as that.
    """
    try:
        frames = list(_blocks(path, dialect, str, 1 << 16, keep_default_na=False))
    except UnicodeDecodeError:
        return read_texts(path, dialect._replace(encoding="latin-1"))
    frame = pd.concat(frames, ignore_index=True)
    text = frame.fillna("").astype(object)
    stripped = pd.DataFrame({i: text[i].str.strip() for i in text.columns}, dtype=object)
    return stripped.set_axis(dialect.header, axis=1)


def find_text(path: Path, dialect: Dialect) -> list[str]:
    """Names of the columns, the first apart, that hold text in the first 100 rows."""
    frame = next(_blocks(path, dialect, str, 100))
    parsed = frame.apply(lambda column: pd.to_numeric(column, errors="coerce"))
    has_text = (parsed.isna() & frame.notna()).any()
    return [name for i, name in enumerate(dialect.header) if i and has_text[i]]


def _blocks(
    path: Path,
    dialect: Dialect,
    dtypes: dict[int, type] | type,
    rows: int,
    *,
    keep_default_na: bool = True,
) -> Iterator[pd.DataFrame]:
    with (
        _readable(path),
        pd.read_csv(
            path,
            sep=dialect.delimiter,
            header=None,
            names=list(range(len(dialect.header))),
            skiprows=dialect.skip,
            dtype=cast("type", dtypes),
            keep_default_na=keep_default_na,
            encoding=dialect.encoding,
            compression=cast("None", dialect.compression),
            chunksize=rows,
            low_memory=False,  # its inner blocks are tiny where rows are wide: four times slower
        ) as reader,
    ):
        yield from reader


def _offending_cell(path: Path, dialect: Dialect, numbers: list[int]) -> str:
    rows = max(1, _TEXT_BLOCK // len(dialect.header))
    for frame in _blocks(path, dialect, str, rows):
        cells = frame[numbers]
        parsed = cells.apply(lambda column: pd.to_numeric(column, errors="coerce"))
        wrong = np.argwhere((parsed.isna() & cells.notna()).to_numpy())
        if len(wrong):
            i, j = wrong[0]
            cell, column = str(cells.iat[i, j]), dialect.header[numbers[j]]
            comma = re.fullmatch(r"-?\d+,\d+", cell)
            fix = (
                "write decimals with a point"
                if comma
                else f"correct it, remove column {column}, or name it by --label_column, "
                "--group_column or --batch_column"
            )
            return f"{path} holds text: row {frame[0].iat[i]}, column {column} is {cell!r}; {fix}"
    return ""


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn the errors of a damaged or ragged file into InputError."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path} ends early or is damaged ({error}); fetch it again") from error
    except pd.errors.ParserError as error:
        found = str(error).replace("Error tokenizing data. C error: ", "").strip()
        raise InputError(f"{path} is not a table: {found}") from error


def _open(path: Path, *, is_gzip: bool) -> io.BufferedIOBase:
    return gzip.GzipFile(path) if is_gzip else path.open("rb")


def _refuse_foreign(path: Path, head: bytes, *, is_gzip: bool) -> None:
    if not head.strip():
        raise InputError(f"{path} is empty")
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InputError(f"{path} is UTF-16 text; save it as UTF-8")
    if b"\0" in head:
        inside = "holds binary data inside gzip" if is_gzip else "is a binary file of unknown kind"
        raise InputError(f"{path} {inside}; expected csv, tsv, parquet, npz or h5ad")
    if head.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html", b"<?xml")):
        raise InputError(f"{path} is a web page, not a table; was the download refused?")


def _encoding(text: bytes) -> str:
    try:
        text.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8-sig"


def _delimiter(path: Path, lines: list[str]) -> str:
    counts = {d: [line.count(d) for line in lines] for d in _DELIMITERS}
    present = {d: n for d, n in counts.items() if min(n) > 0}
    if not present:
        raise InputError(
            f"{path} has no columns: found neither tab nor comma in {lines[0][:40]!r}; expected "
            "csv or tsv with ids in the first row and first column"
        )
    # Quoted free text adds commas and spaces to some lines; the delimiter occurs evenly.
    return max(present, key=lambda d: (len(set(present[d][1:])) == 1, d in "\t,;", min(present[d])))


def _fields(line: str, delimiter: str) -> list[str]:
    csv.field_size_limit(1 << 30)
    return [field.strip() for field in next(csv.reader([line], delimiter=delimiter))]
