"""`best`: the classifier that jaxssl recommends, from one label a class to thousands.

Samples are seen in four views: the outputs of ten encoders, the axes along which neighbours agree,
the components and the genes. Class means, linear heads and labels that are spread over graphs each
have an opinion, and the opinions are pooled. Their weights come from cross-validation on the labels
at hand: the fewer these are, the nearer the weights are to those of `pooling.prior_of`. Without
encoders what is left is the classical arm `pool`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np
from jaxtyping import Float, Int
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_sample_weight

from jaxssl.evaluation.linear import TEMPERATURE, class_means, folds_of, regression, row_space
from jaxssl.evaluation.pooling import (
    OF_SHARES,
    Classes,
    Opinions,
    Pool,
    fit_weights,
    log_of,
    prior_of,
    with_shares,
)
from jaxssl.evaluation.spaces import Graph, Spaces, View

UNTUNED = 3  # position of the penalty where nothing can be held out
PENALTIES = (0.3, 0.1, 0.03, 0.01, 0.003)  # of rows of unit length
FEWEST = 5  # labels that can be held out
FOLDS, FOLDS_OF_MANY, MANY = 5, 3, 1000  # of many labels, one fold chooses the penalties
TOLERANCE = 1e-5  # rows are short, and so are gradients


def fit_best(
    spaces: Spaces,
    labelled: Int[np.ndarray, " labelled"],
    y: Int[np.ndarray, " labelled"],
    n_classes: int,
) -> tuple[Classes, Pool]:
    """Class probabilities of the other rows, from the labels of some training rows.

    Every class counts alike in all that is fitted. A class without a label has no probability.

    Args:
        spaces: of `make_spaces`, perhaps with outputs.
        labelled: training rows that have a label.
        y: their classes.
        n_classes: of the task, whether or not each has a label.

    Returns:
        Probabilities (others x classes), and how the opinions were pooled.

    Example:
        >>> probabilities, pool = fit_best(spaces, rows, codes[rows], 20)  # doctest: +SKIP
    """
    pool = choose_pool(spaces, labelled, y, n_classes)
    path = [[int(i)] for i in pool.penalties]
    said = opinions_of(spaces, labelled, y, n_classes, spaces.others, path)
    return pool(of_heads(said, np.zeros(len(path), int))), pool


class Said(NamedTuple):
    """Opinions on some rows."""

    means: list[Classes]
    heads: list[Float[np.ndarray, "penalties rows classes"]]
    graphs: list[Classes]


def opinions_of(
    spaces: Spaces,
    labelled: Int[np.ndarray, " labelled"],
    y: Int[np.ndarray, " labelled"],
    n_classes: int,
    asked: Int[np.ndarray, " asked"],
    path: Sequence[Sequence[int]],
) -> Said:
    """What each mean, each head at some of `PENALTIES`, and each graph says.

    `asked` are training rows or `spaces.others`.
    """
    means = [nearest(spaces.views[n], labelled, y, n_classes, asked) for n in spaces.means]
    heads = [
        linear(spaces.views[name], labelled, y, n_classes, asked, positions)
        for name, positions in zip(spaces.heads, path, strict=True)
    ]
    at, inside = (np.searchsorted(spaces.train, rows) for rows in (labelled, asked))
    is_outside, graphs = asked is spaces.others, []
    for graph in (spaces.graphs[name] for name in spaces.of_graphs):
        found = graph.spread(at, y, n_classes)
        graphs.append(cast(Graph, graph).outside @ found if is_outside else found[inside])
    return Said(means, heads, graphs)


def nearest(
    view: View,
    labelled: Int[np.ndarray, " labelled"],
    y: Int[np.ndarray, " labelled"],
    n_classes: int,
    asked: Int[np.ndarray, " asked"],
) -> Classes:
    """Class probabilities by the cosines to the class means."""
    found = np.zeros((len(asked), n_classes))
    cosines = view.of(asked) @ class_means(view.of(labelled), y).T
    found[:, np.unique(y)] = softmax(cosines / TEMPERATURE, axis=1)
    return found


def linear(
    view: View,
    labelled: Int[np.ndarray, " labelled"],
    y: Int[np.ndarray, " labelled"],
    n_classes: int,
    asked: Int[np.ndarray, " asked"],
    path: Sequence[int],
) -> Float[np.ndarray, "penalties asked classes"]:
    """Class-balanced multinomial logistic regression at some of `PENALTIES`, the largest first."""
    fitted, rows = row_space(view.of(labelled), view.of(asked))
    found = np.zeros((len(path), len(asked), n_classes))
    # each fit starts where that of the larger penalty ended
    model = head(1.0, warm_start=True)
    for i, position in enumerate(path):
        model.set_params(C=1 / PENALTIES[position]).fit(fitted, y)
        found[i][:, model.classes_] = model.predict_proba(rows)
    return found


def head(penalty: float, **words: Any) -> LogisticRegression:
    """What a head is fitted by, at a penalty of rows of unit length."""
    return regression(1 / penalty, tol=TOLERANCE, **words)


def choose_pool(
    spaces: Spaces,
    labelled: Int[np.ndarray, " labelled"],
    y: Int[np.ndarray, " labelled"],
    n_classes: int,
    *,
    by_share: bool = False,
) -> Pool:
    """Penalties and weights by cross-validated log loss, every class alike.

    Labels of classes with two or more are held out in turn; with too few of them, the prior and
    the penalty at `UNTUNED` stand.

    Args:
        spaces: of `make_spaces`, perhaps with outputs.
        labelled: training rows that have a label.
        y: their classes.
        n_classes: of the task, whether or not each has a label.
        by_share: whether every label counts alike instead of every class, and the labels'
            `shares_of` are one more opinion.

    Returns:
        The pool.
    """
    # the same folds for the same labels
    folds = folds_of(y, FOLDS if len(y) < MANY else FOLDS_OF_MANY, 0)
    prior = prior_of(spaces.means, spaces.heads, spaces.of_graphs)
    rows = np.flatnonzero(folds >= 0)
    if len(rows) < FEWEST or len(np.unique(y)) < 2:
        untuned = with_shares(prior.weights, OF_SHARES, on=by_share)
        return Pool(np.full(len(spaces.heads), UNTUNED), untuned)
    weights = compute_sample_weight(None if by_share else "balanced", y)
    opinions, penalties = _held_out(spaces, labelled, y, n_classes, folds, weights)
    if by_share:
        opinions.append(np.zeros((len(y), n_classes)))
        for out in (folds == number for number in np.unique(folds[rows])):
            opinions[-1][out] = shares_of(y[~out], n_classes)
    given = [p[rows] for p in opinions], y[rows], weights[rows], prior
    return Pool(penalties, fit_weights(*given, by_share=by_share))


def _held_out(
    spaces: Spaces,
    labelled: Int[np.ndarray, " labelled"],
    y: Int[np.ndarray, " labelled"],
    n_classes: int,
    folds: Int[np.ndarray, " labelled"],
    weights: Float[np.ndarray, " labelled"],
) -> tuple[Opinions, Int[np.ndarray, " heads"]]:
    """What is said of every label by those of other folds, and the penalties of the heads.

    Of many labels, the first fold chooses the penalties.
    """
    n_heads, is_first = len(spaces.heads), len(y) >= MANY
    of_means, of_graphs = (
        np.zeros((len(names), len(y), n_classes)) for names in (spaces.means, spaces.of_graphs)
    )
    of_path = np.zeros((n_heads, len(PENALTIES), len(y), n_classes))
    path: list[Sequence[int]] = [range(len(PENALTIES))] * n_heads
    penalties = np.zeros(n_heads, int)
    for number in np.unique(folds[folds >= 0]):
        out = folds == number
        if len(np.unique(y[~out])) < 2:
            continue
        said = opinions_of(spaces, labelled[~out], y[~out], n_classes, labelled[out], path)
        of_means[:, out], of_graphs[:, out] = said.means, said.graphs
        for i, positions in enumerate(path):
            of_path[i, list(positions), np.flatnonzero(out)[:, None]] = said.heads[i].swapaxes(0, 1)
        if is_first:
            penalties, is_first = _least_loss(of_path[:, :, out], y[out], weights[out]), False
            path = [[int(i)] for i in penalties]
    if len(y) < MANY:
        seen = folds >= 0
        penalties = _least_loss(of_path[:, :, seen], y[seen], weights[seen])
    heads = of_path[np.arange(n_heads), penalties]
    return [*of_means, *heads, *of_graphs], penalties


def _least_loss(
    of_path: Float[np.ndarray, "heads penalties labels classes"],
    y: Int[np.ndarray, " labels"],
    weights: Float[np.ndarray, " labels"],
) -> Int[np.ndarray, " heads"]:
    """The penalty of the least log loss, by head; the largest of equals."""
    return (log_of(of_path[:, :, np.arange(len(y)), y]) @ weights).argmax(axis=1)


def shares_of(y: Int[np.ndarray, " labelled"], n_classes: int) -> Float[np.ndarray, " classes"]:
    """Shares of the classes among labels, half a label of each more."""
    counts = np.bincount(y, minlength=n_classes) + 0.5
    return counts / counts.sum()


def of_heads(said: Said, penalties: Int[np.ndarray, " heads"]) -> Opinions:
    """The opinions, each head's at one of its penalties."""
    heads = [p[i] for p, i in zip(said.heads, penalties, strict=True)]
    return [*said.means, *heads, *said.graphs]
