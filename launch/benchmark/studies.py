"""Fine-tuning sweeps beside the sequential PyTorch loop, and a study end to end.

Of a study: seconds of its stages, programs that it compiles, the paper's whole protocol.
"""

import tempfile
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxssl.config import Config, resolve
from jaxssl.data.synthetic import make_synthetic
from jaxssl.engine.ensemble import seed_keys, use_cores
from jaxssl.engine.planning import plan_pretraining
from jaxssl.evaluation.arms import SCRATCH, Inputs
from jaxssl.evaluation.network import make_fit_network
from jaxssl.model import make_encoder
from jaxssl.runs.notes import Compilations
from jaxssl.runs.reading import open_study
from jaxssl.studies.study import study

from .pretraining import train_epochs
from .timing import Bench, Row, in_new_process, interleave, run_verb, set_beside
from .work import step_flops

MAPPED = ("jit(init)", "jit(epoch)", "jit(fit_one)", "jit(fresh_encoder)")
"""Programs over seeds, of the pretraining and of the sweep; the others each do one operation."""

N_SEEDS, N_SHARES = 50, 89  # of the paper's protocol
N_TRAIN, N_HELD_OUT, N_CLASSES = 6_500, 2_800, 20  # as the miRNA set


def measure_finetuning(bench: Bench, n_features: int, n_seeds: int, n_labelled: int) -> Row:
    """Seconds a fit of the `scratch` arm, predictions on the held-out rows included."""
    inputs = make_inputs(n_features, n_seeds)
    config = resolve(Config(), N_TRAIN)
    fit = make_fit_network(config, inputs)
    tasks: dict[str, Callable[[], Any]] = {}
    tasks["jaxssl"] = lambda: fit(SCRATCH, None, n_labelled, range(n_seeds))
    if "torch" in bench.references:
        from .torch_reference import scratch_fit

        tasks["torch"] = scratch_fit(config, inputs, N_CLASSES, n_labelled)
    timings, gemm, _ = bench.interleave(tasks)
    row = set_beside(timings, "s", 1, n_seeds)
    row["fits_per_s"] = 1 / row["jaxssl_s"]
    row["gemm_share"] = _fit_flops(n_features, config) / 1e9 / row["jaxssl_s"] / gemm
    if "torch" in tasks:
        ours, theirs = tasks["jaxssl"]()[0][0], tasks["torch"]()
        row["prediction_difference"] = float(np.abs(ours - theirs).mean())
    return row


def make_inputs(n_features: int, n_seeds: int) -> Inputs:
    """Draw Gaussian classes around random centres, far enough apart to be learnt."""
    rng = np.random.default_rng(0)
    n = N_TRAIN + N_HELD_OUT
    codes = rng.integers(0, N_CLASSES, n).astype(np.int32)
    centres = rng.normal(size=(N_CLASSES, n_features))
    features = (0.5 * centres[codes] + rng.normal(size=(n, n_features))).astype(np.float32)
    train = np.arange(N_TRAIN)
    orders = {seed: np.random.default_rng(seed).permutation(train) for seed in range(n_seeds)}
    return Inputs(features, None, codes, orders, train, {"test": np.arange(N_TRAIN, n)})


def _fit_flops(n_features: int, config: Config) -> float:
    """Multiplications and additions of the products of training and prediction."""
    widths = (n_features, *config.encoder.hidden)
    step = step_flops(widths, N_CLASSES, config.finetune.batch_size)
    forward = 2 * sum(a * b for a, b in pairwise((*widths, N_CLASSES)))
    return config.finetune.scratch_steps * step + N_HELD_OUT * forward


def measure_stages(_: Bench, config: str, n_seeds: int) -> Row:
    """Seconds of every stage, from the run's own `summary.json`."""
    with tempfile.TemporaryDirectory() as folder:
        run_verb("study", f"--config={config}", f"--seeds={n_seeds}", f"--out={folder}/run")
        return open_study(f"{folder}/run").summary["timings"]


def measure_programs(_: Bench, n_shares: int, n_seeds: int) -> Row:
    """Programs over seeds, all programs, and seconds of compiling, cold and cached."""
    row: Row = {}
    with tempfile.TemporaryDirectory() as cache:
        for name in ("cold", "cached"):
            found = in_new_process(count_programs, cache, n_shares, n_seeds)
            row |= {f"{name}_{key}": value for key, value in found.items()}
    return row


def count_programs(cache: str, n_shares: int, n_seeds: int, n_samples: int = 2_000) -> Row:
    """Programs that a study of two arms compiles, or finds in a folder of compiled ones."""
    jax.config.update("jax_compilation_cache_dir", cache)
    use_cores(n_seeds)
    found = Compilations()
    config = Config()
    config.data.label = "class"
    config.sweep.arms, config.run.seeds = (SCRATCH, "swav"), n_seeds
    config.split.n_splits = 1
    config.sweep.shares = tuple((i + 1) / n_shares for i in range(n_shares))
    # as many programs as a long training, at less of its time
    config.pretrain.n_steps = 40
    config.finetune.probe_steps = config.finetune.n_steps = config.finetune.scratch_steps = 1
    study(make_synthetic(n_samples=n_samples, n_genes=200), config=config, progress=False)
    return {
        "pretraining": sum(found.programs.count(name) for name in MAPPED[:2]),
        "sweep": sum(found.programs.count(name) for name in MAPPED[2:]),
        "small": sum(name not in MAPPED for name in found.programs),
        "seconds": found.seconds,
    }


def measure_protocol(bench: Bench, n_seeds: int) -> Row:
    """Minutes of 50 pretrainings and 89 shares x 50 seeds x 2 arms with the default recipe.

    Projected from some of the seeds, at the sizes of the miRNA set; what it took in fact is in the
    README. Reading, scoring and the report are not in it.
    """
    config = resolve(Config(), N_TRAIN)
    n_features, seeds = config.normalize.n_components, range(n_seeds)
    inputs = make_inputs(n_features, n_seeds)
    plan = plan_pretraining(config, N_TRAIN, n_features, n_seeds)
    fit = make_fit_network(config, inputs)
    # untrained encoders take as long to fine-tune as any
    init = jax.jit(make_encoder(config.encoder, config.run.precision).init)
    x, keys = jnp.asarray(inputs.features[:1]), seed_keys(config.run.root_key, seeds)
    encoders = {seed: init(key, x) for seed, key in zip(seeds, keys, strict=True)}
    # every share costs the same: the batches do not depend on the number of labels
    n_labelled = N_TRAIN // 10
    tasks = {
        "pretrain": train_epochs(plan, inputs.features[inputs.train], n_seeds),
        "scratch": lambda: fit(SCRATCH, None, n_labelled, seeds),
        "finetune": lambda: fit("swav", encoders, n_labelled, seeds),
    }
    calls = {"pretrain": plan.schedule.n_epochs, "scratch": N_SHARES, "finetune": N_SHARES}
    timings = interleave(tasks, bench.n_rounds)
    row: Row = {
        f"{name}_min": timing.median * calls[name] * N_SEEDS / n_seeds / 60
        for name, timing in timings.items()
    }
    return row | {"total_min": sum(row.values())}
