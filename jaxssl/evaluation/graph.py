"""Graphs of nearest neighbours among samples, and of others to these."""

import numpy as np
from jaxtyping import Float
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from jaxssl.types import Features

N_NEIGHBOURS = 10


def affinity(x: Features, n_neighbours: int = N_NEIGHBOURS) -> sparse.csr_array:
    """Symmetric graph of nearest neighbours, normalised: D^-½ W D^-½.

    A sample's neighbours at distance d weigh exp(-2 d² / d_k²), where d_k is that of its k-th; two
    samples are joined by the larger of both weights.

    Args:
        x: samples, of any unit.
        n_neighbours: k; fewer where there are fewer samples.

    Source: Zelnik-Manor & Perona 2004, Self-tuning spectral clustering.
    """
    graph = _joined(x, n_neighbours)
    roots = 1 / np.sqrt(np.asarray(graph.sum(axis=1)).ravel())
    return sparse.csr_array(graph.multiply(roots[:, None]).multiply(roots[None, :]))


def averaging(x: Features, n_neighbours: int = N_NEIGHBOURS) -> sparse.csr_array:
    """Weights of a sample's neighbours whose sums are 1: D^-1 W of the graph of `affinity`.

    Args:
        x: samples, of any unit.
        n_neighbours: k; fewer where there are fewer samples.

    Returns:
        A matrix of samples x samples, whose product with rows has the means of their neighbours.
    """
    graph = _joined(x, n_neighbours)
    return sparse.csr_array(graph.multiply(1 / np.asarray(graph.sum(axis=1)).reshape(-1, 1)))


def bridge(
    x: Features, rows: Float[np.ndarray, "others features"], n_neighbours: int = N_NEIGHBOURS
) -> sparse.csr_array:
    """Weights of the nearest samples of a graph for rows outside it, as of `affinity`; sums are 1.

    Args:
        x: samples of the graph.
        rows: others.
        n_neighbours: how many of the nearest samples have a weight.

    Returns:
        A matrix of rows x samples, whose product with what is known of samples is what is of rows.

    Example:
        >>> weights = bridge(np.array([[0.0], [1.0], [9.0]]), np.array([[0.5]]), n_neighbours=2)
        >>> weights.toarray().tolist()
        [[0.5, 0.5, 0.0]]
    """
    search = NearestNeighbors(n_neighbors=min(n_neighbours, len(x))).fit(x)
    distances, neighbours = search.kneighbors(rows)
    weights = _weighted(distances, neighbours, len(x))
    return sparse.csr_array(weights.multiply(1 / weights.sum(axis=1)[:, None]))


def _joined(x: Features, n_neighbours: int) -> sparse.csr_array:
    """The symmetric weights W between samples."""
    search = NearestNeighbors(n_neighbors=min(n_neighbours, len(x) - 1)).fit(x)
    distances, neighbours = search.kneighbors()  # without the sample itself
    graph = _weighted(distances, neighbours, len(x))
    return sparse.csr_array(graph.maximum(graph.T))


def _weighted(distances: np.ndarray, neighbours: np.ndarray, n: int) -> sparse.csr_array:
    """Weights exp(-2 d² / d_k²) of the k neighbours of each row, among n samples."""
    n_rows, k = neighbours.shape
    widths = np.maximum(distances[:, -1:], np.finfo(np.float32).tiny)
    weights = np.exp(-2 * (distances / widths) ** 2)
    rows = np.repeat(np.arange(n_rows), k)
    return sparse.csr_array((weights.ravel(), (rows, neighbours.ravel())), (n_rows, n))
