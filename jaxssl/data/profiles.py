"""A cohort as a few profiles, the means of clusters of its samples, and mixtures of them."""

import numpy as np
from jaxtyping import Float, Float32, Int

MAX_TRAINING = 1500  # samples that are clustered
MAX_PROFILES = 24
PER_PROFILE = 15  # samples
ROUNDS = 8  # of k-means
_N_STEPS = 40  # of the projection

LookedAt = Float[np.ndarray, "samples looked"]
"""Samples and, of their genes, those that are looked at."""


def fit_profiles(
    z: LookedAt, rng: np.random.Generator
) -> tuple[Float32[np.ndarray, "profiles looked"], Float32[np.ndarray, " looked"]]:
    """Means of clusters, by k-means from distant samples on, and deviations about them."""
    z = z[some_of(np.arange(len(z)), MAX_TRAINING)]
    n = min(MAX_PROFILES, max(1, len(z) // PER_PROFILE))
    nearest, profiles = np.zeros(len(z), np.int64), z.mean(axis=0, keepdims=True)
    if n > 1:
        profiles = z[_distant(z, n, rng)]
        for _ in range(ROUNDS):
            nearest, _ = nearest_profiles(z, profiles)
            member = (nearest[:, None] == np.arange(len(profiles))).astype(np.float32)
            sizes = member.sum(axis=0)
            profiles = (member.T @ z)[sizes > 0] / sizes[sizes > 0, None]
        nearest, _ = nearest_profiles(z, profiles)
    residuals = z - profiles[nearest]
    free = max(len(z) - len(profiles), 1)
    deviation = np.sqrt((residuals**2).sum(axis=0) / free)
    return profiles.astype(np.float32), deviation.astype(np.float32)


def _distant(z: LookedAt, n: int, rng: np.random.Generator) -> list[int]:
    """Rows that start k-means, drawn by their distance (k-means++, Arthur and Vassilvitskii)."""
    rows = [int(rng.integers(len(z)))]
    square, rest = (z**2).sum(axis=1), np.full(len(z), np.inf)
    for _ in range(n - 1):
        rest = np.minimum(rest, np.maximum(square - 2 * z @ z[rows[-1]] + square[rows[-1]], 0))
        total = rest.sum()
        if not total:
            break
        rows.append(int(rng.choice(len(z), p=rest / total)))
    return rows


def nearest_profiles(
    z: LookedAt, profiles: Float[np.ndarray, "profiles looked"]
) -> tuple[Int[np.ndarray, " samples"], Float[np.ndarray, " samples"]]:
    """The nearest profile of every sample, and the root mean square over genes of the rest."""
    square = (profiles**2).sum(axis=1) - 2 * z @ profiles.T
    nearest = square.argmin(axis=1)
    rest = (z**2).sum(axis=1) + square[np.arange(len(z)), nearest]
    return nearest, np.sqrt(np.maximum(rest, 0) / z.shape[1])


def locations(
    means: Float[np.ndarray, "sets looked"], profiles: Float[np.ndarray, "profiles looked"]
) -> Float[np.ndarray, " sets"]:
    r"""What no composition explains of the mean of every set of samples, over genes.

    $\min_{a \ge 0, \sum a = 1} \lVert m - a P \rVert / \sqrt{\text{genes}}$, by accelerated
    projected gradients (Beck and Teboulle 2009): samples of one class alone are no shift.
    """
    gram, along = profiles @ profiles.T, means @ profiles.T
    rate = 1 / max(float(np.linalg.eigvalsh(gram)[-1]), 1e-6)
    weights = np.full(along.shape, 1 / len(profiles), along.dtype)
    ahead, momentum = weights, 1.0
    for _ in range(_N_STEPS):
        new = _onto_simplex(ahead - rate * (ahead @ gram - along))
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = new + (momentum - 1) / following * (new - weights)
        weights, momentum = new, following
    rest = means - weights @ profiles
    return np.sqrt((rest**2).mean(axis=1))


def _onto_simplex(
    a: Float[np.ndarray, "sets profiles"],
) -> Float[np.ndarray, "sets profiles"]:
    """The nearest weights that are none below 0 and 1 together (Duchi et al. 2008)."""
    descending = -np.sort(-a, axis=1)
    excess = (descending.cumsum(axis=1) - 1) / np.arange(1, a.shape[1] + 1)
    last = (descending > excess).sum(axis=1) - 1
    return np.maximum(a - excess[np.arange(len(a)), last][:, None], 0)


def some_of(rows: np.ndarray, n: int) -> np.ndarray:
    """At most `n` rows, evenly from first to last."""
    return rows if len(rows) <= n else rows[np.linspace(0, len(rows) - 1, n).astype(int)]
