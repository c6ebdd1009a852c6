"""How many labels a reference needs to be as good as an arm with few."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

N_RESAMPLES = 2000
SEED = 0
LEVELS = (2.5, 97.5)


class Saved(NamedTuple):
    """Labels that the reference needs, and a 95 % interval; inf where all it was given are few."""

    needed: float
    low: float
    high: float


def rise(curves: Float[np.ndarray, "curves shares"]) -> Float[np.ndarray, "curves shares"]:
    """The isotonic regression of each curve: the nearest one that nowhere falls.

    By its max-min formula (Robertson, Wright & Dykstra 1988), for all curves at once.
    """
    n = curves.shape[1]
    total = np.pad(np.cumsum(curves, axis=1), ((0, 0), (1, 0)))
    risen = np.empty_like(curves)
    for k in range(n):
        of_starts = [
            np.min([(total[:, j] - total[:, i]) / (j - i) for j in range(k + 1, n + 1)], axis=0)
            for i in range(k + 1)
        ]
        risen[:, k] = np.max(of_starts, axis=0)
    return risen


def labels_needed(
    n_labelled: Int[np.ndarray, " shares"],
    curves: Float[np.ndarray, "curves shares"],
    scores: Float[np.ndarray, " curves"],
) -> Float[np.ndarray, " curves"]:
    """Fewest labels at which each curve reaches its score.

    A curve is made to rise and runs straight between budgets over the logarithm of their size. The
    smallest budget where even that reaches the score, and inf where none does.
    """
    risen, curve = rise(curves), np.arange(len(curves))
    # the first budget that reaches it; sums that are equal on paper differ by rounding
    at = (risen < scores[:, None] - 1e-12).sum(axis=1)
    if len(n_labelled) == 1:
        return np.where(at == 0, float(n_labelled[0]), np.inf)
    above = np.clip(at, 1, len(n_labelled) - 1)  # the upper end of its stretch
    low, high = risen[curve, above - 1], risen[curve, above]
    part = (scores - low) / np.maximum(high - low, 1e-300)
    steps = np.diff(np.log(n_labelled))
    found = n_labelled[above - 1] * np.exp(np.clip(part, 0, 1) * steps[above - 1])
    found = np.where(at == 0, n_labelled[0], found)
    return np.where(at == len(n_labelled), np.inf, found)


def labels_saved(
    n_labelled: Int[np.ndarray, " shares"],
    reference: Float[np.ndarray, "repetitions shares"],
    arm: Float[np.ndarray, " repetitions"],
    *,
    n_resamples: int = N_RESAMPLES,
) -> Saved:
    """Labels that a reference needs for an arm's mean score, with a bootstrap interval.

    Args:
        n_labelled: budgets, growing.
        reference: its scores at every budget.
        arm: scores of the arm at one budget, of the same repetitions.
        n_resamples: draws of repetitions, of both arms together, fixed by `SEED`.

    Returns:
        The interval is NaN below two repetitions.
    """
    (needed,) = labels_needed(n_labelled, reference.mean(axis=0)[None], arm.mean()[None])
    n = len(arm)
    if n < 2:
        return Saved(float(needed), float("nan"), float("nan"))
    drawn = np.random.default_rng(SEED).integers(n, size=(n_resamples, n))
    found = labels_needed(n_labelled, reference[drawn].mean(axis=1), arm[drawn].mean(axis=1))
    # an order statistic, for there is nothing between a number and inf
    low, high = np.percentile(found, LEVELS, method="inverted_cdf")
    return Saved(float(needed), float(low), float(high))
