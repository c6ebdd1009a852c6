"""How samples are seen: directions of encoder outputs, axes of agreement, components, genes."""

from collections.abc import Mapping
from typing import NamedTuple, cast

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from jaxssl.data.backed import Expression, Rows, select
from jaxssl.data.moments import mean_of
from jaxssl.evaluation.graph import affinity, bridge
from jaxssl.evaluation.linear import directions, span_of
from jaxssl.evaluation.neighbourhood import Neighbourhood, find_neighbourhood
from jaxssl.evaluation.spreading import Reach, reach, spread

OUTPUTS, AGREEMENT, COMPONENTS, GENES = "outputs", "agreement", "components", "genes"
MEANS = (OUTPUTS, COMPONENTS)
HEADS = (OUTPUTS, AGREEMENT, GENES)
GRAPHS = (OUTPUTS, AGREEMENT)
"""Views of class means, of linear heads, and of graphs; without encoders there are no outputs."""
STRENGTH = 0.5  # of spreading
N_AXES = 128  # of the encoders' outputs: the principal ones

Classes = Float[np.ndarray, "samples classes"]


class View(NamedTuple):
    """One way in which samples are seen: by their direction from the training mean."""

    x: Rows  # of all samples, as it is
    centre: Float[np.ndarray, " features"]

    def of(self, rows: Int[np.ndarray, " rows"]) -> Rows:
        """Some samples, of unit length."""
        return directions(self.x[rows], self.centre)


class Graph(NamedTuple):
    """Neighbours among the training samples, and of the others among these."""

    inside: sparse.csr_array  # train x train
    outside: sparse.csr_array  # others x train

    def spread(
        self, at: Int[np.ndarray, " labelled"], y: Int[np.ndarray, " labelled"], n_classes: int
    ) -> Classes:
        """What labels at some of the training samples say of all of these."""
        return spread(self.inside, at, y, n_classes, strength=STRENGTH)


class Spaces(NamedTuple):
    """What means, heads and graphs see; those that have no view are left out."""

    train: Int[np.ndarray, " train"]  # rows of the training samples, labelled or not, sorted
    others: Int[np.ndarray, " others"]  # rows to be predicted, which nothing is fitted on
    views: Mapping[str, View]
    graphs: Mapping[str, Graph | Reach]  # by name of `GRAPHS`

    @property
    def means(self) -> list[str]:
        """Views of class means."""
        return [name for name in MEANS if name in self.views]

    @property
    def heads(self) -> list[str]:
        """Views of linear heads."""
        return [name for name in HEADS if name in self.views]

    @property
    def of_graphs(self) -> list[str]:
        """Views of graphs."""
        return [name for name in GRAPHS if name in self.graphs]

    def with_view(self, name: str, x: Rows) -> "Spaces":
        """With one view more of all samples, and its graph if it is one of `GRAPHS`."""
        centre = mean_of(select(x, self.train))
        view, graphs = View(x, centre), dict(self.graphs)
        if name in GRAPHS:
            inner = view.of(self.train)
            others = view.of(self.others)
            empty = sparse.csr_array((0, len(inner)))
            outside = bridge(inner, others) if len(others) else empty
            graphs[name] = Graph(affinity(inner), outside)
        return self._replace(views={**self.views, name: view}, graphs=graphs)


def make_spaces(
    components: Float[np.ndarray, "samples components"],
    genes: Expression,
    train: Int[np.ndarray, " train"],
    others: Int[np.ndarray, " others"],
) -> tuple[Spaces, Neighbourhood]:
    """What every repetition sees; the outputs of its encoders can be added.

    Args:
        components: conditioned (samples x components), as an encoder sees them.
        genes: scaled (samples x genes).
        train: rows of the training samples, labelled or not, sorted.
        others: rows to be predicted.

    Returns:
        Views and graphs, and what sees the components of later samples.
    """
    found = find_neighbourhood(components[train])
    agreement = np.zeros((len(components), found.kernel.shape[1]))
    agreement[train] = found.smooth
    if len(others):
        agreement[others] = found(components[others])
    spaces = Spaces(train, others, {}, {})
    for name, x in ((AGREEMENT, agreement), (COMPONENTS, components), (GENES, genes)):
        spaces = spaces.with_view(name, x)
    return spaces, found


def with_outputs(spaces: Spaces, outputs: Rows) -> Spaces:
    """With the outputs of encoders side by side, of unit length each, on their principal axes.

    The axes are of the training samples, `N_AXES` at most.
    """
    return spaces.with_view(OUTPUTS, axes_of(outputs, spaces.train)(outputs))


class Axes(NamedTuple):
    """Principal axes of the encoders' outputs."""

    mean: Float[np.ndarray, " outputs"]
    kernel: Float[np.ndarray, "outputs axes"]

    def __call__(
        self, outputs: Float[np.ndarray, "samples outputs"]
    ) -> Float[np.ndarray, "samples axes"]:
        """Outputs about the training mean, on the axes."""
        return (outputs - self.mean) @ self.kernel


def axes_of(
    outputs: Float[np.ndarray, "samples outputs"], train: Int[np.ndarray, " train"]
) -> Axes:
    """The axes of the training samples, `N_AXES` at most."""
    mean = outputs[train].mean(axis=0)
    centred = outputs - mean
    _, axes = np.linalg.eigh(centred[train].T @ centred[train])
    return Axes(mean, axes[:, ::-1][:, :N_AXES])


def condensed(spaces: Spaces, labelled: Int[np.ndarray, " labelled"]) -> Spaces:
    """The labelled rows alone, seen as before: in their span, and with every label spread.

    What is orthogonal to that span never enters an L2-regularised linear fit.
    """
    rows, views = np.arange(len(labelled)), {}
    for name, view in spaces.views.items():
        x = view.x[labelled] - view.centre
        axes = span_of(x)
        x = x if axes is None else x @ axes
        views[name] = View(x, np.zeros(x.shape[1], x.dtype))
    at = np.searchsorted(spaces.train, labelled)
    inside = {name: cast(Graph, graph).inside for name, graph in spaces.graphs.items()}
    graphs = {name: reach(graph, at, STRENGTH) for name, graph in inside.items()}
    return Spaces(rows, rows[:0], views, graphs)
