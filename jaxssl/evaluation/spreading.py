"""Labels spread over a graph of nearest neighbours, and what a classifier learns from that."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy import sparse
from scipy.special import softmax

from jaxssl.evaluation.logistic import Logistic, find_axes, weights_of
from jaxssl.evaluation.multinomial import LOOSE, TOLERANCE, Problem, solve, stack, unpack
from jaxssl.types import Features

STRENGTH = 0.9  # alpha: what a sample takes from its neighbours, the rest from its own label
STRENGTHS = (0.5, 0.9)  # to choose from; the first where labels are too few to choose by
N_PASSES = 200  # 0.9 ** 200 is below the precision of float32
N_GROUPS = 5  # of the labels of a class, left out in turn
PASSES_TO_CHOOSE = 60  # 0.9 ** 60 is 0.002
N_ROUNDS = 3
PENALTY = 0.1  # of a student, whose targets are probabilities of all samples

Classes = Float[np.ndarray, "samples classes"]


def spread(
    graph: sparse.csr_array,
    labelled: Int[np.ndarray, " labelled"],
    y: Int[np.ndarray, " labelled"],
    n_classes: int,
    *,
    strength: float = STRENGTH,
) -> Classes:
    """Class probabilities of all samples of a graph, from the labels of some.

    F = (1 - a) (I - a S)^-1 Y, each column scaled so that all classes that have labels have the
    same sum. A sample that no label reaches has these classes alike.

    Args:
        graph: of `affinity` (samples x samples).
        labelled: samples that have a label.
        y: their classes.
        n_classes: of the result, whether or not each has a label.
        strength: a, what a sample takes from its neighbours; the rest is its own label.

    Returns:
        Probabilities (samples x classes); a class without a label has none.

    Example:
        >>> from jaxssl.evaluation.graph import affinity
        >>> graph = affinity(np.array([[0.0], [0.1], [5.0], [5.1]]), n_neighbours=1)
        >>> spread(graph, np.array([0, 2]), np.array([0, 1]), 2).argmax(axis=1).tolist()
        [0, 0, 1, 1]

    Source: Zhou et al. 2003, Learning with local and global consistency.
    """
    labels = np.zeros((len(graph.indptr) - 1, n_classes))
    labels[labelled, y] = 1
    found = _reach(graph, labels, strength)
    return _scaled(found, found.sum(axis=0), labels.sum(axis=0))


def _reach(
    graph: sparse.csr_array, labels: Classes, strength: float, n_passes: int = N_PASSES
) -> Classes:
    """(1 - a) (I - a S)^-1 Y, column by column, as precise as `n_passes` of `STRENGTH`."""
    found = labels
    for _ in range(round(n_passes * np.log(STRENGTH) / np.log(strength))):
        found = strength * (graph @ found) + (1 - strength) * labels
    return found


class Reach(NamedTuple):
    """What each of some labels says by itself, from which what any of them say follows."""

    parts: Float[np.ndarray, "labelled labels"]  # at the labelled samples
    mass: Float[np.ndarray, " labels"]  # over all samples

    def spread(
        self, at: Int[np.ndarray, " some"], y: Int[np.ndarray, " some"], n_classes: int
    ) -> Float[np.ndarray, "labelled classes"]:
        """What `spread` says of the labelled samples, by the labels at some of their positions."""
        own = np.zeros((len(self.mass), n_classes))
        own[at, y] = 1
        return _scaled(self.parts @ own, self.mass @ own, own.sum(axis=0))


def reach(
    graph: sparse.csr_array, labelled: Int[np.ndarray, " labelled"], strength: float
) -> Reach:
    """Spread every label by itself: spreading is linear but for the scales of classes."""
    labels = np.zeros((len(graph.indptr) - 1, len(labelled)))
    labels[labelled, np.arange(len(labelled))] = 1
    found = _reach(graph, labels, strength)
    return Reach(found[labelled], found.sum(axis=0))


def _scaled(
    found: Classes,
    mass: Float[np.ndarray, " classes"],
    counts: Float[np.ndarray, " classes"],
) -> Classes:
    """Class probabilities from what reaches samples, of which each class has some `mass`."""
    shares = (counts > 0) / (counts > 0).sum()
    found = found * np.divide(shares, mass, where=mass > 0, out=np.zeros(len(mass)))
    reached = found.sum(axis=1, keepdims=True) > 1e-12
    found = np.where(reached, found, shares)
    return found / found.sum(axis=1, keepdims=True)


def choose_strength(
    graph: sparse.csr_array, labelled: Int[np.ndarray, " labelled"], y: Int[np.ndarray, " labelled"]
) -> float:
    """The strength by which labels that are left out are found again, every class alike.

    Labels of a class are left out in up to `N_GROUPS` groups, one by one where it has no more; a
    single label stays, and a class that has no other is not scored. What is spread is linear in the
    labels, so each group is spread once and then taken off. The second of `STRENGTHS` where it is
    better by more than a standard error of the difference, else the first.

    Args:
        graph: of `affinity`.
        labelled: samples of the graph.
        y: their classes.

    Returns:
        One of `STRENGTHS`.
    """
    _, y = np.unique(y, return_inverse=True)
    counts = np.bincount(y)
    scored = counts[y] > 1
    if not scored.any() or len(counts) < 2:
        return STRENGTHS[0]
    within = pd.Series(y).groupby(y).cumcount().to_numpy() % N_GROUPS
    groups, group = np.unique(y * N_GROUPS + within, return_inverse=True)
    labels = np.zeros((len(graph.indptr) - 1, len(groups)), np.float32)
    single = sparse.csr_array(graph, dtype=np.float32)
    labels[labelled, group] = 1
    at, own, left_out = labelled[scored], y[scored], group[scored]
    classes, rows = np.eye(len(counts))[groups // N_GROUPS], np.arange(len(at))
    hits = []
    for strength in STRENGTHS:
        parts = _reach(single, labels, strength, PASSES_TO_CHOOSE)
        found, mass = parts[at] @ classes, np.tile(parts.sum(axis=0) @ classes, (len(at), 1))
        found[rows, own] -= parts[at, left_out]
        mass[rows, own] -= parts.sum(axis=0)[left_out]
        hits.append((found / mass).argmax(axis=1) == own)
    # of every label, in the mean of classes
    gains = (hits[1] * 1.0 - hits[0]) / counts[own] * len(at) / (counts > 1).sum()
    return STRENGTHS[int(gains.mean() > gains.std() / np.sqrt(len(at)))]


class Lesson(NamedTuple):
    """What a graph says of samples, some of which have a label."""

    x: Features  # of any unit
    of_graph: Classes  # of `spread`
    labelled: Int[np.ndarray, " labelled"]
    y: Int[np.ndarray, " labelled"]

    def targets(self, found: Classes) -> Classes:
        """Of all samples; a label is its own."""
        targets = found.copy()
        targets[self.labelled] = np.eye(found.shape[1])[self.y]
        return targets


def self_train(
    x: Features,
    graph: sparse.csr_array,
    labelled: Int[np.ndarray, " labelled"],
    y: Int[np.ndarray, " labelled"],
    n_classes: int,
) -> tuple[Classes, Logistic]:
    """Spread labels, then `teach` all samples."""
    return teach([Lesson(x, spread(graph, labelled, y, n_classes), labelled, y)])[0]


def teach(lessons: Sequence[Lesson], *, penalty: float = PENALTY) -> list[tuple[Classes, Logistic]]:
    """Let logistic regression learn what graphs say of all samples, thrice.

    After each round the targets are the mean of what the graph and the regression say.

    Args:
        lessons: with the same classes, each of which has labels.
        penalty: as in `fit_logistic`.

    Returns:
        Of each the last targets (samples x classes), and the last regression, which can be asked
        about samples that are not in the graph.
    """
    found, fitted = [lesson.of_graph for lesson in lessons], None
    models: list[Logistic] = []
    for number in range(N_ROUNDS):
        targets = [lesson.targets(p) for lesson, p in zip(lessons, found, strict=True)]
        weights = [weights_of(t) for t in targets]
        if not models:
            axes = [find_axes(own.x, w) for own, w in zip(lessons, weights, strict=True)]
            rows = [seen.of(own.x) for seen, own in zip(axes, lessons, strict=True)]
        problems = [
            Problem(z, t, w[None], seen.curvature)
            for z, t, w, seen in zip(rows, targets, weights, axes, strict=True)
        ]
        ends = TOLERANCE if number == N_ROUNDS - 1 else LOOSE
        fitted = solve(stack(problems), [penalty] * len(lessons), ends, fitted)
        models = [
            Logistic(seen, b[:, 0], penalty)
            for seen, b in zip(axes, unpack(fitted, problems), strict=True)
        ]
        found = [
            (own.of_graph + softmax(z @ model.coefficients, axis=1)) / 2
            for own, z, model in zip(lessons, rows, models, strict=True)
        ]
    return list(zip(found, models, strict=True))
