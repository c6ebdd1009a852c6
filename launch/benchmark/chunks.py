"""Seeds a compiled call: the automatic choice beside the best of a search."""

from typing import Any

import jax

from launch.benchmark.machine import Limits
from launch.benchmark.pretraining import BATCH_SIZES, Case, make_pool, plan_case, train_epochs
from launch.benchmark.references import References
from launch.benchmark.timing import interleave

QUICK = (Case(100, 64, 16),)
FULL = (
    *(Case(n, b, 16) for n in (100, 2_000) for b in BATCH_SIZES),
    *(Case(20_000, b, 8) for b in BATCH_SIZES),
    *(Case(56_537, b, 4) for b in BATCH_SIZES),
)


def measure(case: Case, limits: Limits, n_rounds: int, references: References) -> dict[str, Any]:
    """One row: milliseconds a step and seed of the automatic chunk and of every other size."""
    del limits, references  # as every section takes them
    plan, _ = plan_case(case, noise=1.0)
    pool = make_pool(case.n_features)
    sizes, n_devices = [], jax.device_count()
    while not sizes or sizes[-1] < case.n_seeds:
        sizes.append(n_devices * 2 ** len(sizes))
    tasks = {str(size): train_epochs(plan, pool, case.n_seeds, size) for size in sizes}
    timings = interleave(tasks, n_rounds)
    per_step = 1e3 / (case.n_seeds * plan.schedule.steps_per_epoch)
    ms = {size: timing.median * per_step for size, timing in timings.items()}
    automatic = min(ms, key=lambda size: abs(int(size) - plan.memory.chunk))
    row: dict[str, Any] = case._asdict() | {"automatic": plan.memory.chunk}
    row |= {"automatic_ms": ms[automatic], "best": int(min(ms, key=lambda size: ms[size]))}
    row |= {"best_ms": min(ms.values()), "times_best": ms[automatic] / min(ms.values())}
    return row | {f"chunk_{size}_ms": value for size, value in ms.items()}
