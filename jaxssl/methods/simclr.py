"""SimCLR: tell a sample's other view from all other samples (Chen et al. 2020, arXiv 2002.05709).

Parameters: `encoder` and `projection`.
"""

from itertools import combinations
from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxssl.bounds import Temperature, optionclass
from jaxssl.methods.interface import NOISES, Batch, Recipe
from jaxssl.methods.losses import l2_normalize, nt_xent, nt_xent_of_chance, spread
from jaxssl.methods.stack import ProjectedConfig, Stack, on_stack, project
from jaxssl.types import Metrics, Params


@optionclass
class SimCLRConfig(ProjectedConfig):
    """Options of SimCLR."""

    name: ClassVar[str] = "simclr"
    temperature: Temperature = 0.5
    decoupled: bool = False  # the positive left out of the denominator: arXiv 2110.06848


def loss(
    options: SimCLRConfig, stack: Stack, params: Params, batch: Batch
) -> tuple[Float[Array, ""], Metrics]:
    """NT-Xent of every pair of views.

    Metrics: loss, loss_ratio (of the loss where all views are alike; 1: collapsed) and
    projection_spread (of `losses.spread`; 0: collapsed).
    """
    z = l2_normalize(project(stack, params, batch.views.x))
    pairs = combinations(range(len(z)), 2)
    losses = [nt_xent(z[i], z[j], options.temperature, options.decoupled) for i, j in pairs]
    value = jnp.stack(losses).mean()
    chance = nt_xent_of_chance(z.shape[1], options.decoupled)
    return value, {"loss": value, "loss_ratio": value / chance, "projection_spread": spread(z)}


RECIPE = Recipe(
    SimCLRConfig, on_stack(loss), {"augment.noise": NOISES, "method.temperature": (0.1, 0.5)}
)
