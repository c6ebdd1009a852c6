"""What a step of a pretraining has to do at least, and how long that takes a GPU on paper."""

from itertools import pairwise
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxssl.config import Config, resolve
from jaxssl.engine.footprint import FREE_SHARE, plan_memory
from jaxssl.engine.pretrain import Plan, plan_pretraining
from jaxssl.types import Member, Pool

from .timing import Bench, Row


def work_of_step(plan: Plan, batch_size: int, n_samples: int, n_features: int) -> tuple[int, int]:
    """Floating-point operations and bytes of a step of one seed, from the shapes of the parameters.

    Adam reads parameters, gradients and two moments and writes all but the gradients: 7 arrays.
    The gradients are written and the weights read forward and backward: 3. The views are written
    once and read by two products: 3.
    """
    x: Any = jax.ShapeDtypeStruct((n_samples, n_features), np.float32)
    member = Member(jax.random.key(0), {})
    params = jax.eval_shape(plan.trainer.init, member, Pool(x, {})).params
    widths = (n_features, *(len(layer["dense"]["bias"]) for layer in params["encoder"].values()))
    n_prototypes = len(params["prototypes"]["head_0"])
    n_params = sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(params))
    rows = 2 * batch_size
    traffic = 4 * (n_params * (7 + 3) + rows * n_features * 3)
    return step_flops(widths, n_prototypes, rows), traffic


def step_flops(widths: tuple[int, ...], n_prototypes: int, rows: int) -> int:
    """Multiplications and additions of a step's matrix products: forward, backward, codes.

    `widths` are of the input and of every layer, `rows` views times batch; one head, no projection.
    """
    products = [a * b for a, b in pairwise(widths)]
    # forward, gradient of the weights, gradient of the input, which the first layer does not need
    return 2 * rows * (3 * (sum(products) + widths[-1] * n_prototypes) - products[0])


class Card(NamedTuple):
    """A GPU's limits, from its data sheet; no program reaches them."""

    memory_gb: float
    flops_per_s: float  # float32, no tensor cores: `precision="float32"` uses none
    bytes_per_s: float


CARDS = {
    "NVIDIA A100, 80 GB": Card(80, 19.5e12, 2.04e12),
    "NVIDIA GTX Titan X, 12 GB (the paper's)": Card(12, 6.7e12, 0.336e12),
}


def measure(_: Bench, card: str, n_samples: int, n_features: int, n_seeds: int) -> Row:
    """Seeds that fit, milliseconds a step of one seed, hours of the whole pretraining.

    A step takes its matrix products at the card's float32 rate, or its least traffic at the card's
    bandwidth, whichever is longer.
    """
    limits, config = CARDS[card], Config()
    config.normalize.input = "genes"
    config = resolve(config, n_samples)
    plan = plan_pretraining(config, n_samples, n_features, n_seeds)
    flops, traffic = work_of_step(plan, config.pretrain.batch_size, n_samples, n_features)
    usable_gb = FREE_SHARE * limits.memory_gb  # as a run would take
    memory = plan_memory(plan.memory.footprint, n_seeds, usable_gb, n_devices=1, vectorized=True)
    compute, move = flops / limits.flops_per_s, traffic / limits.bytes_per_s
    seconds = max(compute, move)
    return {
        "seeds_at_once": memory.chunk,
        "bound_by": "products" if compute > move else "memory",
        "ms_a_step": 1e3 * seconds,
        "steps": plan.schedule.n_steps,
        "hours_for_all_seeds": seconds * plan.schedule.n_steps * n_seeds / 3600,
    }
