"""VICReg: views alike, dimensions alive and uncorrelated (Bardes et al. 2022, arXiv 2105.04906).

Means and sums are those of the authors' code. Parameters: `encoder` and `projection`.
"""

from itertools import combinations
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxssl.bounds import Positive, Weight, optionclass
from jaxssl.methods.interface import NOISES, Batch, Recipe
from jaxssl.methods.losses import spread, squared_error
from jaxssl.methods.stack import ProjectedConfig, Stack, on_stack, project
from jaxssl.types import Metrics, Params

LEAST_SD = 1.0  # that the variance term asks of every dimension
VARIANCE_EPSILON = 1e-4


@optionclass
class VICRegConfig(ProjectedConfig):
    """Options of VICReg: the weights of its three terms."""

    name: ClassVar[str] = "vicreg"
    projection_dim: Positive = 256
    invariance: Weight = 25.0
    variance: Weight = 25.0
    covariance: Weight = 1.0


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


def loss(
    options: VICRegConfig, stack: Stack, params: Params, batch: Batch
) -> tuple[Float[Array, ""], Metrics]:
    """The three terms, weighed; the variance term averaged over views, the covariances summed.

    Metrics: loss, its terms invariance, variance (1: every dimension is dead) and covariance before
    they are weighed, and projection_spread (0: collapsed).
    """
    z = project(stack, params, batch.views.x)
    pairs = combinations(range(len(z)), 2)
    invariance = jnp.stack([squared_error(z[i], z[j]) for i, j in pairs]).mean()
    variance = jnp.stack([variance_term(view) for view in z]).mean()
    covariance = 2 * jnp.stack([covariance_term(view) for view in z]).mean()
    value = (
        options.invariance * invariance
        + options.variance * variance
        + options.covariance * covariance
    )
    return value, {
        "loss": value,
        "invariance": invariance,
        "variance": variance,
        "covariance": covariance,
        "projection_spread": spread(z),
    }


RECIPE = Recipe(
    VICRegConfig, on_stack(loss), {"augment.noise": NOISES, "method.covariance": (1.0, 10.0)}
)
