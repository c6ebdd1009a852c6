"""Parquet: a column of ids (pandas' index or the first text), columns of numbers."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jaxssl.data.companions import facts_beside, is_id_of_genes
from jaxssl.data.corner import is_name_for_ids
from jaxssl.data.formats.matrix import BLOCK, Matrix, RawTable, Reading, as_text, blank, by_name
from jaxssl.types import InputError


def read(path: Path, reading: Reading) -> RawTable:
    """Read a table of numbers, and of text in the columns that `reading` names."""
    file, ids, strings = _open(path, reading)
    schema = file.schema_arrow
    levels = [name for name in _index_of(schema) if not _is_unnamed(name)]
    levels = levels if len(levels) > 1 else []  # that of the ids is a fact, too, beside others
    beside = {*reading.text_columns, *facts_beside(schema.names, strings), *levels}
    wrong = [name for name in strings if name not in beside]
    if wrong:
        raise InputError(
            f"{path} holds text: column {wrong[0]} is of type {schema.field(wrong[0]).type}",
            f"remove it, or pass `text_columns={wrong[0]}`",
        )
    texts = [n for n in schema.names if n in levels or (n in beside and n != ids)]
    numbers = [n for n in schema.names if n != ids and n not in texts and not _is_unnamed(n)]
    if not numbers or not file.metadata.num_rows:
        raise InputError(f"{path} has no column of numbers, or no row", "name an expression file")
    with intact(path):
        rows = by_name(file.read([ids], use_pandas_metadata=False)[ids].to_pylist())
        if texts:
            text = file.read(texts, use_pandas_metadata=False).to_pandas(ignore_metadata=True)
            rows = blank(as_text(text.set_axis(rows.index, axis=0)))
        x = _numbers(file, numbers, reading)
    return RawTable("parquet", x, rows, by_name(numbers), corner=ids)


def text_columns(path: Path) -> tuple[list[str], list[str], str]:
    """Names of the columns that hold text, of all, ids apart, and of the ids."""
    file, ids, strings = _open(path, None)
    names = [n for n in file.schema_arrow.names if n != ids and not _is_unnamed(n)]
    return strings, names, ids or ""


def _numbers(file: pq.ParquetFile, names: list[str], reading: Reading) -> Matrix:
    """All numbers; a group of rows comes by some columns at a time, as it may be of any size."""
    x = reading.scratch.empty(file.metadata.num_rows, len(names))
    start = 0
    for group in range(file.num_row_groups):
        n_rows = file.metadata.row_group(group).num_rows
        step = max(1, BLOCK // max(1, n_rows))
        for first in range(0, len(names), step):
            chosen = names[first : first + step]
            table = file.read_row_group(group, columns=chosen, use_pandas_metadata=False)
            columns = [table[name].cast(pa.float32(), safe=False).to_numpy() for name in chosen]
            x[start : start + n_rows, first : first + len(chosen)] = np.stack(columns, axis=1)
        start += n_rows
    return x


def _open(path: Path, reading: Reading | None) -> tuple[pq.ParquetFile, str, list[str]]:
    """The file, its column of ids and its other text columns."""
    texts = () if reading is None else reading.text_columns
    with intact(path):
        file = pq.ParquetFile(path)
    schema = file.schema_arrow
    twice = [name for name, count in Counter(schema.names).items() if count > 1]
    if twice:
        raise InputError(f"{path} has two columns called {twice[0]!r}", "rename or remove one")
    index = _index_of(schema)
    kinds = dict(zip(schema.names, schema.types, strict=True))
    strings = [name for name, kind in kinds.items() if not _is_number(kind)]
    named = [name for name in strings if name not in texts]
    whole = [n for n, k in kinds.items() if pa.types.is_integer(k) and is_name_for_ids(n)]
    called = [n for n in named if is_id_of_genes(n) or is_name_for_ids(n)]
    told = [reading.id_column] if reading is not None and reading.id_column else []
    # numbers of rows, with gaps where these were filtered, are no ids beside text
    rows = [n for n in index if _is_unnamed(n) and pa.types.is_integer(kinds[n])]
    index = [name for name in index if name not in rows]
    about = set(facts_beside(schema.names, named))  # a tissue, beside the numbers of samples
    others = [name for name in named if name not in about]
    ids = next(iter([*told, *index, *called, *(others if rows else named), *rows, *whole]), "")
    if ids not in kinds and told:
        raise InputError(f"{path} has no column {ids!r}", "correct `id_column`")
    if not ids:
        raise InputError(f"{path} has no column of ids", "write the index of the table with it")
    return file, ids, [name for name in strings if name != ids]


@contextmanager
def intact(path: Path) -> Iterator[None]:
    """What Arrow says of a damaged file, as an InputError."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        found = " ".join(str(error).split())
        raise InputError(
            f"{path} is a damaged parquet file, or cannot be read as a table ({found})",
            "write it again",
        ) from error


def _index_of(schema: pa.Schema) -> list[str]:
    """Columns that pandas had as levels of its index."""
    return [c for c in (schema.pandas_metadata or {}).get("index_columns", []) if type(c) is str]


def _is_unnamed(name: str) -> bool:
    """Whether a column is an index that pandas has no name for."""
    return name.startswith("__index_level_")


def _is_number(kind: pa.DataType) -> bool:
    types = pa.types
    is_real = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    return is_real or types.is_boolean(kind) or types.is_null(kind)
