"""Augmentations: pure functions of (key, x, pool), and the autoencoder that one goes through.

`pool` holds the training matrix that means and marginals come from, and the autoencoder. Strength 0
leaves a step out of the compiled program; a traced strength never does.
"""

from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import Annotated, Literal, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from jaxssl.bounds import Positive, Range, Share, optionclass
from jaxssl.methods.neighbours import find_neighbours, step_aside
from jaxssl.methods.noise import standard_normal
from jaxssl.model import make_autoencoder
from jaxssl.types import GenePool, Params, Pool, Profiles, Samples, Views


@optionclass
class AugmentConfig:
    """How two views of a profile are made; strengths of 0 leave a step out."""

    mask_rate: Share = 0.0  # of the features that are replaced
    mask_per: Literal["batch", "sample"] = "batch"  # one column subset per mini-batch (STUDY)
    mask_fill: Literal["normal", "zero", "mean", "marginal"] = "normal"  # N(0, 1) (STUDY)
    # c of x + c N(0, 1); spectral input has an overall sd of 1
    noise: Annotated[float, Range(0, 1e3)] = 1.0
    # decoded from a point this far from the profile's code, in root mean square distances of the
    # training codes from their mean; 0: no autoencoder
    latent_radius: Annotated[float, Range(0, 1e3)] = 0.0
    latent_dim: Positive = 64  # of the autoencoder's code
    autoencoder_steps: Positive = 1000  # of its training, on training samples
    # of the genes, drawn anew for every sample of a view: at the training mean, as those that new
    # samples lack are, before components are taken
    drop_genes: Share = 0.0
    # of the samples of a view, that are one of their nearest neighbours among the training samples
    neighbour_share: Share = 0.0
    n_neighbours: Positive = 10  # that such a sample is drawn from
    n_views: Annotated[int, Range(1, 16)] = 2  # those past the second only predict
    extra_mask_rate: Share = 0.8  # mask rate of the views past the second

    def changes(self) -> list[str]:
        """The strengths that are on."""
        names = ("mask_rate", "noise", "latent_radius", "drop_genes", "neighbour_share")
        return [name for name in names if getattr(self, name)]


NOISES = (0.5, 1.0, 1.5)
"""Of `augment.noise`, that are tried for a method whose views have noise."""
REDRAWN = MappingProxyType(
    {"n_views": 1, "noise": 0.0, "mask_per": "sample", "mask_fill": "marginal"}
)
"""Views of a method that sets one corrupted copy beside the profile as it is."""

AUTOENCODER_STREAM = 2**31 - 1  # in the key of what all seeds share
AUTOENCODER_RATE = 1e-3  # decays to 0 by a cosine
AUTOENCODER_BATCH = 256

Strength = float | Float[Array, ""]
Augment = Callable[[PRNGKeyArray, Profiles, Pool], Profiles]
ViewFn = Callable[[PRNGKeyArray, Profiles, Int[Array, " batch"], Pool], Profiles]
ViewsFn = Callable[[PRNGKeyArray, Profiles, Int[Array, " batch"], Pool], Views]


def fill_marginal(key: PRNGKeyArray, x: Profiles, pool: Pool) -> Profiles:
    """The same feature of a random training sample, drawn anew for every entry."""
    rows = jax.random.randint(key, x.shape, 0, pool.x.shape[0])
    return jnp.take_along_axis(pool.x, rows, axis=0)


FILLS: dict[str, Augment] = {
    "normal": lambda key, x, _: standard_normal(key, x.shape),  # STUDY
    "zero": lambda _, x, __: jnp.zeros_like(x),
    "mean": lambda _, x, pool: jnp.broadcast_to(pool.x.mean(axis=0)[None, :], x.shape),
    "marginal": fill_marginal,
}
"""Replacement values in the shape of the batch: N(0, 1), zeros, training means or marginals."""


def columns_mask(key: PRNGKeyArray, x: Profiles, rate: Strength) -> Bool[Array, "batch features"]:
    """One subset of exactly round(rate · features) columns for all samples (the study)."""
    n_features = x.shape[1]
    n_masked = jnp.round(jnp.float32(rate) * n_features).astype(jnp.int32)
    subset = jax.random.permutation(key, n_features) < n_masked
    return jnp.broadcast_to(subset[None, :], x.shape)


MASKS = {
    "batch": columns_mask,
    # no subset of fixed size: sorting every sample's genes would cost more than the encoder
    "sample": lambda key, x, rate: jax.random.bernoulli(key, rate, x.shape),
}
"""What is replaced: whole columns, or every entry on its own with probability `rate`."""


def mask(
    key: PRNGKeyArray, x: Profiles, pool: Pool, *, rate: Strength, per: str, fill: str
) -> Profiles:
    """Replace a share `rate` of the features."""
    key_mask, key_fill = jax.random.split(key)
    return jnp.where(MASKS[per](key_mask, x, rate), FILLS[fill](key_fill, x, pool), x)


def perturb_latent(key: PRNGKeyArray, x: Profiles, pool: Pool, options: AugmentConfig) -> Profiles:
    """Encode, step the radius in a random direction of the codes, decode (the study's third)."""
    encoder, decoder = make_autoencoder(x.shape[1], options.latent_dim)
    direction = jax.random.normal(key, (x.shape[0], options.latent_dim))
    direction /= jnp.linalg.norm(direction, axis=1, keepdims=True)
    fitted = pool.autoencoder
    codes = encoder.apply(fitted["encoder"], x)
    radius = options.latent_radius * fitted["unit"]
    return decoder.apply(fitted["decoder"], codes + radius * direction)


