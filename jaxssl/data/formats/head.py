"""The start of a text file: what it is, how it is written, what its columns are called."""

import itertools
import lzma
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from jaxssl.data.corner import is_name_for_ids
from jaxssl.data.formats import containers
from jaxssl.data.formats.cells import (
    MISSING,
    has_marks,
    how_to_write,
    is_adorned,
    is_for_none,
    split_line,
)
from jaxssl.data.formats.encodings import encoding_of
from jaxssl.data.formats.foreign import refuse_foreign
from jaxssl.data.formats.margins import refuse_title, trim
from jaxssl.types import InputError, note_quoted

_START = 1 << 16  # bytes, and some whole lines more: wide tables have lines of a megabyte
_DELIMITERS = "\t,;| "
TEXT_SHARE = 0.5  # of the first rows, above which a column is text and not a number mistyped
_MARKUP = (b"<!doctype html", b"<html", b"<?xml", b"<!--", b"<head", b"<body", b"<table")


class Head(NamedTuple):
    """The start of a text file, by which its format is told."""

    path: Path
    packing: str  # "gzip", "bzip2", "xz", "zip", "Excel", "R"; "" for none
    encoding: str
    lines: list[str]  # whole ones, without their ends
    member: str = ""  # sheet of a workbook, object of an RData file


class Dialect(NamedTuple):
    """How the table in a text file is written."""

    head: Head
    delimiter: str
    header: list[str]  # one name per column; the first column holds the row ids
    skip: int  # lines up to and including the header
    end: str = ""  # a line that ends the table; "": the end of the file
    n_trailing: int = 0  # empty cells more at the end of every row, above which is no name
    is_headless: bool = False  # the first line is data, and the header made up
    about: Sequence[list[str]] = ()  # rows of text below the header, passed over
    decimal: str = "."  # or a comma, which `head` has no more


