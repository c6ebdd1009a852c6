"""One repetition at one budget, as a classical arm sees it, and what it makes of that."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxssl.data.backed import Expression
from jaxssl.evaluation.trials import COMPILED

CLASSES = Float[np.ndarray, "held_out known"]
"""Probabilities of the classes that occur among the labels, in order."""


class Problem(NamedTuple):
    """One repetition at one budget, as rows of a matrix that all repetitions share."""

    x: Expression  # or features
    y: Int[np.ndarray, " labelled"]  # classes of the labelled rows
    labelled: Int[np.ndarray, " labelled"]
    train: Int[np.ndarray, " train"]  # the labelled rows and those whose label is not in the budget
    held_out: Int[np.ndarray, " held_out"]  # to be predicted
    seed: int
    genes: Expression | None = None  # beside features, of "both"
    n_classes: int = 0  # of the task, whether or not each has a label; 0: as far as labels go
    solver: str = COMPILED  # of linear models
    shared: dict | None = None  # of all problems with the same inputs: for `once`


FitAll = Callable[[Sequence[Problem]], list[CLASSES]]
"""Of several problems with the same features and classes."""


def of_known(
    probabilities: Float[np.ndarray, "held_out classes"], y: Int[np.ndarray, " labelled"]
) -> CLASSES:
    """Probabilities of the classes that have a label; what others have is theirs.

    >>> of_known(np.array([[0.5, 0.125, 0.375]]), np.array([2, 1])).tolist()
    [[0.25, 0.75]]
    """
    known = np.unique(y)
    if len(known) == probabilities.shape[1]:
        return probabilities
    found = probabilities[:, known]
    return found / found.sum(axis=1, keepdims=True)
