"""A study end to end: seconds of its stages, programs it compiles, the paper's whole protocol."""

import tempfile

import jax
import jax.numpy as jnp

from jaxssl.config import Config, resolve
from jaxssl.data.synthetic import make_synthetic
from jaxssl.engine.ensemble import seed_keys, use_cores
from jaxssl.engine.pretrain import plan_pretraining
from jaxssl.evaluation.arms import SCRATCH
from jaxssl.evaluation.network import make_fit_network
from jaxssl.model import make_encoder
from jaxssl.runs.notes import Compilations
from jaxssl.runs.reading import open_study
from jaxssl.studies.study import study

from .finetuning import N_CLASSES, N_TRAIN, make_inputs
from .pretraining import train_epochs
from .timing import Bench, Row, in_new_process, interleave, run_verb

MAPPED = ("jit(init)", "jit(epoch)", "jit(fit_one)", "jit(fresh_encoder)")
"""Programs over seeds, of the pretraining and of the sweep; the others each do one operation."""

N_SEEDS, N_SHARES = 50, 89  # of the paper's protocol


def measure(_: Bench, config: str, n_seeds: int) -> Row:
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


def count_programs(cache: str, n_shares: int, n_seeds: int) -> Row:
    """Programs that a study of two arms compiles, or finds in a folder of compiled ones."""
    jax.config.update("jax_compilation_cache_dir", cache)
    use_cores(n_seeds)
    found = Compilations()
    config = Config()
    config.data.label = "class"
    config.sweep.arms, config.run.seeds = (SCRATCH, "swav"), n_seeds
    config.sweep.shares = tuple((i + 1) / n_shares for i in range(n_shares))
    # as many programs as a long training, at less of its time
    config.pretrain.n_steps = 40
    config.finetune.probe_steps = config.finetune.n_steps = config.finetune.scratch_steps = 1
    study(make_synthetic(n_samples=2_000, n_genes=200), config=config, progress=False)
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
    fit = make_fit_network(config, inputs, N_CLASSES)
    # untrained encoders take as long to fine-tune as any
    encoder, x = (
        make_encoder(config.encoder, config.run.precision),
        jnp.asarray(inputs.features[:1]),
    )
    init, keys = jax.jit(encoder.init), seed_keys(config.run.root_key, seeds)
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
