"""How far new samples lie from those of the training.

By location, scale, distance, clipped values, and gain, the slope of a sample's profile on that of
the nearest training samples: another logarithm or dynamic range changes it in all samples.

A classifier is sure of samples of another laboratory too, and wrong. What it saw is kept as a few
profiles, the means of clusters of the training samples, and as limits, which held-out samples of
the same cohort keep (`data.shift_limits`). All is measured on standardised genes before clipping,
`z = (x - mean) / scale` of the frame, without those that the new samples lack. No label is read.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from jaxssl.data.backed import Expression, pieces
from jaxssl.data.frames import MIN_COHORT
from jaxssl.data.profiles import LookedAt, locations, nearest_profiles
from jaxssl.types import Normalizer

STATISTICS = ("location", "scale", "distance", "clipped", "gain")
TOLD = ("gain", *STATISTICS[:-1])  # of several beyond their limits, the first is told
SIZES = np.array([1, 2, 5, 10, 25, 50, 100, 250])
"""Numbers of samples that limits are calibrated for; those between are interpolated."""
BOUND = 8.0  # standard deviations: a gene that hardly varied in the training is no more than that
_SMALL = 0.05  # standard deviations, added so that a gene that does not vary has a ratio
_WORDS = {
    "location": "the genes' means lie {value:.2f} standard deviations from any mixture of the "
    "training samples (limit {limit:.2f})",
    "scale": "the genes' deviations differ by a factor of {factor:.2f} (limit {at_most:.2f})",
    "distance": "the samples lie {value:.2f} standard deviations from the nearest training profile "
    "(limit {limit:.2f})",
    "clipped": "{value:.1%} of the values, by what genes count, lie beyond those of the training "
    "(limit {limit:.1%})",
    "gain": "the range of the samples' values differs from that of the nearest training ones by a "
    "factor of {factor:.2f} (limit {at_most:.2f}), as on another scale",
}


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Reference:
    """What is kept of the training cohort, by which new samples are judged."""

    looked: Int[np.ndarray, " looked"]  # positions, among the encoder's genes, of those looked at
    profiles: Float32[np.ndarray, "profiles looked"]  # means of clusters, standardised
    deviation: Float32[np.ndarray, " looked"]  # of the training samples about their profile
    limits: Float32[np.ndarray, "statistics sizes"]  # infinite: not judged at that size
    spread: Float32[np.ndarray, " sizes"]  # at least, of samples of several classes: `spread_of`
    distances: Float32[np.ndarray, " held_out"]  # of held-out samples to a profile, ascending


class Shift(NamedTuple):
    """What was measured of new samples."""

    n: int
    values: dict[str, float]  # by statistic
    limits: dict[str, float]
    outlying: Float[np.ndarray, " samples"]  # share of held-out samples that lie nearer

    @property
    def excess(self) -> float:
        """The largest ratio of a statistic to its limit; above 1, the samples have shifted."""
        return max((self.values[s] / self.limits[s] for s in self.values), default=0.0)

    @property
    def worst(self) -> str:
        """The first statistic beyond its limit, or the one that is nearest to it."""
        ratios = {name: self.values[name] / self.limits[name] for name in self.values}
        return next((s for s in TOLD if ratios.get(s, 0) > 1), max(ratios, key=lambda s: ratios[s]))

    def sentence(self) -> str:
        """The finding in words."""
        value, limit = self.values[self.worst], self.limits[self.worst]
        numbers = {"value": value, "limit": limit}
        return _WORDS[self.worst].format(factor=np.exp(value), at_most=np.exp(limit), **numbers)


def measure(reference: Reference, normalizer: Normalizer, x: Expression) -> Shift:
    """Hold new samples against the training cohort.

    Args:
        reference: what is kept of the training cohort.
        normalizer: whose genes `x` has, in order.
        x: expression in the normalizer's frame (samples x genes); NaN for a gene that is missing.

    Returns:
        The statistics that can be told of so many samples, with their limits, and how unusual
        each sample is.

    Example:
        >>> measure(bundle.shift, bundle.normalizer, x).excess  # doctest: +SKIP
        3.2
    """
    known = ~np.isnan(x[0][reference.looked])
    values, distances = _statistics(reference, normalizer, x, known)
    n = len(x)
    of_size = at_size(reference.limits, n)
    # encoders of before have no limit of the gain
    limits = {name: float(limit) for name, limit in zip(STATISTICS, of_size, strict=False)}
    values = {s: value for s, value in values.items() if np.isfinite(limits.get(s, np.inf))}
    held_out = reference.distances
    outlying = np.searchsorted(held_out, distances) / max(len(held_out), 1)
    return Shift(n, values, limits, outlying)


def _statistics(
    reference: Reference, normalizer: Normalizer, x: Expression, known: Bool[np.ndarray, " looked"]
) -> tuple[dict[str, float], Float[np.ndarray, " samples"]]:
    """The statistics of samples, by blocks, and how far each lies from its profile."""
    looked, of_known = reference.looked[known], reference.profiles[:, known]
    total, rest, square = np.zeros((3, len(looked)))
    counts = counts_of(normalizer, looked)
    mean, scale = normalizer.mean[looked], normalizer.scale[looked]
    clipped, distances, gain, n = [], [], [], len(x)
    for rows in pieces(x):
        z = standardized(x[rows][:, looked], mean, scale)
        nearest, distance = nearest_profiles(z, of_known)
        residuals = z - of_known[nearest]
        total += z.sum(axis=0, dtype=np.float64)
        rest += residuals.sum(axis=0, dtype=np.float64)
        square += (residuals.astype(np.float64) ** 2).sum(axis=0)
        clipped.append(beyond(z, normalizer.lower[looked], normalizer.upper[looked], counts))
        distances.append(distance)
        gain.append(gains(z, of_known[nearest], mean, scale))
    values = {
        "location": float(locations(total[None] / n, of_known)[0]),
        "distance": float(np.concatenate(distances).mean()),
        "clipped": float(np.concatenate(clipped).mean()),
        "gain": float(np.abs(np.concatenate(gain).mean())),
    }
    if n >= MIN_COHORT:
        variance = np.maximum(square - rest**2 / n, 0)[None] / (n - 1)
        values["scale"] = float(scales(variance, reference.deviation[known])[0])
    return values, np.concatenate(distances)


def at_size(limits: Float32[np.ndarray, "*statistics sizes"], n: int) -> np.ndarray:
    """Limits for `n` samples, linear between sizes in the logarithm; beyond the last, the last."""
    at = np.interp(np.log(n), np.log(SIZES), np.arange(len(SIZES)))
    below, above = int(np.floor(at)), int(np.ceil(at))
    low, high = np.asarray(limits[..., below]), np.asarray(limits[..., above])
    if below == above:
        return low
    both = np.isfinite(low) & np.isfinite(high)
    step = np.subtract(high, low, where=both, out=np.full(low.shape, np.inf, low.dtype))
    return np.asarray(low + (at - below) * step)


def standardized(
    x: LookedAt, mean: Float[np.ndarray, " looked"], scale: Float[np.ndarray, " looked"]
) -> LookedAt:
    """Genes in training standard deviations, bounded far outside of what clipping leaves."""
    z = (x - mean) / scale
    return np.clip(z, -BOUND, BOUND, out=z)


def counts_of(
    normalizer: Normalizer, looked: Int[np.ndarray, " looked"]
) -> Float[np.ndarray, " looked"]:
    """What each of some genes counts of all of them: by its variance, or alike."""
    weight = np.ones(len(looked)) if normalizer.weight is None else normalizer.weight[looked]
    return weight**2 / max(float((weight**2).sum()), 1e-12)


def beyond(
    z: LookedAt,
    lower: Float[np.ndarray, " looked"],
    upper: Float[np.ndarray, " looked"],
    counts: Float[np.ndarray, " looked"],
) -> Float[np.ndarray, " samples"]:
    """Share of a sample's values that lie beyond those of the training, by what genes count."""
    return ((z < lower - 1e-3) | (z > upper + 1e-3)) @ counts


