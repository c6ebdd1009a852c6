"""One pass over a matrix: what must be known of every gene before a value is touched."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Shaped

from jaxssl.data.sample_major import SampleMajor
from jaxssl.types import InputError

TOIL_ZERO = float(np.log2(0.001))  # -9.966: a TPM of 0 in UCSC Xena's log2(TPM + 0.001)
TOLERANCE = 0.01  # of that value, as files round it
_ROWS = 1024  # at a time: bounds the temporaries of a wide matrix


class Range(NamedTuple):
    """What tells the scale of expression values."""

    lowest: float  # NaN if there is no value
    highest: float
    is_integer: bool  # all of them

    @property
    def is_toil(self) -> bool:
        """Whether the lowest value is log2(0 + 0.001)."""
        return _is_toil_zero(self.lowest)


class Survey(NamedTuple):
    """Counts and extremes; missing and infinite values take no part in the latter."""

    n_samples: int
    n_missing: Int[np.ndarray, " genes"]
    first_missing: Int[np.ndarray, " genes"]  # position of a sample; -1 where none is missing
    n_infinite: Int[np.ndarray, " genes"]
    first_infinite: Int[np.ndarray, " genes"]
    low: Float32[np.ndarray, " genes"]  # NaN where there is no value
    high: Float32[np.ndarray, " genes"]
    total: Float[np.ndarray, " genes"]
    n_zeros: int = 0  # of values that stand for 0: in a matrix of Toil's, log2(0.001)
    is_integer: bool = True

    @property
    def mean(self) -> Float32[np.ndarray, " genes"]:
        """Of the values that are there; 0 where there is none."""
        return (self.total / np.maximum(self.n_samples - self.n_missing, 1)).astype(np.float32)

    @property
    def range(self) -> Range:
        """Of all values that are there and finite."""
        if not len(self.low):
            return Range(np.nan, np.nan, self.is_integer)
        lowest, highest = np.fmin.reduce(self.low), np.fmax.reduce(self.high)
        return Range(float(lowest), float(highest), self.is_integer)


def survey(x: SampleMajor) -> Survey:
    """Look at every value once, in blocks."""
    n_samples, n_genes = x.shape
    n_missing, n_infinite = (np.zeros(n_genes, np.int64) for _ in range(2))
    first_missing, first_infinite = (np.full(n_genes, -1, np.int64) for _ in range(2))
    low, high = (np.full(n_genes, np.nan, np.float32) for _ in range(2))
    total = np.zeros(n_genes, np.float64)
    n_zeros, n_toil_zeros, is_integer, start = 0, 0, True, 0
    for block in x.blocks():
        missing, infinite = np.isnan(block), np.isinf(block)
        for found, counts, first in (
            (missing, n_missing, first_missing),
            (infinite, n_infinite, first_infinite),
        ):
            if found.any():
                _count(found, start, counts, first)
        if infinite.any():
            block[infinite] = np.nan
            missing |= infinite
        lowest = np.fmin.reduce(block, axis=0)
        np.fmin(low, lowest, out=low)
        np.fmax(high, np.fmax.reduce(block, axis=0), out=high)
        total += np.nansum(block, axis=0, dtype=np.float64)
        n_zeros += int(np.count_nonzero(block == 0))
        if lowest.size and _is_toil_zero(np.fmin.reduce(lowest)):
            n_toil_zeros += int(np.count_nonzero(_is_toil_zero(block)))
        is_integer = is_integer and bool(np.all((block == np.rint(block)) | missing))
        start += len(block)
    seen = Survey(n_samples, n_missing, first_missing, n_infinite, first_infinite, low, high, total)
    seen = seen._replace(n_zeros=n_zeros, is_integer=is_integer)
    return seen._replace(n_zeros=n_toil_zeros) if seen.range.is_toil else seen


def require_finite(x: Shaped[np.ndarray, "samples genes"]) -> None:
    """Refuse a matrix in memory that has values which are no numbers."""
    n_ill = sum(np.count_nonzero(~np.isfinite(x[i : i + _ROWS])) for i in range(0, len(x), _ROWS))
    if n_ill:
        raise InputError(
            f"{n_ill / x.size:.2%} of the expression values are NaN or infinite",
            "fill them by `read(impute=mean)`",
        )


def range_of(x: Shaped[np.ndarray, "samples genes"]) -> Range:
    """Of a matrix in memory, all of whose values are finite."""
    blocks = (x[start : start + _ROWS] for start in range(0, len(x), _ROWS))
    is_integer = all(bool((block == np.rint(block)).all()) for block in blocks)
    return Range(float(x.min()), float(x.max()), is_integer)


def _is_toil_zero(x: Any) -> Any:
    """Of a number, or of each of an array; never of NaN."""
    return abs(x - TOIL_ZERO) < TOLERANCE


def _count(
    found: Bool[np.ndarray, "block genes"],
    start: int,
    counts: Int[np.ndarray, " genes"],
    first: Int[np.ndarray, " genes"],
) -> None:
    """Add to the counts of each gene, and note the first sample of genes that had none yet."""
    counts += found.sum(axis=0)
    new = found.any(axis=0) & (first < 0)
    first[new] = start + np.argmax(found[:, new], axis=0)
