"""Which clusters of the training samples a sample is near to, as features of a linear model."""

import numpy as np
from jaxtyping import Float, Int
from scipy import linalg
from scipy.special import softmax
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from jaxssl.types import Features

N_CLUSTERS = (50, 100, 200)
N_RESTARTS = 5  # of each, each with codes of its own
SAMPLES_A_CLUSTER = 4  # at least, in the mean
N_ITERATIONS = 30
TEMPERATURE = 0.1  # of the softmax of cosines
KEPT = 0.99  # of the variance of all codes together: the axes that are left out carry noise


def beside_codes(
    x: Features, train: Int[np.ndarray, " train"]
) -> Float[np.ndarray, "samples both"]:
    """Rows and their cluster codes side by side, both of mean square length 1 over `train`.

    Args:
        x: rows, of any unit.
        train: those that means, lengths and clusters are of.

    Returns:
        All rows (samples x features and codes), centred on those of `train`.
    """
    return np.hstack([_scaled(x, train), _scaled(soft_codes(x, train), train)])


def soft_codes(x: Features, train: Int[np.ndarray, " train"]) -> Float[np.ndarray, "samples codes"]:
    """Soft codes of several spherical k-means, reduced to their principal axes.

    The code of a sample is the softmax of its cosines with the centres (of rows relative to the
    mean) over `TEMPERATURE`. Distances between codes are kept but for 1 % of their variance, which
    an L2-regularised linear model hardly misses.

    Args:
        x: rows, of any unit.
        train: those that the clusters, the mean and the axes are of.

    Returns:
        Codes of all rows, centred on those of `train`.

    Example:
        >>> x = np.repeat(np.eye(2, dtype=np.float32), 10, axis=0)
        >>> soft_codes(x, np.arange(20)).shape
        (20, 1)
    """
    centred = x - x[train].mean(axis=0)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    most = min(len(train) // SAMPLES_A_CLUSTER, len(np.unique(unit[train], axis=0)))
    blocks = []
    with threadpool_limits(1):  # the order of sums, and so the codes, depend on the threads
        for k in (max(1, min(k, most)) for k in N_CLUSTERS):
            for seed in range(N_RESTARTS):
                model = KMeans(
                    k,
                    n_init=1,  # pyright: ignore[reportArgumentType]
                    max_iter=N_ITERATIONS,
                    random_state=seed,
                )
                centres = model.fit(unit[train]).cluster_centers_
                lengths = np.linalg.norm(centres, axis=1, keepdims=True)
                cosines = unit @ (centres / np.maximum(lengths, 1e-12)).T
                blocks.append(softmax(cosines / TEMPERATURE, axis=1))
        codes = np.hstack(blocks)
        codes -= codes[train].mean(axis=0)
        variance, axes = linalg.eigh(codes[train].T @ codes[train])
    return codes @ axes[:, np.cumsum(variance) > (1 - KEPT) * variance.sum()]


def _scaled(x: Features, train: Int[np.ndarray, " train"]) -> Features:
    """Rows relative to the mean, of mean square length 1 over the training rows."""
    centred = x - x[train].mean(axis=0)
    size = np.sqrt(np.mean(np.sum(centred[train] ** 2, axis=1)))
    return centred / (size or 1)
