"""What a bioinformatician would use instead, by scikit-learn, on the same labels.

A baseline turns the labelled rows into class probabilities for other rows. What it has to choose,
it chooses by cross-validation on the labels at hand. L2-regularised models are rotation-invariant,
so they are fitted in the row space of the labelled rows: exact, and far cheaper where genes
outnumber labels.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.semi_supervised import LabelSpreading

INVERSE_PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
UNTUNED = 10.0  # where there is one label a class: nothing to validate on, nor much to penalise
MAX_FOLDS = 3
FEW_LABELS = "The least populated class|The number of unique classes is greater than 50%"
"""What scikit-learn warns of where labels are few, which is what is studied here (a regex)."""
MAX_ITERATIONS = 1000
NEIGHBOURS = (1, 3, 5, 10, 20)
N_NEIGHBOURS_OF_GRAPH = 10
N_TREES = 500

CLASSES = Float[np.ndarray, "held_out known"]
"""Probabilities of the classes that occur among the labels, in order."""


class Problem(NamedTuple):
    """One repetition at one budget, as rows of a matrix that all repetitions share."""

    x: Float[np.ndarray, "samples features"]
    y: Int[np.ndarray, " labelled"]  # classes of the labelled rows
    labelled: Int[np.ndarray, " labelled"]
    train: Int[np.ndarray, " train"]  # the labelled rows and those whose label is not in the budget
    held_out: Int[np.ndarray, " held_out"]  # to be predicted
    seed: int


class Baseline(NamedTuple):
    """A classical arm: its fit, and which input it gets."""

    fit: Callable[[Problem], CLASSES]
    input: str  # "genes": standardised genes; "features": what the encoder sees


def majority(problem: Problem) -> CLASSES:
    """Class frequencies of the labels, for every sample."""
    _, counts = np.unique(problem.y, return_counts=True)
    return np.tile(counts / len(problem.y), (len(problem.held_out), 1))


def logistic_regression(problem: Problem) -> CLASSES:
    """Multinomial L2 logistic regression, its penalty by cross-validation on the labels at hand."""
    x, rows = row_space(problem.x[problem.labelled], problem.x[problem.held_out])
    penalty = choose_penalty(x, problem.y, problem.seed)
    model = LogisticRegression(C=penalty, max_iter=MAX_ITERATIONS)
    return model.fit(x, problem.y).predict_proba(rows)


def nearest_neighbours(problem: Problem) -> CLASSES:
    """Votes of the nearest labelled samples, by inverse distance; how many, by folds."""
    x, n_folds = problem.x[problem.labelled], count_folds(problem.y)
    model = KNeighborsClassifier(1, weights="distance")  # if there is nothing to validate on
    if n_folds > 1:
        fewest = len(x) - -(-len(x) // n_folds)  # labels of the smallest training fold
        grid = {"n_neighbors": [k for k in NEIGHBOURS if k <= fewest]}
        folds = StratifiedKFold(n_folds, shuffle=True, random_state=problem.seed)
        model = GridSearchCV(model, grid, cv=folds)
    return model.fit(x, problem.y).predict_proba(problem.x[problem.held_out])


def label_spreading(problem: Problem) -> CLASSES:
    """Labels spread over the graph of nearest neighbours of all training samples.

    Zhou et al. 2003, Learning with local and global consistency. A sample that no label reaches
    gets the class frequencies of the labels.
    """
    y = np.full(len(problem.train), -1)
    y[np.searchsorted(problem.train, problem.labelled)] = problem.y  # train is sorted
    n_neighbours = min(N_NEIGHBOURS_OF_GRAPH, len(problem.train) - 1)
    # until labels have come as far as float64 can tell
    model = LabelSpreading(
        kernel="knn", n_neighbors=n_neighbours, max_iter=MAX_ITERATIONS, tol=1e-12
    )
    with np.errstate(invalid="ignore"):  # 0 / 0 where no label reaches
        model.fit(problem.x[problem.train], y)
        probabilities = model.predict_proba(problem.x[problem.held_out])
    reached = np.isfinite(probabilities).all(axis=1, keepdims=True)
    return np.where(reached, probabilities, majority(problem))


def random_forest(problem: Problem) -> CLASSES:
    """A forest with scikit-learn's defaults but for its number of trees."""
    model = RandomForestClassifier(N_TREES, random_state=problem.seed)
    model.fit(problem.x[problem.labelled], problem.y)
    return np.asarray(model.predict_proba(problem.x[problem.held_out]))


def choose_penalty(
    x: Float[np.ndarray, "labelled features"], y: Int[np.ndarray, " labelled"], seed: int
) -> float:
    """Inverse penalty C of the best cross-validated accuracy; the median one of those that tie.

    `UNTUNED` where no fold can be left out that leaves two classes to fit.
    """
    n_folds = count_folds(y)
    if n_folds == 1:
        return UNTUNED
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(x, y)
    # of two classes, one may have a single label
    folds = [(fitted, rest) for fitted, rest in folds if len(np.unique(y[fitted])) > 1]
    if not folds:
        return UNTUNED
    accuracy = np.zeros(len(INVERSE_PENALTIES))
    for fitted, held_out in folds:
        # the path of growing C starts each fit where the last one ended
        model = LogisticRegression(max_iter=MAX_ITERATIONS, tol=1e-3, warm_start=True)
        for i, c in enumerate(INVERSE_PENALTIES):
            model.set_params(C=c).fit(x[fitted], y[fitted])
            accuracy[i] += model.score(x[held_out], y[held_out]) * len(held_out) / len(y)
    best = np.flatnonzero(np.isclose(accuracy, accuracy.max()))
    return INVERSE_PENALTIES[best[len(best) // 2]]


def count_folds(y: Int[np.ndarray, " labelled"]) -> int:
    """As many as the largest class has labels, at most 3; one leaves nothing to validate on."""
    return min(MAX_FOLDS, int(np.bincount(y).max()))


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
    "knn": Baseline(nearest_neighbours, "features"),
    "label_spreading": Baseline(label_spreading, "features"),
    "random_forest": Baseline(random_forest, "genes"),
}
