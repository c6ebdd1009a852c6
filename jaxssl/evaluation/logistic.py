"""Multinomial logistic regression with an L2 penalty, on labels or on class probabilities.

Its loss is weighted, so that every class can count alike whatever its number of labels; its penalty
comes from cross-validated log loss, which a class with a single label cannot mislead.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import linalg
from scipy.special import log_softmax
from sklearn.model_selection import RepeatedStratifiedKFold

from jaxssl.evaluation.multinomial import (
    LOOSE,
    TOLERANCE,
    Problem,
    Targets,
    solve,
    stack,
    unpack,
)
from jaxssl.types import Features

PENALTIES = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003)  # of rows with mean square length 1
UNTUNED = 0.1  # where a class has one label, so that no fold can hold it out and keep it
MAX_FOLDS = 5
FEW, N_REPEATS = 60, 3  # labels, below which folds are drawn several times
RANK = 1e-6  # of the largest curvature, below which an axis carries nothing


class Axes(NamedTuple):
    """Coordinates in which the curvature of the weighted loss is diagonal, an intercept last."""

    mean: Float[np.ndarray, " features"]
    axes: Float[np.ndarray, "features axes"]
    curvature: Float[np.ndarray, " coordinates"]
    size: float  # root mean square length of the rows, which is 1 on the axes

    def of(self, x: Features) -> Float[np.ndarray, "samples coordinates"]:
        """Rows in these coordinates."""
        return np.hstack([(x - self.mean) @ self.axes, np.ones((len(x), 1), x.dtype)])


class Logistic(NamedTuple):
    """A fitted model."""

    axes: Axes
    coefficients: Float[np.ndarray, "coordinates classes"]
    penalty: float

    def logits(self, x: Features) -> Targets:
        """Scores of the classes, whose softmax are probabilities."""
        return self.axes.of(x) @ self.coefficients

    def linear(self) -> tuple[Float[np.ndarray, "features classes"], Float[np.ndarray, " classes"]]:
        """Coefficients of the features as they are, and intercepts."""
        kernel = self.axes.axes @ self.coefficients[:-1]
        return kernel, self.coefficients[-1] - self.axes.mean @ kernel


def fit_logistic(
    x: Features,
    targets: Targets,
    *,
    balanced: bool = True,
    penalty: float | None = None,
    seed: int = 0,
    tolerance: float = TOLERANCE,
) -> Logistic:
    """Fit class probabilities of rows.

    Minimises sum_i w_i CE(t_i, softmax(x_i B / s + b)) + penalty / 2 |B|², where s² is the mean
    square length of the centred rows.

    Args:
        x: rows, of any unit.
        targets: a distribution over classes for every row; a label is all of one class.
        balanced: whether every class counts alike; otherwise every row does.
        penalty: None: by cross-validated log loss, `UNTUNED` where a class has one label.
        seed: of the folds.
        tolerance: of `solve`.

    Returns:
        The model.

    Example:
        >>> x = np.array([[-1.0], [-0.9], [1.0], [1.1]])
        >>> model = fit_logistic(x, np.eye(2)[[0, 0, 1, 1]], penalty=0.1)
        >>> model.logits(x).argmax(axis=1).tolist()
        [0, 0, 1, 1]
    """
    weights = weights_of(targets) if balanced else np.ones(len(x))
    axes = find_axes(x, weights)
    problem = Problem(axes.of(x), targets, weights[None], axes.curvature)
    if penalty is None:
        penalty = choose_penalty(problem, seed)
    fitted = solve(stack([problem]), [penalty], tolerance)
    return Logistic(axes, unpack(fitted, [problem])[0][:, 0], penalty)


def weights_of(targets: Targets) -> Float[np.ndarray, " samples"]:
    """Weights of rows by which all classes count alike; their sum is the number of rows.

    >>> weights_of(np.eye(2)[[0, 0, 0, 1]]).round(3).tolist()
    [0.667, 0.667, 0.667, 2.0]
    """
    mass = targets.sum(axis=0)
    return targets @ np.divide(len(targets) / (mass > 0).sum(), mass, where=mass > 0, out=0 * mass)


def find_axes(x: Features, weights: Float[np.ndarray, " samples"]) -> Axes:
    """Principal axes of weighted rows, scaled to a mean square length of 1.

    What is orthogonal to the rows never enters an L2-regularised fit, so the axes are as many as
    the smaller side of the matrix at most.
    """
    mean = weights.astype(x.dtype) @ x / x.dtype.type(weights.sum())
    centred = x - mean
    size = np.sqrt(np.einsum("ij,ij->i", centred, centred).mean()) or 1.0
    rooted = centred * np.sqrt(weights)[:, None].astype(x.dtype) / size
    if x.shape[1] <= x.shape[0]:
        curvature, axes = linalg.eigh(rooted.T @ rooted)
    else:
        curvature, left = linalg.eigh(rooted @ rooted.T)
        axes = rooted.T @ left / np.sqrt(np.maximum(curvature, np.finfo(x.dtype).tiny))
    kept = curvature > RANK * max(curvature[-1], np.finfo(x.dtype).tiny)
    curvature = np.append(curvature[kept], weights.sum())
    return Axes(mean, (axes[:, kept] / size).astype(x.dtype), curvature, float(size))


def choose_penalty(problem: Problem, seed: int) -> float:
    """The penalty of the least weighted log loss on held-out folds, the larger one of equals.

    From the largest downwards, as long as the loss falls.
    """
    z, targets, (weights,), _ = problem
    y = targets.argmax(axis=1)
    fewest = np.bincount(y)[np.unique(y)].min()
    if fewest < 2 or len(np.unique(y)) < 2:
        return UNTUNED
    folds = RepeatedStratifiedKFold(
        n_splits=min(MAX_FOLDS, fewest),
        n_repeats=N_REPEATS if len(y) < FEW else 1,
        random_state=seed,
    )
    held_out = np.zeros((folds.get_n_splits(z, y), len(y)), bool)
    for i, (_, rows) in enumerate(folds.split(z, y)):
        held_out[i, rows] = True
    in_folds = problem._replace(weights=weights * ~held_out)
    batch, start, fitted, losses = stack([in_folds]), None, None, []
    for penalty in PENALTIES:
        before, fitted = fitted, solve(batch, [penalty], LOOSE, start)
        start = fitted if before is None else 2 * fitted - before  # as in `paths`
        logits = np.einsum("nr,rfk->nfk", z, unpack(fitted, [in_folds])[0], optimize=True)
        of_rows = -np.einsum("nfk,nk->nf", log_softmax(logits, axis=-1), targets)
        losses.append(float(np.einsum("nf,fn,n->", of_rows, held_out, weights)))
        if losses[-1] > min(losses):
            break
    return PENALTIES[int(np.argmin(losses))]
