"""`best`: the classifier that jaxssl recommends, from one label a class to thousands.

Samples are seen in four views: the outputs of ten encoders, the axes along which neighbours agree,
the components and the genes. Class means, linear heads and labels that are spread over graphs each
have an opinion, and the opinions are pooled. Their weights come from cross-validation on the labels
at hand: the fewer these are, the nearer the weights are to those of `pooling.prior_of`. Without
encoders what is left is the classical arm `pool`.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, cast

import numpy as np
from jaxtyping import Float, Int
from scipy.special import softmax
from sklearn.utils.class_weight import compute_sample_weight

from jaxssl.evaluation.linear import TEMPERATURE, class_means, held_out_of
from jaxssl.evaluation.paths import fit_paths, threads
from jaxssl.evaluation.pooling import (
    FLOOR,
    OF_SHARES,
    Classes,
    Pool,
    fit_weights,
    prior_of,
    with_shares,
)
from jaxssl.evaluation.spaces import Graph, Spaces, View
from jaxssl.evaluation.trials import COMPILED, Path, Task

UNTUNED = 3  # position of the penalty where nothing can be held out
PENALTIES = (0.3, 0.1, 0.03, 0.01, 0.003)  # of rows of unit length
FEWEST = 5  # labels that can be held out
HEADS_KEPT, MOST_KEPT = "heads", 128  # in what is shared

Labels = Int[np.ndarray, " labelled"]


class Asked(NamedTuple):
    """What the labels of some training rows are to say."""

    spaces: Spaces  # of `make_spaces`, perhaps with outputs
    labelled: Labels  # training rows that have a label
    y: Labels  # their classes
    n_classes: int  # of the task, whether or not each has a label
    solver: str = COMPILED  # of linear models
    shared: dict | None = None  # of all with the same inputs, to keep heads in; None: none is kept


class Chosen(NamedTuple):
    """A linear model a view, and how opinions are pooled."""

    heads: list[Path]
    pool: Pool


def fit_best(asked: Sequence[Asked]) -> list[tuple[Classes, Pool]]:
    """Class probabilities of the other rows, from the labels of some training rows.

    Every class counts alike in all that is fitted. A class without a label has no probability.

    Args:
        asked: with the same views and classes.

    Returns:
        Of each, probabilities (others x classes) and how the opinions were pooled.

    Example:
        >>> fit_best([Asked(spaces, rows, codes[rows], 20)])  # doctest: +SKIP
    """

    def say(own: Asked, chosen: Chosen) -> tuple[Classes, Pool]:
        return chosen.pool(opinions_of(own, own.spaces.others, chosen.heads)), chosen.pool

    return threads(say, list(zip(asked, choose_pools(asked), strict=True)))


def opinions_of(
    asked: Asked, rows: Int[np.ndarray, " rows"], heads: Sequence[Path]
) -> list[Classes]:
    """What each mean, each head and each graph says of training rows or of `spaces.others`."""
    means, graphs = _without_heads(asked, rows)
    views = [asked.spaces.views[name] for name in asked.spaces.heads]
    return [*means, *(head(v.of(rows)) for v, head in zip(views, heads, strict=True)), *graphs]


def _without_heads(
    asked: Asked, rows: Int[np.ndarray, " rows"]
) -> tuple[list[Classes], list[Classes]]:
    """What each mean and each graph says."""
    spaces, labelled, y, n_classes, *_ = asked
    means = [nearest(spaces.views[n], labelled, y, n_classes, rows) for n in spaces.means]
    at, inside = (np.searchsorted(spaces.train, of) for of in (labelled, rows))
    is_outside, graphs = rows is spaces.others, []
    for graph in (spaces.graphs[name] for name in spaces.of_graphs):
        found = graph.spread(at, y, n_classes)
        graphs.append(cast(Graph, graph).outside @ found if is_outside else found[inside])
    return means, graphs


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


def choose_pools(asked: Sequence[Asked], *, by_share: bool = False) -> list[Chosen]:
    """Penalties and weights by cross-validated log loss, every class alike.

    Labels of classes with two or more are held out in turn; with too few of them, the prior and
    the penalty at `UNTUNED` stand.

    Args:
        asked: with the same views and classes.
        by_share: whether every label counts alike instead of every class, and the labels'
            `shares_of` are one more opinion.

    Returns:
        The heads of each, fitted on all labels, and the pool.
    """
    paths = [_heads(asked, name, by_share) for name in asked[0].spaces.heads]
    return threads(partial(_pool, by_share=by_share), list(zip(asked, *paths, strict=True)))


def _heads(asked: Sequence[Asked], name: str, by_share: bool) -> list[Path]:
    """The head of each on a view; those that others have fitted of the same are in `shared`.

    `pool` and `best` see the same genes by the same labels, one after the other.
    """
    views = [own.spaces.views[name] for own in asked]
    keys = [
        (id(view.x), own.labelled.tobytes(), own.y.tobytes(), own.n_classes, own.solver, by_share)
        for view, own in zip(views, asked, strict=True)
    ]
    shared: dict = {} if asked[0].shared is None else asked[0].shared
    kept = shared.setdefault(HEADS_KEPT, {})
    new = {key: i for i, key in enumerate(keys) if key not in kept}
    fitted = fit_paths([_task(asked[i], name, by_share) for i in new.values()])
    for (key, i), path in zip(new.items(), fitted, strict=True):
        kept[key] = path, views[i]  # with the view, so that no other comes by its id
    found = [kept[key][0] for key in keys]
    while len(kept) > MOST_KEPT:
        del kept[next(iter(kept))]
    return found


def _task(asked: Asked, name: str, by_share: bool) -> Task:
    """A head; its penalty is of the least log loss of labels that are held out."""
    folds, n_folds = _folds(asked.y)
    weights = (folds >= 0) * _weights(asked.y, by_share)
    penalties = PENALTIES if (folds >= 0).any() else PENALTIES[UNTUNED : UNTUNED + 1]
    x = asked.spaces.views[name].of(asked.labelled)
    held_out = folds, n_folds, weights, penalties, FLOOR
    return Task(x, asked.y, asked.n_classes, *held_out, solver=asked.solver)


def _folds(y: Labels) -> tuple[Labels, int]:
    """The same folds for the same labels; none of too few."""
    folds, n_folds = held_out_of(y, 0)
    is_enough = (folds >= 0).sum() >= FEWEST and len(np.unique(y)) > 1
    return (folds if is_enough else np.full(len(y), -1)), n_folds


def _weights(y: Labels, by_share: bool) -> Float[np.ndarray, " labelled"]:
    return compute_sample_weight(None if by_share else "balanced", y)


def _pool(asked: Asked, *heads: Path, by_share: bool) -> Chosen:
    """The weights by which the opinions on labels that are held out lose least."""
    spaces, labelled, y, n_classes, *_ = asked
    prior, (folds, _) = prior_of(spaces.means, spaces.heads, spaces.of_graphs), _folds(y)
    rows = np.flatnonzero(folds >= 0)
    if not len(rows):
        return Chosen([*heads], Pool(with_shares(prior.weights, OF_SHARES, on=by_share)))
    of_means, of_graphs = (
        np.zeros((len(names), len(y), n_classes)) for names in (spaces.means, spaces.of_graphs)
    )
    shares = np.zeros((len(y), n_classes))
    for out in (folds == number for number in np.unique(folds[rows])):
        rest = Asked(spaces, labelled[~out], y[~out], n_classes)
        of_means[:, out], of_graphs[:, out] = _without_heads(rest, labelled[out])
        shares[out] = shares_of(y[~out], n_classes)
    opinions = [*of_means, *(head.held_out for head in heads), *of_graphs]
    opinions += [shares] * by_share
    given = [p[rows] for p in opinions], y[rows], _weights(y, by_share)[rows], prior
    return Chosen([*heads], Pool(fit_weights(*given, by_share=by_share)))


def shares_of(y: Int[np.ndarray, " labelled"], n_classes: int) -> Float[np.ndarray, " classes"]:
    """Shares of the classes among labels, half a label of each more."""
    counts = np.bincount(y, minlength=n_classes) + 0.5
    return counts / counts.sum()
