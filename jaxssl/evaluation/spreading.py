"""Labels spread over a graph of nearest neighbours, and what a classifier learns from that."""

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse
from scipy.special import softmax
from sklearn.neighbors import NearestNeighbors

from jaxssl.evaluation.logistic import Logistic, fit_logistic

N_NEIGHBOURS = 10
STRENGTH = 0.9  # alpha: what a sample takes from its neighbours, the rest from its own label
N_PASSES = 200  # alpha ** 200 is below the precision of float32
N_ROUNDS = 3
PENALTY = 0.1  # of a student, whose targets are probabilities of all samples

Rows = Float[np.ndarray, "samples features"]
Classes = Float[np.ndarray, "samples classes"]


def affinity(x: Rows, n_neighbours: int = N_NEIGHBOURS) -> sparse.csr_array:
    """Symmetric graph of nearest neighbours, normalised: D^-½ W D^-½.

    A sample's neighbours at distance d weigh exp(-2 d² / d_k²), where d_k is that of its k-th
    (self-tuning: Zelnik-Manor & Perona 2004); two samples are joined by the larger of both weights.
    """
    n_neighbours = min(n_neighbours, len(x) - 1)
    search = NearestNeighbors(n_neighbors=n_neighbours).fit(x)
    distances, neighbours = search.kneighbors()  # without the sample itself
    widths = np.maximum(distances[:, -1:], np.finfo(np.float32).tiny)
    weights = np.exp(-2 * (distances / widths) ** 2)
    rows = np.repeat(np.arange(len(x)), n_neighbours)
    graph = sparse.csr_array((weights.ravel(), (rows, neighbours.ravel())), (len(x), len(x)))
    graph = graph.maximum(graph.T)
    roots = 1 / np.sqrt(np.asarray(graph.sum(axis=1)).ravel())
    return sparse.csr_array(graph.multiply(roots[:, None]).multiply(roots[None, :]))


def spread(
    graph: sparse.csr_array,
    labelled: Int[np.ndarray, " labelled"],
    y: Int[np.ndarray, " labelled"],
    n_classes: int,
    *,
    balanced: bool = True,
) -> Classes:
    """Class probabilities of all samples of a graph, from the labels of some.

    F = (1 - a) (I - a S)^-1 Y (Zhou et al. 2003, Learning with local and global consistency), each
    column scaled to the share of its class: the same for all classes, or as among the labels. A
    sample that no label reaches gets these shares.
    """
    labels = np.zeros((len(graph.indptr) - 1, n_classes))
    labels[labelled, y] = 1
    found = labels
    for _ in range(N_PASSES):
        found = STRENGTH * (graph @ found) + (1 - STRENGTH) * labels
    counts = labels.sum(axis=0)
    shares = (counts > 0) / (counts > 0).sum() if balanced else counts / counts.sum()
    mass = found.sum(axis=0)
    found = found * np.divide(shares, mass, where=mass > 0, out=np.zeros(n_classes))
    reached = found.sum(axis=1, keepdims=True) > 1e-12
    found = np.where(reached, found, shares)
    return found / found.sum(axis=1, keepdims=True)


def self_train(
    x: Rows,
    graph: sparse.csr_array,
    labelled: Int[np.ndarray, " labelled"],
    y: Int[np.ndarray, " labelled"],
    n_classes: int,
    *,
    balanced: bool = True,
) -> tuple[Classes, Logistic]:
    """Spread labels, then let logistic regression learn the probabilities of all samples, thrice.

    After each round the targets are the mean of what the graph and the regression say. Returns
    these, and the last regression, which can be asked about samples that are not in the graph.
    """
    of_graph = spread(graph, labelled, y, n_classes, balanced=balanced)
    found, model = of_graph, None
    for _ in range(N_ROUNDS):
        targets = found.copy()
        targets[labelled] = np.eye(n_classes)[y]
        model = fit_logistic(x, targets, balanced=balanced, penalty=PENALTY)
        found = (of_graph + softmax(model.logits(x), axis=1)) / 2
    assert model is not None
    return found, model
