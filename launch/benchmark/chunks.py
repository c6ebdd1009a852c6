"""Seeds a compiled call: the automatic choice beside the best of a search."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxssl.engine.ensemble import chunks, over_seeds, seed_keys, shard
from jaxssl.engine.pretrain import Plan
from launch.benchmark import pretraining
from launch.benchmark.machine import Limits
from launch.benchmark.timing import interleave


class Case(NamedTuple):
    """One size."""

    n_features: int
    batch_size: int
    n_seeds: int


QUICK = (Case(100, 64, 16),)
FULL = (Case(100, 64, 16), Case(100, 256, 16), Case(2_000, 64, 16), Case(2_000, 256, 16))


def measure(case: Case, limits: Limits, n_rounds: int, torch: Any) -> dict[str, Any]:
    """One row: milliseconds a step and seed of the automatic chunk and of every other size."""
    del limits, torch  # as every section takes them
    of_one = pretraining.Case(*case)
    plan, _ = pretraining.plan_case(of_one, noise=1.0)
    shape = (pretraining.N_SAMPLES, case.n_features)
    pool = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    sizes, n_devices = [], jax.device_count()
    while not sizes or sizes[-1] < case.n_seeds:
        sizes.append(n_devices * 2 ** len(sizes))
    tasks = {str(size): _trains(plan, pool, case.n_seeds, size) for size in sizes}
    timings = interleave(tasks, n_rounds)
    per_step = 1e3 / (case.n_seeds * plan.schedule.steps_per_epoch)
    ms = {size: timing.median * per_step for size, timing in timings.items()}
    automatic = min(ms, key=lambda size: abs(int(size) - plan.memory.chunk))
    row: dict[str, Any] = case._asdict() | {"automatic": plan.memory.chunk}
    row |= {"automatic_ms": ms[automatic], "best": int(min(ms, key=lambda size: ms[size]))}
    row |= {"best_ms": min(ms.values()), "times_best": ms[automatic] / min(ms.values())}
    return row | {f"chunk_{size}_ms": value for size, value in ms.items()}


def _trains(plan: Plan, pool: np.ndarray, n_seeds: int, size: int) -> Callable[[], None]:
    """One epoch of all seeds, cut into chunks of `size`."""
    data = shard(pool, per_seed=False)
    init = over_seeds(plan.trainer.init, [True, False])
    epoch = over_seeds(plan.trainer.epoch, [True, False, False], donate=0)
    cut = chunks(range(n_seeds), size)
    states = [init(shard(seed_keys(0, ids), per_seed=True), data) for ids in cut]

    def run() -> None:
        for i, state in enumerate(states):
            states[i], metrics = epoch(state, np.int32(0), data)
            np.asarray(metrics["loss"])

    return run
