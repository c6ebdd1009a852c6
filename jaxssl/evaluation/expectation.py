"""What a recommended classifier is worth on new samples of its cohort, by nested cross-validation.

No label is lost to it: the classifier that is delivered learns from all of them. Each outer fold
chooses penalties and weights anew on its own labels; encoders see no label. A label whose class no
other has counts as wrong where it is held out: so often will the next sample be of a class that has
no label (Good & Turing), and the estimate of the accuracy is right about these, too.
"""

import warnings
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from jaxssl.evaluation.baselines import Problem, logistic_regression
from jaxssl.evaluation.best import choose_pool, of_heads, opinions_of, shares_of
from jaxssl.evaluation.spaces import GENES, Spaces, condensed

ONE_BY_ONE, MANY = 100, 1000  # labels: to the first each is a fold, beyond the second few are
FOLDS, FOLDS_OF_MANY = 10, 5  # between them, and beyond
UNASKED = ("lbfgs failed to converge", "The number of unique classes is greater")
"""Warnings of a fold's fits that no user can act on."""

Labels = Int[np.ndarray, " labelled"]
Classes = Float[np.ndarray, "labelled classes"]


class HeldOut(NamedTuple):
    """What is said of labels by classifiers that did not see them."""

    ours: Classes
    linear: Classes  # logistic regression on genes, every class alike

    def named(self, y: Labels) -> dict[str, Labels]:
        """Classes by classifier; "largest" always names one class."""
        named = {"ours": self.ours.argmax(axis=1), "linear": self.linear.argmax(axis=1)}
        return named | {"largest": np.full(len(y), np.bincount(y).argmax())}


def groups_of(names: np.ndarray) -> Labels:
    """Numbers of groups by their names; "" is a group of its own.

    >>> groups_of(np.array(["a", "", "a", ""])).tolist()
    [0, 1, 0, 3]
    """
    first = {name: i for i, name in reversed(list(enumerate(names.tolist())))}
    return np.array([first[name] if name else i for i, name in enumerate(names.tolist())])


def outer_folds(y: Labels, groups: Labels, seed: int = 0) -> Labels:
    """A fold for every label, groups in one; classes are dealt out one after the other.

    Args:
        y: classes of the labels.
        groups: numbers of what stays together.
        seed: of the order within a class.

    Returns:
        Numbers of folds: as many as there are groups up to 100 labels, so that a fold's classifier
        has nearly all of them; then ten, and five beyond 1,000.

    Example:
        >>> outer_folds(np.array([0, 1, 0]), np.array([0, 1, 0])).tolist()
        [0, 1, 0]
    """
    order = np.random.default_rng(seed).permutation(len(y))
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    dealt = np.lexsort((order[first], y[first]))
    n_folds = len(first) if len(y) <= ONE_BY_ONE else FOLDS if len(y) <= MANY else FOLDS_OF_MANY
    number = np.empty(len(first), int)
    number[dealt] = np.arange(len(first)) % n_folds
    return number[group]


def hold_out(spaces: Spaces, labelled: Labels, y: Labels, n_classes: int, folds: Labels) -> HeldOut:
    """Hold out each fold of the labels: fit on the others, all choices included, and predict it.

    Args:
        spaces: of `recommended.see`.
        labelled: training rows that have a label.
        y: their classes.
        n_classes: of the labels.
        folds: of `outer_folds`.

    Returns:
        Class probabilities of every label; a class that a fold's labels lack has none.

    Example:
        >>> hold_out(spaces, rows, codes[rows], 20, folds).named(codes[rows])  # doctest: +SKIP
    """
    if len(y) <= MANY:
        spaces, labelled = condensed(spaces, labelled), np.arange(len(y))
    held_out = [folds == number for number in np.unique(folds)]
    fit, task = delayed(_fit_fold), (spaces, labelled, y, n_classes)
    with threadpool_limits(1, "blas"), warnings.catch_warnings():
        for message in UNASKED:
            warnings.filterwarnings("ignore", message=message)
        made = Parallel(n_jobs=-1, prefer="threads")(fit(*task, out) for out in held_out)
    found = np.zeros((2, len(y), n_classes))
    for out, parts in zip(held_out, made, strict=True):
        found[:, out] = parts
    return HeldOut(*found)


def _fit_fold(
    spaces: Spaces, labelled: Labels, y: Labels, n_classes: int, out: np.ndarray
) -> tuple[np.ndarray, ...]:
    """What both classifiers say of a fold by the other labels."""
    rows, own = labelled[~out], y[~out]
    known = np.unique(own)
    absent = np.setdiff1d(np.arange(n_classes), known) if len(known) else known
    shares = np.tile(shares_of(own, n_classes), (int(out.sum()), 1))
    shares[:, absent] = 0
    shares /= shares.sum(axis=1, keepdims=True)
    if len(known) < 2:
        return shares, shares
    pool = choose_pool(spaces, rows, own, n_classes, by_share=True)
    path = [[int(i)] for i in pool.penalties]
    said = opinions_of(spaces, rows, own, n_classes, labelled[out], path)
    ours = pool([*of_heads(said, np.zeros(len(spaces.heads), int)), shares])
    ours[:, absent] = 0
    linear = np.zeros_like(ours)
    problem = Problem(spaces.views[GENES].x, own, rows, spaces.train, labelled[out], 0)
    linear[:, known] = logistic_regression(problem)
    return ours / ours.sum(axis=1, keepdims=True), linear
