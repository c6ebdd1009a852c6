"""Programs that a whole sweep compiles, and how long, without and with the persistent cache."""

import tempfile
from typing import NamedTuple

import jax

from jaxssl.config import Config
from jaxssl.data.synthetic import make_synthetic
from jaxssl.engine.ensemble import use_cores
from jaxssl.evaluation.sweep import label_sweep
from launch.benchmark.child import answer, ask
from launch.benchmark.section import Column, Row, Section
from launch.compilations import Compilations

ARMS = ("scratch", "swav")
MAPPED = ("jit(init)", "jit(epoch)", "jit(fit_one)", "jit(fresh_encoder)")
"""Programs over seeds, of the pretraining and of the sweep; the others each do one operation."""


class Case(NamedTuple):
    """One size."""

    n_shares: int
    n_seeds: int


QUICK = (Case(10, 4),)
FULL = (Case(10, 4), Case(89, 50))


def measure(case: Case) -> Row:
    """One row: programs over seeds, all programs, and seconds of compiling, cold and cached."""
    row: Row = case._asdict()
    with tempfile.TemporaryDirectory() as cache:
        for name in ("cold", "cached"):
            found = ask(__name__, cache, *case)
            row |= {f"{name}_{key}": value for key, value in found.items()}
    return row


def _main(cache: str, n_shares: int, n_seeds: int) -> dict[str, float]:
    jax.config.update("jax_compilation_cache_dir", cache)
    use_cores(n_seeds)
    found = Compilations()
    config = Config()
    config.data.label = "class"
    config.sweep.arms, config.run.seeds = ARMS, n_seeds
    config.sweep.shares = tuple((i + 1) / n_shares for i in range(n_shares))
    # as many programs as a long training, at less of its time
    config.pretrain.n_steps = 40
    config.finetune.probe_steps = config.finetune.n_steps = config.finetune.scratch_steps = 1
    label_sweep(make_synthetic(n_samples=2_000, n_genes=200), config=config)
    return {
        "pretraining": sum(found.programs.count(name) for name in MAPPED[:2]),
        "sweep": sum(found.programs.count(name) for name in MAPPED[2:]),
        "small": sum(name not in MAPPED for name in found.programs),
        "seconds": found.seconds,
    }


COLUMNS = (
    Column("shares", "n_shares"),
    Column("seeds", "n_seeds"),
    Column("over seeds: pretraining", "cold_pretraining"),
    Column("sweep", "cold_sweep"),
    Column("one operation each", "cold_small"),
    Column("s, cold", "cold_seconds", ".1f"),
    Column("cached", "cached_seconds", ".1f"),
)
SECTION = Section(COLUMNS, QUICK, FULL, lambda case, bench: measure(case))


if __name__ == "__main__":
    answer(_main)
