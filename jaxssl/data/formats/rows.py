"""Delimited text as numbers: some megabytes at a time, and each cell accounted for."""

import gzip
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Float32
from pyarrow import csv as arrow_csv

from jaxssl.data.formats.head import (
    MISSING,
    MISSING_TEXT,
    Dialect,
    Head,
    decoded,
    readable,
    split_line,
)
from jaxssl.data.formats.matrix import Collector, Matrix, RawTable, Reading, no_text
from jaxssl.types import InputError

_CHUNK = 1 << 24  # bytes of text parsed together


class EmptyTable(InputError):
    """A table of a header and no rows."""


class Rows(NamedTuple):
    """Successive rows of a table."""

    ids: np.ndarray
    values: Float32[np.ndarray, "rows numbers"]
    texts: pd.DataFrame


def gather(
    path: Path, dialect: Dialect, text_columns: Sequence[int], reading: Reading
) -> tuple[np.ndarray, Matrix, pd.DataFrame]:
    """Ids, numbers and text columns of all rows. Raises InputError if there are none."""
    texts = {0, *text_columns}
    if len(texts) >= len(dialect.header):
        raise InputError(f"{path} has no column of numbers", "name an expression file")
    collector = Collector(len(dialect.header) - len(texts), reading.scratch)
    ids, columns, done = [], [], 0

    def advance(path: Path, n_bytes: int) -> None:
        nonlocal done
        done = n_bytes
        reading.advance(path, n_bytes)

    for rows in read_rows(path, dialect, text_columns, advance):
        if ids and reading.cuts(path) and done > reading.limit:
            break
        ids.append(rows.ids)
        columns.append(rows.texts)
        collector.append(rows.values)
    if not ids:
        raise EmptyTable(f"{path} has a header and no rows")
    row_ids = np.concatenate(ids)
    if texts == {0}:
        return row_ids, collector.finish(), no_text(row_ids)
    text = pd.concat(columns, ignore_index=True).set_axis(row_ids, axis=0)
    text = text.mask(text.isin(MISSING_TEXT), "")
    return row_ids, collector.finish(), text


def read_matrix(
    form: str, head: Head, dialect: Dialect, texts: Sequence[int], reading: Reading, **told: Any
) -> RawTable:
    """A text as a matrix of its numbers, with the columns at `texts` beside.

    `form` is the name of the format, and `told` what it says itself, as fields of `RawTable`.
    """
    ids, x, of_rows = gather(head.path, dialect, texts, reading)
    names = [name for i, name in enumerate(dialect.header) if i and i not in texts]
    columns = np.array(names, dtype=object)
    return RawTable(f"{form}{head.gz}", ids, columns, x, of_rows, no_text(columns), **told)


def read_rows(
    path: Path,
    dialect: Dialect,
    text_columns: Sequence[int] = (),
    advance: Callable[[Path, int], None] = lambda _path, _bytes: None,
) -> Iterator[Rows]:
    """Yield successive blocks of rows.

    All columns but the first and those at `text_columns` are numbers. Raises InputError naming the
    first cell that is not a number, on a row of another length, and on a file that ends early.
    """
    texts = sorted({0, *text_columns})
    number = dialect.skip
    for lines in _line_blocks(path, dialect, advance):
        fields, flat = _split(path, dialect, lines, texts, number)
        n_numbers = len(dialect.header) - len(texts)
        number += len(lines)
        if not fields:
            continue
        values = _numbers(flat) if n_numbers else np.empty(0, np.float32)
        columns = list(zip(*fields, strict=True))
        ids = np.array(columns[0], dtype=object)
        if values is None:
            raise InputError(_offending_cell(path, dialect, ids, flat, texts))
        table = {dialect.header[i]: columns[k] for k, i in enumerate(texts) if i}
        yield Rows(ids, values.reshape(len(ids), n_numbers), pd.DataFrame(table, dtype=object))


def _line_blocks(
    path: Path, dialect: Dialect, advance: Callable[[Path, int], None]
) -> Iterator[list[bytes]]:
    """Lines below the header, some megabytes at a time, up to the end of the table."""
    end = dialect.end.encode()
    with readable(path), path.open("rb") as raw:
        file = gzip.GzipFile(fileobj=raw) if dialect.is_gzip else raw
        for _ in itertools.repeat(None, dialect.skip):
            file.readline()
        rest = b""
        while True:
            chunk = file.read(_CHUNK)
            advance(path, raw.tell())
            whole, newline, tail = (rest + chunk).rpartition(b"\n")
            if not chunk:
                whole, tail = rest, b""
            elif not newline:
                rest = tail
                continue
            rest = tail
            lines = whole.replace(b"\r\n", b"\n").removesuffix(b"\r").split(b"\n")
            if end and end in (stripped := [line.rstrip() for line in lines]):
                yield lines[: stripped.index(end)]
                return
            if whole:
                yield lines
            if not chunk:
                break
    if end:
        raise InputError(f"{path} ends early: the line {dialect.end} is missing", "fetch it again")


