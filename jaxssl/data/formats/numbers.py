"""Numbers of a text, a number a line, with the point or the comma that parts their decimals."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Float32
from pyarrow import csv as arrow_csv

from jaxssl.data.formats.cells import MISSING, has_marks, how_to_write
from jaxssl.data.formats.encodings import decoded
from jaxssl.data.formats.head import Dialect, head_cells
from jaxssl.data.formats.rows import refuse_text
from jaxssl.types import InputError

_FEW = 1 << 20  # bytes of numbers, below which Arrow starts no threads: none is left at the end
_A_NUMBER_A_LINE: dict[str, Any] = {
    "parse_options": arrow_csv.ParseOptions(
        delimiter="\x1f", quote_char=False, ignore_empty_lines=False
    ),
    "convert_options": arrow_csv.ConvertOptions(
        column_types={"value": pa.float32()}, null_values=list(MISSING)
    ),
}

_SWAP = bytes.maketrans(b",.", b".,")  # so that a point that parts thousands is no decimal's
_POINTED = re.compile(r"[-+]?\d*\.\d+")


def with_points(dialect: Dialect) -> Dialect:
    """The table with points for decimal commas in its head, where nothing speaks against these.

    A comma before three digits may part thousands; that of other numbers parts decimals. With
    commas between the cells, no comma is inside.
    """
    cells = head_cells(dialect).iloc[:, 1:].to_numpy(dtype=object).ravel().tolist()
    marked = list(filter(has_marks, cells))
    are_names = any(map(has_marks, dialect.header[1:]))
    if dialect.delimiter == "," or are_names or any(map(_POINTED.fullmatch, cells)):
        return dialect
    if not marked or "decimal comma" not in how_to_write(marked, [])[0]:
        return dialect
    mark = re.escape(dialect.delimiter)
    comma = re.compile(rf"(?<={mark})(\"? *[-+]?\d+),(\d+([eE][-+]?\d+)? *\"?)(?={mark}|$)")
    below = [comma.sub(r"\1.\2", line) for line in dialect.head.lines[dialect.skip :]]
    head = dialect.head._replace(lines=[*dialect.head.lines[: dialect.skip], *below])
    return dialect._replace(head=head, decimal=",")


def parse(
    dialect: Dialect, ids: Sequence[str], names: np.ndarray, flat: bytes
) -> Float32[np.ndarray, " numbers"]:
    """A number a line, NaN where missing; the first cell that is neither is refused by name.

    A line that ends in nothing is a missing value, the last one too.
    """
    values, path = None, dialect.head.path
    flat = flat.translate(_SWAP) if dialect.decimal == "," else flat
    try:
        options = arrow_csv.ReadOptions(column_names=["value"], use_threads=len(flat) > _FEW)
        table = arrow_csv.read_csv(pa.BufferReader(flat), options, **_A_NUMBER_A_LINE)
        values = table["value"].to_numpy()
        if len(values) == flat.count(b"\n"):
            return values
    except pa.ArrowInvalid:
        pass  # a space around a number, or no number
    cells = pd.Series(decoded(flat, dialect.head.encoding).split("\n")[:-1], dtype=object)
    cells = cells.str.strip()
    is_missing = cells.isin(MISSING)
    parsed = pd.to_numeric(cells.mask(is_missing), errors="coerce")
    is_wrong = (parsed.isna() & ~is_missing).to_numpy()
    if is_wrong.any():
        if dialect.decimal == ",":
            cells = cells.str.translate(str.maketrans(",.", ".,"))
        refuse_text(path, ids, names, cells, parsed, is_wrong)
    if values is not None:  # a return that ends no line
        raise InputError(f"{path} holds characters that are no part of a table, near row {ids[0]}")
    with np.errstate(over="ignore"):  # to infinity, which is refused
        return parsed.to_numpy(np.float32)
