"""Matrices larger than memory: rows are read, and mapped, when they are asked for.

A file is read, not mapped into memory: pages of a map count as the process's own, and end it
without a word where the file is cut while it is used.
"""

import os
from collections.abc import Callable, Iterator, Sized
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import h5py
import numpy as np
from jaxtyping import Float, Float32, Int

from jaxssl.types import InputError

BLOCK = 1024  # rows read at once

Read = Callable[[Int[np.ndarray, " rows"]], Float32[np.ndarray, "rows genes"]]


class Backed:
    """Samples x genes that are not in memory: `x[rows]` reads these, as an array of float32.

    Args:
        read: reads rows by their positions.
        shape: of the whole.

    Example:
        >>> x = np.arange(6, dtype=np.float32).reshape(3, 2)
        >>> backed = Backed(lambda rows: x[rows], x.shape)
        >>> backed.take(np.array([2, 0])).map(lambda block, rows: block + 1)[:1]
        array([[5., 6.]], dtype=float32)
    """

    dtype = np.dtype(np.float32)
    ndim = 2

    def __init__(self, read: Read, shape: tuple[int, int]) -> None:
        self._read, self.shape = read, shape

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Float32[np.ndarray, "*rows genes"]:
        """A row, or those of a slice, of positions or of a mask."""
        if isinstance(rows, tuple):  # columns, which functions that know of files choose by `pick`
            self.__array__()
        at = np.arange(len(self))[rows]
        if not at.ndim:
            return self._read(at[None])[0]
        if len(at) <= BLOCK:
            return self._read(at)
        # by blocks: what is read may be far more than what is picked of it
        return np.concatenate([self._read(at[some]) for some in blocks(at)])

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        size = 4e-9 * self.shape[0] * self.shape[1]
        raise InputError(
            f"this takes all of the data in memory, {size:.1f} GB",
            "leave it out, or pass `data.backed=never` on a machine that has several times as much",
        )

    def take(self, rows: Any) -> "Backed":
        """Some of the rows, by positions or a mask; nothing is read."""
        of = np.arange(len(self))[rows]
        return Backed(lambda at: self._read(of[at]), (len(of), self.shape[1]))

    def map(
        self,
        function: Callable[
            [Float32[np.ndarray, "rows genes"], Int[np.ndarray, " rows"]],
            Float32[np.ndarray, "rows columns"],
        ],
        n_columns: int | None = None,
    ) -> "Backed":
        """What a function makes of rows that are read and of their positions; nothing is read."""
        shape = len(self), self.shape[1] if n_columns is None else n_columns
        return Backed(lambda at: function(self._read(at), at), shape)


if TYPE_CHECKING:
    Expression = Standardized = Rows = Any  # an array where one is given, which no union tells
else:
    # in memory or not; functions that take these read rows by blocks
    Expression = Float[np.ndarray | Backed, "samples genes"]
    Standardized = Float[np.ndarray | Backed, "samples kept"]
    Rows = Float[np.ndarray | Backed, "samples features"]


def select(x: np.ndarray | Backed, rows: Any) -> Any:
    """Some rows: of an array a copy, of what is not in memory nothing yet."""
    return x.take(rows) if isinstance(x, Backed) else x[rows]


def pick(x: np.ndarray | Backed, columns: np.ndarray) -> Any:
    """Some columns, by positions or a mask: of an array a copy, else nothing yet."""
    if not isinstance(x, Backed):
        return x[:, columns]
    at = np.arange(x.shape[1])[columns]
    return x.map(lambda block, _: block[:, at], len(at))


def blocks(x: Sized, size: int = 0) -> Iterator[slice]:
    """Slices of `size` rows each; 0: `BLOCK`."""
    step = size or BLOCK
    return (slice(start, min(start + step, len(x))) for start in range(0, len(x), step))


def pieces(x: np.ndarray | Backed) -> Iterator[slice]:
    """Slices of all rows: of an array one, of what is not in memory by blocks."""
    return blocks(x) if isinstance(x, Backed) else iter([slice(0, len(x))])


class _File(NamedTuple):
    """Where the rows of a matrix lie in a file, one after the other."""

    path: Path
    start: int  # byte of the first row
    n_columns: int
    state: tuple[int, int, int]

    def read(self, rows: Int[np.ndarray, " rows"]) -> Float32[np.ndarray, "rows genes"]:
        """Rows by their positions; those that follow each other are read together."""
        out = np.empty((len(rows), self.n_columns), np.float32)
        ends = np.flatnonzero(np.diff(rows) != 1) + 1
        with self.path.open("rb", buffering=0) as file:
            for first, last in zip([0, *ends], [*ends, len(rows)], strict=True):
                if first < last:
                    file.seek(self.start + 4 * int(rows[first]) * self.n_columns)
                    _fill(file, out[first:last])
            if _state(file) != self.state:
                raise InputError(f"{self.path} changed while it was read", "start again")
        return out


def _fill(file: FileIO, out: Any) -> None:
    """Read an array to its end; a call reads 2 GB at the most."""
    view = memoryview(out).cast("B")
    while view.nbytes and (n := file.readinto(view)):
        view = view[n:]


def _state(file: Path | FileIO) -> tuple[int, int, int]:
    """What changes when a file does, also when another with its size and date takes its place."""
    status = os.stat(file if isinstance(file, Path) else file.fileno())
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def state_of(path: Path) -> str:
    """What changes when a file does, as text."""
    return " ".join(map(str, _state(path)))


def is_contiguous(path: Path) -> bool:
    """Whether the matrix of a file is one that `open_backed` takes."""
    try:
        open_backed(path)
    except InputError:
        return False
    return True


def open_backed(path: Path) -> Backed:
    """The matrix of an `.h5ad` without reading it.

    Args:
        path: an `.h5ad`, as `prepare` writes it: the rows of `X` lie one after the other,
            uncompressed, in float32.

    Returns:
        The rows of `X`.

    Raises:
        InputError: where they lie otherwise.

    Example:
        >>> open_backed(Path("runs/cohort.h5ad"))[:256].shape  # doctest: +SKIP
        (256, 20000)
    """
    with h5py.File(path, "r") as stored:
        x: Any = stored.get("X")
        is_plain = isinstance(x, h5py.Dataset) and x.ndim == 2 and x.dtype == np.dtype("<f4")
        start = x.id.get_offset() if is_plain else None  # None: in chunks, or never written
        if start is None:
            raise InputError(
                f"the rows of {path} cannot be read one by one",
                "import it once by `prepare()`, which writes it so that they can, or pass "
                "`data.backed=never`",
            )
        n_rows, n_columns = x.shape
    with path.open("rb", buffering=0) as file:
        rows = _File(path, start, n_columns, _state(file))
    return Backed(rows.read, (n_rows, n_columns))