def _split(
    path: Path, dialect: Dialect, lines: list[bytes], texts: list[int], number: int
) -> tuple[list[list[str]], bytes]:
    """Text fields of each row, and the numbers of all rows, a number a line."""
    delimiter, n_columns = dialect.delimiter.encode(), len(dialect.header)
    rest_starts = len(texts) if texts == list(range(len(texts))) else 0  # 0: texts are scattered
    among_texts = set(texts)
    fields, numbers = [], []
    for line_number, line in enumerate(lines, number + 1):
        if not line.strip():
            continue
        is_plain = line.count(delimiter) == n_columns - 1 and (
            b'"' not in line or line.rfind(b'"') < line.find(delimiter)  # only the id is quoted
        )
        if is_plain and rest_starts:
            cells = line.split(delimiter, rest_starts)
            found, rest = cells[:rest_starts], cells[rest_starts:]
        else:
            cells = (
                line.split(delimiter) if is_plain else _unquoted(path, dialect, line, line_number)
            )
            found = [cells[i] for i in texts]
            rest = [cell for i, cell in enumerate(cells) if i not in among_texts]
            inside = [cell for cell in rest if not is_plain and delimiter in cell]
            if inside:
                raise InputError(
                    f"{path} holds {decoded(inside[0], 'latin-1')!r} in line {line_number}",
                    "write numbers without thousands separators, decimals with a point",
                )
        fields.append([decoded(cell, dialect.encoding).strip(' "') for cell in found])
        numbers += rest
    return fields, b"\n".join(numbers).replace(delimiter, b"\n") + b"\n"


def _unquoted(path: Path, dialect: Dialect, line: bytes, number: int) -> list[bytes]:
    """Cells of a line in which quotes may hide delimiters."""
    cells = split_line(path, decoded(line, dialect.encoding), dialect.delimiter)
    if len(cells) != len(dialect.header):
        raise InputError(
            f"{path} is not a table: line {number} has {len(cells)} fields, the header "
            f"{len(dialect.header)}"
        )
    encoding = "utf-8" if dialect.encoding == "utf-8-sig" else dialect.encoding
    return [cell.encode(encoding, "replace") for cell in cells]


def _numbers(flat: bytes) -> np.ndarray | None:
    """A number a line as float32, NaN where missing; None if one is no number.

    A line that ends in nothing is a missing value, the last one too.
    """
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(flat),
            read_options=arrow_csv.ReadOptions(column_names=["value"]),
            parse_options=arrow_csv.ParseOptions(
                delimiter="\x1f", quote_char=False, ignore_empty_lines=False
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types={"value": pa.float32()}, null_values=list(MISSING)
            ),
        )
        values = table["value"].to_numpy()
    except pa.ArrowInvalid:
        _, parsed, is_wrong = _parsed(flat, "latin-1")
        return None if is_wrong.any() else parsed
    return values if len(values) == flat.count(b"\n") else None


def _parsed(flat: bytes, encoding: str) -> tuple[pd.Series, np.ndarray, np.ndarray]:
    """Cells that stand a line each, their numbers, and which are neither one nor missing."""
    cells = pd.Series(decoded(flat, encoding).split("\n")[:-1], dtype=object).str.strip()
    is_missing = cells.isin(MISSING)
    numbers = pd.to_numeric(cells.mask(is_missing), errors="coerce")
    return cells, numbers.to_numpy(np.float32), (numbers.isna() & ~is_missing).to_numpy()


def _offending_cell(
    path: Path, dialect: Dialect, ids: np.ndarray, flat: bytes, texts: list[int]
) -> str:
    """Which cell is no number, and what to do about it."""
    names = [name for i, name in enumerate(dialect.header) if i not in texts]
    cells, _, is_wrong = _parsed(flat, dialect.encoding)
    if not is_wrong.any():
        return f"{path} holds characters that are no part of a table, near row {ids[0]}"
    first = int(is_wrong.argmax())
    row, column = divmod(first, len(names))
    comma = re.fullmatch(r"-?\d+,\d+", cells[first])
    fix = (
        "write decimals with a point"
        if comma
        else f"correct it, or pass `text_columns={names[column]}` if the column is no expression"
    )
    return f"{path} holds text: row {ids[row]}, column {names[column]} is {cells[first]!r}; {fix}"
