"""What a recommended classifier is worth on new samples of its cohort, by nested cross-validation.

No label is lost to it: the classifier that is delivered learns from all of them. Each outer fold
chooses penalties and weights anew on its own labels; encoders see no label. A label whose class no
other has counts as wrong where it is held out: so often will the next sample be of a class that has
no label (Good & Turing), and the estimate of the accuracy is right about these, too.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxssl.evaluation.baselines import logistic_regressions as fit_linear
from jaxssl.evaluation.best import Asked, choose_pools, opinions_of, shares_of
from jaxssl.evaluation.paths import at_once, batched
from jaxssl.evaluation.problem import Problem
from jaxssl.evaluation.spaces import GENES, Spaces, condensed

ONE_BY_ONE, MANY = 100, 1000  # labels: to the first each is a fold, beyond the second few are
FOLDS, FOLDS_OF_MANY = 10, 5  # between them, and beyond

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
    found = np.zeros((2, len(y), n_classes))
    for outs in batched((folds == number for number in np.unique(folds)), at_once()):
        rest = [Asked(spaces, labelled[~out], y[~out], n_classes) for out in outs]
        for out, parts in zip(outs, _say(rest, [labelled[out] for out in outs]), strict=True):
            found[:, out] = parts
    return HeldOut(*found)


def _say(rest: Sequence[Asked], rows: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """What both classifiers say of some rows by the labels of others."""
    prior = [np.tile(_shares(asked), (len(own), 1)) for asked, own in zip(rest, rows, strict=True)]
    said = [(shares, shares) for shares in prior]  # of one class, or of none
    able = [i for i, asked in enumerate(rest) if len(np.unique(asked.y)) > 1]
    if not able:
        return said
    several = [rest[i] for i in able]
    problems = [
        Problem(spaces.views[GENES].x, y, labelled, spaces.train, rows[i], 0, n_classes=n_classes)
        for i, (spaces, labelled, y, n_classes, *_) in zip(able, several, strict=True)
    ]
    fitted = zip(able, choose_pools(several, by_share=True), fit_linear(problems), strict=True)
    for i, chosen, of_known in fitted:
        ours = chosen.pool([*opinions_of(rest[i], rows[i], chosen.heads), prior[i]])
        linear, known = np.zeros_like(ours), np.unique(rest[i].y)
        linear[:, known] = of_known
        ours[:, prior[i][0] == 0] = 0
        said[i] = ours / ours.sum(axis=1, keepdims=True), linear
    return said


def _shares(asked: Asked) -> Float[np.ndarray, " classes"]:
    """Shares of the classes that have labels; of all, where none has."""
    shares, known = shares_of(asked.y, asked.n_classes), np.unique(asked.y)
    if len(known):
        shares[np.setdiff1d(np.arange(asked.n_classes), known)] = 0
    return shares / shares.sum()
