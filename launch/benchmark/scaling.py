"""How wall time grows with seeds, genes and epochs: exponents of a power law, 1 for linear."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from launch.benchmark import pretraining
from launch.benchmark.section import Bench, Column, Row, Section
from launch.benchmark.timing import interleave


class Case(NamedTuple):
    """What grows, and by how much; the others stay at those of `BASE`."""

    grows: str
    factors: tuple[int, ...]


BASE = {"seeds": 4, "genes": 2_000, "epochs": 1}
BATCH_SIZE = 64
QUICK = tuple(Case(name, (1, 2, 4)) for name in BASE)
FULL = tuple(Case(name, (1, 2, 4, 8)) for name in BASE)


def measure(case: Case, bench: Bench) -> Row:
    """One row: the exponent, and the sizes and seconds that it was fitted to."""
    base = BASE[case.grows]
    tasks = {str(by): _task(BASE | {case.grows: base * by}) for by in case.factors}
    seconds = [timing.median for timing in interleave(tasks, bench.n_rounds).values()]
    exponent, _ = np.polyfit(np.log(case.factors), np.log(seconds), 1)
    row: Row = {"grows": case.grows, "exponent": float(exponent)}
    row |= {"from": base * case.factors[0], "to": base * case.factors[-1]}
    return row | {"from_s": seconds[0], "to_s": seconds[-1], "seconds": seconds}


def _task(sizes: dict[str, int]) -> Callable[[], Any]:
    n_genes, n_seeds = sizes["genes"], sizes["seeds"]
    case = pretraining.Case(n_genes, BATCH_SIZE, n_seeds)
    plan, _ = pretraining.plan_case(case, noise=1.0, n_steps=pretraining.N_STEPS)
    run = pretraining.train_epochs(plan, pretraining.make_pool(n_genes), n_seeds)
    return lambda: [run() for _ in range(sizes["epochs"])]


COLUMNS = (
    Column("grows", "grows"),
    Column("from", "from", ","),
    Column("to", "to", ","),
    Column("s", "from_s", ".2f"),
    Column("to s", "to_s", ".2f"),
    Column("exponent", "exponent", ".2f"),
)
SECTION = Section(COLUMNS, QUICK, FULL, measure)
