"""Augmentations: pure functions of (key, x, pool); strengths are closed over.

`pool` is the training matrix that means and marginals come from. Strength 0 leaves a step out of
the compiled program.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PRNGKeyArray

from jaxssl.config import AugmentConfig
from jaxssl.methods.noise import standard_normal
from jaxssl.types import Views

Batch = Float[Array, "batch features"]
Pool = Float[Array, "samples features"]
Augment = Callable[[PRNGKeyArray, Batch, Pool], Batch]
Fill = Augment
"""Replacement values in the shape of the batch; may ignore the batch's own."""


def fill_normal(key: PRNGKeyArray, x: Batch, pool: Pool) -> Batch:
    """N(0, 1): the study's, for standardised features."""
    del pool
    return standard_normal(key, x.shape)


def fill_zero(key: PRNGKeyArray, x: Batch, pool: Pool) -> Batch:
    """Zeros."""
    del key, pool
    return jnp.zeros_like(x)


def fill_mean(key: PRNGKeyArray, x: Batch, pool: Pool) -> Batch:
    """The feature's training mean."""
    del key
    return jnp.broadcast_to(pool.mean(axis=0)[None, :], x.shape)


def fill_marginal(key: PRNGKeyArray, x: Batch, pool: Pool) -> Batch:
    """The same feature of a random training sample, drawn anew for every entry."""
    rows = jax.random.randint(key, x.shape, 0, pool.shape[0])
    return jnp.take_along_axis(pool, rows, axis=0)


FILLS: dict[str, Fill] = {
    "normal": fill_normal,
    "zero": fill_zero,
    "mean": fill_mean,
    "marginal": fill_marginal,
}


def columns_mask(key: PRNGKeyArray, x: Batch, rate: float) -> Bool[Array, "batch features"]:
    """One subset of exactly round(rate · features) columns for all samples (the study)."""
    n_features = x.shape[1]
    subset = jax.random.permutation(key, n_features) < round(rate * n_features)
    return jnp.broadcast_to(subset[None, :], x.shape)


def entries_mask(key: PRNGKeyArray, x: Batch, rate: float) -> Bool[Array, "batch features"]:
    """Every entry on its own with probability `rate`."""
    # not a subset of fixed size: sorting every sample's genes would cost more than the encoder
    return jax.random.bernoulli(key, rate, x.shape)


MASKS = {"batch": columns_mask, "sample": entries_mask}


def mask(key: PRNGKeyArray, x: Batch, pool: Pool, *, rate: float, per: str, fill: str) -> Batch:
    """Replace a share `rate` of the features: whole columns per "batch", entries per "sample"."""
    key_mask, key_fill = jax.random.split(key)
    return jnp.where(MASKS[per](key_mask, x, rate), FILLS[fill](key_fill, x, pool), x)


def add_noise(key: PRNGKeyArray, x: Batch, pool: Pool, *, strength: float) -> Batch:
    """x + c N(0, 1), c = `strength`."""
    del pool
    return x + strength * standard_normal(key, x.shape)


def compose(*steps: Augment) -> Augment:
    """The steps one after the other, each with its own key; no step is the identity."""

    def augment(key: PRNGKeyArray, x: Batch, pool: Pool) -> Batch:
        for i, step in enumerate(steps):
            x = step(jax.random.fold_in(key, i), x, pool)
        return x

    return augment


def make_augment(options: AugmentConfig, mask_rate: float) -> Augment:
    """The augmentation of a view.

    Noise comes before masking, so that a filled entry is exactly what the fill says.
    """
    steps: list[Augment] = []
    if options.noise > 0:
        steps.append(partial(add_noise, strength=options.noise))
    if mask_rate > 0:
        per, fill = options.mask_per, options.mask_fill
        steps.append(partial(mask, rate=mask_rate, per=per, fill=fill))
    return compose(*steps)


def make_views(
    options: AugmentConfig,
) -> Callable[[PRNGKeyArray, Batch, Int[Array, " batch"], Pool], Views]:
    """(key, x, index, pool) → `Views`, every view under its own key.

    The views past the second mask `extra_mask_rate`.
    """
    pair = make_augment(options, options.mask_rate)
    extra = make_augment(options, options.extra_mask_rate)

    # mapped, not drawn one by one and stacked: a compiler draws inside the stacking's copy, which
    # is neither vectorised nor parallel
    def draw(augment: Augment, keys: Key[Array, " views"], x: Batch, pool: Pool):
        return jax.vmap(augment, in_axes=(0, None, None), out_axes=0)(keys, x, pool)

    def views(key: PRNGKeyArray, x: Batch, index: Int[Array, " batch"], pool: Pool) -> Views:
        keys = jax.random.split(key, options.n_views)
        drawn = draw(pair, keys[:2], x, pool)
        if options.n_views > 2:
            drawn = jnp.concatenate([drawn, draw(extra, keys[2:], x, pool)])
        return Views(drawn, index)

    return views
