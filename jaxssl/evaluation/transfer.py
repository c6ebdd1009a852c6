"""The arms of a transfer between cohorts: what each sees, and what classifies it.

All but `scratch` count every class alike, as shares of classes differ between cohorts. An arm in a
frame gets the frame as its input, ours or a rival's.
"""

import time
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.distance import cdist
from scipy.special import softmax
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import NearestCentroid

from jaxssl.evaluation.adaptation import FRAMES as ADAPTED
from jaxssl.evaluation.adaptation import average, fit_heads
from jaxssl.evaluation.arms import SCRATCH, Inputs
from jaxssl.evaluation.correction import soft_balance
from jaxssl.evaluation.logistic import fit_logistic
from jaxssl.evaluation.network import make_fit_network
from jaxssl.evaluation.predictions import score
from jaxssl.evaluation.spreading import self_train, spread
from jaxssl.evaluation.views import FRAMES, View

SEVERAL = "several"  # in the place of a frame, of an arm that is of several
N_TREES = 200
SHRINKAGE = 0.5  # of centroids, in standard errors (Tibshirani et al. 2002)
CENTROID_BALANCE = 4.0  # of `soft_balance`, where centroids are averaged with others

Classes = Float[np.ndarray, "target classes"]
Views = Mapping[str, View]
"""By frame."""


class Problem(NamedTuple):
    """A budget of labels."""

    labelled: Int[np.ndarray, " labelled"]  # rows of the joint matrix
    y: Int[np.ndarray, " labelled"]
    n_classes: int
    seed: int


class Arm(NamedTuple):
    """How a transfer is done in one frame; `fit` gives probabilities of the target's rows."""

    fit: Callable[[View, Problem], Classes]
    frames: tuple[str, ...]
    sees_target: bool  # unlabelled samples of the target, beyond what the frame takes of them
    is_classical: bool = True


def linear(of: str, view: View, problem: Problem) -> Classes:
    """Logistic regression with an L2 penalty."""
    x, targets = attrgetter(of)(view), np.eye(problem.n_classes)[problem.y]
    model = fit_logistic(x[problem.labelled], targets, seed=problem.seed)
    return softmax(model.logits(x[view.transfer.rows_of_target]), axis=1)


def spreading(view: View, problem: Problem) -> Classes:
    """Labels spread over the graph of the components of source and target."""
    graph, (labelled, y, n_classes, _) = view.both.graph("components"), problem
    return spread(graph, labelled, y, n_classes)[view.transfer.rows_of_target]


def self_training(of: str, view: View, problem: Problem) -> Classes:
    """Labels spread, then learnt by logistic regression from all samples of both."""
    graph, (labelled, y, n_classes, _) = view.both.graph(of), problem
    found, _ = self_train(getattr(view.both, of), graph, labelled, y, n_classes)
    return found[view.transfer.rows_of_target]


def forest(view: View, problem: Problem) -> Classes:
    """A random forest on genes."""
    words = {"class_weight": "balanced", "random_state": problem.seed, "n_jobs": -1}
    model = RandomForestClassifier(N_TREES, **words)
    model.fit(view.genes[problem.labelled], problem.y)
    return np.asarray(model.predict_proba(view.genes[view.transfer.rows_of_target]))


def centroids(view: View, problem: Problem) -> Classes:
    """Shrunken centroids of genes, all classes equally likely; scores are scaled to one gene's."""
    x, target = view.genes, view.transfer.rows_of_target
    if len(problem.labelled) > problem.n_classes:
        model = NearestCentroid(shrink_threshold=SHRINKAGE, priors="uniform")
        with warnings.catch_warnings():  # of genes that are clipped alike within every class
            warnings.filterwarnings("ignore", message="self.within_class_std_dev_")
            model.fit(x[problem.labelled], problem.y)
        scores = np.asarray(model.decision_function(x[target]))
    else:  # a label a class: nothing tells how far one class spreads
        nearest = x[problem.labelled[np.argsort(problem.y)]]
        scores = -cdist(x[target], nearest, "sqeuclidean") / 2
    if scores.ndim == 1:  # of two classes, the difference
        scores = np.stack([-scores / 2, scores / 2], axis=1)
    return softmax(scores / np.sqrt(x.shape[1]), axis=1)


def scratch(view: View, problem: Problem) -> Classes:
    """The encoder's network from random weights, trained on the labels alone."""
    x, (labelled, y, _, seed) = view.components, problem
    codes = np.zeros(len(x), np.int64)
    codes[labelled] = y
    order = np.random.default_rng(seed).permutation(labelled)
    order = np.resize(order, len(x))  # of one length at all budgets: one program
    parts = {"target": view.transfer.rows_of_target}
    inputs = Inputs(x, None, codes, {seed: order}, np.arange(len(x)), parts)
    fit = make_fit_network(view.both.config, inputs)
    return fit(SCRATCH, None, len(labelled), [seed])[seed].probabilities


