"""What a step of a pretraining has to do at least, and how long that takes a GPU on paper."""

from itertools import pairwise
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxssl.config import Config, resolve
from jaxssl.engine.footprint import FREE_SHARE, plan_memory
from jaxssl.engine.planning import Plan, plan_pretraining
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


LAUNCHES = 150 * 2e-6
"""Seconds that the small operations of a step take to start, of all seeds together: some 150."""


class Card(NamedTuple):
    """A GPU's limits, from its data sheet; no program reaches them."""

    memory_gb: float
    flops_per_s: float  # float32, no tensor cores: `precision="float32"` uses none
    bytes_per_s: float


CARDS = {
    "NVIDIA H100, 80 GB": Card(80, 67e12, 3.35e12),
    "NVIDIA A100, 80 GB": Card(80, 19.5e12, 2.04e12),
    "NVIDIA GTX Titan X, 12 GB (the paper's)": Card(12, 6.7e12, 0.336e12),
}


def measure(_: Bench, card: str, n_samples: int, n_features: int, n_seeds: int) -> Row:
    """Seeds that fit, milliseconds a step of one seed, seconds of a study's networks.

    A step takes its matrix products at the card's float32 rate, its least traffic at the card's
    bandwidth, or the launches of its operations, whichever is longest. Fits are of `scratch` and
    the pretrained encoder at every share of the default; their heads are left out.
    """
    limits, config = CARDS[card], Config()
    config.normalize.input = "genes"
    config = resolve(config, n_samples)
    plan = plan_pretraining(config, n_samples, n_features, n_seeds)
    flops, traffic = work_of_step(plan, config.pretrain.batch_size, n_samples, n_features)
    usable_gb = FREE_SHARE * limits.memory_gb  # as a run would take
    memory = plan_memory(plan.memory.footprint, n_seeds, usable_gb, n_devices=1, vectorized=True)
    needs = {
        "products": flops / limits.flops_per_s,
        "memory": traffic / limits.bytes_per_s,
        "launches": LAUNCHES / memory.chunk,
    }
    bound_by = max(needs, key=lambda need: needs[need])
    tuning, widths = config.finetune, (n_features, *config.encoder.hidden)
    of_fit = step_flops(widths, 0, tuning.batch_size) / limits.flops_per_s
    n_fitted = len(config.sweep.shares) * (tuning.scratch_steps + tuning.n_steps)
    return {
        "seeds_at_once": memory.chunk,
        "bound_by": bound_by,
        "ms_a_step": 1e3 * needs[bound_by],
        "steps": plan.schedule.n_steps,
        "pretraining_s": needs[bound_by] * plan.schedule.n_steps * n_seeds,
        "fits_s": max(of_fit, needs["launches"]) * n_fitted * n_seeds,
    }


DISK, HOST = 2e9, 0.5e12
"""Bytes a second of a solid-state disk, and float32 operations of a host with some cores."""
LINKS = {"NVLink": 450e9, "network, 400 Gbit/s": 50e9}
"""Bytes a second that a card sends to another: of its own host, of another one."""
READS = 20
"""How often an out-of-core run reads its file: checks, hash, twins, moments, components."""
AXES_PASSES, AXES_WIDTH = 5, 120
"""Of the components: products with all samples, forth and back, and of how many vectors."""


def measure_hosts(
    _: Bench, card: str, link: str, n_samples: int, n_genes: int, n_seeds: int, n_cards: int
) -> Row:
    """Minutes to read and condition a file, and of a pretraining on several cards.

    Seeds side by side exchange nothing. Where the rows of one seed are split over the cards, they
    add up the gradients of all parameters at every step: each sends and receives twice these bytes.
    """
    limits, config = CARDS[card], resolve(Config(), n_samples, n_genes)
    bytes_read, per_pass = 4 * n_samples * n_genes, 2 * 2 * n_samples * n_genes * AXES_WIDTH
    row: Row = {
        "file_gb": bytes_read / 1e9,
        "reading_min": READS * bytes_read / DISK / 60,
        "components_min": AXES_PASSES * per_pass / HOST / 60,
    }
    for name, width in (("components", config.normalize.n_components), ("genes", n_genes)):
        plan = plan_pretraining(config, n_samples, width, n_seeds)
        flops, traffic = work_of_step(plan, config.pretrain.batch_size, n_samples, width)
        alone = max(flops / limits.flops_per_s, traffic / limits.bytes_per_s)
        state = plan.memory.footprint.per_seed / 3  # parameters, beside two moments of Adam
        exchange = 2 * (n_cards - 1) / n_cards * state / LINKS[link]
        on_one_card = max(alone * -(-n_seeds // n_cards), LAUNCHES)
        row |= {
            f"{name}_features_gb": 4 * n_samples * width / 1e9,
            f"{name}_pretraining_s": on_one_card * plan.schedule.n_steps,
            f"{name}_rows_split_times": alone / (alone / n_cards + exchange),
        }
    return row
