"""Mean, deviation and extremes of every gene, by blocks of samples."""

import numpy as np
from jaxtyping import Float, Float32

from jaxssl.data.backed import Backed, Expression, blocks, pieces


def moments(x: Expression) -> tuple[Float32[np.ndarray, " genes"], Float32[np.ndarray, " genes"]]:
    """Mean and standard deviation per gene, accumulated in float64 by blocks, in two passes."""
    mean = _mean(x)
    square = sum(((x[rows] - mean) ** 2).sum(axis=0) for rows in blocks(x)) / len(x)
    return np.asarray(mean, np.float32), np.asarray(np.sqrt(square), np.float32)


def mean_of(x: Expression) -> Float[np.ndarray, " genes"]:
    """Mean per gene: of an array as NumPy has it, of what is not in memory by blocks."""
    return _mean(x).astype(np.float32) if isinstance(x, Backed) else x.mean(axis=0)


def _mean(x: Expression) -> Float[np.ndarray, " genes"]:
    totals = (x[rows].sum(axis=0, dtype=np.float64) for rows in blocks(x))
    return np.sum(list(totals), axis=0) / len(x)


def extremes(x: Expression) -> tuple[Float32[np.ndarray, " genes"], Float32[np.ndarray, " genes"]]:
    """The least and the largest value per gene."""
    read = (x[rows] for rows in pieces(x))
    lows, highs = zip(*((block.min(axis=0), block.max(axis=0)) for block in read), strict=True)
    low, high = np.min(lows, axis=0), np.max(highs, axis=0)
    return low.astype(np.float32), high.astype(np.float32)
