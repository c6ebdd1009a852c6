"""Parquet: a column of ids (pandas' index or the first text), columns of numbers."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from jaxssl.data.formats.matrix import (
    BLOCK,
    Collector,
    RawTable,
    Reading,
    as_text,
    no_text,
    require_layer,
    text_ids,
)
from jaxssl.types import InputError


def read(path: Path, reading: Reading) -> RawTable:
    """Read a table of numbers, and of text in the columns that `reading` names.

    Raises:
        InputError: on text elsewhere, and on a table without ids.
    """
    require_layer(path, reading.layer, ())
    file, ids, strings = _open(path)
    schema = file.schema_arrow
    wrong = [name for name in strings if name not in reading.text_columns]
    if wrong:
        raise InputError(
            f"{path} holds text: column {wrong[0]} is of type {schema.field(wrong[0]).type}; "
            "remove it, or name it by --label_column, --group_column or --batch_column"
        )
    texts = [name for name in schema.names if name in reading.text_columns and name != ids]
    numbers = [i for i, name in enumerate(schema.names) if name != ids and name not in texts]
    collector = Collector(len(numbers), reading.scratch)
    rows, columns = [], []
    for batch in file.iter_batches(batch_size=max(1, BLOCK // len(schema.names))):
        rows.extend(batch.column(schema.names.index(ids)).to_pylist())
        block = [batch.column(i).cast(pa.float32(), safe=False) for i in numbers]
        collector.append(np.stack([c.to_numpy(zero_copy_only=False) for c in block], axis=1))
        columns.append(pd.DataFrame({n: batch.column(n).to_pylist() for n in texts}))
    if not rows:
        raise InputError(f"{path} holds no rows")
    row_ids, column_ids = text_ids(rows), text_ids(schema.names[i] for i in numbers)
    of_rows = as_text(pd.concat(columns, ignore_index=True).set_axis(row_ids, axis=0))
    return RawTable(
        "parquet", row_ids, column_ids, collector.finish(), of_rows, no_text(column_ids)
    )


def text_columns(path: Path) -> tuple[list[str], int]:
    """Names of the columns, ids apart, that hold text; and how many columns there are."""
    file, _, strings = _open(path)
    return strings, len(file.schema_arrow.names)


def _open(path: Path) -> tuple[pq.ParquetFile, str, list[str]]:
    """The file, its column of ids and its other text columns."""
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} is a damaged parquet file: {error}") from error
    schema = file.schema_arrow
    index = [c for c in (schema.pandas_metadata or {}).get("index_columns", []) if type(c) is str]
    kinds = zip(schema.names, schema.types, strict=True)
    strings = [name for name, kind in kinds if not _is_number(kind)]
    if not index + strings:
        raise InputError(f"{path} has no column of ids; write the index of the table with it")
    ids = (index or strings)[0]
    return file, ids, [name for name in strings if name != ids]


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
