"""What a bioinformatician would use instead, by scikit-learn, on the same labels.

A baseline turns the labelled rows into class probabilities for other rows. L2-regularised models
are rotation-invariant, so they are fitted in the row space of the labelled rows: exact, and far
cheaper where genes outnumber labels.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

INVERSE_PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
UNTUNED = 10.0  # where there is one label a class: nothing to validate on, nor much to penalise
MAX_FOLDS = 3
FEW_LABELS = "The least populated class|The number of unique classes is greater than 50%"
"""What scikit-learn warns of where labels are few, which is what is studied here (a regex)."""
MAX_ITERATIONS = 1000

Fit = Callable[
    [
        Float[np.ndarray, "labelled features"],
        Int[np.ndarray, " labelled"],
        Float[np.ndarray, "samples features"],
        int,
    ],
    Float[np.ndarray, "samples classes"],
]
"""(labelled rows, their classes, rows to predict, seed) → probabilities, classes 0 .. max."""


class Baseline(NamedTuple):
    """A classical arm: its fit, and which input it gets."""

    fit: Fit
    input: str  # "genes": standardised genes; "features": what the encoder sees


def majority(
    x: Float[np.ndarray, "labelled features"],
    y: Int[np.ndarray, " labelled"],
    rows: Float[np.ndarray, "samples features"],
    seed: int,
) -> Float[np.ndarray, "samples classes"]:
    """Class frequencies of the labels, for every sample."""
    del x, seed
    return np.tile(np.bincount(y) / len(y), (len(rows), 1))


def logistic_regression(
    x: Float[np.ndarray, "labelled features"],
    y: Int[np.ndarray, " labelled"],
    rows: Float[np.ndarray, "samples features"],
    seed: int,
) -> Float[np.ndarray, "samples classes"]:
    """Multinomial L2 logistic regression, its penalty by cross-validation on the labels at hand."""
    x, rows = row_space(x, rows)
    model = LogisticRegression(C=choose_penalty(x, y, seed), max_iter=MAX_ITERATIONS)
    return model.fit(x, y).predict_proba(rows)


def choose_penalty(
    x: Float[np.ndarray, "labelled features"], y: Int[np.ndarray, " labelled"], seed: int
) -> float:
    """Inverse penalty C of the best cross-validated accuracy; the median one of those that tie.

    Stratified folds, as many as the largest class has labels (at most 3); a class with fewer
    labels is absent from a fold.
    """
    n_folds = min(MAX_FOLDS, int(np.bincount(y).max()))
    if n_folds < 2:
        return UNTUNED
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    accuracy = np.zeros(len(INVERSE_PENALTIES))
    for fitted, held_out in folds.split(x, y):
        # the path of growing C starts each fit where the last one ended
        model = LogisticRegression(max_iter=MAX_ITERATIONS, tol=1e-3, warm_start=True)
        for i, c in enumerate(INVERSE_PENALTIES):
            model.set_params(C=c).fit(x[fitted], y[fitted])
            accuracy[i] += model.score(x[held_out], y[held_out]) * len(held_out) / len(y)
    best = np.flatnonzero(np.isclose(accuracy, accuracy.max()))
    return INVERSE_PENALTIES[best[len(best) // 2]]


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


BASELINES: dict[str, Baseline] = {
    "majority": Baseline(majority, "features"),
    "logreg": Baseline(logistic_regression, "genes"),
    "pca_logreg": Baseline(logistic_regression, "features"),
}
