"""`best`: the classifier that jaxssl recommends, from one label a class to thousands.

Five encoders, the components and the genes have a linear head each; labels are spread over the
graphs of the components and of the encoders' outputs. These five opinions are pooled. Their weights
come from cross-validation on the labels at hand: the fewer these are, the nearer the weights are to
`WEIGHTS`; the more there are, the more the genes by themselves may count.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from jaxssl.evaluation.baselines import folds_of, row_space
from jaxssl.evaluation.pooling import (
    SETS,
    WEIGHTS,
    Classes,
    Opinions,
    Pool,
    first_unless_beaten,
    fit_weights,
    log_of,
)
from jaxssl.evaluation.spreading import affinity, bridge, spread

OUTPUTS, COMPONENTS, GENES = "outputs", "components", "genes"
HEADS, GRAPHS = (OUTPUTS, COMPONENTS, GENES), (COMPONENTS, OUTPUTS)
UNTUNED = 3  # position of the penalty where nothing can be held out
PENALTIES = (0.3, 0.1, 0.03, 0.01, 0.003)  # of rows with mean square length 1
STRENGTH = 0.5  # of spreading
N_AXES = 128  # of the encoders' outputs: the principal ones
FEWEST = 5  # labels that can be held out
FOLDS, FOLDS_OF_MANY, MANY = 5, 3, 1000  # of many labels, one fold chooses the penalties
MAX_ITERATIONS, TOLERANCE = 1000, 1e-5  # rows are short, and so are gradients

Rows = Float[np.ndarray, "samples features"]


class View(NamedTuple):
    """One way in which samples are seen, about the training mean and of mean square length 1."""

    x: Rows  # of all samples, as it is
    mean: Float[np.ndarray, " features"]
    size: float

    def of(self, rows: Int[np.ndarray, " rows"]) -> Rows:
        """Some samples."""
        return (self.x[rows] - self.mean) / self.size


class Graph(NamedTuple):
    """Neighbours among the training samples, and of the others among these."""

    inside: sparse.csr_array  # train x train
    outside: sparse.csr_array  # others x train


class Spaces(NamedTuple):
    """What heads and graphs see."""

    train: Int[np.ndarray, " train"]  # rows of the training samples, labelled or not, sorted
    others: Int[np.ndarray, " others"]  # rows to be predicted, which nothing is fitted on
    views: Mapping[str, View]  # by name of `HEADS`
    graphs: Mapping[str, Graph]  # by name of `GRAPHS`

    def with_view(self, name: str, x: Rows) -> "Spaces":
        """With one view more of all samples, and its graph if it is one of `GRAPHS`."""
        mean = x[self.train].mean(axis=0)
        centred = x[self.train] - mean
        size = float(np.sqrt(np.mean(np.einsum("nf,nf->n", centred, centred)))) or 1.0
        view, graphs = View(x, mean, size), dict(self.graphs)
        if name in GRAPHS:
            inner = view.of(self.train)
            graphs[name] = Graph(affinity(inner), bridge(inner, view.of(self.others)))
        return self._replace(views={**self.views, name: view}, graphs=graphs)


def make_spaces(
    components: Float[np.ndarray, "samples components"],
    genes: Float[np.ndarray, "samples genes"],
    train: Int[np.ndarray, " train"],
    others: Int[np.ndarray, " others"],
) -> Spaces:
    """What every repetition sees; the outputs of its encoders are to be added.

    Args:
        components: conditioned (samples x components), as an encoder sees them.
        genes: standardised (samples x genes).
        train: rows of the training samples, labelled or not, sorted.
        others: rows to be predicted.

    Returns:
        Views and graphs of components and genes.
    """
    return Spaces(train, others, {}, {}).with_view(COMPONENTS, components).with_view(GENES, genes)


def with_outputs(spaces: Spaces, outputs: Rows) -> Spaces:
    """With the outputs of encoders side by side, of unit length each, on their principal axes.

    The axes are of the training samples, `N_AXES` at most.
    """
    centred = outputs - outputs[spaces.train].mean(axis=0)
    _, axes = np.linalg.eigh(centred[spaces.train].T @ centred[spaces.train])
    return spaces.with_view(OUTPUTS, centred @ axes[:, ::-1][:, :N_AXES])


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
        found = spread(graph.inside, at, y, n_classes, strength=STRENGTH)
        graphs.append(graph.outside @ found if is_outside else found[inside])
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
    weights = weights_of(y, n_classes)
    found = np.zeros((len(path), len(asked), n_classes))
    # each fit starts where that of the larger penalty ended
    model = LogisticRegression(max_iter=MAX_ITERATIONS, tol=TOLERANCE, warm_start=True)
    for i, position in enumerate(path):
        model.set_params(C=1 / PENALTIES[position]).fit(fitted, y, sample_weight=weights)
        found[i][:, model.classes_] = model.predict_proba(rows)
    return found


def weights_of(y: Int[np.ndarray, " labelled"], n_classes: int) -> Float[np.ndarray, " labelled"]:
    """Weights by which every class that has labels counts alike; their mean is 1."""
    counts = np.bincount(y, minlength=n_classes)
    return len(y) / (counts > 0).sum() / counts[y]


def choose_pool(
    spaces: Spaces,
    labelled: Int[np.ndarray, " labelled"],
    y: Int[np.ndarray, " labelled"],
    n_classes: int,
) -> Pool:
    """Penalties and weights by cross-validated log loss, every class alike.

    Labels of classes with two or more are held out in turn; with too few of them, `WEIGHTS` and the
    smallest penalty stand.
    """
    n_folds = FOLDS if len(y) < MANY else FOLDS_OF_MANY
    # the same folds for the same labels
    folds, everything = folds_of(y, n_folds, 0), [range(len(PENALTIES))] * len(HEADS)
    rows = np.flatnonzero(folds >= 0)
    if len(rows) < FEWEST or len(np.unique(y)) < 2:
        return Pool(np.full(len(HEADS), UNTUNED), WEIGHTS)
    weights, codes = weights_of(y, n_classes), y[rows]
    graphs = np.zeros((len(GRAPHS), len(y), n_classes))
    heads = np.zeros((len(HEADS), len(PENALTIES), len(y), n_classes))
    path, penalties = everything, np.zeros(len(HEADS), int)
    for number in np.unique(folds[rows]):
        out = folds == number
        if len(np.unique(y[~out])) < 2:
            continue
        said = opinions_of(spaces, labelled[~out], y[~out], n_classes, labelled[out], path)
        graphs[:, out] = said.graphs
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
    pools = [Pool(penalties, fit_weights(opinions, codes, weights[rows], of)) for of in SETS]
    probabilities = [pool(opinions) for pool in pools]
    hits = [(p.argmax(axis=1) == codes) * weights[rows] for p in probabilities]
    best = first_unless_beaten(hits)
    return pools[best]._replace(held_out=probabilities[best], rows=rows)


def of_heads(said: Said, penalties: Int[np.ndarray, " heads"]) -> Opinions:
    """The opinions, each head's at one of its penalties."""
    return [*(p[i] for p, i in zip(said.heads, penalties, strict=True)), *said.graphs]
