"""One pass over a matrix: what must be known of every gene before a value is touched."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int

from jaxssl.data.formats.matrix import SampleMajor


class Survey(NamedTuple):
    """Counts and extremes; missing and infinite values take no part in the latter."""

    n_samples: int
    n_missing: Int[np.ndarray, " genes"]
    low: Float32[np.ndarray, " genes"]  # NaN where there is no value
    high: Float32[np.ndarray, " genes"]
    total: Float[np.ndarray, " genes"]
    n_zeros: int
    n_infinite: int
    is_integer: bool
    first_missing: tuple[int, int] | None  # sample, gene
    first_infinite: tuple[int, int] | None

    @property
    def mean(self) -> Float32[np.ndarray, " genes"]:
        """Of the values that are there; 0 where there is none."""
        return (self.total / np.maximum(self.n_samples - self.n_missing, 1)).astype(np.float32)

    @property
    def lowest(self) -> float:
        """The smallest value of all; NaN if there is none."""
        return float(np.fmin.reduce(self.low)) if len(self.low) else float("nan")

    @property
    def highest(self) -> float:
        """The largest value of all; NaN if there is none."""
        return float(np.fmax.reduce(self.high)) if len(self.high) else float("nan")

    def of(self, columns: np.ndarray) -> "Survey":
        """The survey of some genes; counts over all values stay those of the whole file."""
        per_gene = {name: getattr(self, name)[columns] for name in
                    ("n_missing", "low", "high", "total")}  # fmt: skip
        return self._replace(**per_gene)


def survey(x: SampleMajor) -> Survey:
    """Look at every value once, in blocks."""
    n_samples, n_genes = x.shape
    n_missing = np.zeros(n_genes, np.int64)
    low, high = (np.full(n_genes, np.nan, np.float32) for _ in range(2))
    total = np.zeros(n_genes, np.float64)
    n_zeros, n_infinite, is_integer = 0, 0, True
    first_missing, first_infinite = None, None
    start = 0
    for block in x.blocks():
        infinite = np.isinf(block)
        if infinite.any():
            n_infinite += int(infinite.sum())
            first_infinite = first_infinite or _first(infinite, start)
            block[infinite] = np.nan
        missing = np.isnan(block)
        if missing.any():
            first_missing = first_missing or _first(missing & ~infinite, start)
            n_missing += missing.sum(axis=0) - infinite.sum(axis=0)
        np.fmin(low, np.fmin.reduce(block, axis=0), out=low)
        np.fmax(high, np.fmax.reduce(block, axis=0), out=high)
        total += np.nansum(block, axis=0, dtype=np.float64)
        n_zeros += int(np.count_nonzero(block == 0))
        is_integer = is_integer and bool(np.all((block == np.rint(block)) | missing))
        start += len(block)
    return Survey(
        n_samples, n_missing, low, high, total, n_zeros, n_infinite, is_integer, first_missing,
        first_infinite,
    )  # fmt: skip


def join(surveys: Sequence[Survey]) -> Survey:
    """The survey of several files whose genes are in the same order."""
    first = surveys[0]
    if len(surveys) == 1:
        return first
    starts = np.cumsum([0, *(s.n_samples for s in surveys)])
    shifted = {
        name: next(
            ((found[0] + int(start), found[1])
             for s, start in zip(surveys, starts, strict=False)
             if (found := getattr(s, name)) is not None),
            None,
        )
        for name in ("first_missing", "first_infinite")
    }  # fmt: skip
    return Survey(
        n_samples=int(starts[-1]),
        n_missing=np.sum([s.n_missing for s in surveys], axis=0),
        low=np.fmin.reduce([s.low for s in surveys]),
        high=np.fmax.reduce([s.high for s in surveys]),
        total=np.sum([s.total for s in surveys], axis=0),
        n_zeros=sum(s.n_zeros for s in surveys),
        n_infinite=sum(s.n_infinite for s in surveys),
        is_integer=all(s.is_integer for s in surveys),
        **shifted,
    )


def _first(found: np.ndarray, start: int) -> tuple[int, int] | None:
    """Sample and gene of the first hit of a block that begins with sample `start`."""
    position = int(np.argmax(found))
    i, j = divmod(position, found.shape[1])
    return (start + i, j) if found[i, j] else None
