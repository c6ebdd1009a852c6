"""Barlow Twins: dimensions correlate with themselves alone (Zbontar et al. 2021, 2103.03230).

Parameters: `encoder` and `projection`.
"""

from functools import partial
from itertools import combinations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxssl.methods.interface import Extent, Method, Step
from jaxssl.methods.losses import spread
from jaxssl.methods.stack import Stack, init_alone, make_stack, project
from jaxssl.model import Network
from jaxssl.options import BarlowTwinsConfig
from jaxssl.types import Metrics, Params, Views

SD_EPSILON = 1e-5  # added to variances: a dead dimension correlates with nothing


def barlow_twins(options: BarlowTwinsConfig, encoder: Network, extent: Extent) -> Method:
    """Barlow Twins as a `Method`.

    Metrics of `loss`: loss, self_correlation (mean over the dimensions, between views; 0: nothing
    in common), off_diagonal (mean squared correlation of different dimensions) and
    projection_spread (0: collapsed).
    """
    del extent
    stack = make_stack(options, encoder)
    return Method(init=partial(init_alone, stack), loss=partial(loss, options, stack))


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
    options: BarlowTwinsConfig,
    stack: Stack,
    params: Params,
    memory: PyTree,
    step: Step,
    key: PRNGKeyArray,
    views: Views,
) -> tuple[Float[Array, ""], Metrics]:
    """Squared distance of the cross-correlation from the identity, off the diagonal weighed."""
    del memory, step, key
    z = project(stack, params, views.x)
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
