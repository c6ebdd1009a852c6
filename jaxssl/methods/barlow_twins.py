"""Barlow Twins: dimensions correlate with themselves alone (Zbontar et al. 2021, 2103.03230).

Parameters: `encoder` and `projection`.
"""

from itertools import combinations
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxssl.bounds import Positive, Weight, optionclass
from jaxssl.methods.interface import NOISES, Batch, Recipe
from jaxssl.methods.losses import spread
from jaxssl.methods.stack import ProjectedConfig, Stack, on_stack, project
from jaxssl.types import Metrics, Params

SD_EPSILON = 1e-5  # added to variances: a dead dimension correlates with nothing


@optionclass
class BarlowTwinsConfig(ProjectedConfig):
    """Options of Barlow Twins."""

    name: ClassVar[str] = "barlow_twins"
    projection_dim: Positive = 256
    redundancy: Weight = 5e-3  # weight of the correlations off the diagonal


def cross_correlation(
    first: Float[Array, "batch dim"], second: Float[Array, "batch dim"]
) -> Float[Array, "dim dim"]:
    """Correlation over the batch of every dimension of one view with every one of the other."""
    first, second = _standardize(first), _standardize(second)
    return jnp.matmul(first.T, second, precision="highest") / len(first)


def _standardize(z: Float[Array, "batch dim"]) -> Float[Array, "batch dim"]:
    centred = z - z.mean(axis=0, keepdims=True)
    return centred * jax.lax.rsqrt(z.var(axis=0, keepdims=True) + SD_EPSILON)


def loss(
    options: BarlowTwinsConfig, stack: Stack, params: Params, batch: Batch
) -> tuple[Float[Array, ""], Metrics]:
    """Squared distance of the cross-correlation from the identity, off the diagonal weighed.

    Metrics: loss, self_correlation (mean over the dimensions, between views; 0: nothing in common),
    off_diagonal (mean squared correlation of different dimensions) and projection_spread (0:
    collapsed).
    """
    z = project(stack, params, batch.views.x)
    dim = z.shape[2]
    matrices = jnp.stack([cross_correlation(a, b) for a, b in combinations(z, 2)])
    diagonal = jnp.diagonal(matrices, axis1=1, axis2=2)
    off_diagonal = jnp.sum(matrices**2, axis=(1, 2)) - jnp.sum(diagonal**2, axis=1)
    on_diagonal = jnp.sum((1 - diagonal) ** 2, axis=1)
    value = jnp.mean(on_diagonal + options.redundancy * off_diagonal)
    return value, {
        "loss": value,
        "self_correlation": diagonal.mean(),
        "off_diagonal": off_diagonal.mean() / (dim * (dim - 1)),
        "projection_spread": spread(z),
    }


RECIPE = Recipe(
    BarlowTwinsConfig, on_stack(loss), {"augment.noise": NOISES, "method.redundancy": (5e-3, 5e-2)}
)
