"""`best`: the classifier that jaxssl recommends, from one label a class to thousands.

Five encoders, the components and the genes have a linear head each; labels are spread over the
graphs of the components and of the encoders' outputs. These five opinions are pooled. Their weights
come from cross-validation on the labels at hand: the fewer these are, the nearer the weights are to
`WEIGHTS`; the more there are, the more the genes by themselves may count.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np
from jaxtyping import Float, Int
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_sample_weight

from jaxssl.evaluation.baselines import folds_of, row_space
from jaxssl.evaluation.pooling import (
    OF_SHARES,
    SETS,
    WEIGHTS,
    Classes,
    Opinions,
    Pool,
    first_unless_beaten,
    fit_weights,
    log_of,
    with_shares,
)
from jaxssl.evaluation.spaces import GRAPHS, HEADS, Graph, Spaces, View

UNTUNED = 3  # position of the penalty where nothing can be held out
PENALTIES = (0.3, 0.1, 0.03, 0.01, 0.003)  # of rows with mean square length 1
FEWEST = 5  # labels that can be held out
FOLDS, FOLDS_OF_MANY, MANY = 5, 3, 1000  # of many labels, one fold chooses the penalties
MAX_ITERATIONS, TOLERANCE = 1000, 1e-5  # rows are short, and so are gradients


def fit_best(
    spaces: Spaces,
    labelled: Int[np.ndarray, " labelled"],
    y: Int[np.ndarray, " labelled"],
    n_classes: int,
) -> tuple[Classes, Pool]:
    """Class probabilities of the other rows, from the labels of some training rows.

    Every class counts alike in all that is fitted. A class without a label has no probability.

    Args:
        spaces: of `make_spaces`, with outputs.
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
    return pool(of_heads(said, np.zeros(len(HEADS), int))), pool


class Said(NamedTuple):
    """Opinions on some rows."""

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
    """What each head says at some of `PENALTIES`, and each graph; `asked` are train or `others`."""
    heads = [
        linear(spaces.views[name], labelled, y, n_classes, asked, positions)
        for name, positions in zip(HEADS, path, strict=True)
    ]
    at, inside = (np.searchsorted(spaces.train, rows) for rows in (labelled, asked))
    is_outside, graphs = asked is spaces.others, []
    for graph in (spaces.graphs[name] for name in GRAPHS):
        found = graph.spread(at, y, n_classes)
        graphs.append(cast(Graph, graph).outside @ found if is_outside else found[inside])
    return Said(heads, graphs)


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
    model = regression(1.0, warm_start=True)
    for i, position in enumerate(path):
        model.set_params(C=1 / PENALTIES[position]).fit(fitted, y)
        found[i][:, model.classes_] = model.predict_proba(rows)
    return found


def regression(penalty: float, **words: Any) -> LogisticRegression:
    """What a head is fitted by: every class counts alike."""
    words |= {"max_iter": MAX_ITERATIONS, "tol": TOLERANCE, "class_weight": "balanced"}
    return LogisticRegression(C=1 / penalty, **words)


def choose_pool(
    spaces: Spaces,
    labelled: Int[np.ndarray, " labelled"],
    y: Int[np.ndarray, " labelled"],
    n_classes: int,
    *,
    by_share: bool = False,
) -> Pool:
    """Penalties and weights by cross-validated log loss, every class alike.

    Labels of classes with two or more are held out in turn; with too few of them, `WEIGHTS` and the
    penalty at `UNTUNED` stand.

    Args:
        spaces: of `make_spaces`, with outputs.
        labelled: training rows that have a label.
        y: their classes.
        n_classes: of the task, whether or not each has a label.
        by_share: whether every label counts alike instead of every class, and the labels'
            `shares_of` are one more opinion.

    Returns:
        The pool, with what it says of the labels that were held out.
    """
    # the same folds for the same labels
    folds = folds_of(y, FOLDS if len(y) < MANY else FOLDS_OF_MANY, 0)
    everything = [range(len(PENALTIES))] * len(HEADS)
    rows = np.flatnonzero(folds >= 0)
    if len(rows) < FEWEST or len(np.unique(y)) < 2:
        return Pool(np.full(len(HEADS), UNTUNED), with_shares(WEIGHTS, OF_SHARES, on=by_share))
    weights, codes = compute_sample_weight(None if by_share else "balanced", y), y[rows]
    graphs = np.zeros((len(GRAPHS) + by_share, len(y), n_classes))
    heads = np.zeros((len(HEADS), len(PENALTIES), len(y), n_classes))
    path, penalties = everything, np.zeros(len(HEADS), int)
    for number in np.unique(folds[rows]):
        out = folds == number
        if len(np.unique(y[~out])) < 2:
            continue
        said = opinions_of(spaces, labelled[~out], y[~out], n_classes, labelled[out], path)
        graphs[: len(GRAPHS), out] = said.graphs
        graphs[len(GRAPHS) :, out] = shares_of(y[~out], n_classes)
        for i, positions in enumerate(path):
            for position, p in zip(positions, said.heads[i], strict=True):
                heads[i, position, out] = p
        seen = folds >= 0 if len(y) < MANY else out
        if path is everything:
            log_p = log_of(heads[:, :, seen])[:, :, np.arange(seen.sum()), y[seen]]
            penalties = (log_p @ weights[seen]).argmax(axis=1)
        if len(y) >= MANY:
            path = [[int(i)] for i in penalties]
    opinions = of_heads(Said([*heads[:, :, rows]], [*graphs[:, rows]]), penalties)
    labels = opinions, codes, weights[rows]
    pools = [Pool(penalties, fit_weights(*labels, of, by_share=by_share)) for of in SETS]
    probabilities = [pool(opinions) for pool in pools]
    best = first_unless_beaten([(p.argmax(axis=1) == codes) * weights[rows] for p in probabilities])
    return pools[best]._replace(held_out=probabilities[best], rows=rows)


def shares_of(y: Int[np.ndarray, " labelled"], n_classes: int) -> Float[np.ndarray, " classes"]:
    """Shares of the classes among labels, half a label of each more."""
    counts = np.bincount(y, minlength=n_classes) + 0.5
    return counts / counts.sum()


def of_heads(said: Said, penalties: Int[np.ndarray, " heads"]) -> Opinions:
    """The opinions, each head's at one of its penalties."""
    return [*(p[i] for p, i in zip(said.heads, penalties, strict=True)), *said.graphs]
