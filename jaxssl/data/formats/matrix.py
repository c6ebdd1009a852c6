"""Matrices as their files have them, of any size: in memory while small, on disk beyond."""

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import h5py
import numpy as np
import pandas as pd
import zarr
from anndata.abc import CSRDataset
from jaxtyping import Float32, Shaped

from jaxssl.data.formats.cells import MISSING_TEXT
from jaxssl.files import require_room
from jaxssl.types import InputError, note_quoted

IN_MEMORY = 1 << 24  # numbers kept in memory before they go to disk: 64 MB
BLOCK = 1 << 22  # numbers read together: 16 MB, and as much again while they are worked on
TILE = 128  # columns stored together, so that rows and columns are both read in large pieces


FILE_NAME = "file_name"  # column of the files that samples come from, one each
Matrix = np.ndarray | h5py.Dataset | zarr.Array | CSRDataset
"""Rows x columns of any size, of which rows can be cut; `dense` makes them an array."""


class Scratch(ExitStack):
    """The files of an import, closed when it ends: those it reads, and one for large matrices."""

    def __init__(self, folder: str | Path | None = None):
        super().__init__()
        self.folder = folder or tempfile.gettempdir()

    @cached_property
    def file(self) -> h5py.File:
        """What does not fit in memory; gone when closed, or when the process dies."""
        handle, name = tempfile.mkstemp(".part", ".jaxssl-", self.folder)
        os.close(handle)
        file = self.enter_context(h5py.File(name, "w", locking=False))
        Path(name).unlink()  # the open file stays until it is closed
        return file

    def dataset(self, n_columns: int, n_rows: int) -> h5py.Dataset:
        """An empty float32 matrix that grows by `n_rows` rows at a time."""
        name, chunks = str(len(self.file)), (n_rows, min(TILE, n_columns))
        return self.file.create_dataset(
            name, (0, n_columns), np.float32, chunks=chunks, maxshape=(None, n_columns)
        )

    def empty(self, n_rows: int, n_columns: int) -> Any:
        """A matrix to be filled in any order, in memory while small."""
        if n_rows * n_columns <= IN_MEMORY:
            return np.empty((n_rows, n_columns), np.float32)
        require_room(Path(self.folder), 4 * n_rows * n_columns, "what does not fit in memory")
        stored = self.dataset(n_columns, max(1, min(n_rows, BLOCK // n_columns)))
        stored.resize(n_rows, axis=0)
        return stored


class Collector:
    """Rows of unknown number, gathered block by block."""

    def __init__(self, n_columns: int, scratch: Scratch):
        self.n_columns, self.scratch = n_columns, scratch
        self.blocks: list[np.ndarray] = []
        self.n_waiting = 0  # rows of `blocks`
        self.stored: h5py.Dataset | None = None
        self.step = max(1, BLOCK // n_columns)  # rows that go to disk together

    def append(self, rows: Float32[np.ndarray, "rows columns"]) -> None:
        """Add rows at the end."""
        self.blocks.append(rows)
        self.n_waiting += len(rows)
        if self.stored is None and self.n_waiting * self.n_columns > IN_MEMORY:
            self.stored = self.scratch.dataset(self.n_columns, self.step)
        if self.stored is not None and self.n_waiting >= self.step:
            self._store(self.n_waiting - self.n_waiting % self.step)

    def finish(self) -> Matrix:
        """All rows, as an array or as the data set that holds them."""
        if self.stored is None:
            return np.concatenate(self.blocks) if len(self.blocks) != 1 else self.blocks[0]
        self._store(self.n_waiting)
        return self.stored

    def _store(self, count: int) -> None:
        """Move the first `count` waiting rows to disk: whole tiles, but for the last."""
        assert self.stored is not None
        waiting = np.concatenate(self.blocks)
        start = len(self.stored)
        self.stored.resize(start + count, axis=0)
        self.stored[start:] = waiting[:count]
        self.blocks = [waiting[count:].copy()]
        self.n_waiting -= count


class Reading(NamedTuple):
    """What a reader is told besides the path."""

    scratch: Scratch
    text_columns: Sequence[str] = ()  # columns that are not numbers
    layer: str = ""  # which matrix of a file that holds several
    sheet: str = ""  # which sheet of a workbook
    id_column: str = ""  # the column of the rows' ids; "": told by the file
    advance: Callable[[Path, int], None] = lambda _path, _bytes: None  # bytes of a file now read
    no_header: bool = False  # the first line of a csv or tsv is data
    limit: int = 0  # bytes of a text after which no more is read; 0: none

    def cuts(self, path: Path) -> bool:
        """Whether a text is longer than what is read of it."""
        return 0 < self.limit < path.stat().st_size


class RawTable(NamedTuple):
    """A matrix with its names, as its file has it, before anything is decided."""

    format: str
    x: Matrix  # rows x columns
    rows: pd.DataFrame  # text about them; their names are the index
    columns: pd.DataFrame
    orientation: str = ""  # as the format itself says
    scale: str = ""  # as the format itself says
    prepared: Mapping[str, Any] = MappingProxyType({})  # what `prepare` recorded
    notes: Sequence[str] = ()
    dropped: np.ndarray | None = None  # samples that the source says are not to be used
    corner: str = ""  # what stands above the names of the rows
    layer: str = ""  # which of several measures of a sample to take; not what the format settles
    of_transcripts: bool = False  # whose values add up to those of genes

    @property
    def ids(self) -> tuple[np.ndarray, np.ndarray]:
        """Names of the rows, and of the columns."""
        return names_of(self.rows), names_of(self.columns)


def by_name(names: Any, text: Mapping[str, Any] = MappingProxyType({})) -> pd.DataFrame:
    """Text about rows or columns of a matrix, perhaps none, with their names as the index."""
    return pd.DataFrame(dict(text), index=pd.Index(as_names(names), dtype=object), dtype=object)


def names_of(frame: pd.DataFrame) -> np.ndarray:
    """The index as an array of str."""
    return frame.index.to_numpy(dtype=object)


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Every column as str, "" where there is no value."""
    columns = {}
    note_quoted([*map(str, frame.index), *map(str, frame.columns)])
    for name in frame.columns:
        values = frame[name].astype(object)
        columns[str(name)] = values.where(frame[name].notna(), "").map(str).to_numpy(dtype=object)
    return pd.DataFrame(columns, index=pd.Index(frame.index.map(str), dtype=object), dtype=object)


def blank(table: pd.DataFrame) -> pd.DataFrame:
    """A table of text without blanks around, and with "" for what exports write for no value."""
    known = {value for name in range(table.shape[1]) for value in table.iloc[:, name].unique()}
    plain = {value: value.strip() for value in known}
    told = {value: "" if text in MISSING_TEXT else text for value, text in plain.items()}
    return table.apply(lambda column: column.map(told))


def dense(x: Any) -> Shaped[np.ndarray, "rows columns"]:
    """An array as it is, a scipy sparse matrix as a C-ordered one of float32."""
    if not hasattr(x, "toarray"):
        return np.asarray(x)
    with np.errstate(over="ignore"):  # to infinity, which whoever takes the values refuses
        return np.ascontiguousarray(x.astype(np.float32).toarray())


def as_names(values: Any) -> np.ndarray:
    """Names, as text or bytes, as an array of str."""
    decoded = (v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in values)
    names = list(decoded)
    note_quoted(names)
    return np.array(names, dtype=object)


def require_layer(path: Path, layer: str, known: Sequence[str]) -> None:
    """Refuse a layer that the file does not have, and name those that it has."""
    if layer and layer not in known:
        there = f"it has {', '.join(known)}" if known else "its format has none"
        raise InputError(f"{path} has no layer {layer!r}: {there}", "correct `layer`")
