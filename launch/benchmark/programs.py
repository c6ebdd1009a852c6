"""Programs that a whole sweep compiles, and how long, without and with the persistent cache."""

import json
import sys
import tempfile
from typing import Any, NamedTuple

import jax

from jaxssl.config import Config
from jaxssl.data.synthetic import make_synthetic
from jaxssl.engine.ensemble import use_cores
from jaxssl.evaluation.sweep import label_sweep
from launch.benchmark.child import measure_in_child
from launch.benchmark.machine import Limits
from launch.benchmark.references import References
from launch.compilations import compilations

ARMS = ("scratch", "swav")
MAPPED = ("jit(init)", "jit(epoch)", "jit(fit_one)", "jit(fresh_encoder)")
"""Programs over seeds, of the pretraining and of the sweep; the others each do one operation."""


class Case(NamedTuple):
    """One size."""

    n_shares: int
    n_seeds: int


QUICK = (Case(10, 4),)
FULL = (Case(10, 4), Case(89, 50))


def measure(case: Case, limits: Limits, n_rounds: int, references: References) -> dict[str, Any]:
    """One row: programs over seeds, all programs, and seconds of compiling, cold and cached."""
    del limits, n_rounds, references  # as every section takes them
    row: dict[str, Any] = case._asdict()
    with tempfile.TemporaryDirectory() as cache:
        for name in ("cold", "cached"):
            found = measure_in_child(__name__, cache, *case)
            row |= {f"{name}_{key}": value for key, value in found.items()}
    return row


def _main(cache: str, n_shares: int, n_seeds: int) -> dict[str, float]:
    jax.config.update("jax_compilation_cache_dir", cache)
    use_cores(n_seeds)
    config = Config()
    config.data.label = "class"
    config.sweep.arms, config.run.seeds = ARMS, n_seeds
    config.sweep.shares = tuple((i + 1) / n_shares for i in range(n_shares))
    # as many programs as a long training, at less of its time
    config.pretrain.n_steps = 40
    config.finetune.probe_steps = config.finetune.n_steps = config.finetune.scratch_steps = 1
    label_sweep(make_synthetic(n_samples=2_000, n_genes=200), config=config)
    programs, seconds = compilations()
    return {
        "pretraining": sum(programs.count(name) for name in MAPPED[:2]),
        "sweep": sum(programs.count(name) for name in MAPPED[2:]),
        "small": sum(name not in MAPPED for name in programs),
        "seconds": seconds,
    }


if __name__ == "__main__":
    print(json.dumps(_main(sys.argv[1], *map(int, sys.argv[2:]))))
