"""Denoising and masked autoencoder: the profile back from its views.

Vincent et al. 2008, doi 10.1145/1390156.1390294. The noise is the augmentation. Parameters:
`encoder` and `decoder`.
"""

from functools import partial
from typing import ClassVar, Literal

import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxssl.bounds import Count, optionclass
from jaxssl.methods.interface import NOISES, Batch, Method, MethodConfig, Recipe, Training
from jaxssl.methods.losses import squared_error
from jaxssl.methods.stack import init_heads
from jaxssl.model import Network, make_projection
from jaxssl.types import Metrics, Params


@optionclass
class DenoisingConfig(MethodConfig):
    """Options of the denoising autoencoder."""

    MIN_VIEWS: ClassVar[int] = 1
    NEEDS_CHANGE: ClassVar[bool] = True
    name: ClassVar[str] = "denoising"
    decoder_hidden: Count = 256  # 0: a linear decoder
    # "changed": only what the augmentation changed, as a masked autoencoder
    target: Literal["all", "changed"] = "all"


def denoising(options: DenoisingConfig, training: Training) -> Method:
    """The denoising autoencoder as a `Method`; it remembers nothing."""
    encoder = training.encoder

    def init(key: PRNGKeyArray, x: Float[Array, "batch features"]) -> tuple[Params, PyTree]:
        decoder = _decoder(options, encoder, x.shape[1])
        return init_heads(encoder, {"decoder": decoder}, key, x), {}

    return Method(init, partial(loss, options, encoder))


def _decoder(options: DenoisingConfig, encoder: Network, n_features: int) -> Network:
    kind = "mlp" if options.decoder_hidden else "linear"
    return make_projection(kind, options.decoder_hidden, n_features, encoder.precision, "layer")


def loss(
    options: DenoisingConfig, encoder: Network, params: Params, batch: Batch
) -> tuple[Float[Array, ""], Metrics]:
    """Squared error over all entries, or over those that the augmentation changed.

    Metrics: loss and loss_ratio (of the error of who knows but the batch's means; 1: nothing is
    learnt).
    """
    views = batch.views
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


RECIPE = Recipe(
    DenoisingConfig,
    denoising,
    {"augment.noise": NOISES, "method.decoder_hidden": (0, 256)},
    views={"n_views": 1},
)
