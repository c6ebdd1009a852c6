"""Denoising and masked autoencoder: the profile back from its views (Vincent et al. 2008).

The noise is the augmentation. Parameters: `encoder` and `decoder`.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxssl.methods.interface import Extent, Method, Step
from jaxssl.methods.losses import squared_error
from jaxssl.model import Network, make_projection
from jaxssl.options import DenoisingConfig
from jaxssl.types import Metrics, Params, Views


def denoising(options: DenoisingConfig, encoder: Network, extent: Extent) -> Method:
    """The denoising autoencoder as a `Method`.

    Metrics of `loss`: loss and loss_ratio (of the error of who knows but the batch's means; 1:
    nothing is learnt).
    """
    del extent
    return Method(init=partial(init, options, encoder), loss=partial(loss, options, encoder))


def _decoder(options: DenoisingConfig, encoder: Network, n_features: int) -> Network:
    kind = "mlp" if options.decoder_hidden else "linear"
    return make_projection(kind, options.decoder_hidden, n_features, encoder.precision, "layer")


def init(
    options: DenoisingConfig,
    encoder: Network,
    key: PRNGKeyArray,
    x: Float[Array, "batch features"],
) -> tuple[Params, PyTree]:
    """Random parameters; nothing is remembered."""
    key_encoder, key_decoder = jax.random.split(key)
    params = {"encoder": encoder.init(key_encoder, x)}
    embeddings = encoder.apply(params["encoder"], x)
    params["decoder"] = _decoder(options, encoder, x.shape[1]).init(key_decoder, embeddings)
    return params, {}


def loss(
    options: DenoisingConfig,
    encoder: Network,
    params: Params,
    memory: PyTree,
    step: Step,
    key: PRNGKeyArray,
    views: Views,
) -> tuple[Float[Array, ""], Metrics]:
    """Squared error over all entries, or over those that the augmentation changed."""
    del memory, step, key
    n_features = views.x.shape[2]
    noisy = views.x.reshape(-1, n_features)
    original = jnp.broadcast_to(views.original[None], views.x.shape).reshape(-1, n_features)
    embeddings = encoder.apply(params["encoder"], noisy)
    decoded = _decoder(options, encoder, n_features).apply(params["decoder"], embeddings)
    counted = (noisy != original).astype(jnp.float32) if options.target == "changed" else None
    value = squared_error(decoded, original, counted)
    means = views.original.mean(axis=0, keepdims=True)
    chance = squared_error(jnp.broadcast_to(means, original.shape), original, counted)
    return value, {"loss": value, "loss_ratio": value / jnp.maximum(chance, 1e-12)}
