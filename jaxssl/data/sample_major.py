"""A matrix as samples x genes, whichever way its file lies, and one pass over all its values."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int

from jaxssl.data.extent import FEW, UNKNOWN, Range, are_centred, what_is_apart
from jaxssl.data.formats.matrix import BLOCK, TILE, Matrix, dense
from jaxssl.data.scale import is_toil_zero
from jaxssl.types import InputError

_LARGEST = 40 * BLOCK  # numbers read together where a file stores so many: 0.7 GB


class SampleMajor(NamedTuple):
    """Samples x genes of a matrix that may be of any size."""

    x: Matrix
    kept: Int[np.ndarray, " samples"]  # positions of the samples to use
    transposed: bool = False  # genes are in the rows of `x`
    divisor: Float32[np.ndarray, " samples"] | None = None  # of the values of each sample used
    name: str = "the matrix"  # for messages
    genes: Int[np.ndarray, " genes"] | None = None  # positions of those to use; None: all

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and genes."""
        n_genes = self.x.shape[0 if self.transposed else 1]
        return len(self.kept), n_genes if self.genes is None else len(self.genes)

    def blocks(self) -> Iterator[Float32[np.ndarray, "block genes"]]:
        """Successive samples, about `BLOCK` numbers at a time; each block is the caller's own.

        What a file stores together is read together, up to `_LARGEST` numbers: up to there nothing
        is decompressed twice.
        """
        n_all = self.x.shape[1] if self.transposed else self.x.shape[0]
        step = max(1, BLOCK // max(1, self.shape[1]))
        together = self._stored_together()
        outer = -(-step // together) * together
        for start in range(0, n_all, outer):
            first, last = np.searchsorted(self.kept, (start, start + outer))
            if first == last:
                continue
            try:
                read = self._read(start, min(start + outer, n_all))
            except (OSError, RuntimeError, ValueError) as error:
                found = " ".join(str(error).split())
                raise InputError(f"{self.name} is damaged ({found})", "fetch it again") from error
            for done in range(first, last, step):
                rows = self.kept[done : min(done + step, last)] - start
                with np.errstate(over="ignore"):  # to infinity, which is refused
                    block = np.ascontiguousarray(read[rows], np.float32)  # a copy, by the rows
                if self.genes is not None:
                    block = np.take(block, self.genes, axis=1)
                if self.divisor is not None:
                    block /= self.divisor[done : done + len(block), None]
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
            return dense(self.x[start:stop])
        n_genes = self.x.shape[0]
        read = np.empty((stop - start, n_genes), np.float32)
        step = max(1, BLOCK // (stop - start))
        for first in range(0, n_genes, step):
            with np.errstate(over="ignore"):
                read[:, first : first + step] = dense(self.x[first : first + step, start:stop]).T
        return read


class Survey(NamedTuple):
    """Counts and extremes; missing and infinite values take no part in the latter."""

    n_samples: int
    n_missing: Int[np.ndarray, " genes"]
    n_missing_of_samples: Int[np.ndarray, " samples"]
    n_infinite: Int[np.ndarray, " genes"]
    low: Float32[np.ndarray, " genes"]  # NaN where there is no value
    high: Float32[np.ndarray, " genes"]
    mean: Float32[np.ndarray, " genes"]  # 0 where there is no value
    n_zeros: int  # of values that stand for 0: in a matrix of Toil's, log2(0.001)
    range: Range  # of all values that are there and finite
    are_whole: Bool[np.ndarray, " genes"]

    def range_of(
        self,
        genes: Bool[np.ndarray, " genes"],
        tops: Float32[np.ndarray, " samples"] = UNKNOWN,
        samples: Any = (),
    ) -> Range:
        """The range of some genes; `tops` are the largest of these in every sample, if known."""
        low, high, mean = self.low[genes], self.high[genes], self.mean[genes]
        is_integer = bool(self.are_whole[genes].all())
        is_centred = self.n_samples > FEW and are_centred(mean, low, high)
        apart = what_is_apart(low, high, tops, samples, is_integer=is_integer)
        ends = float(np.fmin.reduce(low)), float(np.fmax.reduce(high))
        return Range(*ends, is_integer, is_centred, apart)


def survey(x: SampleMajor, samples: Any = ()) -> Survey:
    """Look at every value once, in blocks; the names of the samples are for messages."""
    n_samples, n_genes = x.shape
    n_missing, n_infinite = (np.zeros(n_genes, np.int64) for _ in range(2))
    low, high = (np.full(n_genes, np.nan, np.float32) for _ in range(2))
    total = np.zeros(n_genes, np.float64)
    n_zeros, n_toil_zeros, n_seen = 0, 0, 0
    are_whole = np.ones(n_genes, bool)
    of_samples, tops = np.zeros(n_samples, np.int64), np.empty(n_samples, np.float32)
    for block in x.blocks():
        missing, infinite = np.isnan(block), np.isinf(block)
        if missing.any():
            n_missing += missing.sum(axis=0)
            of_samples[n_seen : n_seen + len(block)] = missing.sum(axis=1)
        if infinite.any():
            n_infinite += infinite.sum(axis=0)
            block[infinite] = np.nan
            missing |= infinite
        tops[n_seen : n_seen + len(block)] = np.fmax.reduce(block, axis=1)
        n_seen += len(block)
        lowest = np.fmin.reduce(block, axis=0)
        np.fmin(low, lowest, out=low)
        np.fmax(high, np.fmax.reduce(block, axis=0), out=high)
        total += np.nansum(block, axis=0, dtype=np.float64)
        n_zeros += int(np.count_nonzero(block == 0))
        if is_toil_zero(np.fmin.reduce(lowest)):
            n_toil_zeros += int(np.count_nonzero(is_toil_zero(block)))
        are_whole &= ((block == np.rint(block)) | missing).all(axis=0)
    n_zeros = n_toil_zeros if is_toil_zero(np.fmin.reduce(low)) else n_zeros
    mean = (total / np.maximum(n_samples - n_missing, 1)).astype(np.float32)
    told = (n_infinite, low, high, mean, n_zeros)
    unknown = Range(np.nan, np.nan, False)
    seen = Survey(n_samples, n_missing, of_samples, *told, unknown, are_whole)
    return seen._replace(range=seen.range_of(np.ones(n_genes, bool), tops, samples))
