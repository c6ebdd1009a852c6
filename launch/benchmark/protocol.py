"""The study's whole protocol with the default recipe, projected from measured parts.

50 pretrainings and 89 label shares x 50 seeds x 2 arms on the miRNA set's sizes; what it took in
fact is in the README. Reading, scoring and the report are not in it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxssl.config import Config, resolve
from jaxssl.engine.ensemble import seed_keys
from jaxssl.engine.pretrain import plan_pretraining
from jaxssl.evaluation.arms import SCRATCH, Inputs
from jaxssl.evaluation.network import make_fit_network
from jaxssl.model import make_encoder
from jaxssl.types import Params
from launch.benchmark import finetuning
from launch.benchmark.pretraining import train_epochs
from launch.benchmark.section import Bench, Column, Row, Section
from launch.benchmark.timing import interleave

N_SEEDS, N_SHARES = 50, 89


class Case(NamedTuple):
    """Seeds that are timed, standing for all."""

    n_seeds: int


QUICK = (Case(10),)
FULL = (Case(10), Case(N_SEEDS))


def measure(case: Case, bench: Bench) -> Row:
    """One row: minutes of every part and of the whole."""
    config = resolve(Config(), finetuning.N_TRAIN)
    n_features, seeds = config.normalize.n_components, range(case.n_seeds)
    # every share costs the same: the batches do not depend on the number of labels
    sizes = finetuning.Case(n_features, case.n_seeds, finetuning.N_TRAIN // 10)
    inputs = finetuning.make_case_inputs(sizes)
    plan = plan_pretraining(config, finetuning.N_TRAIN, n_features, case.n_seeds)
    train = train_epochs(plan, inputs.features[inputs.train], case.n_seeds)
    fit = make_fit_network(config, inputs, finetuning.N_CLASSES)
    encoders = _random_encoders(config, inputs, seeds)
    tasks = {
        "pretrain": train,
        "scratch": lambda: fit(SCRATCH, None, sizes.n_labelled, seeds),
        "finetune": lambda: fit("swav", encoders, sizes.n_labelled, seeds),
    }
    calls = {"pretrain": plan.schedule.n_epochs, "scratch": N_SHARES, "finetune": N_SHARES}
    timings = interleave(tasks, bench.n_rounds)
    minutes = {
        name: timing.median * calls[name] * N_SEEDS / case.n_seeds / 60
        for name, timing in timings.items()
    }
    row: Row = {"seeds_timed": case.n_seeds}
    row |= {f"{name}_min": value for name, value in minutes.items()}
    return row | {"total_min": float(np.sum(list(minutes.values())))}


def _random_encoders(config: Config, inputs: Inputs, seeds: Sequence[int]) -> dict[int, Params]:
    """Untrained encoders, which take as long to fine-tune as any."""
    encoder = make_encoder(config.encoder, config.run.precision)
    init = jax.jit(encoder.init)
    keys = seed_keys(config.run.root_key, seeds)
    x = jnp.asarray(inputs.features[:1])
    return {seed: init(key, x) for seed, key in zip(seeds, keys, strict=True)}


COLUMNS = (
    Column("seeds timed", "seeds_timed"),
    Column("50 pretrainings, min", "pretrain_min", ".1f"),
    Column("4,450 `scratch` fits", "scratch_min", ".1f"),
    Column("4,450 `swav` fits", "finetune_min", ".1f"),
    Column("together", "total_min", ".1f"),
)
SECTION = Section(COLUMNS, QUICK, FULL, measure)