def consensus(views: Views, problem: Problem) -> Classes:
    """Classical arms of three frames averaged: self-training, and balanced centroids."""
    taught = average([self_training("components", views[f], problem) for f in ADAPTED])
    near = average([centroids(views[frame], problem) for frame in ADAPTED])
    logits = np.log(np.maximum(near, 1e-9))
    return (taught + softmax(logits + soft_balance(logits, CENTROID_BALANCE), axis=1)) / 2


def adapted(views: Views, problem: Problem) -> Classes:
    """Encoders of both cohorts in three frames, with the heads of `evaluation.adaptation`."""
    both = {frame: views[frame].both for frame in ADAPTED}
    outputs = {f: np.hstack([x.encoded_mixed, x.encoded_by_cohort]) for f, x in both.items()}
    labelled, y, n_classes, seed = problem
    target = views[ADAPTED[0]].transfer.rows_of_target
    return fit_heads(outputs, labelled, y, target, n_classes, seed)[0]


OWN = FRAMES[:-1]  # an encoder's: a later sample could not be brought into ComBat's
OF_SOURCE = ("training", "rank")  # frames in which standardising on both is another thing
ARMS: dict[str, Arm] = {
    "logreg": Arm(partial(linear, "genes"), FRAMES, False),
    "logreg+target": Arm(partial(linear, "both.genes"), OF_SOURCE, True),
    "pca_logreg": Arm(partial(linear, "components"), FRAMES, False),
    "pca_logreg+target": Arm(partial(linear, "both.components"), FRAMES, True),
    "coral": Arm(partial(linear, "coral"), FRAMES, True),
    "label_spreading": Arm(spreading, FRAMES, True),
    "spread_selftrain": Arm(partial(self_training, "components"), FRAMES, True),
    "cosine_selftrain": Arm(partial(self_training, "cosines"), FRAMES, True),
    "random_forest": Arm(forest, FRAMES, False),
    "centroids": Arm(centroids, FRAMES, False),
    "scratch": Arm(scratch, OWN, False, is_classical=False),
    "swav": Arm(partial(linear, "encoded"), OWN, False, is_classical=False),
    "swav+target": Arm(partial(linear, "both.encoded_mixed"), OWN, True, is_classical=False),
    "swav+cohorts": Arm(partial(linear, "both.encoded_by_cohort"), OWN, True, is_classical=False),
}
COMBINED: dict[str, Callable[[Views, Problem], Classes]] = {
    "consensus": consensus,
    "adapt": adapted,
}
"""Arms of several frames, which both see the target."""


def sees_target(arm: str) -> bool:
    """Whether an arm sees unlabelled samples of the target, beyond what its frame takes of them."""
    return arm in COMBINED or ARMS[arm].sees_target


def frames_of(arm: str, frames: Collection[str]) -> tuple[str, ...]:
    """The frames among those asked for in which an arm is fitted."""
    return (SEVERAL,) if arm in COMBINED else tuple(f for f in ARMS[arm].frames if f in frames)


def fit_arm(arm: str, frame: str, views: Views, problem: Problem) -> Classes:
    """Class probabilities that an arm in a frame gives the rows of the target."""
    return (
        COMBINED[arm](views, problem) if arm in COMBINED else ARMS[arm].fit(views[frame], problem)
    )


def fit_arms(
    views: Views, arms: Sequence[str], frames: Collection[str], share: float, seed: int
) -> Iterator[dict[str, Any]]:
    """A row of scores for every arm in every frame.

    Args:
        views: of one transfer, by frame; an arm of several frames needs all of its own.
        arms: out of `ARMS` and `COMBINED`.
        frames: of the arms that are of one.
        share: of the source's labels.
        seed: of the labels that are drawn.
    """
    transfer = next(iter(views.values())).transfer
    labelled, tested = transfer.labelled(share, seed), transfer.codes[transfer.rows_of_target] >= 0
    problem = Problem(labelled, transfer.codes[labelled], len(transfer.classes), seed)
    truth = transfer.codes[transfer.rows_of_target][tested]
    for arm, frame in [(name, frame) for name in arms for frame in frames_of(name, frames)]:
        started = time.perf_counter()
        found = score(truth, fit_arm(arm, frame, views, problem)[tested])
        yield {
            **{"source": transfer.source, "target": transfer.target, "arm": arm, "frame": frame},
            **{"sees_target": sees_target(arm), "share": share, "seed": seed},
            **{"n_labelled": len(labelled), "n_tested": len(truth)},
            **{name: found[name] for name in ("balanced_accuracy", "accuracy", "log_loss")},
            "seconds": time.perf_counter() - started,
        }