def drop_genes(
    key: PRNGKeyArray, x: Profiles, index: Int[Array, " batch"], pool: Pool, rate: Strength
) -> Profiles:
    """The samples as they are where each gene is missing with probability `rate`."""
    if pool.genes is None:  # the features are the genes
        return jnp.where(jax.random.bernoulli(key, rate, x.shape), 0, x)
    z, rotation, lower, upper = pool.genes
    seen = jnp.where(jax.random.bernoulli(key, rate, (len(x), z.shape[1])), 0, z[index])
    features = jnp.matmul(seen, rotation, precision="highest")
    return jnp.clip(features, lower[None, :], upper[None, :])


def make_augment(options: AugmentConfig, mask_rate: Strength) -> Augment:
    """The augmentation of a view: autoencoder, noise, mask, those that have a strength.

    Each draws from a stream of its own, whatever is beside it. Noise comes before masking, so that
    a filled entry is exactly what the fill says.
    """

    def augment(key: PRNGKeyArray, x: Profiles, pool: Pool) -> Profiles:
        stream = partial(jax.random.fold_in, key)
        if not is_off(options.latent_radius):
            x = perturb_latent(stream(2), x, pool, options)
        if not is_off(options.noise):
            x = x + options.noise * standard_normal(stream(0), x.shape)
        if not is_off(mask_rate):
            per, fill = options.mask_per, options.mask_fill
            x = mask(stream(1), x, pool, rate=mask_rate, per=per, fill=fill)
        return x

    return augment


def is_off(strength: Strength) -> bool:
    """Whether a step has no effect in any member of an ensemble, and can be left out."""
    return not isinstance(strength, jax.Array) and strength == 0


def make_views(options: AugmentConfig) -> ViewsFn:
    """(key, x, index, pool) → `Views`, each under a key of its own."""
    # mapped, not drawn one by one and stacked: a compiler draws inside the stacking's copy, which
    # is neither vectorised nor parallel
    pair, extra = (
        jax.vmap(_make_view(options, rate), in_axes=(0, None, None, None))
        for rate in (options.mask_rate, options.extra_mask_rate)
    )

    def views(key: PRNGKeyArray, x: Profiles, index: Int[Array, " batch"], pool: Pool) -> Views:
        keys = jax.random.split(key, options.n_views)
        drawn = pair(keys[:2], x, index, pool)
        if options.n_views > 2:
            drawn = jnp.concatenate([drawn, extra(keys[2:], x, index, pool)])
        return Views(drawn, index, x)

    return views


def _make_view(options: AugmentConfig, mask_rate: Strength) -> ViewFn:
    """A view: the augmentation of what is left of the genes."""
    augment = make_augment(options, mask_rate)

    def view(key: PRNGKeyArray, x: Profiles, index: Int[Array, " batch"], pool: Pool) -> Profiles:
        if not is_off(options.neighbour_share):
            index = step_aside(jax.random.fold_in(key, 4), index, pool, options.neighbour_share)
            x = pool.x[index]
        if not is_off(options.drop_genes):
            x = drop_genes(jax.random.fold_in(key, 3), x, index, pool, options.drop_genes)
        return augment(key, x, pool)

    return view


def make_pool(
    x: Float[np.ndarray | Array, "samples features"],
    options: AugmentConfig,
    root_key: int,
    genes: GenePool | None = None,
) -> Pool:
    """What all seeds train on; an autoencoder, where views want one, is the same for all seeds.

    `genes` are those of components, where views lack some.
    """
    neighbours = None
    if not is_off(options.neighbour_share):
        neighbours = find_neighbours(x, options.n_neighbours)
    if options.latent_radius == 0:
        return Pool(cast(Array, x), {}, genes=genes, neighbours=neighbours)
    key = jax.random.fold_in(jax.random.key(root_key), AUTOENCODER_STREAM)
    fitted = fit_autoencoder(key, jnp.asarray(x), options.latent_dim, options.autoencoder_steps)
    return Pool(cast(Array, x), fitted, genes=genes, neighbours=neighbours)


@partial(jax.jit, static_argnames=("latent_dim", "n_steps"))
def fit_autoencoder(key: PRNGKeyArray, x: Samples, latent_dim: int, n_steps: int) -> Params:
    """Minimise the mean squared error of the reconstruction by Adam: `encoder` and `decoder`.

    `unit` is the root mean square distance of the codes from their mean, in which
    `augment.latent_radius` is counted.
    """
    encoder, decoder = make_autoencoder(x.shape[1], latent_dim)
    key_encoder, key_decoder, key_batches = jax.random.split(key, 3)
    codes = jnp.zeros((1, latent_dim))
    params = {
        "encoder": encoder.init(key_encoder, x[:1]),
        "decoder": decoder.init(key_decoder, codes),
    }
    optimizer = optax.adam(optax.cosine_decay_schedule(AUTOENCODER_RATE, n_steps))
    batch_size = min(AUTOENCODER_BATCH, len(x))

    def loss(params: Params, batch: Profiles) -> Float[Array, ""]:
        decoded = decoder.apply(params["decoder"], encoder.apply(params["encoder"], batch))
        return jnp.mean((decoded - batch) ** 2)

    def step(i: Int[Array, ""], carry: tuple[Params, optax.OptState]):
        params, state = carry
        rows = jax.random.randint(jax.random.fold_in(key_batches, i), (batch_size,), 0, len(x))
        updates, state = optimizer.update(jax.grad(loss)(params, x[rows]), state)
        return optax.apply_updates(params, updates), state

    params, _ = jax.lax.fori_loop(0, n_steps, step, (params, optimizer.init(params)))
    codes = encoder.apply(params["encoder"], x)
    spread = jnp.sum((codes - codes.mean(axis=0, keepdims=True)) ** 2, axis=1)
    return params | {"unit": jnp.sqrt(spread.mean())}
