"""How many labels a reference needs to be as good as an arm with few."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from sklearn.isotonic import isotonic_regression

N_RESAMPLES = 2000
SEED = 0
LEVELS = (2.5, 97.5)


class Saved(NamedTuple):
    """Labels that the reference needs, and a 95 % interval; inf where all it was given are few."""

    needed: float
    low: float
    high: float


def labels_needed(
    n_labelled: Int[np.ndarray, " shares"], curve: Float[np.ndarray, " shares"], score: float
) -> float:
    """Fewest labels at which a curve reaches a score.

    The curve is made to rise (isotonic regression) and runs straight between budgets over the
    logarithm of their size. Returns the smallest budget where even that reaches the score, and inf
    where none does.
    """
    rising = isotonic_regression(curve)
    if score > rising[-1]:
        return float("inf")
    at = int(np.searchsorted(rising, score))  # the first budget that reaches it
    if at == 0:
        return float(n_labelled[0])
    low, high = rising[at - 1], rising[at]
    part = (score - low) / (high - low)
    return float(n_labelled[at - 1] * (n_labelled[at] / n_labelled[at - 1]) ** part)


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
    needed = labels_needed(n_labelled, reference.mean(axis=0), float(arm.mean()))
    n = len(arm)
    if n < 2:
        return Saved(needed, float("nan"), float("nan"))
    drawn = np.random.default_rng(SEED).integers(n, size=(n_resamples, n))
    curves, scores = reference[drawn].mean(axis=1), arm[drawn].mean(axis=1)
    found = np.sort([labels_needed(n_labelled, c, s) for c, s in zip(curves, scores, strict=True)])
    # an order statistic, for there is nothing between a number and inf
    low, high = np.percentile(found, LEVELS, method="inverted_cdf")
    return Saved(needed, float(low), float(high))
