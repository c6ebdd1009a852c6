"""VICReg: views alike, dimensions alive and uncorrelated (Bardes et al. 2022, arXiv 2105.04906).

Parameters: `encoder` and `projection`.
"""

from functools import partial
from itertools import combinations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxssl.methods.interface import Extent, Method, Step
from jaxssl.methods.losses import spread, squared_error
from jaxssl.methods.stack import Stack, init_alone, make_stack, project
from jaxssl.model import Network
from jaxssl.options import VICRegConfig
from jaxssl.types import Metrics, Params, Views

LEAST_SD = 1.0  # that the variance term asks of every dimension
VARIANCE_EPSILON = 1e-4


def vicreg(options: VICRegConfig, encoder: Network, extent: Extent) -> Method:
    """VICReg as a `Method`.

    Metrics of `loss`: loss, its terms invariance, variance (1: every dimension is dead) and
    covariance before they are weighed, and projection_spread (0: collapsed).
    """
    del extent
    stack = make_stack(options, encoder)
    return Method(init=partial(init_alone, stack), loss=partial(loss, options, stack))


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
    options: VICRegConfig,
    stack: Stack,
    params: Params,
    memory: PyTree,
    step: Step,
    key: PRNGKeyArray,
    views: Views,
) -> tuple[Float[Array, ""], Metrics]:
    """The three terms, weighed; the variance term averaged over views, the covariances summed."""
    del memory, step, key
    z = project(stack, params, views.x)
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
        **{"loss": value, "invariance": invariance, "variance": variance},
        **{"covariance": covariance, "projection_spread": spread(z)},
    }