def gains(
    z: LookedAt,
    profiles: LookedAt,
    mean: Float[np.ndarray, " looked"],
    scale: Float[np.ndarray, " looked"],
) -> Float[np.ndarray, " samples"]:
    """Logarithm of the slope, over genes, of each sample's expression on that of its profile."""
    x, p = z * scale + mean, profiles * scale + mean
    p = p - p.mean(axis=1, keepdims=True)
    slope = (x * p).sum(axis=1) / np.maximum((p**2).sum(axis=1), 1e-12)
    return np.log(np.clip(slope, 0.05, 20))


def scales(
    variances: Float[np.ndarray, "sets looked"], deviation: Float[np.ndarray, " looked"]
) -> Float[np.ndarray, " sets"]:
    """Root mean square over genes of the logarithm of a deviation by that of the training."""
    ratio = (variances + _SMALL**2) / (deviation**2 + _SMALL**2)
    return np.sqrt((np.log(ratio) ** 2).mean(axis=1)) / 2


def axes_of(
    profiles: Float[np.ndarray, "profiles looked"],
) -> Float[np.ndarray, "axes looked"]:
    """Orthonormal axes along which the profiles differ; the five strongest."""
    _, singular, axes = np.linalg.svd(profiles - profiles.mean(axis=0), full_matrices=False)
    return axes[:5][singular[:5] > 1e-3]


def spread_of(z: LookedAt, axes: Float[np.ndarray, "axes looked"]) -> float:
    """Share of the variance along the axes of the training, of samples standardised by themselves.

    Samples of one class differ little along them, whatever their laboratory does to each gene.
    """
    scale = z.std(axis=0)
    own = (z - z.mean(axis=0)) / np.where(scale > 1e-6, scale, np.inf)
    total = (own**2).sum()
    return float(((own @ axes.T) ** 2).sum() / total) if total else 0.0
