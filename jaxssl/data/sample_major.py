"""A matrix seen as samples x genes, whichever way its file lies, some samples at a time."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from jaxssl.data.formats.matrix import BLOCK, TILE, Matrix
from jaxssl.types import InputError

_LARGEST = 40 * BLOCK  # numbers read together where a file stores so many: 0.7 GB


class SampleMajor(NamedTuple):
    """Samples x genes of a matrix that may be of any size."""

    x: Matrix
    transposed: bool = False  # genes are in the rows of `x`
    kept: np.ndarray | None = None  # positions of the samples to use; None: all
    divisor: Float32[np.ndarray, " samples"] | None = None  # of the values of each sample used
    name: str = "the matrix"  # for messages

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and genes."""
        rows, columns = self.x.shape[::-1] if self.transposed else self.x.shape
        return (rows if self.kept is None else len(self.kept)), columns

    def blocks(self) -> Iterator[Float32[np.ndarray, "block genes"]]:
        """Successive samples, about `BLOCK` numbers at a time; each block is the caller's own.

        What a file stores together is read together, up to `_LARGEST` numbers: up to there nothing
        is decompressed twice. Raises InputError if a file on disk turns out to be damaged.
        """
        n_all = self.x.shape[1] if self.transposed else self.x.shape[0]
        step = max(1, BLOCK // max(1, self.shape[1]))
        together = self._stored_together()
        outer = -(-step // together) * together
        done = 0
        for start in range(0, n_all, outer):
            stop = min(start + outer, n_all)
            inside = np.arange(start, stop)
            if self.kept is not None:
                inside = self.kept[slice(*np.searchsorted(self.kept, (start, stop)))]
            if not len(inside):
                continue
            try:
                read = self._read(start, stop)
            except (OSError, RuntimeError, ValueError) as error:
                found = " ".join(str(error).split())
                raise InputError(f"{self.name} is damaged ({found})", "fetch it again") from error
            for first in range(0, len(inside), step):
                rows = inside[first : first + step] - start
                block = np.ascontiguousarray(read[rows], np.float32)  # a copy, by the rows
                if self.divisor is not None:
                    block /= self.divisor[done : done + len(block), None]
                done += len(block)
                yield block

    def _stored_together(self) -> int:
        """Samples that the file stores in one piece, as far as memory should go."""
        chunks = getattr(self.x, "chunks", None)
        if chunks is None:
            return TILE if self.transposed else 1
        at_most = max(1, _LARGEST // max(1, self.shape[1]))
        return max(1, min(chunks[1 if self.transposed else 0], at_most))

    def _read(self, start: int, stop: int) -> np.ndarray:
        """Samples x genes; of a transposed matrix, some genes at a time."""
        if not self.transposed:
            return self.x[start:stop]
        n_genes = self.x.shape[0]
        read = np.empty((stop - start, n_genes), np.float32)
        step = max(1, BLOCK // (stop - start))
        for first in range(0, n_genes, step):
            read[:, first : first + step] = self.x[first : first + step, start:stop].T
        return read
