"""Seeds a compiled call: the automatic choice beside the best of a search."""

import itertools

import jax

from launch.benchmark.pretraining import BATCH_SIZES, Case, make_pool, plan_case, train_epochs
from launch.benchmark.section import Bench, Column, Row, Section
from launch.benchmark.timing import interleave

QUICK = (Case(100, 64, 16),)
FULL = (
    *(Case(n, b, 16) for n in (100, 2_000) for b in BATCH_SIZES),
    *(Case(20_000, b, 8) for b in BATCH_SIZES),
    *(Case(56_537, b, 4) for b in BATCH_SIZES),
)


def measure(case: Case, bench: Bench) -> Row:
    """One row: milliseconds a step and seed of the automatic chunk and of every doubling."""
    plan, _ = plan_case(case, noise=1.0)
    pool, automatic, n_devices = make_pool(case.n_features), plan.memory.chunk, jax.device_count()
    doublings = itertools.takewhile(
        lambda size: size < 2 * case.n_seeds, (n_devices * 2**i for i in itertools.count())
    )
    sizes = sorted({automatic, *doublings})
    tasks = {str(size): train_epochs(plan, pool, case.n_seeds, size) for size in sizes}
    per_step = 1e3 / (case.n_seeds * plan.schedule.steps_per_epoch)
    timings = interleave(tasks, bench.n_rounds)
    ms = {size: timings[str(size)].median * per_step for size in sizes}
    best = min(sizes, key=lambda size: ms[size])
    row: Row = case._asdict() | {"automatic": automatic, "automatic_ms": ms[automatic]}
    row |= {"best": best, "best_ms": ms[best], "times_best": ms[automatic] / ms[best]}
    return row | {"worst_ms": max(ms.values()), "ms_range": [list(pair) for pair in ms.items()]}


COLUMNS = (
    Column("genes", "n_features", ","),
    Column("batch", "batch_size"),
    Column("seeds", "n_seeds"),
    Column("automatic", "automatic"),
    Column("ms", "automatic_ms", ".2f"),
    Column("best", "best"),
    Column("ms", "best_ms", ".2f"),
    Column("worst, ms", "worst_ms", ".2f"),
    Column("times the best", "times_best", ".2f"),
)
SECTION = Section(COLUMNS, QUICK, FULL, measure)
