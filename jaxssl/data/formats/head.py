"""The start of a text file: what it is, how it is written, what its columns are called."""

import csv
import gzip
import io
import itertools
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from jaxssl.types import InputError

MISSING = (
    "",
    "NA",
    "N/A",
    "n/a",
    "NaN",
    "nan",
    "-nan",
    "null",
    "NULL",
    "None",
    "#N/A",
    "<NA>",
    "'--",
)
"""What stands for a value that is not there."""
_START = 1 << 16  # bytes, and some whole lines more: wide tables have lines of a megabyte
_KINDS = (
    "hugo|hgnc|genes?|ensembl|ensg|entrez|probes?|probeset|probe set|feature|transcript"
    r"|composite ?\w*|scan|assay|hybridization|reporter|extract|xena|tracking|target|sample"
)
_WORDS = (
    "ids?|ref|names?|symbols?|code|identifier|element ref|sequence identifier|array data file ref"
)
_CORNER = re.compile(
    rf"#?(x|samples?|rownames?|index|unnamed: 0"
    rf"|(({_KINDS})[ _.-]*)?(gene[ _.-]*)?({_WORDS}|sample)?)",
    re.IGNORECASE,
)
_OF_IDS = re.compile(
    r"(ids?|names?|ref|file|samples?|barcode|accession|run|array|patient|donor|case|key|code)$",
    re.IGNORECASE,
)
"""What stands above a column of ids, and is no name of a column of numbers."""
_DELIMITERS = {"\t": "tsv", ",": "csv", ";": "csv", "|": "csv", " ": "csv"}


class Head(NamedTuple):
    """The start of a text file, by which its format is told."""

    path: Path
    is_gzip: bool
    encoding: str
    lines: list[str]  # whole ones, without their ends

    @property
    def gz(self) -> str:
        """What the name of a format ends with where the file is compressed."""
        return " (gzip)" if self.is_gzip else ""


class Dialect(NamedTuple):
    """How the table in a text file is written."""

    delimiter: str
    encoding: str
    is_gzip: bool
    header: list[str]  # one name per column; the first column holds the row ids
    skip: int  # lines up to and including the header
    end: str = ""  # a line that ends the table; "": the end of the file

    @property
    def format(self) -> str:
        """Name to print: "csv" or "tsv", with "(gzip)" where compressed."""
        return _DELIMITERS[self.delimiter] + (" (gzip)" if self.is_gzip else "")


def read_head(path: Path, *, is_gzip: bool) -> Head:
    """The first lines of a text file.

    Raises:
        InputError: on an empty or binary file, a web page, UTF-16, a damaged gzip.
    """
    with readable(path), open_bytes(path, is_gzip=is_gzip) as file:
        start = file.read(_START)
        _refuse_foreign(path, start, is_gzip=is_gzip)
        start += b"".join(itertools.islice(file, 10))
    encoding = _encoding(start)
    lines = start.decode(encoding).split("\n")
    return Head(path, is_gzip, encoding, [line.rstrip("\r") for line in lines])


def sniff_table(head: Head, skip: int = 0, *, allow_no_corner: bool = False) -> Dialect:
    """Find delimiter and header of the table that starts below `skip` lines.

    R's write.table leaves out the name above the ids: accepted under `allow_no_corner`, where the
    first name looks like the others.

    Raises:
        InputError: on text without columns, and a header that lacks a name.
    """
    filled = [i for i, line in enumerate(head.lines) if i >= skip and line.strip()]
    if len(filled) < 2:
        raise InputError(
            f"{head.path} holds {len(filled)} lines of text; expected a header and rows"
        )
    lines = [head.lines[i] for i in filled[:20]]
    if lines[0].startswith(("#", "!")):
        raise InputError(
            f"{head.path} starts with the comment {lines[0][:40]!r}; expected a row of column "
            "names: remove the lines above it"
        )
    delimiter = _delimiter(head.path, lines)
    header, first = (split_line(head.path, line, delimiter) for line in lines[:2])
    if len(header) == len(first) - 1:
        if not (allow_no_corner and first[-1] != "" and _has_no_corner(header)):
            raise InputError(
                f"{head.path} has {len(header)} names in its header and {len(first)} fields in the "
                f"row below: a name is missing, perhaps the one above {first[0]!r}"
            )
        header = ["", *header]
    return Dialect(delimiter, head.encoding, head.is_gzip, header, filled[0] + 1)


def find_text(head: Head, dialect: Dialect) -> list[int]:
    """Positions of the columns, the first apart, that hold text in the first 100 rows."""
    lines = [line for line in head.lines[dialect.skip : dialect.skip + 100] if line.strip()]
    rows = [split_line(head.path, line, dialect.delimiter) for line in lines]
    n_columns = len(dialect.header)
    frame = pd.DataFrame([row for row in rows if len(row) == n_columns], columns=range(n_columns))
    frame = frame.where(~frame.isin(MISSING))
    parsed = frame.apply(lambda column: pd.to_numeric(column, errors="coerce"))
    has_text = (parsed.isna() & frame.notna()).any()
    return [i for i in range(1, n_columns) if has_text[i]]


def split_line(path: Path, line: str, delimiter: str) -> list[str]:
    """Fields of one line, quotes taken off.

    Raises:
        InputError: on a line with a return inside.
    """
    csv.field_size_limit(1 << 30)
    try:
        fields = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error as error:
        raise InputError(f"{path} is damaged in the line {line[:40]!r}: {error}") from error
    return [field.strip() for field in fields]


def open_bytes(path: Path, *, is_gzip: bool) -> io.BufferedIOBase:
    """The file's content, decompressed."""
    return gzip.GzipFile(path) if is_gzip else path.open("rb")


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn the errors of a damaged or ragged file into InputError."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path} ends early or is damaged ({error}); fetch it again") from error
    except pd.errors.ParserError as error:
        found = str(error).replace("Error tokenizing data. C error: ", "").strip()
        raise InputError(f"{path} is not a table: {found}") from error


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
    if b"\r" in head and b"\n" not in head:
        raise InputError(f"{path} ends its lines by CR alone; save it with line feeds")


def _encoding(text: bytes) -> str:
    try:
        text.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8-sig"


def _delimiter(path: Path, lines: list[str]) -> str:
    counts = {d: [line.count(d) for line in lines] for d in _DELIMITERS}
    present = {
        d: n
        for d, n in counts.items()
        if np.median(n) > 0 and (n[0] > 0 or set(n[1:]) == {1})  # R: one column without a corner
    }
    if not present:
        raise InputError(
            f"{path} has no columns: found neither tab nor comma in {lines[0][:40]!r}; expected "
            "csv or tsv with ids in the first row and first column"
        )
    # Quoted free text adds commas and spaces to some lines; the delimiter occurs evenly.
    return max(
        present,
        key=lambda d: (len(set(present[d][1:])) == 1, d in "\t,;", float(np.median(present[d]))),
    )


def _has_no_corner(header: list[str]) -> bool:
    """Whether the first name is one among the others, and not a name for ids."""
    if _CORNER.fullmatch(header[0]) or _OF_IDS.search(header[0]):
        return False
    forms = [re.sub(r"[A-Za-z]+", "a", re.sub(r"\d+", "0", name)) for name in header[:100]]
    return len(forms) == 1 or forms[0] in forms[1:]
