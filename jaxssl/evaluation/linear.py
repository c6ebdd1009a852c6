"""What linear models of labelled rows need: class means, directions, spans and folds of labels."""

import numpy as np
from jaxtyping import Float, Int

_TINY = 1e-12  # length
FOLDS, FOLDS_OF_MANY, MANY = 5, 3, 1000  # of many labels, one fold says enough
TEMPERATURE = 0.1  # of the cosine to a class mean; the class that is named does not depend on it


def class_means(
    x: Float[np.ndarray, "labelled features"], y: Int[np.ndarray, " labelled"]
) -> Float[np.ndarray, "known features"]:
    """Means of the classes that have labels, in order, as directions.

    Args:
        x: labelled rows, of unit length.
        y: their classes.

    Returns:
        A unit vector a class. That of largest cosine to a row is the nearest class mean.

    Example:
        >>> class_means(np.array([[0.6, 0.8], [0.6, -0.8], [-1.0, 0.0]]), np.array([0, 0, 2]))
        array([[ 1.,  0.],
               [-1.,  0.]])

    Source: on few labels, Snell et al. 2017, Prototypical networks; on expression, the nearest
    centroid of Tibshirani et al. 2002, doi 10.1073/pnas.082099299, without its shrinkage.
    """
    return directions(np.stack([x[y == c].mean(axis=0) for c in np.unique(y)]))


def directions(
    x: Float[np.ndarray, "samples features"], centre: Float[np.ndarray, " features"] | float = 0.0
) -> Float[np.ndarray, "samples features"]:
    """Rows from a centre, of unit length; one that is the centre stays 0.

    >>> directions(np.array([[4.0, 5.0]]), np.array([1.0, 1.0]))
    array([[0.6, 0.8]])
    """
    away = x - centre
    return away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), _TINY)


def span_of(x: Float[np.ndarray, "labelled features"]) -> Float[np.ndarray, "features axes"] | None:
    """Orthonormal axes of the span of rows; None where features are the fewer."""
    return np.linalg.qr(x.T)[0] if x.shape[1] > x.shape[0] else None


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


def held_out_of(
    y: Int[np.ndarray, " labelled"], seed: int
) -> tuple[Int[np.ndarray, " labelled"], int]:
    """The folds by which labels choose, and how many there are: of many labels one of three.

    Returns:
        A fold for every label, -1 for one that is never left out, and the number of folds.

    Example:
        >>> held_out_of(np.arange(6) // 3, 0)[1], held_out_of(np.arange(1200) % 4, 0)[1]
        (5, 1)
    """
    if len(y) < MANY:
        return folds_of(y, FOLDS, seed), FOLDS
    fold = folds_of(y, FOLDS_OF_MANY, seed)
    return np.where(fold > 0, -1, fold), 1
