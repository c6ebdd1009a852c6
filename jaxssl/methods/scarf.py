"""SCARF: tell a profile's corrupted copy from those of all others (Bahri et al. 2021, 2106.15147).

The corruption is the augmentation: features of a random share redrawn from their training
marginals, sample by sample. Parameters: `encoder` and `projection`.
"""

from functools import partial

import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxssl.methods.interface import Extent, Method, Step
from jaxssl.methods.losses import l2_normalize, nt_xent, nt_xent_of_chance, spread
from jaxssl.methods.stack import Stack, init_alone, make_stack, project
from jaxssl.model import Network
from jaxssl.options import ScarfConfig
from jaxssl.types import Metrics, Params, Views


def scarf(options: ScarfConfig, encoder: Network, extent: Extent) -> Method:
    """SCARF as a `Method`.

    Metrics of `loss`: loss, loss_ratio (of the loss where all profiles are alike; 1: collapsed) and
    projection_spread (of `losses.spread`; 0: collapsed).
    """
    del extent
    stack = make_stack(options, encoder)
    return Method(init=partial(init_alone, stack), loss=partial(loss, options, stack))


def loss(
    options: ScarfConfig,
    stack: Stack,
    params: Params,
    memory: PyTree,
    step: Step,
    key: PRNGKeyArray,
    views: Views,
) -> tuple[Float[Array, ""], Metrics]:
    """NT-Xent between the profile as it is and every view."""
    del memory, step, key
    z = l2_normalize(project(stack, params, jnp.concatenate([views.original[None], views.x])))
    losses = [nt_xent(z[0], corrupted, options.temperature) for corrupted in z[1:]]
    value = jnp.stack(losses).mean()
    chance = nt_xent_of_chance(z.shape[1])
    return value, {"loss": value, "loss_ratio": value / chance, "projection_spread": spread(z)}
