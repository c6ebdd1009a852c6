"""Denoising autoencoder and VIME: what was there before the augmentation.

Parameters: `encoder` and, on its embedding, `decoder`, or VIME's linear `mask` and `values`.
"""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import optax
from jax.scipy.special import entr
from jaxtyping import Array, Float, PRNGKeyArray

from jaxssl.bounds import Count, Weight, optionclass
from jaxssl.methods.augment import NOISES, REDRAWN
from jaxssl.methods.interface import Batch, Loss, Method, MethodConfig, Recipe, Start, Training
from jaxssl.methods.losses import squared_error
from jaxssl.methods.stack import init_heads
from jaxssl.model import Network, make_head
from jaxssl.types import InputError, Params, Profiles

Heads = dict[str, Network]
Rows = Float[Array, "rows features"]


@optionclass
class DenoisingConfig(MethodConfig):
    """Options of the denoising autoencoder (Vincent et al. 2008, doi 10.1145/1390156.1390294)."""

    MIN_VIEWS: ClassVar[int] = 1
    NEEDS_CHANGE: ClassVar[bool] = True
    name: ClassVar[str] = "denoising"
    decoder_hidden: Count = 256  # 0: a linear decoder
    # "changed": only what the augmentation changed, as a masked autoencoder
    target: Literal["all", "changed"] = "all"


@optionclass
class VimeConfig(MethodConfig):
    """Options of VIME (Yoon et al. 2020, NeurIPS 33).

    The corruption is the augmentation: features of a random share redrawn from their training
    marginals, sample by sample and anew at every step.
    """

    MIN_VIEWS: ClassVar[int] = 1
    NEEDS_CHANGE: ClassVar[bool] = True
    name: ClassVar[str] = "vime"
    alpha: Weight = 2.0  # weight of the values beside the mask

    def check_views(self, changes: Collection[str]) -> None:
        """As `MethodConfig`; what changes every value leaves no mask to find."""
        super().check_views(changes)
        if set(changes) != {"mask_rate"}:
            raise InputError(
                "vime finds which values were replaced, and other augmentations change all",
                "pass `augment.noise=0`, `augment.latent_radius=0` and `augment.drop_genes=0`",
            )


def decoder(options: DenoisingConfig, precision: str, n_features: int) -> Heads:
    """From the embedding back to the profile."""
    kind, hidden = ("mlp" if options.decoder_hidden else "linear"), options.decoder_hidden
    return {"decoder": make_head(kind, hidden, n_features, precision, "layer")}


def estimators(_: VimeConfig, precision: str, n_features: int) -> Heads:
    """From the embedding to what was replaced (logits), and to the values before."""
    return dict.fromkeys(("mask", "values"), make_head("linear", 0, n_features, precision))


def on_heads(make_heads: Callable[..., Heads], loss: Callable) -> Callable[[Any, Training], Method]:
    """`make` of a method whose heads stand on the embedding, and which remembers nothing."""

    def make(options: Any, training: Training) -> Method:
        encoder = training.encoder
        heads_for = partial(make_heads, options, encoder.precision)

        def init(key: PRNGKeyArray, x: Profiles) -> Start:
            heads = heads_for(x.shape[1])
            keys = jax.random.split(key, 1 + len(heads))
            return init_heads(encoder, heads, keys, x)[0], {}

        def loss_of(params: Params, batch: Batch) -> Loss:
            views = batch.views
            n_features = views.x.shape[2]
            seen = views.x.reshape(-1, n_features)
            original = jnp.broadcast_to(views.original[None], views.x.shape)
            embeddings = encoder.apply(params["encoder"], seen)
            heads = heads_for(n_features).items()
            said = {name: head.apply(params[name], embeddings) for name, head in heads}
            return loss(options, said, seen, original.reshape(-1, n_features), views.original)

        return Method(init, loss_of)

    return make


def denoising_loss(
    options: DenoisingConfig, said: dict[str, Rows], seen: Rows, original: Rows, batch: Profiles
) -> Loss:
    """Squared error over all entries, or over those that the augmentation changed."""
    counted = (seen != original).astype(jnp.float32) if options.target == "changed" else None
    value = squared_error(said["decoder"], original, counted)
    means = batch.mean(axis=0, keepdims=True)  # all that is known by who has learnt nothing
    chance = squared_error(jnp.broadcast_to(means, original.shape), original, counted)
    return value, {"loss_ratio": value / jnp.maximum(chance, 1e-12)}


def vime_loss(
    options: VimeConfig, said: dict[str, Rows], seen: Rows, original: Rows, batch: Profiles
) -> Loss:
    """Cross-entropy of the mask plus alpha times the squared error of the values, over all views.

    An entry counts as corrupted if its value changed, as in the paper's code. Who knows nothing
    knows the share of corrupted entries and the batch's means.
    """
    changed = (seen != original).astype(jnp.float32)
    mask_loss = optax.sigmoid_binary_cross_entropy(said["mask"], changed).mean()
    values_loss = squared_error(said["values"], original)
    value = mask_loss + options.alpha * values_loss
    share = changed.mean()
    chance = entr(share) + entr(1 - share) + options.alpha * batch.var(axis=0).mean()
    return value, {
        "mask_loss": mask_loss,
        "values_loss": values_loss,
        "loss_ratio": value / chance,
    }


DENOISING = Recipe(
    DenoisingConfig,
    on_heads(decoder, denoising_loss),
    {"augment.noise": NOISES, "method.decoder_hidden": (0, 256)},
    views={"n_views": 1},
)
VIME = Recipe(
    VimeConfig,
    on_heads(estimators, vime_loss),
    {"augment.mask_rate": (0.15, 0.3, 0.5), "method.alpha": (2.0, 10.0)},
    views=REDRAWN | {"mask_rate": 0.3},  # the paper's
)
