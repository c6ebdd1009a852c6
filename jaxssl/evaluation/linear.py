"""Linear models of labelled rows: logistic regression, its row space, and folds of labels.

Every class counts alike, whatever its number of labels. L2-regularised models are
rotation-invariant, so they are fitted in the row space of the labelled rows: exact, and far cheaper
where genes outnumber labels.
"""

from typing import Any

import numpy as np
from jaxtyping import Float, Int
from sklearn.linear_model import LogisticRegression

MAX_ITERATIONS = 1000


def regression(c: float = 1.0, **words: Any) -> LogisticRegression:
    """Multinomial logistic regression with an inverse penalty, classes alike; to be fitted."""
    return LogisticRegression(C=c, max_iter=MAX_ITERATIONS, class_weight="balanced", **words)


def row_space(
    x: Float[np.ndarray, "labelled features"], rows: Float[np.ndarray, "samples features"]
) -> tuple[Float[np.ndarray, "labelled axes"], Float[np.ndarray, "samples axes"]]:
    """Coordinates in the span of the labelled rows; as given where features are the fewer.

    What is orthogonal to that span never enters an L2-regularised linear fit.
    """
    if x.shape[1] <= x.shape[0]:
        return x, rows
    axes, _ = np.linalg.qr(x.T)
    return x @ axes, rows @ axes


def folds_of(
    y: Int[np.ndarray, " labelled"], n_folds: int, seed: int
) -> Int[np.ndarray, " labelled"]:
    """A fold for every label, -1 for the only one of its class; of the others each fold leaves one.

    Classes are dealt out one after the other, so that folds are of one size to within a label.
    """
    fold, rng, dealt = np.full(len(y), -1), np.random.default_rng(seed), 0
    for c in np.flatnonzero(np.bincount(y) > 1):
        rows = rng.permutation(np.flatnonzero(y == c))
        fold[rows] = (np.arange(len(rows)) + dealt) % n_folds
        dealt += len(rows)
    return fold
