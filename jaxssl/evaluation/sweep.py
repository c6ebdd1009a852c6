"""The label-efficiency comparison: arms x label shares x seeds, paired by construction.

All arms of a seed share the split, the label subset, the batch order and the fresh layers.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from jaxssl.config import Config
from jaxssl.data.labels import label_budget, label_order
from jaxssl.data.normalize import normalize
from jaxssl.data.task import Task, columns_of, standardized_genes
from jaxssl.engine.ensemble import bytes_of, chunks, over_seeds, plan_memory, seed_keys, shard
from jaxssl.evaluation import finetune
from jaxssl.evaluation.baselines import BASELINES
from jaxssl.evaluation.metrics import score
from jaxssl.methods import METHODS
from jaxssl.model import make_classifier, make_encoder
from jaxssl.types import InputError, Normalizer, Params

RESULT_COLUMNS = (
    *("dataset", "task", "arm", "method", "share", "n_labelled", "seed", "split", "part"),
    *("metric", "value", "fit_seconds", "device"),
)
NETWORK_ARMS = ("scratch", *METHODS)
ARMS = (*BASELINES, *NETWORK_ARMS)
Done = Collection[tuple[str, float, int]]
"""(arm, share, seed) that need not be computed again."""


class Fitted(NamedTuple):
    """One arm at one share: tidy result rows, and test probabilities per seed."""

    arm: str
    share: float
    rows: list[dict[str, Any]]
    probabilities: dict[int, Float[np.ndarray, "test classes"]]


class Inputs(NamedTuple):
    """The arrays that all arms share, on the host."""

    spectral: Float[np.ndarray, "samples features"]  # what the encoder sees
    genes: Float[np.ndarray, "samples genes"] | None  # what the gene-level baselines see
    codes: Int[np.ndarray, " samples"]
    orders: dict[int, Int[np.ndarray, " labelled"]]  # rows in their label order, per seed
    held_out: dict[str, Int[np.ndarray, " rows"]]  # rows of each part


def sweep(
    task: Task,
    config: Config,
    normalizer: Normalizer,
    encoders: Mapping[str, Mapping[int, Params]],
    seeds: Sequence[int],
    done: Done = (),
) -> Iterator[Fitted]:
    """Fit and score what is missing, one arm and share after the other.

    Args:
        task: data, labels and split.
        config: resolved options; arms and shares are those of `config.sweep`.
        normalizer: the one that the encoders were trained with.
        encoders: encoder parameters by method and seed, for the self-supervised arms.
        seeds: seed ids.
        done: fits to leave out.

    Raises:
        InputError: on an unknown arm, a share with fewer labels than classes, or a missing encoder.
    """
    labels_at = budgets(task, config)
    check_encoders(config.sweep.arms, encoders, seeds)
    inputs = make_inputs(task, config, normalizer, seeds)
    networks = NetworkArms(task, config, inputs)
    for arm in config.sweep.arms:
        for share, n in labels_at.items():
            missing = [seed for seed in seeds if (arm, share, seed) not in done]
            if not missing:
                continue
            if arm in BASELINES:
                fits = fit_baseline(arm, inputs, n, missing)
            else:
                fits = networks.fit(arm, encoders.get(arm), n, missing)
            yield _score(task, config, arm, share, n, inputs, fits)


def budgets(task: Task, config: Config) -> dict[float, int]:
    """Number of labels of every share.

    Raises:
        InputError: on an unknown arm or a share with fewer labels than classes.
    """
    for arm in config.sweep.arms:
        if arm not in ARMS:
            raise InputError(f"unknown arm {arm!r} in --arms: choose among {', '.join(ARMS)}")
    n_labelled, n_classes = len(task.labelled_train), len(task.classes)
    return {share: label_budget(share, n_labelled, n_classes) for share in config.sweep.shares}


def check_encoders(
    arms: Sequence[str], encoders: Mapping[str, Mapping[int, Params]], seeds: Sequence[int]
) -> None:
    """Fail before anything is computed if a self-supervised arm lacks an encoder."""
    for arm in arms:
        if arm in METHODS:
            missing = [seed for seed in seeds if seed not in encoders.get(arm, {})]
            if missing:
                raise InputError(
                    f"arm {arm} has no encoder for seeds {missing}; pretrain them "
                    "(launch.pretrain --seeds) and pass their folder with --encoder"
                )


def make_inputs(
    task: Task, config: Config, normalizer: Normalizer, seeds: Sequence[int]
) -> Inputs:
    """Normalise once for all arms and draw every seed's label order."""
    spectral = normalize(normalizer, columns_of(task, normalizer))
    needs_genes = any(arm in BASELINES and BASELINES[arm].input == "genes" for arm in config.sweep.arms)
    genes = None
    if needs_genes:
        genes = spectral if normalizer.rotation is None else standardized_genes(task, normalizer)
    labelled = task.labelled_train
    orders = {
        seed: labelled[label_order(task.codes[labelled], len(task.classes), seed)] for seed in seeds
    }
    parts = {"test": task.split.test, "validation": task.split.validation}
    return Inputs(spectral, genes, task.codes, orders, parts)


Fits = dict[int, tuple[Float[np.ndarray, "held_out classes"], float]]
"""Probabilities on all held-out rows, test first, and seconds; per seed."""