@contextmanager
def opened(path: Path, member: str = "") -> Iterator[tuple[Any, Any]]:
    """A text's bytes as they lie on the disk, and unpacked; damage is an InputError.

    `member` is a sheet of a workbook or an object of an RData file.
    """
    with path.open("rb") as raw:
        try:
            yield raw, containers.unpacked(path, raw, member)
        except (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
            raise containers.as_damage(path, error) or error from error


def read_head(path: Path, member: str = "") -> Head:
    """The first lines of a text file; what is no such text is refused by name."""
    packing = containers.packing_of(path)
    with opened(path, member) as (_, file):
        start = file.read(_START)
        _refuse_foreign(path, start, packing)
        start += b"".join(itertools.islice(file, 10))
    encoding = encoding_of(start)
    text = start.decode(encoding)
    lines = [line.rstrip("\r") for line in text.split("\n")]
    return Head(path, packing, encoding, lines, member)


def sniff_table(head: Head, skip: int = 0, *, allow_no_corner: bool = False) -> Dialect:
    """Find delimiter and header of the table that starts below `skip` lines.

    R's write.table leaves out the name above the ids: accepted under `allow_no_corner`, where rows
    are numbered, names quoted, or the first name is not one for ids.
    """
    filled = [i for i, line in enumerate(head.lines) if i >= skip and line.strip()]
    if len(filled) < 2:
        raise InputError(
            f"{head.path} holds {len(filled)} lines of text", "expected a header and rows"
        )
    lines = [head.lines[i] for i in filled[:20]]
    if lines[0].startswith(("#", "!")):
        raise InputError(
            f"{head.path} starts with the comment {lines[0][:40]!r}",
            "expected a row of column names: remove the lines above it",
        )
    refuse_title(head.path, lines)
    delimiter = _delimiter(head.path, lines)
    _refuse_broken(head.path, lines[0], delimiter)
    header, first = (split_line(head.path, line, delimiter) for line in lines[:2])
    has_corner = is_name_for_ids(header[0])
    header, n_trailing = trim(head.path, header, lines[1:], delimiter, has_corner=has_corner)
    first = first[: len(first) - n_trailing]
    if len(header) == len(first) - 1:
        if not (allow_no_corner and first[-1] != "" and _has_no_corner(header, lines, delimiter)):
            raise InputError(
                f"{head.path} has {len(header)} names in its header and {len(first)} fields in "
                "the row below: a name is missing",
                f"name or remove the last column, above which nothing stands; if {header[0]!r} is "
                f"no name for ids such as {first[0]!r}, add one before it (in R, by col.names=NA)",
            )
        header = ["", *header]
    note_quoted(header)
    return Dialect(head, delimiter, header, filled[0] + 1, n_trailing=n_trailing)


def find_text(dialect: Dialect) -> list[int]:
    """Positions of the columns, the first apart, whose first 100 values are not all numbers."""
    return [i for i, share in enumerate(text_shares(dialect)) if i and share]


def text_shares(dialect: Dialect) -> list[float]:
    """Of each column, the share of its first 100 values, if not missing, that is text.

    Numbers with a sign, such as 5%, are none, and words for none beside numbers alone make no
    column one of text. Numbers with a comma for the point, as German or
    French tables have them, are refused.
    """
    frame = head_cells(dialect)
    cells = pd.Series(frame.to_numpy(dtype=object).ravel(), dtype=object)  # of any width at once
    cells = cells.mask(cells.isin(MISSING))
    numbers = pd.to_numeric(cells, errors="coerce")
    frame, parsed, is_text = (
        pd.DataFrame(flat.to_numpy().reshape(frame.shape))
        for flat in (cells, numbers, numbers.isna() & cells.notna())
    )
    path = dialect.head.path
    _refuse_marks(path, frame.iloc[:, 1:], parsed.iloc[:, 1:], is_text.iloc[:, 1:])
    is_text &= ~frame.where(is_text, "").map(is_adorned)
    texts = frame.where(is_text, "")
    are_none = texts.map(is_for_none)
    told = parsed.notna() | texts.map(lambda cell: cell.upper() != cell.lower())  # no strand of -
    may_be_text = (is_text & ~are_none).any() | ~told.any()
    shares = is_text.sum() / frame.notna().sum().clip(lower=1)
    return shares.where(may_be_text, shares.clip(upper=TEXT_SHARE)).to_list()


def head_cells(dialect: Dialect) -> pd.DataFrame:
    """Text of the first 100 rows at most, columns by position."""
    head, n_columns = dialect.head, len(dialect.header)
    lines = [line for line in head.lines[dialect.skip : dialect.skip + 100] if line.strip()]
    rows = [split_line(head.path, line, dialect.delimiter) for line in lines]
    rows = [row[:n_columns] for row in rows if len(row) - n_columns in (0, dialect.n_trailing)]
    return pd.DataFrame(rows, columns=range(n_columns), dtype=object)


def _refuse_marks(
    path: Path, cells: pd.DataFrame, parsed: pd.DataFrame, is_text: pd.DataFrame
) -> None:
    """Refuse numbers that are written with marks inside, where most texts are such."""
    texts = cells.to_numpy(dtype=object)[is_text.to_numpy()]
    marked = [text for text in texts if has_marks(text)]
    if 2 * len(marked) > len(texts):
        plain = parsed.to_numpy(dtype=float)
        finding, fix = how_to_write(marked, plain[np.isfinite(plain)].tolist())
        raise InputError(f"{path} {finding}", fix)


def _refuse_foreign(path: Path, head: bytes, packing: str) -> None:
    if not head.strip():
        raise InputError(f"{path} is empty")
    every_other = [head[:4096][i::2] for i in (0, 1)]  # without a mark, one half is zeros
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or any(
        2 * half.count(0) > len(half) and b"\0" not in other
        for half, other in (every_other, every_other[::-1])
    ):
        raise InputError(f"{path} is UTF-16 text", "save it as UTF-8")
    if b"\0" in head:
        inside = (
            f"holds binary data inside {packing}" if packing else "is a binary file of unknown kind"
        )
        raise InputError(f"{path} {inside}", "expected csv, tsv, parquet, npz or h5ad")
    refuse_foreign(path, head.decode("latin-1").split("\n"))
    if head.lstrip()[:14].lower().startswith(_MARKUP):
        raise InputError(f"{path} is a web page, not a table; was the download refused?")
    if b"\r" in head and b"\n" not in head:
        raise InputError(f"{path} ends its lines by CR alone", "save it with line feeds")


def _refuse_broken(path: Path, header: str, delimiter: str) -> None:
    """Refuse a header that goes on in the next line, as a name in quotes has a break inside."""
    name = header.rsplit(f'{delimiter}"', 1)[-1]
    if header.count('"') % 2 and len(name) < len(header) and '"' not in name:
        raise InputError(
            f"{path} has a line break inside a name of its header, behind {name!r}",
            "write the header on one line",
        )


def _delimiter(path: Path, lines: list[str]) -> str:
    counts = {d: [line.count(d) for line in lines] for d in _DELIMITERS}
    present = {
        d: n
        for d, n in counts.items()
        if np.median(n) > 0 and (n[0] > 0 or set(n[1:]) == {1})  # R: one column without a corner
    }
    if not present:
        raise InputError(
            f"{path} has no columns: found neither tab nor comma in {lines[0][:40]!r}",
            "expected csv or tsv with ids in the first row and first column",
        )
    # Quoted free text adds commas and spaces to some lines; the delimiter occurs evenly.
    return max(
        present,
        key=lambda d: (len(set(present[d][1:])) == 1, d in "\t,;", float(np.median(present[d]))),
    )


def _has_no_corner(header: list[str], lines: list[str], delimiter: str) -> bool:
    """Whether R wrote the table: its header begins with the second column."""
    firsts = [line.split(delimiter, 1)[0] for line in lines[1:]]
    plain = [first.strip('"') for first in firsts]
    numbers = [int(first) for first in plain if first.isdecimal()]  # with gaps where filtered
    are_numbers = len(numbers) == len(plain) and numbers == sorted(set(numbers))
    are_quoted = lines[0].startswith('"') and all(first.startswith('"') for first in firsts)
    return are_numbers or are_quoted or not is_name_for_ids(header[0])
