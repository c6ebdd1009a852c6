"""How wall time grows with seeds, genes and epochs, the fastest chunk of seeds, and peak memory."""

import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import psutil

from jaxssl.config import NormalizeConfig
from jaxssl.data.backed import blocks
from jaxssl.data.normalize import fit_normalizer, normalize
from jaxssl.engine.ensemble import use_cores
from jaxssl.engine.pretrain import merge, pretrain
from jaxssl.runs.notes import peak_bytes

from .pretraining import N_STEPS, make_pool, plan_swav, train_epochs
from .timing import Bench, Row, in_new_process, interleave, seconds

BASE = {"seeds": 4, "genes": 2_000, "epochs": 1}
BATCH_SIZE = 64
BLOCK = 500  # rows drawn at once
N_AXES = 50  # along which the simulated samples differ


def measure(bench: Bench, grows: str, factors: tuple[int, ...]) -> Row:
    """The exponent of a power law (1 for linear), and the sizes and seconds it was fitted to.

    What does not grow stays at its size in `BASE`.
    """
    base = BASE[grows]
    tasks = {str(by): _train(**BASE | {grows: base * by}) for by in factors}
    times = [timing.median for timing in interleave(tasks, bench.n_rounds).values()]
    exponent, _ = np.polyfit(np.log(factors), np.log(times), 1)
    row: Row = {"exponent": float(exponent), "from": base * factors[0], "to": base * factors[-1]}
    return row | {"from_s": times[0], "to_s": times[-1], "seconds": times}


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


def measure_memory(_: Bench, n_features: int, batch_size: int, n_seeds: int) -> Row:
    """Gigabytes beyond the interpreter and the training matrix's original, and the plan's.

    A checkpoint is in both. Measured in a second process, which finds the programs compiled.
    """
    size = (n_features, batch_size, n_seeds)
    with tempfile.TemporaryDirectory() as folder:
        compiling, found = (in_new_process(_pretrain, folder, *size) for _ in range(2))
    return found | {"with_compiling_gb": compiling["taken_gb"]}


def _pretrain(folder: str, n_features: int, batch_size: int, n_seeds: int) -> Row:
    jax.config.update("jax_compilation_cache_dir", f"{folder}/programs")
    use_cores(n_seeds)
    plan, config = plan_swav(n_features, batch_size, n_seeds, n_steps=2 * N_STEPS)
    pool = make_pool(n_features)
    before = psutil.Process().memory_info().rss
    with tempfile.TemporaryDirectory(dir=folder) as checkpoints:
        merge(pretrain(plan, config, pool, range(n_seeds), checkpoints=Path(checkpoints)))
    taken, planned = peak_bytes() - before, plan.memory.total
    return {"taken_gb": taken / 1e9, "planned_gb": planned / 1e9, "ratio": taken / planned}


def measure_conditioning(_: Bench, n_samples: int, n_genes: int) -> Row:
    """Seconds of fitting and applying, and memory in multiples of the matrix, which counts once."""
    return in_new_process(_condition, n_samples, n_genes)


def _condition(n_samples: int, n_genes: int) -> Row:
    rng = np.random.default_rng(0)
    axes = rng.normal(size=(N_AXES, n_genes)).astype(np.float32)
    start = psutil.Process().memory_info().rss
    x = np.empty((n_samples, n_genes), np.float32)
    for rows in blocks(x, BLOCK):
        n = rows.stop - rows.start
        scores = rng.standard_normal((n, N_AXES), np.float32)
        x[rows] = scores @ axes + rng.standard_normal((n, n_genes), np.float32)
    genes = [f"gene_{i}" for i in range(n_genes)]
    taken = seconds(lambda: normalize(fit_normalizer(x, genes, NormalizeConfig()), x))
    times_matrix = (peak_bytes() - start) / x.nbytes
    return {"seconds": taken, "matrix_gb": x.nbytes / 1e9, "times_matrix": times_matrix}
