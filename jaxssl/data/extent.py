"""How far expression values reach, and what stands apart from all others."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Shaped

FEW = 2  # samples whose means say nothing
LARGEST_LOG2, LEAST_LINEAR = 25, 50  # of a whole profile
_CENTRED = 0.1  # of a gene's span, and share of the genes beyond
_ROWS = 1024  # at a time: bounds the temporaries of a wide matrix
_WHOLE_PROFILE = 50  # genes; the largest of fewer says nothing of a sample's scale
_APART = 10  # times as large, at least
_SHOWN = 6
UNKNOWN = np.empty(0, np.float32)

OfGenes = Shaped[np.ndarray, " genes"]
OfSamples = Shaped[np.ndarray, " samples"]


class Apart(NamedTuple):
    """A value that stands for none, or samples on a scale of their own."""

    finding: str
    fix: str


class Range(NamedTuple):
    """What tells the scale of expression values."""

    lowest: float  # NaN if there is no value
    highest: float
    is_integer: bool  # all of them
    is_centred: bool = False  # the means of nearly all genes are 0
    apart: Apart | None = None  # because of which the extremes tell nothing


def range_of(x: Shaped[np.ndarray, "samples genes"], samples: Any = ()) -> Range:
    """Of a matrix in memory, all of whose values are finite."""
    blocks = (x[start : start + _ROWS] for start in range(0, len(x), _ROWS))
    is_integer = all(bool((block == np.rint(block)).all()) for block in blocks)
    low, high = x.min(axis=0), x.max(axis=0)
    is_centred = len(x) > FEW and are_centred(x.mean(axis=0, dtype=np.float64), low, high)
    apart = what_is_apart(low, high, x.max(axis=1), samples, is_integer=is_integer)
    return Range(float(low.min()), float(high.max()), is_integer, is_centred, apart)


def are_centred(mean: OfGenes, low: OfGenes, high: OfGenes) -> bool:
    """Whether the mean of nearly every gene is 0, as of standardised values and ratios."""
    is_at_0 = np.abs(mean) < _CENTRED * (high - low)
    return bool(is_at_0.size) and bool(is_at_0.mean() > 1 - _CENTRED)


def what_is_apart(
    low: OfGenes,
    high: OfGenes,
    tops: OfSamples = UNKNOWN,
    samples: Any = (),
    *,
    is_integer: bool = False,
) -> Apart | None:
    """A value written for missing ones, or samples on another scale than most.

    Args:
        low: the least value of every gene; NaN where there is none.
        high: the largest.
        tops: the largest value of every sample; none where they are unknown.
        samples: their names; none to number them.
        is_integer: all values are whole: the large ones may be counts.
    """
    least = float(np.fmin.reduce(low))
    if least < 0 and _are_nines(least):
        return Apart(f"{least:g} is no expression", f"leave the cells that hold {least:g} empty")
    return None if is_integer else _largest(high) or _samples(tops, len(high), samples)


def _largest(high: OfGenes) -> Apart | None:
    """The one value beyond logarithms: of nines, or the same in several genes."""
    value = float(np.fmax.reduce(high))
    is_it = high == value
    if not value > LEAST_LINEAR or (high[~is_it] > LARGEST_LOG2).any():
        return None
    if not (_are_nines(value) or (is_it.sum() > 1 and not is_it.all())):
        return None
    return Apart(
        f"{value:g} stands alone, and all else may be logarithms",
        f"leave the cells that hold {value:g} empty",
    )


def _are_nines(value: float) -> bool:
    """Whether a number is 99, 999 or so on, of either sign."""
    digits = f"{abs(value):.15g}"
    return len(digits) > 1 and set(digits) == {"9"}


def _samples(tops: OfSamples, n_genes: int, samples: Any) -> Apart | None:
    """Of samples that were logged and others that were not, the fewer."""
    tops = np.where(tops > 1, tops, np.nan)  # of a sample without expression: it tells nothing
    are_logs, are_linear = tops <= LARGEST_LOG2, tops > LEAST_LINEAR
    logs, linear = tops[are_logs], tops[are_linear]
    if n_genes < _WHOLE_PROFILE or not len(logs) or not len(linear):
        return None
    if not (are_logs | are_linear | np.isnan(tops)).all() or linear.min() < _APART * logs.max():
        return None
    at = np.flatnonzero(are_linear if len(linear) <= len(logs) else are_logs)
    named = ", ".join(str(samples[i]) if len(samples) else f"number {i + 1}" for i in at[:_SHOWN])
    named += f", ... ({len(at)})" if len(at) > _SHOWN else ""
    return Apart(
        f"samples are on two scales: some reach {logs.max():.4g} at most, others "
        f"{linear.min():.4g} at least (the fewer: {named})",
        "bring all samples to one scale first",
    )
