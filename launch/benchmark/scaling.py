"""How wall time grows with seeds, genes and steps: exponents of a power law, 1 for linear."""

from typing import Any, NamedTuple

import numpy as np

from launch.benchmark import pretraining
from launch.benchmark.machine import Limits
from launch.benchmark.references import References
from launch.benchmark.timing import interleave


class Case(NamedTuple):
    """What grows, and its sizes; the others stay at those of `BASE`."""

    grows: str
    sizes: tuple[int, ...]


BASE = {"seeds": 4, "genes": 2_000, "steps": 40}
BATCH_SIZE = 64
QUICK = (
    Case("seeds", (4, 8, 16)),
    Case("genes", (2_000, 4_000, 8_000)),
    Case("steps", (40, 80, 160)),
)
FULL = (
    Case("seeds", (4, 8, 16, 32)),
    Case("genes", (2_000, 4_000, 8_000, 16_000)),
    Case("steps", (40, 80, 160, 320)),
)


def measure(case: Case, limits: Limits, n_rounds: int, references: References) -> dict[str, Any]:
    """One row: the exponent, and the seconds that it was fitted to."""
    del limits, references  # as every section takes them
    tasks = {str(size): _task(BASE | {case.grows: size}) for size in case.sizes}
    seconds = [timing.median for timing in interleave(tasks, n_rounds).values()]
    exponent, _ = np.polyfit(np.log(case.sizes), np.log(seconds), 1)
    row: dict[str, Any] = {"grows": case.grows, "exponent": float(exponent)}
    row["from"], row["to"] = case.sizes[0], case.sizes[-1]
    return row | {"from_s": seconds[0], "to_s": seconds[-1], "seconds_range": seconds}


def _task(sizes: dict[str, int]):
    n_genes, n_seeds = sizes["genes"], sizes["seeds"]
    case = pretraining.Case(n_genes, BATCH_SIZE, n_seeds)
    plan, _ = pretraining.plan_case(case, noise=1.0)
    run = pretraining.train_epochs(plan, pretraining.make_pool(n_genes), n_seeds)
    n_epochs = sizes["steps"] // BASE["steps"]
    return lambda: [run() for _ in range(n_epochs)]
