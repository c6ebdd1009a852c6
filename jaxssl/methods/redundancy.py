"""VICReg and Barlow Twins: views alike, dimensions alive and unlike each other.

Parameters: `encoder` and `projection`.
"""

from itertools import combinations
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxssl.bounds import Positive, Weight, optionclass
from jaxssl.methods.augment import NOISES
from jaxssl.methods.interface import Batch, Loss, Recipe
from jaxssl.methods.losses import spread, squared_error
from jaxssl.methods.stack import ProjectedConfig, Stack, on_stack
from jaxssl.types import Params

LEAST_SD = 1.0  # that VICReg's variance term asks of every dimension
VARIANCE_EPSILON = 1e-4
SD_EPSILON = 1e-5  # added to variances: a dead dimension correlates with nothing


@optionclass
class VICRegConfig(ProjectedConfig):
    """Options of VICReg: the weights of its three terms (Bardes et al. 2022, arXiv 2105.04906)."""

    name: ClassVar[str] = "vicreg"
    projection_dim: Positive = 256
    invariance: Weight = 25.0
    variance: Weight = 25.0
    covariance: Weight = 1.0


@optionclass
class BarlowTwinsConfig(ProjectedConfig):
    """Options of Barlow Twins (Zbontar et al. 2021, arXiv 2103.03230)."""

    name: ClassVar[str] = "barlow_twins"
    projection_dim: Positive = 256
    redundancy: Weight = 5e-3  # weight of the correlations off the diagonal


def vicreg_loss(options: VICRegConfig, stack: Stack, params: Params, batch: Batch) -> Loss:
    """The three terms, weighed; the variance term averaged over views, the covariances summed.

    Means and sums are those of the authors' code. Metrics are the terms before they are weighed,
    too; variance 1: every dimension is dead.
    """
    z = stack.project(params, batch.views.x)
    pairs = combinations(range(len(z)), 2)
    terms = {
        "invariance": jnp.stack([squared_error(z[i], z[j]) for i, j in pairs]).mean(),
        "variance": jnp.stack([variance_term(view) for view in z]).mean(),
        "covariance": 2 * jnp.stack([covariance_term(view) for view in z]).mean(),
    }
    value = (
        options.invariance * terms["invariance"]
        + options.variance * terms["variance"]
        + options.covariance * terms["covariance"]
    )
    return value, {**terms, "projection_spread": spread(z)}


def variance_term(z: Float[Array, "batch dim"]) -> Float[Array, ""]:
    """By how much the standard deviation of a dimension falls short of 1, mean over dimensions."""
    sd = jnp.sqrt(z.var(axis=0, ddof=1) + VARIANCE_EPSILON)
    return jnp.mean(jax.nn.relu(LEAST_SD - sd))


def covariance_term(z: Float[Array, "batch dim"]) -> Float[Array, ""]:
    """Sum of the squared covariances between different dimensions, by the number of dimensions."""
    centred = z - z.mean(axis=0, keepdims=True)
    covariance = jnp.matmul(centred.T, centred, precision="highest") / (len(z) - 1)
    off_diagonal = covariance - jnp.diag(jnp.diagonal(covariance))
    return jnp.sum(off_diagonal**2) / z.shape[1]


def barlow_twins_loss(
    options: BarlowTwinsConfig, stack: Stack, params: Params, batch: Batch
) -> Loss:
    """Squared distance of the cross-correlation from the identity, off the diagonal weighed.

    Metrics: self_correlation (mean over the dimensions, between views; 0: nothing in common) and
    off_diagonal (mean squared correlation of different dimensions).
    """
    z = stack.project(params, batch.views.x)
    dim = z.shape[2]
    matrices = jnp.stack([cross_correlation(a, b) for a, b in combinations(z, 2)])
    diagonal = jnp.diagonal(matrices, axis1=1, axis2=2)
    off_diagonal = jnp.sum(matrices**2, axis=(1, 2)) - jnp.sum(diagonal**2, axis=1)
    on_diagonal = jnp.sum((1 - diagonal) ** 2, axis=1)
    value = jnp.mean(on_diagonal + options.redundancy * off_diagonal)
    return value, {
        "self_correlation": diagonal.mean(),
        "off_diagonal": off_diagonal.mean() / (dim * (dim - 1)),
        "projection_spread": spread(z),
    }


def cross_correlation(
    first: Float[Array, "batch dim"], second: Float[Array, "batch dim"]
) -> Float[Array, "dim dim"]:
    """Correlation over the batch of every dimension of one view with every one of the other."""
    first, second = _standardize(first), _standardize(second)
    return jnp.matmul(first.T, second, precision="highest") / len(first)


def _standardize(z: Float[Array, "batch dim"]) -> Float[Array, "batch dim"]:
    centred = z - z.mean(axis=0, keepdims=True)
    return centred * jax.lax.rsqrt(z.var(axis=0, keepdims=True) + SD_EPSILON)


VICREG = Recipe(
    VICRegConfig, on_stack(vicreg_loss), {"augment.noise": NOISES, "method.covariance": (1.0, 10.0)}
)
BARLOW_TWINS = Recipe(
    BarlowTwinsConfig,
    on_stack(barlow_twins_loss),
    {"augment.noise": NOISES, "method.redundancy": (5e-3, 5e-2)},
)
