"""Peak memory of a pretraining with its checkpoint, against the plan printed before it starts."""

import tempfile
from pathlib import Path

import jax

from jaxssl.engine.ensemble import use_cores
from jaxssl.engine.pretrain import merge, pretrain
from launch.benchmark.child import answer, ask
from launch.benchmark.pretraining import N_STEPS, Case, make_pool, plan_case
from launch.benchmark.section import Column, Row, Section
from launch.memory import peak_bytes, resident_bytes

QUICK = (Case(2_000, 256, 50), Case(20_000, 64, 4))
FULL = (*QUICK, Case(56_537, 256, 1), Case(56_537, 256, 2), Case(56_537, 64, 4))


def measure(case: Case) -> Row:
    """One row: gigabytes beyond the interpreter and the training matrix's original, and the plan's.

    Measured in a second process, which finds the programs compiled.
    """
    with tempfile.TemporaryDirectory() as folder:
        compiling, found = (ask(__name__, folder, *case) for _ in range(2))
    return case._asdict() | found | {"with_compiling_gb": compiling["taken_gb"]}


def _main(folder: str, *case: int) -> dict[str, float]:
    jax.config.update("jax_compilation_cache_dir", f"{folder}/programs")
    (n_features, _, n_seeds) = case
    use_cores(n_seeds)
    plan, config = plan_case(Case(*case), noise=1.0, n_steps=2 * N_STEPS)
    pool = make_pool(n_features)
    before = resident_bytes()
    with tempfile.TemporaryDirectory(dir=folder) as checkpoints:
        merge(pretrain(plan, config, pool, range(n_seeds), checkpoints=Path(checkpoints)))
    taken = peak_bytes() - before
    return {
        "taken_gb": taken / 1e9,
        "planned_gb": plan.memory.total / 1e9,
        "ratio": taken / plan.memory.total,
    }


COLUMNS = (
    Column("genes", "n_features", ","),
    Column("batch", "batch_size"),
    Column("seeds", "n_seeds"),
    Column("GB taken", "taken_gb", ".2f"),
    Column("planned", "planned_gb", ".2f"),
    Column("ratio", "ratio", ".2f"),
    Column("while compiling", "with_compiling_gb", ".2f"),
)
SECTION = Section(COLUMNS, QUICK, FULL, lambda case, bench: measure(case))


if __name__ == "__main__":
    answer(_main)
