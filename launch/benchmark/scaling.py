"""How wall time grows with seeds, genes and epochs, and which chunk of seeds is the fastest."""

import itertools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from .pretraining import N_STEPS, make_pool, plan_swav, train_epochs
from .section import Bench, Row
from .timing import interleave

BASE = {"seeds": 4, "genes": 2_000, "epochs": 1}
BATCH_SIZE = 64


def measure(bench: Bench, grows: str, factors: tuple[int, ...]) -> Row:
    """The exponent of a power law (1 for linear), and the sizes and seconds it was fitted to.

    What does not grow stays at its size in `BASE`.
    """
    base = BASE[grows]
    tasks = {str(by): _train(**BASE | {grows: base * by}) for by in factors}
    seconds = [timing.median for timing in interleave(tasks, bench.n_rounds).values()]
    exponent, _ = np.polyfit(np.log(factors), np.log(seconds), 1)
    row: Row = {"exponent": float(exponent), "from": base * factors[0], "to": base * factors[-1]}
    return row | {"from_s": seconds[0], "to_s": seconds[-1], "seconds": seconds}


def _train(seeds: int, genes: int, epochs: int) -> Callable[[], Any]:
    plan, _ = plan_swav(genes, BATCH_SIZE, seeds, n_steps=N_STEPS)
    run = train_epochs(plan, make_pool(genes), seeds)
    return lambda: [run() for _ in range(epochs)]


def measure_chunks(bench: Bench, n_features: int, batch_size: int, n_seeds: int) -> Row:
    """Milliseconds a step and seed of the automatic chunk and of every doubling."""
    plan, _ = plan_swav(n_features, batch_size, n_seeds)
    pool, automatic, n_devices = make_pool(n_features), plan.memory.chunk, jax.device_count()
    doublings = (n_devices * 2**i for i in itertools.count())
    sizes = {automatic, *itertools.takewhile(lambda size: size < 2 * n_seeds, doublings)}
    tasks = {str(size): train_epochs(plan, pool, n_seeds, size) for size in sorted(sizes)}
    per_step = 1e3 / (n_seeds * plan.schedule.steps_per_epoch)
    timings = interleave(tasks, bench.n_rounds)
    ms = {int(size): timing.median * per_step for size, timing in timings.items()}
    best = min(ms, key=lambda size: ms[size])
    row: Row = {"automatic": automatic, "automatic_ms": ms[automatic]}
    row |= {"best": best, "best_ms": ms[best], "times_best": ms[automatic] / ms[best]}
    return row | {"worst_ms": max(ms.values()), "ms_range": [list(pair) for pair in ms.items()]}
