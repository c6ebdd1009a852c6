"""Peak memory of a pretraining beside its plan, and of conditioning a wide matrix."""

import tempfile
import time
from pathlib import Path

import jax
import numpy as np

from jaxssl.config import NormalizeConfig
from jaxssl.data.normalize import fit_normalizer, normalize
from jaxssl.engine.ensemble import use_cores
from jaxssl.engine.pretrain import merge, pretrain
from jaxssl.runs.notes import peak_bytes, resident_bytes

from .pretraining import N_STEPS, make_pool, plan_swav
from .processes import in_new_process
from .section import Bench, Row

BLOCK = 500  # rows drawn at once
N_AXES = 50  # along which the simulated samples differ


def measure(bench: Bench, n_features: int, batch_size: int, n_seeds: int) -> Row:
    """Gigabytes beyond the interpreter and the training matrix's original, and the plan's.

    A checkpoint is in both. Measured in a second process, which finds the programs compiled.
    """
    del bench  # nothing is timed
    size = (n_features, batch_size, n_seeds)
    with tempfile.TemporaryDirectory() as folder:
        compiling, found = (in_new_process(_pretrain, folder, *size) for _ in range(2))
    return found | {"with_compiling_gb": compiling["taken_gb"]}


def _pretrain(folder: str, n_features: int, batch_size: int, n_seeds: int) -> Row:
    jax.config.update("jax_compilation_cache_dir", f"{folder}/programs")
    use_cores(n_seeds)
    plan, config = plan_swav(n_features, batch_size, n_seeds, n_steps=2 * N_STEPS)
    pool = make_pool(n_features)
    before = resident_bytes()
    with tempfile.TemporaryDirectory(dir=folder) as checkpoints:
        merge(pretrain(plan, config, pool, range(n_seeds), checkpoints=Path(checkpoints)))
    taken, planned = peak_bytes() - before, plan.memory.total
    return {"taken_gb": taken / 1e9, "planned_gb": planned / 1e9, "ratio": taken / planned}


def measure_conditioning(bench: Bench, n_samples: int, n_genes: int) -> Row:
    """Seconds of fitting and applying, and memory in multiples of the matrix, which counts once."""
    del bench
    return in_new_process(_condition, n_samples, n_genes)


def _condition(n_samples: int, n_genes: int) -> Row:
    rng = np.random.default_rng(0)
    axes = rng.normal(size=(N_AXES, n_genes)).astype(np.float32)
    start = resident_bytes()
    x = np.empty((n_samples, n_genes), np.float32)
    for first in range(0, n_samples, BLOCK):
        n = min(BLOCK, n_samples - first)
        scores = rng.standard_normal((n, N_AXES), np.float32)
        x[first : first + n] = scores @ axes + rng.standard_normal((n, n_genes), np.float32)
    genes = [f"gene_{i}" for i in range(n_genes)]
    started = time.perf_counter()
    normalize(fit_normalizer(x, genes, NormalizeConfig()), x)
    return {
        "seconds": time.perf_counter() - started,
        "matrix_gb": x.nbytes / 1e9,
        "times_matrix": (peak_bytes() - start) / x.nbytes,
    }
