"""The arms that train the MLP: one compiled program for all of them, at budgets of like size."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from jaxssl.config import Config, FinetuneConfig
from jaxssl.engine.ensemble import chunks, over_seeds, seed_keys
from jaxssl.engine.footprint import Footprint, bytes_of, plan_memory
from jaxssl.engine.mesh import shard
from jaxssl.engine.train import streams
from jaxssl.evaluation import finetune
from jaxssl.evaluation.arms import RANDOM_ENCODER, SCRATCH, SELFTRAIN, Encoders, Fit, Fits, Inputs
from jaxssl.evaluation.selftrain import Lesson, teach

GROWTH = 0.5  # few labels leave a pretrained encoder nearly as it is
MORE = 2  # profiles of a step of a student, which need no label
STUDENT = 1  # folded into the key of a fit: the student's streams


def make_recipe(arm: str, options: FinetuneConfig, n_layers: int) -> finetune.Recipe:
    """How an arm trains: `scratch` without a probe, `random_encoder` its head, others by LP-FT."""
    probe = options.probe_steps, options.probe_learning_rate, options.probe_decay
    balance, decay = options.class_balance, float(options.schedule == "cosine")
    if arm == SCRATCH:
        steps, rate = options.scratch_steps, options.scratch_learning_rate
        return finetune.Recipe(0, 0.0, 0.0, steps, rate, jnp.ones(n_layers), balance, decay)
    if arm == RANDOM_ENCODER:
        return finetune.Recipe(*probe, 0, 0.0, jnp.zeros(n_layers), balance)
    own = options.n_steps, options.learning_rate
    rates = (jnp.arange(n_layers) >= options.freeze_layers).astype(jnp.float32)
    return finetune.Recipe(*probe, *own, rates, balance, decay, GROWTH * decay)


def make_fit_network(config: Config, inputs: Inputs) -> Callable[..., Fits]:
    """Build the fit of the arms that train the MLP: one compiled program for all."""
    options, n_layers = config.finetune, len(config.encoder.hidden)
    networks = finetune.make_networks(config, inputs.n_classes)
    fresh_encoders, fit_labels, selftrain = _compile(networks)
    train, held_out = inputs.train, inputs.features[inputs.held_out]
    codes = np.maximum(inputs.codes[train], 0)  # an unlabelled row is never in an order
    shared = shard((inputs.features[train], codes, held_out), per_seed=False)
    lesson = Lesson(*(getattr(config.selftrain, name) for name in Lesson._fields))

    def fit(
        arm: str,
        encoders: Encoders | None,  # without, all layers are fresh
        n: int,  # labels
        seeds: Sequence[int],
        keys: Mapping[int, int] | None = None,  # seed → the one that weights and batches follow
    ) -> Fits:
        how = np.int32(n), make_recipe(arm.removesuffix(SELFTRAIN), options, n_layers)
        fits: Fits = {}
        for ids in chunks(seeds, _chunk(config, networks, shared, len(seeds))):
            started = time.perf_counter()
            drawn = [keys[seed] if keys else seed for seed in ids]
            of_seeds = shard(seed_keys(config.run.root_key, drawn), per_seed=True)
            fresh = params = fresh_encoders(of_seeds, shared[0][:1])
            if encoders is not None:
                stacked = jax.tree.map(lambda *p: jnp.stack(p), *[encoders[seed] for seed in ids])
                params = finetune.transfer(stacked, params, options.transfer_layers)
            orders = np.searchsorted(train, [inputs.orders[seed] for seed in ids])  # it is sorted
            per_seed = shard((of_seeds, params, orders.astype(np.int32)), per_seed=True)
            if arm.endswith(SELFTRAIN):
                student = params if config.selftrain.student == "pretrained" else fresh
                student = shard(student, per_seed=True)
                fitted = selftrain(*per_seed, student, *shared, *how, lesson)
            else:
                fitted = fit_labels(*per_seed, *shared, *how)
            probabilities, losses = map(np.asarray, fitted)
            seconds = (time.perf_counter() - started) / len(set(ids))
            fits |= {s: Fit(probabilities[i], seconds, losses[i]) for i, s in enumerate(ids)}
        return fits

    return fit


@lru_cache
def _compile(networks: finetune.Networks) -> tuple[Callable, Callable, Callable]:
    """Programs for the seeds of a chunk: fresh encoders, and fits up to held-out probabilities.

    Those by labels alone, and by self-training; both tell the loss on the labels, too. Kept: who
    fits the same shapes again, under whatever recipe, finds them compiled.
    """

    def fresh_encoder(key, x):
        return networks.encoder.init(streams(key).fresh, x)

    def fit_one(key, params, order, x, y, held_out, n, recipe):
        labelled, key = finetune.Labelled(x, y, order, n), streams(key).finetune
        trained = finetune.finetune(networks, key, params, labelled, recipe)
        return finetune.judge(networks, trained, labelled, held_out)

    def selftrain_one(key, params, order, student, x, y, held_out, n, recipe, lesson):
        labelled, key = finetune.Labelled(x, y, order, n), streams(key).finetune
        logits = networks.logits(finetune.finetune(networks, key, params, labelled, recipe), x)
        key = jax.random.fold_in(key, STUDENT)
        weights = finetune.class_weights(labelled, logits.shape[1], recipe.class_balance)
        of_student = networks._replace(batch_size=MORE * networks.batch_size)
        taught = teach(of_student, key, student, logits, labelled, lesson, weights)
        return finetune.judge(networks, taught, labelled, held_out)

    return (
        over_seeds(fresh_encoder, [True, False]),
        over_seeds(fit_one, [True, True, True, *[False] * 5]),
        over_seeds(selftrain_one, [True, True, True, True, *[False] * 6]),
    )


def _chunk(config: Config, networks: finetune.Networks, shared, n_seeds: int) -> int:
    """Seeds per compiled call, from what one fit needs."""
    x, _, held_out = shared
    params = jax.eval_shape(networks.encoder.init, jax.random.key(0), x[:1])
    width = sum(config.encoder.hidden)
    rows = 6 * config.finetune.batch_size + 2 * (len(x) + len(held_out))
    working = 4 * bytes_of(params) + 4 * width * rows
    footprint = Footprint(bytes_of(shared), bytes_of(params), working)
    return plan_memory(footprint, n_seeds, config.run.memory_gb, config.run.chunk).chunk
