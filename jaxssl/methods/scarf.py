"""SCARF: tell a profile's corrupted copy from those of all others (Bahri et al. 2021, 2106.15147).

The corruption is the augmentation: features of a random share redrawn from their training
marginals, sample by sample. Parameters: `encoder` and `projection`.
"""

from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxssl.bounds import Temperature, optionclass
from jaxssl.methods.interface import REDRAWN, Batch, Recipe
from jaxssl.methods.losses import l2_normalize, nt_xent, nt_xent_of_chance, spread
from jaxssl.methods.stack import ProjectedConfig, Stack, on_stack, project
from jaxssl.types import Metrics, Params


@optionclass
class ScarfConfig(ProjectedConfig):
    """Options of SCARF.

    NT-Xent over both directions, where the paper's loss has the profiles alone as anchors; every
    feature is redrawn on its own, where the paper redraws a fixed number.
    """

    MIN_VIEWS: ClassVar[int] = 1
    NEEDS_CHANGE: ClassVar[bool] = True
    name: ClassVar[str] = "scarf"
    temperature: Temperature = 1.0


def loss(
    options: ScarfConfig, stack: Stack, params: Params, batch: Batch
) -> tuple[Float[Array, ""], Metrics]:
    """NT-Xent between the profile as it is and every view.

    Metrics: loss, loss_ratio (of the loss where all profiles are alike; 1: collapsed) and
    projection_spread (of `losses.spread`; 0: collapsed).
    """
    views = batch.views
    z = l2_normalize(project(stack, params, jnp.concatenate([views.original[None], views.x])))
    losses = [nt_xent(z[0], corrupted, options.temperature) for corrupted in z[1:]]
    value = jnp.stack(losses).mean()
    chance = nt_xent_of_chance(z.shape[1])
    return value, {"loss": value, "loss_ratio": value / chance, "projection_spread": spread(z)}


RECIPE = Recipe(
    ScarfConfig,
    on_stack(loss),
    {"augment.mask_rate": (0.3, 0.5, 0.6), "method.temperature": (0.5, 1.0)},
    views=REDRAWN | {"mask_rate": 0.6},  # the paper's
)
