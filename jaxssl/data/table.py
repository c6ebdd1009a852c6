"""Expression files by content: every format as one RawTable, before anything is decided."""

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import anndata
import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float32

from jaxssl.data.text import find_text, read_rows, sniff_text
from jaxssl.types import InputError

_HDF5, _PARQUET, _ZIP, _GZIP = b"\x89HDF\r\n\x1a\n", b"PAR1", b"PK\x03\x04", b"\x1f\x8b"
_SUFFIXES = {
    "csv": (".csv", ".txt"),
    "tsv": (".tsv", ".tab", ".txt"),
    "parquet": (".parquet",),
    "npz": (".npz",),
    "h5ad": (".h5ad",),
}


class RawTable(NamedTuple):
    """A matrix as its file has it, in blocks of rows so that assembling needs one copy."""

    format: str
    row_ids: np.ndarray
    column_ids: np.ndarray
    blocks: list[np.ndarray]  # float32, rows x columns
    obs: pd.DataFrame  # text columns of the rows
    is_declared: bool  # the format itself says that samples are rows
    prepared: dict[str, Any]  # what `prepare` recorded; empty otherwise
    notes: list[str]


def sniff(path: Path) -> str:
    """Name the format by the first bytes: "text", "gzip", "parquet", "npz" or "h5ad".

    Raises InputError for a missing file, a folder and containers that hold something else.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file")
    if not path.exists():
        raise InputError(f"{path} does not exist")
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(_PARQUET):
        return "parquet"
    if head.startswith(_HDF5):
        return "h5ad"
    if head.startswith(_ZIP):
        return "npz"
    return "gzip" if head.startswith(_GZIP) else "text"


def read_table(path: str | Path, text_columns: Sequence[str] = ()) -> RawTable:
    """Read any supported file; `text_columns` names columns that are not numbers.

    Raises InputError where the file cannot be read as a matrix.
    """
    path = Path(path)
    kind = sniff(path)
    table = _READERS[kind](path, [name for name in text_columns if name])
    if not len(table.row_ids) or not len(table.column_ids):
        raise InputError(f"{path} holds no values: {table.format} of no rows or no columns")
    name = path.name.removesuffix(".gz").lower()
    content = table.format.split()[0]
    if not name.endswith(_SUFFIXES[content]):
        table.notes.append(f"named {path.name} but holds {table.format}; read as {table.format}")
    return table


def text_columns(path: Path) -> tuple[list[str], int]:
    """Names of the columns, ids apart, that hold text, and the number of columns."""
    kind = sniff(path)
    if kind == "parquet":
        file, _, strings = _open_parquet(path)
        return strings, len(file.schema_arrow.names)
    if kind in ("text", "gzip"):
        dialect = sniff_text(path, is_gzip=kind == "gzip")
        return find_text(path, dialect), len(dialect.header)
    return [], 0


def assemble(blocks: list[np.ndarray], *, transpose: bool) -> Float32[np.ndarray, "samples genes"]:
    """Join blocks of rows into one matrix, emptying the list on the way.

    Peak memory is the matrix and one block: pages of the result are touched as blocks go.
    """
    if len(blocks) == 1 and not transpose:
        return np.ascontiguousarray(blocks.pop())
    n_rows, n_columns = sum(len(block) for block in blocks), blocks[0].shape[1]
    x = np.empty((n_columns, n_rows) if transpose else (n_rows, n_columns), np.float32)
    start = 0
    blocks.reverse()
    while blocks:
        block = blocks.pop()
        stop = start + len(block)
        if transpose:
            x[:, start:stop] = block.T
        else:
            x[start:stop] = block
        start = stop
    return x


def _read_text(path: Path, text_columns: Sequence[str], *, is_gzip: bool = False) -> RawTable:
    dialect = sniff_text(path, is_gzip=is_gzip)
    ids, blocks, columns = [], [], []
    for block_ids, values, texts in read_rows(path, dialect, text_columns):
        ids.append(block_ids)
        blocks.append(values)
        columns.append(texts)
    names = [name for name in dialect.header[1:] if name not in set(text_columns)]
    if not blocks:
        raise InputError(f"{path} has a header and no rows")
    rows = np.concatenate(ids)
    obs = pd.concat(columns, ignore_index=True).set_axis(rows, axis=0)
    column_ids = np.array(names, dtype=object)
    return RawTable(dialect.format, rows, column_ids, blocks, obs, False, {}, [])


def _read_gzip(path: Path, text_columns: Sequence[str]) -> RawTable:
    return _read_text(path, text_columns, is_gzip=True)


def _read_parquet(path: Path, text_columns: Sequence[str]) -> RawTable:
    file, ids, strings = _open_parquet(path)
    schema = file.schema_arrow
    wrong = [name for name in strings if name not in text_columns]
    if wrong:
        raise InputError(
            f"{path} holds text: column {wrong[0]} is of type {schema.field(wrong[0]).type}; "
            "remove it, or name it by --label_column, --group_column or --batch_column"
        )
    texts = [name for name in schema.names if name in text_columns and name != ids]
    numbers = [i for i, name in enumerate(schema.names) if name != ids and name not in texts]
    rows, blocks, columns = [], [], []
    for batch in file.iter_batches(batch_size=max(1, (1 << 24) // len(schema.names))):
        rows.extend(str(i) for i in batch.column(schema.names.index(ids)).to_pylist())
        block = [batch.column(i).cast(pa.float32(), safe=False) for i in numbers]
        blocks.append(np.stack([c.to_numpy(zero_copy_only=False) for c in block], axis=1))
        columns.append(pd.DataFrame({n: batch.column(n).to_pylist() for n in texts}))
    row_ids = np.array(rows, dtype=object)
    obs = pd.concat(columns, ignore_index=True) if columns else pd.DataFrame()
    obs = as_text(obs.set_axis(row_ids, axis=0))
    column_ids = np.array([schema.names[i] for i in numbers], dtype=object)
    return RawTable("parquet", row_ids, column_ids, blocks, obs, False, {}, [])


def _open_parquet(path: Path) -> tuple[pq.ParquetFile, str, list[str]]:
    """The file, its column of ids (pandas' index or the first text) and its other text columns."""
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowException as error:
        raise InputError(f"{path} is a damaged parquet file: {error}") from error
    schema = file.schema_arrow
    index = [c for c in (schema.pandas_metadata or {}).get("index_columns", []) if type(c) is str]
    kinds = zip(schema.names, schema.types, strict=True)
    strings = [name for name, kind in kinds if not _is_number(kind)]
    if not index + strings:
        raise InputError(f"{path} has no column of ids; write the index of the table with it")
    ids = (index or strings)[0]
    return file, ids, [name for name in strings if name != ids]


def _read_npz(path: Path, text_columns: Sequence[str]) -> RawTable:
    del text_columns  # an npz has no room for them
    names: list[str] = []
    expected = "expected X (samples x genes), sample_ids and feature_ids"
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            names = arrays.files
            found = {key: arrays[key] for key in ("X", "sample_ids", "feature_ids")}
    except zipfile.BadZipFile as error:
        raise InputError(f"{path} is a damaged npz file ({error}); write it again") from error
    except KeyError as error:
        holds = f"a zip that holds {', '.join(names[:6])}"
        raise InputError(f"{path} is {holds}, not an npz of expression; {expected}") from error
    except ValueError as error:
        raise InputError(f"{path}: {error}; {expected}, without pickled objects") from error
    x, rows, columns = found["X"], found["sample_ids"], found["feature_ids"]
    if x.dtype.kind not in "fiu" or x.shape != (len(rows), len(columns)):
        raise InputError(
            f"{path}: X is {x.dtype} of shape {x.shape}, yet there are {len(rows)} sample_ids and "
            f"{len(columns)} feature_ids; {expected}"
        )
    ids = [np.array([str(i) for i in names], dtype=object) for names in (rows, columns)]
    obs = pd.DataFrame(index=pd.Index(ids[0]))
    return RawTable("npz", ids[0], ids[1], [x.astype(np.float32)], obs, True, {}, [])


def _read_h5ad(path: Path, text_columns: Sequence[str]) -> RawTable:
    del text_columns  # obs keeps all of its columns
    try:
        with h5py.File(path) as file:
            found = list(file)
    except OSError as error:
        raise InputError(f"{path} is a damaged HDF5 file ({error}); write it again") from error
    if not {"X", "obs", "var"} <= set(found):
        raise InputError(
            f"{path} is HDF5 with {', '.join(found[:5]) or 'nothing'} inside; expected an AnnData "
            "file (.h5ad) with X, obs and var"
        )
    adata = anndata.read_h5ad(path)
    x: Any = adata.X
    if x is None:
        raise InputError(f"{path} has no X; write the matrix to use into adata.X")
    notes = ["X is sparse; made dense"] if not isinstance(x, np.ndarray) else []
    x = x.astype(np.float32, copy=False) if isinstance(x, np.ndarray) else dense(x)
    rows, columns = (np.array(ids, dtype=object) for ids in (adata.obs_names, adata.var_names))
    prepared = dict(adata.uns.get("jaxssl", {}))
    return RawTable(
        "h5ad", rows, columns, [x], as_text(cast(pd.DataFrame, adata.obs)), True, prepared, notes
    )


def dense(x: Any) -> Float32[np.ndarray, "samples genes"]:
    """A scipy sparse matrix as a C-ordered float32 array."""
    return np.ascontiguousarray(x.astype(np.float32).toarray())


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Every column as str, "" where there is no value."""
    columns = {}
    for name in frame.columns:
        values = frame[name].astype(object)
        columns[str(name)] = values.where(frame[name].notna(), "").map(str).to_numpy(dtype=object)
    return pd.DataFrame(columns, index=pd.Index(frame.index.map(str), dtype=object), dtype=object)


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)


_READERS: dict[str, Callable[[Path, Sequence[str]], RawTable]] = {
    "text": _read_text,
    "gzip": _read_gzip,
    "parquet": _read_parquet,
    "npz": _read_npz,
    "h5ad": _read_h5ad,
}
