"""The recommended classifier as a rule to keep: linear maps, graphs and how they are pooled.

What `evaluation.best` fits for samples that are there, with all that later samples take.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.special import log_softmax, softmax

from jaxssl.evaluation.adaptation import Head
from jaxssl.evaluation.best import Asked, choose_pools, shares_of
from jaxssl.evaluation.graph import bridge
from jaxssl.evaluation.linear import TEMPERATURE, class_means, directions
from jaxssl.evaluation.neighbourhood import Neighbourhood
from jaxssl.evaluation.novelty import Novelty
from jaxssl.evaluation.pooling import log_of
from jaxssl.evaluation.spaces import (
    AGREEMENT,
    COMPONENTS,
    GENES,
    GRAPHS,
    HEADS,
    MEANS,
    OUTPUTS,
    Axes,
    Spaces,
    View,
    axes_of,
    make_spaces,
)
from jaxssl.evaluation.trials import Path
from jaxssl.types import Features

Components = Float[np.ndarray, "samples components"]
Genes = Float[np.ndarray, "samples genes"]
Outputs = Float[np.ndarray, "samples outputs"]
Classes = Float[np.ndarray, "samples classes"]
Labels = Int[np.ndarray, " labelled"]


class Neighbours(NamedTuple):
    """The training samples in a graph's view, and what spreading says of them."""

    rows: Float[np.ndarray, "train features"]  # of unit length
    said: Float[np.ndarray, "train classes"]

    def __call__(self, x: Features) -> Classes:
        """Class probabilities: those of the nearest training samples."""
        return bridge(self.rows, x) @ self.said


class Recommended(NamedTuple):
    """All that turns components, genes and encoder outputs into class probabilities."""

    neighbourhood: Neighbourhood  # of the training samples' components
    axes: Axes  # of the outputs
    centres: dict[str, Float[np.ndarray, " features"]]  # of every view, whose directions are seen
    means: dict[str, Head]  # by name of `MEANS`: cosines to the class means
    heads: dict[str, Head]  # by name of `HEADS`
    graphs: dict[str, Neighbours]  # by name of `GRAPHS`
    shares: Float[np.ndarray, " classes"]  # of the labels
    weights: Float[np.ndarray, " opinions"]
    novelty: Novelty

    def logits(self, components: Components, genes: Genes, outputs: Outputs) -> Classes:
        """Logarithms of class probabilities, as if every sample were of a class with labels."""
        return self._pooled(self._views(components, genes, outputs))

    def opinion(
        self, components: Components, genes: Genes, outputs: Outputs
    ) -> tuple[Classes, Float[np.ndarray, " samples"]]:
        """Class probabilities, and the probability that a sample is of no class that has labels."""
        views = self._views(components, genes, outputs)
        none = self.novelty(views[OUTPUTS])
        return lowered(softmax(self._pooled(views), axis=1), none), none

    def _views(self, components: Components, genes: Genes, outputs: Outputs) -> dict[str, Features]:
        seen = {
            OUTPUTS: self.axes(outputs),
            AGREEMENT: self.neighbourhood(components),
            COMPONENTS: components,
            GENES: genes,
        }
        return {name: directions(x, self.centres[name]) for name, x in seen.items()}

    def _pooled(self, views: Mapping[str, Features]) -> Classes:
        said = [self.means[name](views[name]) for name in MEANS]
        said += [self.heads[name](views[name]) for name in HEADS]
        said += [self.graphs[name](views[name]) for name in GRAPHS]
        said.append(np.broadcast_to(self.shares, said[0].shape))
        return log_softmax(np.tensordot(self.weights, log_of(said), 1), axis=1)


def lowered(probabilities: Classes, none: Float[np.ndarray, " samples"]) -> Classes:
    """Class probabilities that know nothing with the probability that none of the classes is true.

    What these lose is spread over all classes, so that rows still add up to 1 and the most probable
    class stays.

    >>> lowered(np.array([[0.9, 0.1]]), np.array([0.5])).tolist()
    [[0.7, 0.3]]
    """
    n_classes = probabilities.shape[1]
    return (1 - none[:, None]) * probabilities + none[:, None] / n_classes


def see(
    components: Components, genes: Genes, outputs: Outputs
) -> tuple[Spaces, tuple[Neighbourhood, Axes]]:
    """What heads and graphs see of training samples, of which none is held out.

    Args:
        components: conditioned (samples x components), as an encoder sees them.
        genes: scaled (samples x genes).
        outputs: of the encoders side by side (samples x outputs).

    Returns:
        Views and graphs, and how later samples' components and outputs are seen.
    """
    train = np.arange(len(components))
    spaces, neighbourhood = make_spaces(components, genes, train, train[:0])
    axes = axes_of(outputs, train)
    return spaces.with_view(OUTPUTS, axes(outputs)), (neighbourhood, axes)


def fit_recommended(
    spaces: Spaces,
    sight: tuple[Neighbourhood, Axes],
    labelled: Labels,
    y: Labels,
    n_classes: int,
    novelty: Novelty,
) -> Recommended:
    """The rule from all labels; every one of the classes has some.

    Args:
        spaces, sight: of `see`.
        labelled: training rows that have a label.
        y: their classes.
        n_classes: of the labels.
        novelty: what tells samples of none of these classes.

    Returns:
        What the pool of `best.choose_pools` says, as maps for later samples.

    Example:
        >>> fit_recommended(spaces, sight, rows, codes[rows], 20, novelty)  # doctest: +SKIP
    """
    (chosen,) = choose_pools([Asked(spaces, labelled, y, n_classes)], by_share=True)
    means = {name: mean_of(spaces.views[name], labelled, y) for name in MEANS}
    heads = {name: head_of(path) for name, path in zip(HEADS, chosen.heads, strict=True)}
    graphs = {}
    for name in GRAPHS:
        said = spaces.graphs[name].spread(labelled, y, n_classes)
        arrays = spaces.views[name].of(spaces.train), said
        graphs[name] = Neighbours(*(np.asarray(a, np.float32) for a in arrays))
    centres = {n: np.asarray(view.centre, np.float32) for n, view in spaces.views.items()}
    neighbourhood, axes = sight
    kept = (
        Neighbourhood(*(np.ascontiguousarray(a, np.float32) for a in neighbourhood)),
        Axes(*(np.ascontiguousarray(a, np.float32) for a in axes)),
    )
    shares = shares_of(y, n_classes)
    fitted = centres, means, heads, graphs
    return Recommended(*kept, *fitted, shares, np.asarray(chosen.pool.weights), novelty)


def mean_of(view: View, labelled: Labels, y: Labels) -> Head:
    """`best.nearest` as a map of the view's directions; every class has labels."""
    kernel = class_means(view.of(labelled), y).T / TEMPERATURE
    return Head(np.asarray(kernel, np.float32), np.zeros(kernel.shape[1], np.float32))


def head_of(path: Path) -> Head:
    """A linear head as a map of the view's directions; every class has labels."""
    return Head(*(np.asarray(array, np.float32) for array in path.linear()))


def rule_of(tree: dict[str, Any]) -> Recommended:
    """The rule from its arrays on disk."""
    return Recommended(
        Neighbourhood(**tree["neighbourhood"]),
        Axes(**tree["axes"]),
        tree["centres"],
        {name: Head(**mean) for name, mean in tree["means"].items()},
        {name: Head(**head) for name, head in tree["heads"].items()},
        {name: Neighbours(**graph) for name, graph in tree["graphs"].items()},
        tree["shares"],
        tree["weights"],
        Novelty(**tree["novelty"]),
    )
