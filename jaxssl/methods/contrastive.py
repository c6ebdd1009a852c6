"""SimCLR and SCARF: tell a sample's other view from all other samples, by NT-Xent.

Parameters: `encoder` and `projection`.
"""

from collections.abc import Iterable
from itertools import combinations
from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxssl.bounds import Temperature, optionclass
from jaxssl.methods.augment import NOISES, REDRAWN
from jaxssl.methods.interface import Batch, Loss, Recipe
from jaxssl.methods.losses import nt_xent, nt_xent_of_chance, spread
from jaxssl.methods.stack import ProjectedConfig, Stack, on_stack
from jaxssl.types import Params


@optionclass
class SimCLRConfig(ProjectedConfig):
    """Options of SimCLR (Chen et al. 2020, arXiv 2002.05709)."""

    name: ClassVar[str] = "simclr"
    temperature: Temperature = 0.5
    decoupled: bool = False  # the positive left out of the denominator: arXiv 2110.06848


@optionclass
class ScarfConfig(ProjectedConfig):
    """Options of SCARF (Bahri et al. 2021, arXiv 2106.15147).

    The corruption is the augmentation: features of a random share redrawn from their training
    marginals, sample by sample. NT-Xent over both directions, where the paper's loss has the
    profiles alone as anchors; every feature is redrawn on its own, where the paper redraws a fixed
    number.
    """

    MIN_VIEWS: ClassVar[int] = 1
    NEEDS_CHANGE: ClassVar[bool] = True
    name: ClassVar[str] = "scarf"
    temperature: Temperature = 1.0


def simclr_loss(options: SimCLRConfig, stack: Stack, params: Params, batch: Batch) -> Loss:
    """NT-Xent of every pair of views."""
    z = stack.embed(params, batch.views.x)
    pairs = combinations(range(len(z)), 2)
    return contrast(z, pairs, options.temperature, options.decoupled, copies_of(batch))


def scarf_loss(options: ScarfConfig, stack: Stack, params: Params, batch: Batch) -> Loss:
    """NT-Xent between the profile as it is and every view."""
    views = jnp.concatenate([batch.views.original[None], batch.views.x])
    z = stack.embed(params, views)
    pairs = ((0, i) for i in range(1, len(z)))
    return contrast(z, pairs, options.temperature, index=copies_of(batch))


def copies_of(batch: Batch) -> Int[Array, " batch"] | None:
    """The sample of every row, where one may stand there twice: in a batch of a small cohort."""
    return None if batch.cohort is None else batch.views.index


def contrast(
    z: Float[Array, "views batch dim"],
    pairs: Iterable[tuple[int, int]],
    temperature: float | Float[Array, ""],
    decoupled: bool = False,
    index: Int[Array, " batch"] | None = None,
) -> Loss:
    """Mean NT-Xent over pairs of views."""
    losses = [nt_xent(z[i], z[j], temperature, decoupled, index) for i, j in pairs]
    value = jnp.stack(losses).mean()
    chance = nt_xent_of_chance(z.shape[1], decoupled)
    return value, {"loss_ratio": value / chance, "projection_spread": spread(z)}


SIMCLR = Recipe(
    SimCLRConfig, on_stack(simclr_loss), {"augment.noise": NOISES, "method.temperature": (0.1, 0.5)}
)
SCARF = Recipe(
    ScarfConfig,
    on_stack(scarf_loss),
    {"augment.mask_rate": (0.3, 0.5, 0.6), "method.temperature": (0.5, 1.0)},
    views=REDRAWN | {"mask_rate": 0.6},  # the paper's
)
