"""SimCLR: tell a sample's other view from all other samples (Chen et al. 2020, arXiv 2002.05709).

Parameters: `encoder` and `projection`.
"""

from functools import partial
from itertools import combinations

import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxssl.methods.interface import Extent, Method, Step
from jaxssl.methods.losses import l2_normalize, nt_xent, nt_xent_of_chance, spread
from jaxssl.methods.stack import Stack, init_alone, make_stack, project
from jaxssl.model import Network
from jaxssl.options import SimCLRConfig
from jaxssl.types import Metrics, Params, Views


def simclr(options: SimCLRConfig, encoder: Network, extent: Extent) -> Method:
    """SimCLR as a `Method`.

    Metrics of `loss`: loss, loss_ratio (of the loss where all views are alike; 1: collapsed) and
    projection_spread (of `losses.spread`; 0: collapsed).
    """
    del extent
    stack = make_stack(options, encoder)
    return Method(init=partial(init_alone, stack), loss=partial(loss, options, stack))


def loss(
    options: SimCLRConfig,
    stack: Stack,
    params: Params,
    memory: PyTree,
    step: Step,
    key: PRNGKeyArray,
    views: Views,
) -> tuple[Float[Array, ""], Metrics]:
    """NT-Xent of every pair of views."""
    del memory, step, key
    z = l2_normalize(project(stack, params, views.x))
    pairs = combinations(range(len(z)), 2)
    losses = [nt_xent(z[i], z[j], options.temperature, options.decoupled) for i, j in pairs]
    value = jnp.stack(losses).mean()
    chance = nt_xent_of_chance(z.shape[1], options.decoupled)
    return value, {"loss": value, "loss_ratio": value / chance, "projection_spread": spread(z)}
