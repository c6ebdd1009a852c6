"""Axes along which neighbours agree, and samples on them, averaged with their neighbours.

No label is needed: what differs between a profile and its nearest neighbours is taken for noise.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import linalg, sparse
from threadpoolctl import threadpool_limits

from jaxssl.evaluation.graph import averaging, bridge

N_AXES = 60
RIDGE = 0.05  # of the mean variance of the noise, added to it along every component
_TINY = float(np.finfo(np.float64).tiny) ** 0.5  # the ridge of samples that are all alike

Components = Float[np.ndarray, "samples components"]
OnAxes = Float[np.ndarray, "samples axes"]


class Neighbourhood(NamedTuple):
    """The axes, and the training samples on them, among which others have their neighbours."""

    mean: Float[np.ndarray, " components"]
    kernel: Float[np.ndarray, "components axes"]
    train: Float[np.ndarray, "train axes"]  # as they are
    averaged: Float[np.ndarray, "train axes"]  # once
    smooth: Float[np.ndarray, "train axes"]  # twice: what a classifier sees of them

    def __call__(self, x: Components) -> OnAxes:
        """Other samples: half their own, half the mean of their nearest training samples."""
        own = (x - self.mean) @ self.kernel
        return (own + bridge(self.train, own) @ self.averaged) / 2


def find_neighbourhood(x: Float[np.ndarray, "train components"]) -> Neighbourhood:
    """Find the axes of most agreement between samples and the mean of their nearest neighbours.

    With M the means of the neighbours of X, and R = X - M, the axes v maximise
    v' M'M v / v' (R'R + r I) v = w; each is scaled by (w / (1 + w))^½, so that axes of noise count
    little. On them, samples are averaged twice, half their own and half their neighbours'.

    Args:
        x: training samples, of any unit.

    Returns:
        The axes, `N_AXES` at most, with the training samples on them.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(50, 8))
        >>> find_neighbourhood(x)(x[:3]).shape
        (3, 8)

    Source: the minimum noise fraction of Green et al. 1988, doi 10.1109/36.3001, with neighbours
    in the place of adjacent pixels; compare He & Niyogi 2003, Locality preserving projections.
    """
    with threadpool_limits(1):  # the order of sums, and so the axes, depend on the threads
        mean = x.mean(axis=0, dtype=np.float64)
        centred = x - mean
        kernel = _kernel(centred)
        train = centred @ kernel
        graph = averaging(train)
        averaged = _with_neighbours(graph, train)
        smooth = _with_neighbours(graph, averaged)
    return Neighbourhood(mean, kernel, train, averaged, smooth)


def _kernel(centred: Components) -> Float[np.ndarray, "components axes"]:
    """The axes, scaled, those of most agreement first; their largest loadings are positive."""
    means = averaging(centred) @ centred
    noise = (centred - means).T @ (centred - means)
    level = RIDGE * np.trace(noise) / len(noise) + _TINY
    agreement, axes = linalg.eigh(means.T @ means, noise + level * np.eye(len(noise)))
    w, axes = np.maximum(agreement[::-1][:N_AXES], 0), axes[:, ::-1][:, :N_AXES]
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    return axes * (signs * np.sqrt(len(centred) * w / (1 + w)))


def _with_neighbours(graph: sparse.csr_array, rows: OnAxes) -> OnAxes:
    """Half the rows as they are, half the means of their neighbours."""
    return (rows + graph @ rows) / 2
