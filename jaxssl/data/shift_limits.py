"""What is kept of the training cohort, and limits that held-out samples of it keep.

The held-out samples are each half of the training samples as the other half sees it, since rare
classes have few others, and those of the split. Subsets of them, also of one cluster alone, are
what a user's samples of the same cohort would be. No label is read.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from jaxssl.data.frames import MIN_COHORT
from jaxssl.data.groups import name_each
from jaxssl.data.profiles import (
    MAX_TRAINING,
    LookedAt,
    fit_profiles,
    locations,
    nearest_profiles,
    some_of,
)
from jaxssl.data.shift import (
    SIZES,
    STATISTICS,
    Reference,
    axes_of,
    beyond,
    counts_of,
    gains,
    scales,
    spread_of,
    standardized,
)
from jaxssl.types import Normalizer, Split

MIN_TRAINING = 20  # samples, below which nothing can be told of the cohort
MIN_HELD_OUT = 50  # samples, below which they add nothing
MAX_GENES = 2000  # looked at
MAX_HELD_OUT = 400  # samples
QUANTILE = 0.9975  # of a statistic over subsets: with four, false alarms stay below 1 %
MARGINS = {"location": 1.25, "scale": 1.25, "distance": 1.25, "clipped": 1.5, "gain": 1.5}
"""Times that quantile, which is of few samples; shares of clipped values have the longest tail."""
LOW = 0.02  # quantile of the spread over subsets, below which samples look like one class
N_SETS = 60  # subsets a size and kind: at random, skewed, and alike
SKEW = 0.1  # concentration of the Dirichlet distribution of their composition
N_SPREAD = 30

Values = dict[str, Float[np.ndarray, " sets"]]


class _Own(NamedTuple):
    """What genes are to those who see: means, deviations, ends, and what they count."""

    mean: Float[np.ndarray, " looked"]
    scale: Float[np.ndarray, " looked"]
    lower: Float[np.ndarray, " looked"]
    upper: Float[np.ndarray, " looked"]
    counts: Float[np.ndarray, " looked"]


class _Seen(NamedTuple):
    """Held-out samples as training samples see them."""

    profiles: Float32[np.ndarray, "profiles looked"]
    deviation: Float32[np.ndarray, " looked"]
    z: Float32[np.ndarray, "held_out looked"]
    clipped: Float[np.ndarray, " held_out"]  # share of a sample's values
    nearest: Int[np.ndarray, " held_out"]
    distances: Float[np.ndarray, " held_out"]
    gain: Float[np.ndarray, " held_out"]


def fit_reference(
    normalizer: Normalizer,
    x: Float[np.ndarray, "samples genes"],
    groups: np.ndarray,
    held_out: Float[np.ndarray, "held_out genes"],
    clip: float,
) -> Reference | None:
    """Profiles of the training samples, and the limits by which new ones are judged.

    Args:
        normalizer: fitted on the training samples.
        x: training samples in its frame (samples x genes).
        groups: names of what stays together, of every training sample; "" for one on its own.
        held_out: samples of the same cohort that were not trained on, in the same frame.
        clip: `normalize.clip`.

    Returns:
        The reference; None of fewer than 20 training samples.

    Example:
        >>> fit_reference(normalizer, x, groups, held_out, 10.0).profiles.shape  # doctest: +SKIP
        (32, 500)
    """
    if len(x) < MIN_TRAINING:
        return None
    rng = np.random.default_rng(0)
    known = np.flatnonzero(~np.isnan(x[0]))
    looked = np.sort(rng.permutation(known)[:MAX_GENES])
    mean, scale = normalizer.mean[looked], normalizer.scale[looked]
    counts = counts_of(normalizer, looked)
    own = _Own(mean, scale, normalizer.lower[looked], normalizer.upper[looked], counts)
    x = x[:, looked]
    z = standardized(x, mean, scale)
    profiles, deviation = fit_profiles(z, rng)
    seen = [_halve(x, rows, clip, counts, rng) for rows in _halves(groups, rng)]
    if len(held_out) >= MIN_HELD_OUT:
        z = standardized(held_out[:, looked], mean, scale)
        seen.append(_see(profiles, deviation, z, own))
    limits = np.full((len(STATISTICS), len(SIZES)), np.inf, np.float32)
    if not normalizer.frame.name.endswith("cohort"):  # there each cohort is at its own mean
        limits = np.array([_limits(seen, int(n), rng) for n in SIZES], np.float32).T
    spread = [_least_spread(seen, int(n), rng) for n in SIZES]
    distances = np.sort(np.concatenate([one.distances for one in seen])).astype(np.float32)
    return Reference(looked, profiles, deviation, limits, np.array(spread, np.float32), distances)


def _limits(seen: list[_Seen], n: int, rng: np.random.Generator) -> list[float]:
    """Limits of all statistics of `n` samples; infinite where there is nothing to tell."""
    drawn = [_draw(one, n, rng) for one in seen]
    limits: dict[str, float] = dict.fromkeys(STATISTICS, np.inf)
    for name in drawn[0]:
        most = max(float(np.quantile(of_seen[name], QUANTILE)) for of_seen in drawn)
        limits[name] = MARGINS[name] * most
    limits["clipped"] += 1e-3  # of a share that is often none at all
    limits["gain"] += 0.05  # of a slope that is often 1
    return [*limits.values()]


def _see(
    profiles: Float[np.ndarray, "profiles looked"],
    deviation: Float[np.ndarray, " looked"],
    z: LookedAt,
    own: _Own,
) -> _Seen:
    z = z[some_of(np.arange(len(z)), MAX_HELD_OUT)]
    nearest, distances = nearest_profiles(z, profiles)
    clipped = beyond(z, own.lower, own.upper, own.counts)
    gain = gains(z, profiles[nearest], own.mean, own.scale)
    return _Seen(profiles, deviation, z, clipped, nearest, distances, gain)


def _halves(groups: np.ndarray, rng: np.random.Generator) -> Iterator[Bool[np.ndarray, " samples"]]:
    """Which samples are of one half, then of the other; groups stay together if they can."""
    for names in (name_each(groups), np.arange(len(groups))):
        _, codes = np.unique(names, return_inverse=True)
        order = rng.permutation(codes.max() + 1)
        sizes = np.bincount(codes)[order].cumsum()
        n_first = 1 + int(np.searchsorted(sizes, len(codes) / 2))
        first = np.isin(codes, order[:n_first])
        if 0.3 < first.mean() < 0.7:
            break
    yield first
    yield ~first


def _halve(
    x: LookedAt,
    rows: Bool[np.ndarray, " samples"],
    clip: float,
    counts: Float[np.ndarray, " looked"],
    rng: np.random.Generator,
) -> _Seen:
    """The other samples as some see them, standardised by these."""
    own = x[rows]
    mean, scale = own.mean(axis=0), own.std(axis=0)
    scale = np.where(scale > 1e-6, scale, 1)
    lower = np.maximum((own.min(axis=0) - mean) / scale, -clip)
    upper = np.minimum((own.max(axis=0) - mean) / scale, clip)
    fitted = fit_profiles(standardized(own, mean, scale), rng)
    others = standardized(x[~rows], mean, scale)
    return _see(*fitted, others, _Own(mean, scale, lower, upper, counts))


def _draw(seen: _Seen, n: int, rng: np.random.Generator) -> Values:
    """The statistics of subsets of `n` held-out samples."""
    near = _neighbourhoods(seen.z, n, rng)
    sets = [*_at_random(len(seen.z), n, rng), *_skewed(seen.nearest, n, rng), *near]
    weights = np.zeros((len(sets), len(seen.z)), np.float32)
    for weight, rows in zip(weights, sets, strict=True):
        np.add.at(weight, rows, np.float32(1 / len(rows)))
    values = {
        "location": locations(weights @ seen.z, seen.profiles),
        "distance": weights @ seen.distances,
        "clipped": weights @ seen.clipped,
        "gain": np.abs(weights @ seen.gain),
    }
    if n >= MIN_COHORT:
        residuals = seen.z - seen.profiles[seen.nearest]
        variances = weights @ residuals**2 - (weights @ residuals) ** 2
        free = np.array([len(rows) / (len(rows) - 1) for rows in sets], np.float32)[:, None]
        values["scale"] = scales(np.maximum(variances, 0) * free, seen.deviation)
    return values


def _at_random(n_rows: int, n: int, rng: np.random.Generator) -> Int[np.ndarray, "sets size"]:
    """Rows of subsets; they repeat where there are fewer than twice as many."""
    if 2 * n > n_rows:
        return rng.integers(n_rows, size=(N_SETS, n))
    return rng.random((N_SETS, n_rows)).argsort(axis=1)[:, :n]


def _skewed(
    nearest: Int[np.ndarray, " held_out"], n: int, rng: np.random.Generator
) -> list[Int[np.ndarray, " size"]]:
    """Rows of subsets that have clusters in very unlike numbers, often one nearly alone.

    No row repeats, or one outlying sample would pass for a class: where a cluster has fewer than
    `n`, the subset is smaller, or others fill it.
    """
    clusters, codes, sizes = np.unique(nearest, return_inverse=True, return_counts=True)
    shares = rng.dirichlet(np.full(len(clusters), SKEW), N_SETS) + 1e-9
    chances = (shares / sizes)[:, codes]
    effective = chances.sum(axis=1) ** 2 / (chances**2).sum(axis=1)
    sizes_of = np.minimum(n, np.maximum(MIN_COHORT, 0.7 * effective)).astype(int)
    # successive draws without replacement (Efraimidis and Spirakis 2006)
    order = (-np.log(rng.random(chances.shape)) / chances).argsort(axis=1)
    return [rows[:size] for rows, size in zip(order, sizes_of, strict=True)]


def _neighbourhoods(z: LookedAt, n: int, rng: np.random.Generator) -> Int[np.ndarray, "sets size"]:
    """Rows of subsets of samples that are as alike as those of one class can be."""
    n = min(n, max(MIN_COHORT, len(z) // 3))
    centres = rng.integers(len(z), size=N_SETS)
    square = (z**2).sum(axis=1)
    order = (square - 2 * z[centres] @ z.T).argsort(axis=1)[:, : n + n // 2]
    chosen = rng.random(order.shape).argsort(axis=1)[:, :n]
    return np.take_along_axis(order, chosen, axis=1)


def _least_spread(seen: list[_Seen], n: int, rng: np.random.Generator) -> float:
    """What the spread of `n` held-out samples, taken at random, is hardly ever below."""
    if n < MIN_COHORT:
        return 0.0
    found = []
    for one in seen:
        axes = axes_of(one.profiles)
        for rows in _at_random(len(one.z), n, rng)[:N_SPREAD]:
            found.append(spread_of(one.z[rows], axes))
    return float(np.quantile(found, LOW))


def rows_of(split: Split, batches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Training rows to look at, and held-out ones of the batches that were trained on."""
    held_out = np.sort(np.concatenate([split.validation, split.test]))
    held_out = held_out[np.isin(batches[held_out], batches[split.train])]
    return some_of(split.train, MAX_TRAINING), some_of(held_out, MAX_HELD_OUT)
