"""Pairs of like samples among more of them than memory holds.

Rows of length 1 with a cosine above c are nearer than sqrt(2 - 2 c), and no nearer to each other
than along a few axes. So all pairs are compared along these, and few of them whole: none is missed.
"""

import numpy as np
from jaxtyping import Float, Float32, Int

from jaxssl.data.axes import principal_axes
from jaxssl.data.backed import Backed, blocks

N_AXES = 64  # on which all pairs are compared
N_LOOKED = 2048  # samples that the axes are of
SLACK = 1e-4  # of a squared distance in float32
COMPARED = 2**26  # products of pairs that are kept at once

Pairs = Int[np.ndarray, "pairs 2"]


def similar_pairs(unit: Backed, cosine: float) -> Pairs:
    """Pairs (i < j) of rows whose cosine is above a value.

    Args:
        unit: rows of length 1, or 0.
        cosine: above which a pair counts.

    Returns:
        The pairs by their first row, then the second.

    Example:
        >>> x = np.eye(3, dtype=np.float32)[[0, 1, 0, 2]]
        >>> similar_pairs(Backed(lambda rows: x[rows], x.shape), 0.9).tolist()
        [[0, 2]]
    """
    looked = np.sort(np.random.default_rng(0).permutation(len(unit))[:N_LOOKED])
    axes, sd = principal_axes(unit[looked], N_AXES)
    axes = axes[:, sd > 1e-3 * sd.max()]  # those of rounding are not orthogonal
    along = np.concatenate([unit[rows] @ axes for rows in blocks(unit)])
    square, found = (along**2).sum(axis=1), [np.empty((0, 2), np.int64)]
    step = max(1, COMPARED // len(along))
    for rows in blocks(along, step):
        near = _near(along, square, rows, 2 - 2 * cosine + SLACK)
        found.append(near[_cosines(unit, near) > cosine])
    return np.concatenate(found)


def _near(
    along: Float32[np.ndarray, "samples axes"],
    square: Float32[np.ndarray, " samples"],
    rows: slice,
    reach: float,
) -> Pairs:
    """Pairs of some rows with later ones that are no further apart, squared, than `reach`."""
    start = rows.start
    products = along[rows] @ along[start:].T
    bound = (square[rows, None] - reach) / 2 + square[start:] / 2
    is_near = np.triu(products >= bound, k=1)
    return np.stack(np.nonzero(is_near), axis=1) + start


def _cosines(unit: Backed, pairs: Pairs) -> Float[np.ndarray, " pairs"]:
    """Products of whole rows; each row is read once for some of the pairs."""
    found = np.empty(len(pairs), np.float32)
    for some in blocks(pairs):
        rows, at = np.unique(pairs[some], return_inverse=True)
        read, at = unit[rows], at.reshape(-1, 2)
        found[some] = np.einsum("pg,pg->p", read[at[:, 0]], read[at[:, 1]])
    return found
