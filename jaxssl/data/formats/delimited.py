"""Delimited text as numbers, some megabytes at a time, each cell accounted for; csv and tsv."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from jaxssl.data.companions import facts_beside
from jaxssl.data.formats.cells import are_calls, split_line, unquoted
from jaxssl.data.formats.encodings import decoded
from jaxssl.data.formats.head import (
    TEXT_SHARE,
    Dialect,
    Head,
    head_cells,
    opened,
    sniff_table,
    text_shares,
)
from jaxssl.data.formats.header import called_after, headed, heading, names_columns
from jaxssl.data.formats.long_table import refuse_long
from jaxssl.data.formats.matrix import Collector, RawTable, Reading, blank, by_name
from jaxssl.data.formats.numbers import parse, with_points
from jaxssl.data.formats.rows import (
    about_columns,
    check_ids,
    find_ids,
    refuse_grouped,
    rows_of_text,
    told_beside,
)
from jaxssl.types import InputError

_CHUNK = 1 << 24  # bytes of text parsed together


def read(head: Head, reading: Reading) -> RawTable:
    """Read a table of numbers, and of text in the columns that `reading` or their names tell."""
    dialect = dialect_of(head, no_header=reading.no_header)
    header, cells = dialect.header, head_cells(dialect)
    ids = find_ids(head.path, header, cells, reading.id_column)
    texts, calls = _columns_of_text(dialect, cells, ids.column, reading)
    texts += calls + ([0] if ids.first != "sample" else [])
    refuse_grouped(head.path, cells.drop(columns=[ids.column, *texts]))
    form = "tsv" if dialect.delimiter == "\t" else "csv"
    told: dict[str, Any] = {}
    if dialect.is_headless:
        form += " without header"
        told = {"notes": [called_after(dialect)]}
    table = read_matrix(form, dialect, texts, reading, ids=ids.column, **told)
    refuse_long(dialect, table)
    table = table._replace(rows=table.rows.drop(columns=[*{header[i] for i in calls}]))
    if not ids.column:
        check_ids(dialect, table.ids[0])
    elif ids.first == "numbers" and header[0] not in reading.text_columns:
        table = table._replace(rows=table.rows.drop(columns=header[0]))
    notes = [*ids.notes, *table.notes, *told_beside(dialect, table, reading)]
    notes += [f"{len(calls)} columns of detection calls left out"] * bool(calls)
    notes += ["commas inside of numbers part decimals"] * (dialect.decimal == ",")
    return table._replace(notes=notes)


def _columns_of_text(
    dialect: Dialect, cells: pd.DataFrame, ids: int, reading: Reading
) -> tuple[list[int], list[int]]:
    """Positions of the columns to keep as text, and of those of calls; `ids` holds the ids."""
    header, shares = dialect.header, text_shares(dialect)
    held = {name for name, share in zip(header, shares, strict=True) if share}
    fractions = {
        name
        for name in facts_beside(header, held)
        if cells[header.index(name)].str.fullmatch(r"-?\d*\.\d*[1-9]\d*").any()
    }
    beside = {*reading.text_columns, *facts_beside(header, held, fractions)}
    texts = [i for i, name in enumerate(header) if i and name in beside]
    found = [i for i, share in enumerate(shares) if i and share > TEXT_SHARE]
    found = [i for i in found if i not in (ids, *texts)]
    calls = [i for i in found if are_calls(header[i], cells[i])]
    unknown = [header[i] for i in found if i not in calls]
    if unknown:
        named = [name for name in header if name in {*unknown, *reading.text_columns}]
        raise InputError(
            f"{dialect.head.path} holds text in column {unknown[0]}",
            f"pass `text_columns={','.join(named)}` if that is no expression, or name an "
            "expression file",
        )
    return texts, calls


def dialect_of(head: Head, *, no_header: bool = False) -> Dialect:
    """How the table is written; comments above it are passed over.

    Where the first line is data, as `no_header` says or a single column of counts tells, columns
    are called after the file; where it may be, it is asked.
    """
    comments = itertools.takewhile(lambda line: line.startswith("#"), head.lines)
    skip = len(list(comments))
    is_header = skip == 1 and names_columns(*head.lines[:2])
    if is_header:
        head = head._replace(lines=[head.lines[0].lstrip("# "), *head.lines[1:]])
    dialect = with_points(sniff_table(head, 0 if is_header else skip, allow_no_corner=True))
    dialect = dialect if is_header else headed(dialect, no_header=no_header)
    about = [] if dialect.is_headless else rows_of_text(dialect)
    header, told = heading(dialect.header, about)
    return dialect._replace(header=header, skip=dialect.skip + len(about), about=told)


class EmptyTable(InputError):
    """A table of a header and no rows."""


def read_matrix(
    form: str,
    dialect: Dialect,
    texts: Sequence[int],
    reading: Reading,
    *,
    ids: int = 0,
    **told: Any,
) -> RawTable:
    """A text as a matrix of its numbers, with the columns at `texts` and that of `ids` beside.

    `form` is the name of the format, and `told` what it says itself, as fields of `RawTable`.
    """
    path, header = dialect.head.path, dialect.header
    place = (texts := sorted({ids, *texts})).index(ids)
    names = np.array([name for i, name in enumerate(header) if i not in texts], dtype=object)
    if not len(names):
        raise InputError(f"{path} has no column of numbers", "name an expression file")
    collector = Collector(len(names), reading.scratch)
    columns, n_lines = [[] for _ in texts], dialect.skip
    for lines, n_bytes in _line_blocks(dialect):
        reading.advance(path, n_bytes)
        rows, numbers = _split(dialect, lines, texts, n_lines)
        n_lines += len(lines)
        if rows:
            called = [row[place] for row in rows]
            collector.append(parse(dialect, called, names, numbers).reshape(-1, len(names)))
            for column, cells in zip(columns, zip(*rows, strict=True), strict=True):
                column += cells
        if reading.cuts(path) and n_bytes >= reading.limit:
            break
    if not columns[0]:
        raise EmptyTable(f"{path} has a header and no rows")
    text = {
        header[i]: cells
        for i, cells in zip(texts, columns, strict=True)
        if i != ids or header[i] in reading.text_columns
    }
    of_rows = blank(by_name(columns[place], text))
    of_columns = by_name(names, about_columns(dialect.about, ids, texts))
    form += f" ({dialect.head.packing})" if dialect.head.packing else ""
    told = {"corner": header[ids], **told}
    return RawTable(form, collector.finish(), of_rows, of_columns, **told)


def _line_blocks(dialect: Dialect) -> Iterator[tuple[list[bytes], int]]:
    """Lines of the table, some megabytes at a time, and how many bytes of the file are read."""
    path, end = dialect.head.path, dialect.end.encode()
    with opened(path, dialect.head.member) as (raw, file):
        for _ in itertools.repeat(None, dialect.skip):
            file.readline()
        while ended := file.readlines(_CHUNK):
            lines = [line.rstrip(b"\r\n") for line in ended]
            if end and end in (stripped := [line.rstrip() for line in lines]):
                yield lines[: stripped.index(end)], raw.tell()
                return
            yield lines, raw.tell()
    if end:
        raise InputError(f"{path} ends early: the line {dialect.end} is missing", "fetch it again")


def _split(
    dialect: Dialect, lines: list[bytes], texts: list[int], n_above: int
) -> tuple[list[list[str]], bytes]:
    """Text fields of each row, and the numbers of all rows, a number a line."""
    delimiter, n_columns = dialect.delimiter.encode(), len(dialect.header)
    beyond = delimiter * dialect.n_trailing
    are_first = texts == list(range(len(texts)))
    rows, numbers = [], []
    for line_number, line in enumerate(lines, n_above + 1):
        if not line.strip(b" \t\r" + delimiter):
            continue
        line = line.removesuffix(beyond)
        is_plain = line.count(delimiter) == n_columns - 1 and (
            b'"' not in line or line.rfind(b'"') < line.find(delimiter)  # only the id is quoted
        )
        if is_plain and are_first:
            *found, rest = line.split(delimiter, len(texts))
            numbers.append(rest)
        else:
            cells = line.split(delimiter) if is_plain else _fields(dialect, line, line_number)
            found, rest = [cells[i] for i in texts], cells
            for i in reversed(texts):
                del rest[i]
            inside = [] if is_plain else [cell for cell in rest if delimiter in cell]
            if inside:
                raise InputError(
                    f"{dialect.head.path} holds {decoded(inside[0], dialect.head.encoding)!r} in "
                    f"line {line_number}",
                    "write numbers without thousands separators, decimals with a point",
                )
            numbers += rest
        named = [decoded(cell, dialect.head.encoding) for cell in found]
        rows.append([unquoted(cell) for cell in named] if is_plain else named)
    return rows, b"\n".join(numbers).replace(delimiter, b"\n") + b"\n"


def _fields(dialect: Dialect, line: bytes, number: int) -> list[bytes]:
    """Cells of a line in which quotes may hide delimiters."""
    path, encoding = dialect.head.path, dialect.head.encoding
    cells = split_line(path, decoded(line, encoding), dialect.delimiter)
    if len(cells) == len(dialect.header) + dialect.n_trailing:
        while len(cells) > len(dialect.header) and cells[-1] == "":
            cells.pop()
    if len(cells) != len(dialect.header):
        raise InputError(
            f"{path} is not a table: line {number} has {len(cells)} fields, the header "
            f"{len(dialect.header)}"
        )
    return [cell.encode(encoding.removesuffix("-sig"), "replace") for cell in cells]
