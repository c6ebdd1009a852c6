"""VIME: what was corrupted, and what was there before (Yoon et al. 2020, NeurIPS 33).

The corruption is the augmentation: features of a random share redrawn from their training
marginals, sample by sample and anew at every step. Parameters: `encoder`, and the linear `mask` and
`values` estimators.
"""

from collections.abc import Collection
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxssl.bounds import Weight, optionclass
from jaxssl.methods.interface import REDRAWN, Batch, Method, MethodConfig, Recipe, Training
from jaxssl.methods.losses import squared_error
from jaxssl.methods.stack import init_heads
from jaxssl.model import Network, make_projection
from jaxssl.types import InputError, Metrics, Params


@optionclass
class VimeConfig(MethodConfig):
    """Options of VIME."""

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
                "pass `augment.noise=0` and `augment.latent_radius=0`",
            )


def vime(options: VimeConfig, training: Training) -> Method:
    """VIME as a `Method`; it remembers nothing."""
    encoder = training.encoder

    def init(key: PRNGKeyArray, x: Float[Array, "batch features"]) -> tuple[Params, PyTree]:
        estimator = _estimator(encoder, x.shape[1])
        return init_heads(encoder, {"mask": estimator, "values": estimator}, key, x), {}

    return Method(init, partial(loss, options, encoder))


def _estimator(encoder: Network, n_features: int) -> Network:
    return make_projection("linear", 0, n_features, encoder.precision)


def loss(
    options: VimeConfig, encoder: Network, params: Params, batch: Batch
) -> tuple[Float[Array, ""], Metrics]:
    """Cross-entropy of the mask plus alpha times the squared error of the values, over all views.

    An entry counts as corrupted if its value changed, as in the paper's code. Metrics: loss,
    mask_loss (nats an entry), values_loss and loss_ratio (of the loss of who knows but the share of
    corrupted entries and the batch's means; 1: nothing is learnt).
    """
    views = batch.views
    n_features = views.x.shape[2]
    corrupted = views.x.reshape(-1, n_features)
    original = jnp.broadcast_to(views.original[None], views.x.shape).reshape(-1, n_features)
    changed = (corrupted != original).astype(jnp.float32)
    embeddings = encoder.apply(params["encoder"], corrupted)
    estimate = _estimator(encoder, n_features).apply
    logits, values = estimate(params["mask"], embeddings), estimate(params["values"], embeddings)
    mask_loss = optax.sigmoid_binary_cross_entropy(logits, changed).mean()
    values_loss = squared_error(values, original)
    value = mask_loss + options.alpha * values_loss
    chance = _binary_entropy(changed.mean()) + options.alpha * views.original.var(axis=0).mean()
    return value, {
        "loss": value,
        "mask_loss": mask_loss,
        "values_loss": values_loss,
        "loss_ratio": value / chance,
    }


def _binary_entropy(p: Float[Array, ""]) -> Float[Array, ""]:
    return jax.scipy.special.entr(p) + jax.scipy.special.entr(1 - p)


RECIPE = Recipe(
    VimeConfig,
    vime,
    {"augment.mask_rate": (0.15, 0.3, 0.5), "method.alpha": (2.0, 10.0)},
    views=REDRAWN | {"mask_rate": 0.3},  # the paper's
)