def fit_baseline(arm: str, inputs: Inputs, n: int, seeds: Sequence[int]) -> Fits:
    """Fit a classical arm for every seed; equal label sets are fitted once."""
    baseline = BASELINES[arm]
    x = inputs.spectral if baseline.input == "spectral" else inputs.genes
    assert x is not None, "make_inputs provides what the arms need"
    held_out = np.concatenate(list(inputs.held_out.values()))
    fits: Fits = {}
    by_labels: dict[bytes, Any] = {}
    for seed in seeds:
        rows = np.sort(inputs.orders[seed][:n])
        if rows.tobytes() not in by_labels:
            started = time.perf_counter()
            probabilities = baseline.fit(x[rows], inputs.codes[rows], x[held_out], seed)
            by_labels[rows.tobytes()] = (probabilities, time.perf_counter() - started)
        fits[seed] = by_labels[rows.tobytes()]
    return fits


class NetworkArms:
    """The arms that train the MLP: one compiled program for all of them and all shares."""

    def __init__(self, task: Task, config: Config, inputs: Inputs):
        self.config, self.inputs = config, inputs
        options = config.finetune
        self.n_layers = len(config.encoder.hidden)
        self.encoder = make_encoder(config.encoder, config.run.precision)
        head = make_classifier(len(task.classes), config.run.precision)
        run = finetune.make_finetune(self.encoder, head, options)
        predict = finetune.make_predict(self.encoder, head)

        def fit(key, params, order, x, y, held_out, n, recipe):
            key_fresh, key_fit = jax.random.split(key)
            del key_fresh  # the fresh layers' stream, used by `fresh_encoders`
            trained = run(key_fit, params, finetune.Labelled(x, y, order, n), recipe)
            return predict(trained, held_out)

        self.fit_seeds = over_seeds(fit, [True, True, True, *[False] * 5])
        self.fresh_seeds = over_seeds(
            lambda key, x: self.encoder.init(jax.random.split(key)[0], x), [True, False]
        )
        rows = task.split.train
        position = np.full(len(task.codes), -1)
        position[rows] = np.arange(len(rows))
        self.position = position
        self.x = shard(inputs.spectral[rows], per_seed=False)
        self.y = shard(np.maximum(inputs.codes[rows], 0), per_seed=False)
        held_out = np.concatenate(list(inputs.held_out.values()))
        self.held_out = shard(inputs.spectral[held_out], per_seed=False)

    def fit(
        self, arm: str, pretrained: Mapping[int, Params] | None, n: int, seeds: Sequence[int]
    ) -> Fits:
        """Fit one arm at one label budget for the given seeds."""
        options = self.config.finetune
        make_recipe = finetune.scratch_recipe if pretrained is None else finetune.pretrained_recipe
        recipe = make_recipe(options, self.n_layers)
        fits: Fits = {}
        for ids in chunks(seeds, self._chunk(len(seeds))):
            started = time.perf_counter()
            keys = shard(seed_keys(self.config.run.root_key + 1, ids), per_seed=True)
            params = self.fresh_seeds(keys, self.x[:1])
            if pretrained is not None:
                stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *[pretrained[i] for i in ids])
                params = finetune.transfer(stacked, params, options.transfer_layers)
            orders = np.stack([self.position[self.inputs.orders[i]] for i in ids]).astype(np.int32)
            probabilities = np.asarray(
                self.fit_seeds(
                    *(keys, shard(params, per_seed=True), shard(orders, per_seed=True)),
                    *(self.x, self.y, self.held_out, np.int32(n), recipe),
                )
            )
            seconds = (time.perf_counter() - started) / len(set(ids))
            fits |= {seed: (probabilities[i], seconds) for i, seed in enumerate(ids)}
        return fits

    def _chunk(self, n_seeds: int) -> int:
        run = self.config.run
        params = jax.eval_shape(self.encoder.init, jax.random.key(0), self.x[:1])
        widths = sum(self.config.encoder.hidden)
        activations = 4 * widths * (6 * self.config.finetune.batch_size + 2 * len(self.x))
        per_seed = 5 * bytes_of(params) + activations
        return plan_memory(per_seed, bytes_of(self.x), n_seeds, run.memory_gb, run.chunk).chunk


def _score(
    task: Task, config: Config, arm: str, share: float, n: int, inputs: Inputs, fits: Fits
) -> Fitted:
    head = {
        **{"dataset": task.dataset, "task": task.label, "arm": arm, "share": share},
        **{"method": config.method.name if arm in METHODS else "", "n_labelled": n},
        **{"split": config.split.seed, "device": jax.devices()[0].device_kind},
    }
    rows, test_probabilities = [], {}
    for seed, (probabilities, seconds) in fits.items():
        start = 0
        for part, members in inputs.held_out.items():
            of_part = probabilities[start : start + len(members)]
            start += len(members)
            rows += [
                head | {"seed": seed, "part": part, "metric": name, "value": value, "fit_seconds": seconds}
                for name, value in score(inputs.codes[members], of_part).items()
            ]
            if part == "test":
                test_probabilities[seed] = of_part
    return Fitted(arm, share, rows, test_probabilities)


def results_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as a table with its columns in their order."""
    return pd.DataFrame(rows, columns=list(RESULT_COLUMNS))
