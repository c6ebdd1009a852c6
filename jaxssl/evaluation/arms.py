"""The arms of a comparison on common ground: what each gets, and one fit for many seeds.

All arms of a seed share the split, the label subset, the batch order and the fresh layers.
"""

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from jaxssl.config import Config
from jaxssl.data.labels import label_order
from jaxssl.data.task import Task, encoder_features, standardized_genes
from jaxssl.engine.ensemble import chunks, over_seeds, seed_keys, shard
from jaxssl.engine.footprint import Footprint, bytes_of, plan_memory
from jaxssl.engine.train import streams
from jaxssl.evaluation import finetune
from jaxssl.evaluation.baselines import BASELINES, FEW_LABELS
from jaxssl.methods import METHODS
from jaxssl.model import make_classifier, make_encoder
from jaxssl.types import Normalizer, Params

SCRATCH = "scratch"
ARMS = (*BASELINES, SCRATCH, *METHODS)

Fits = dict[int, tuple[Float[np.ndarray, "held_out classes"], float]]
"""Per seed: probabilities on all held-out rows, and seconds."""

FitNetwork = Callable[[Mapping[int, Params] | None, int, Sequence[int]], Fits]
"""(encoder parameters per seed, None for `scratch`; number of labels; seeds) → fits."""


class Inputs(NamedTuple):
    """The arrays that all arms share, on the host."""

    features: Float[np.ndarray, "samples features"]  # what the encoder sees
    genes: Float[np.ndarray, "samples genes"] | None  # standardised; None if no arm wants them
    codes: Int[np.ndarray, " samples"]
    orders: dict[int, Int[np.ndarray, " labelled"]]  # per seed: labelled rows, as budgets grow
    train: Int[np.ndarray, " train"]
    parts: dict[str, Int[np.ndarray, " rows"]]  # held-out rows by part

    @property
    def held_out(self) -> Int[np.ndarray, " held_out"]:
        """Rows of all held-out parts, one part after the other."""
        return np.concatenate(list(self.parts.values()))


def make_inputs(task: Task, config: Config, normalizer: Normalizer, seeds: Sequence[int]) -> Inputs:
    """Normalise once for all arms and draw every seed's label order."""
    features = encoder_features(task, normalizer)
    wanted = {BASELINES[arm].input for arm in config.sweep.arms if arm in BASELINES}
    genes = None
    if "genes" in wanted:
        genes = features if normalizer.rotation is None else standardized_genes(task, normalizer)
    labelled, n_classes = task.labelled_train, len(task.classes)
    orders = {seed: labelled[label_order(task.codes[labelled], n_classes, seed)] for seed in seeds}
    parts = {"test": task.split.test, "validation": task.split.validation}
    return Inputs(features, genes, task.codes, orders, task.split.train, parts)


def fit_baseline(arm: str, inputs: Inputs, n: int, seeds: Sequence[int]) -> Fits:
    """Fit a classical arm for every seed, a core each; seeds with the same labels share one fit."""
    baseline = BASELINES[arm]
    x = inputs.features if baseline.input == "features" else inputs.genes
    assert x is not None, "make_inputs provides what the arms want"
    rows_of = {seed: np.sort(inputs.orders[seed][:n]) for seed in seeds}
    first = {rows.tobytes(): seed for seed, rows in reversed(rows_of.items())}

    def fit(seed: int) -> tuple[Float[np.ndarray, "held_out classes"], float]:
        started, rows = time.perf_counter(), rows_of[seed]
        probabilities = baseline.fit(x[rows], inputs.codes[rows], x[inputs.held_out], seed)
        return probabilities, time.perf_counter() - started

    # many small products: one thread a fit and a fit a core, not all threads for each product
    with threadpool_limits(1, "blas"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=FEW_LABELS)
        fitted = Parallel(n_jobs=-1, prefer="threads")(delayed(fit)(s) for s in first.values())
    by_seed: Fits = dict(zip(first.values(), cast(list, fitted), strict=True))
    return {seed: by_seed[first[rows.tobytes()]] for seed, rows in rows_of.items()}


def make_fit_network(config: Config, inputs: Inputs, n_classes: int) -> FitNetwork:
    """Build the fit of the arms that train the MLP: one compiled program for all, at all shares."""
    encoder = make_encoder(config.encoder, config.run.precision)
    head = make_classifier(n_classes, config.run.precision)
    options, n_layers = config.finetune, len(config.encoder.hidden)
    run = finetune.make_finetune(encoder, head, options)
    predict = finetune.make_predict(encoder, head)

    def fit_one(key, params, order, x, y, held_out, n, recipe):
        trained = run(streams(key).finetune, params, finetune.Labelled(x, y, order, n), recipe)
        return predict(trained, held_out)

    def fresh_encoder(key, x):
        return encoder.init(streams(key).fresh, x)

    fit_seeds = over_seeds(fit_one, [True, True, True, *[False] * 5])
    fresh_seeds = over_seeds(fresh_encoder, [True, False])
    position, shared = _place(inputs)

    def fit(pretrained: Mapping[int, Params] | None, n: int, seeds: Sequence[int]) -> Fits:
        make_recipe = finetune.scratch_recipe if pretrained is None else finetune.pretrained_recipe
        fits: Fits = {}
        for ids in chunks(seeds, _chunk(config, shared, len(seeds))):
            started = time.perf_counter()
            keys = shard(seed_keys(config.run.root_key, ids), per_seed=True)
            params = fresh_seeds(keys, shared[0][:1])
            if pretrained is not None:
                stacked = jax.tree.map(lambda *p: jnp.stack(p), *[pretrained[seed] for seed in ids])
                params = finetune.transfer(stacked, params, options.transfer_layers)
            orders = np.stack([position[inputs.orders[seed]] for seed in ids])
            per_seed = shard((keys, params, orders), per_seed=True)
            recipe = make_recipe(options, n_layers)
            probabilities = np.asarray(fit_seeds(*per_seed, *shared, np.int32(n), recipe))
            seconds = (time.perf_counter() - started) / len(set(ids))
            fits |= {seed: (probabilities[i], seconds) for i, seed in enumerate(ids)}
        return fits

    return fit


def _place(inputs: Inputs) -> tuple[Int[np.ndarray, " samples"], tuple[Array, Array, Array]]:
    """Row of every sample in the training matrix; and on the device training x, y, held-out x."""
    position = np.zeros(len(inputs.codes), np.int32)
    position[inputs.train] = np.arange(len(inputs.train))
    shared = shard(
        (
            inputs.features[inputs.train],
            np.maximum(inputs.codes[inputs.train], 0),  # an unlabelled row is never in an order
            inputs.features[inputs.held_out],
        ),
        per_seed=False,
    )
    return position, shared


def _chunk(config: Config, shared, n_seeds: int) -> int:
    """Seeds per compiled call, from what one fit needs."""
    x, _, held_out = shared
    encoder = make_encoder(config.encoder, config.run.precision)
    params = jax.eval_shape(encoder.init, jax.random.key(0), x[:1])
    width = sum(config.encoder.hidden)
    rows = 6 * config.finetune.batch_size + 2 * (len(x) + len(held_out))
    working = 4 * bytes_of(params) + 4 * width * rows
    footprint = Footprint(bytes_of(shared), bytes_of(params), working)
    return plan_memory(footprint, n_seeds, config.run.memory_gb, config.run.chunk).chunk
