"""Peak memory of a pretraining against the plan that is printed before it starts."""

import json
import sys
from typing import Any

import numpy as np

from jaxssl.engine.ensemble import over_seeds, seed_keys, shard, use_cores
from launch.benchmark.child import measure_in_child, peak_bytes, resident_bytes
from launch.benchmark.machine import Limits
from launch.benchmark.pretraining import Case, make_pool, plan_case

QUICK = (Case(2_000, 256, 50), Case(20_000, 64, 4))
FULL = (*QUICK, Case(56_537, 256, 2), Case(56_537, 64, 4))


def measure(case: Case, limits: Limits, n_rounds: int, torch: Any) -> dict[str, Any]:
    """One row: gigabytes beyond the compiled program and the interpreter, and the plan's."""
    del limits, n_rounds, torch  # as every section takes them
    return case._asdict() | measure_in_child(__name__, *case)


def _main(n_features: int, batch_size: int, n_seeds: int) -> dict[str, float]:
    use_cores(n_seeds)
    plan, _ = plan_case(Case(n_features, batch_size, n_seeds), noise=1.0)
    pool = make_pool(n_features)
    init = over_seeds(plan.trainer.init, [True, False])
    epoch = over_seeds(plan.trainer.epoch, [True, False, False], donate=0)
    keys = shard(seed_keys(0, range(n_seeds)), per_seed=True)
    make, state = init.lower(keys, pool).compile(), init.eval_shape(keys, pool)
    program = epoch.lower(state, np.int32(0), pool).compile()
    before = resident_bytes()
    data = shard(pool, per_seed=False)
    state = make(keys, data)
    for number in range(2):
        state, metrics = program(state, np.int32(number), data)
    np.asarray(metrics["loss"])
    taken = peak_bytes() - before
    return {
        "taken_gb": taken / 1e9,
        "planned_gb": plan.memory.total / 1e9,
        "ratio": taken / plan.memory.total,
    }


if __name__ == "__main__":
    print(json.dumps(_main(*map(int, sys.argv[1:]))))
