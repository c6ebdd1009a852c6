"""What a GPU could do at best, on paper: 50 seeds of the study's full width on two cards.

The step's matrix products at the card's float32 rate, or its least traffic at the card's bandwidth,
whichever is longer. Rates are the makers' figures; no program reaches them.
"""

from typing import NamedTuple

from jaxssl.config import Config, resolve
from jaxssl.engine.footprint import FREE_SHARE, plan_memory
from jaxssl.engine.pretrain import plan_pretraining
from launch.benchmark.section import Column, Row, Section
from launch.benchmark.work import work_of_step


class Card(NamedTuple):
    """A GPU's limits, from its data sheet."""

    name: str
    memory_gb: float
    flops_per_s: float  # float32, no tensor cores: `precision="float32"` uses none
    bytes_per_s: float


class Case(NamedTuple):
    """One card and one size."""

    card: Card
    n_samples: int
    n_features: int
    n_seeds: int


CARDS = (
    Card("NVIDIA A100, 80 GB", 80, 19.5e12, 2.04e12),
    Card("NVIDIA GTX Titan X, 12 GB (the study's)", 12, 6.7e12, 0.336e12),
)
QUICK = tuple(Case(card, 6_546, 57_387, 50) for card in CARDS)
FULL = QUICK


def measure(case: Case) -> Row:
    """One row: seeds that fit, milliseconds a step of one seed, hours of the whole pretraining."""
    config = Config()
    config.normalize.input = "genes"
    config = resolve(config, case.n_samples)
    plan = plan_pretraining(config, case.n_samples, case.n_features, case.n_seeds)
    step = work_of_step(plan, config.pretrain.batch_size, case.n_samples, case.n_features)
    usable_gb = FREE_SHARE * case.card.memory_gb  # as a run would take
    footprint = plan.memory.footprint
    memory = plan_memory(footprint, case.n_seeds, usable_gb, n_devices=1, vectorized=True)
    compute, move = step.flops / case.card.flops_per_s, step.traffic / case.card.bytes_per_s
    seconds = max(compute, move)
    return {
        "card": case.card.name,
        "seeds_at_once": memory.chunk,
        "bound_by": "products" if compute > move else "memory",
        "ms_a_step": 1e3 * seconds,
        "steps": plan.schedule.n_steps,
        "hours_for_all_seeds": seconds * plan.schedule.n_steps * case.n_seeds / 3600,
    }


COLUMNS = (
    Column("card", "card"),
    Column("seeds at once", "seeds_at_once"),
    Column("bound by", "bound_by"),
    Column("ms a step and seed", "ms_a_step", ".1f"),
    Column("steps", "steps", ","),
    Column("hours, 50 seeds", "hours_for_all_seeds", ".2f"),
)
SECTION = Section(COLUMNS, QUICK, FULL, lambda case, bench: measure(case))
