"""Fine-tuning of one seed: batches, freezing, transfer, one program."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from jaxssl.config import Config, EncoderConfig, FinetuneConfig, from_dict, to_dict
from jaxssl.evaluation import finetune as module
from jaxssl.evaluation.finetune import (
    Labelled,
    Networks,
    batch_positions,
    finetune,
    transfer,
)
from jaxssl.evaluation.network import make_recipe
from jaxssl.model import make_encoder, make_head

pytestmark = pytest.mark.usefixtures("standard_promotion")

ENCODER = make_encoder(EncoderConfig((16, 8, 8), "layer"), "float32")
HEAD = make_head("linear", 0, 3, "float32")
OPTIONS = FinetuneConfig(batch_size=16, probe_steps=30, n_steps=30, scratch_steps=60)
RNG = np.random.default_rng(0)
CODES = np.arange(90) % 3
X = (RNG.normal(size=(3, 5))[CODES] * 2 + RNG.normal(size=(90, 5)) * 0.3).astype(np.float32)
WORDS = jnp.array([1, 2], jnp.uint32)
START = ENCODER.init(jax.random.key(0), jnp.asarray(X[:1]))


def labelled(n=90):
    order = jnp.arange(90, dtype=jnp.int32)
    return Labelled(jnp.asarray(X), jnp.asarray(CODES, jnp.int32), order, jnp.int32(n))


@pytest.mark.parametrize("n", [1, 7, 16, 1000])
def test_batch_positions_cover_the_labels_evenly(n):
    positions = np.asarray(batch_positions(WORDS, 1, jnp.int32(n), 16))
    assert positions.min() >= 0
    assert positions.max() < n
    if n >= 16:
        assert len(np.unique(positions)) == 16, "no label twice in a batch"
        np.testing.assert_array_equal(positions * 16 // n, np.arange(16))
    draws = np.concatenate([batch_positions(WORDS, i, jnp.int32(n), 16) for i in range(200)])
    counts = np.bincount(np.asarray(draws), minlength=n)
    expected = len(draws) / n
    assert np.abs(counts - expected).max() < 6 * np.sqrt(expected) + 1


def test_only_the_first_n_of_the_order_are_read():
    run = partial(finetune, Networks(ENCODER, HEAD, OPTIONS.batch_size))
    recipe = make_recipe("swav", OPTIONS, 3)
    data = labelled(12)
    spoiled = data._replace(y=data.y.at[12:].set(0))
    a, b = (run(jax.random.key(3), START, d, recipe) for d in (data, spoiled))
    jax.tree.map(np.testing.assert_array_equal, a, b)


def test_one_compiled_program_serves_all_shares_and_arms():
    traces = []

    def counted(*args):
        traces.append(1)
        return partial(finetune, Networks(ENCODER, HEAD, OPTIONS.batch_size))(*args)

    run = jax.jit(counted)
    for recipe in (make_recipe("scratch", OPTIONS, 3), make_recipe("swav", OPTIONS, 3)):
        for n in (3, 12, 90):
            run(jax.random.key(0), START, labelled(n), recipe)
    assert len(traces) == 1


@pytest.mark.parametrize(("schedule", "shares"), [("cosine", [1, 0.5, 0]), ("constant", [1, 1, 1])])
def test_the_rate_falls_by_a_cosine_or_stays(monkeypatch, schedule, shares):
    rates = []
    monkeypatch.setattr(module, "descend", lambda *args: rates.append(args[3]) or args[1])
    options = FinetuneConfig(schedule=schedule, scratch_steps=8, scratch_learning_rate=0.2)
    recipe = make_recipe("scratch", options, 3)
    finetune(Networks(ENCODER, HEAD, 4), jax.random.key(0), START, labelled(), recipe)
    *_, rate = rates
    found = [rate(jnp.int32(step)) / 0.2 for step in (0, 4, 8)]
    np.testing.assert_allclose(found, shares, atol=1e-6)


@pytest.mark.parametrize(("n", "times"), [(10, 0.1), (90, 0.3), (1000, 1), (4000, 2), (40_000, 2)])
def test_the_rate_of_a_pretrained_encoder_grows_with_the_root_of_the_labels(monkeypatch, n, times):
    rates = []
    monkeypatch.setattr(module, "descend", lambda *args: rates.append(args[3]) or args[1])
    recipe = make_recipe("swav", FinetuneConfig(learning_rate=0.2), 3)
    networks = Networks(ENCODER, HEAD, 4)
    finetune(networks, jax.random.key(0), START, labelled()._replace(n=jnp.int32(n)), recipe)
    np.testing.assert_allclose(rates[-1](jnp.int32(0)), 0.2 * times, rtol=1e-6)


def test_frozen_layers_stay_bitwise_and_the_others_move():
    options = FinetuneConfig(freeze_layers=2, n_steps=20, probe_steps=5, batch_size=16)
    params = partial(finetune, Networks(ENCODER, HEAD, options.batch_size))(
        jax.random.key(0), START, labelled(), make_recipe("swav", options, 3)
    )
    for name in ("layer_0", "layer_1"):
        jax.tree.map(np.testing.assert_array_equal, params["encoder"][name], START[name])
    assert (
        np.abs(
            params["encoder"]["layer_2"]["dense"]["kernel"] - START["layer_2"]["dense"]["kernel"]
        ).max()
        > 0
    )


def test_a_probe_alone_leaves_the_encoder_bitwise_and_separates_the_classes():
    recipe = make_recipe("swav", OPTIONS, 3)._replace(steps=0, probe_steps=200)
    params = partial(finetune, Networks(ENCODER, HEAD, OPTIONS.batch_size))(
        jax.random.key(0), START, labelled(), recipe
    )
    jax.tree.map(np.testing.assert_array_equal, params["encoder"], START)
    probabilities = Networks(ENCODER, HEAD, 1).predict(params, jnp.asarray(X))
    assert np.mean(np.argmax(probabilities, 1) == CODES) > 0.9
    np.testing.assert_allclose(np.sum(probabilities, 1), 1, rtol=1e-5)


def test_transfer_takes_the_first_layers_and_leaves_the_rest_fresh():
    fresh = ENCODER.init(jax.random.key(9), jnp.asarray(X[:1]))
    mixed = transfer(START, fresh, 2)
    assert mixed["layer_0"] is START["layer_0"]
    assert mixed["layer_1"] is START["layer_1"]
    assert mixed["layer_2"] is fresh["layer_2"]
    assert list(mixed) == list(fresh)


def test_arms_share_the_batches_of_a_seed(monkeypatch):
    seen, draw = [], module.batch_positions

    def noted(words, step, n, size):
        at = jnp.append(words, jnp.uint32(step))
        jax.debug.callback(lambda d: seen.append(tuple(d.tolist())), at, ordered=True)
        return draw(words, step, n, size)

    monkeypatch.setattr(module, "batch_positions", noted)
    run = jax.jit(partial(finetune, Networks(ENCODER, HEAD, OPTIONS.batch_size)))
    for recipe in (make_recipe("scratch", OPTIONS, 3), make_recipe("swav", OPTIONS, 3)):
        probe_steps = min(recipe.probe_steps, 1)
        short = recipe._replace(probe_steps=probe_steps, steps=2)
        jax.block_until_ready(run(jax.random.key(5), START, labelled(9), short))
    jax.effects_barrier()
    scratch, pretrained = seen[:2], seen[2:]
    assert len(pretrained) == 3, "one step of the probe, two of all layers"
    assert pretrained[1:] == scratch
    assert len(set(pretrained)) == 3


def test_the_probe_is_penalised_logistic_regression_on_standardised_embeddings():
    recipe = make_recipe("swav", OPTIONS, 3)._replace(steps=0, probe_steps=4000)
    options = dataclasses.replace(OPTIONS, batch_size=90)  # every label in every batch
    params = partial(finetune, Networks(ENCODER, HEAD, options.batch_size))(
        jax.random.key(0), START, labelled(), recipe
    )
    embeddings = np.asarray(ENCODER.apply(START, jnp.asarray(X)))
    standardized = (embeddings - embeddings.mean(0)) / embeddings.std(0)
    # scikit-learn's C multiplies the sum of losses, ours is a mean: C = 1 / (n * decay)
    oracle = LogisticRegression(C=1 / (90 * OPTIONS.probe_decay), tol=1e-8, max_iter=5000)
    expected = oracle.fit(standardized, CODES).predict_proba(standardized)
    found = Networks(ENCODER, HEAD, 1).predict(params, jnp.asarray(X))
    np.testing.assert_allclose(found, expected, atol=3e-3)


@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
def test_class_weights_make_classes_count_by_a_power_of_their_labels(balance):
    y, n = jnp.asarray([0] * 6 + [1] * 3 + [2] * 2), jnp.int32(9)  # class 2 is not in the budget
    data = Labelled(jnp.zeros((11, 5)), y, jnp.arange(11), n)
    weights = np.asarray(module.class_weights(data, 3, balance))
    np.testing.assert_allclose(weights[:2] @ [6, 3], 9, rtol=1e-6)
    np.testing.assert_allclose(weights[0] / weights[1], (3 / 6) ** balance, rtol=1e-6)
    if balance == 1:
        np.testing.assert_allclose(weights[0] * 6, weights[1] * 3, rtol=1e-6)


def test_a_balanced_loss_is_that_of_every_class_by_itself():
    logits = jnp.asarray(RNG.normal(size=(9, 2)), jnp.float32)
    y = jnp.asarray([0] * 6 + [1] * 3)
    data = Labelled(jnp.zeros((9, 5)), y, jnp.arange(9), jnp.int32(9))
    weighted = module.cross_entropy(logits, y, module.class_weights(data, 2, 1.0))
    by_class = [module.cross_entropy(logits[y == c], y[y == c]) for c in (0, 1)]
    np.testing.assert_allclose(weighted, np.mean(by_class), rtol=1e-5)


def test_a_section_of_before_there_were_schedules_keeps_its_rates():
    stored = to_dict(Config())
    del stored["finetune"]["schedule"]
    stored["finetune"]["learning_rate"] = 1e-4
    assert from_dict(stored).finetune.schedule == "constant"
    assert from_dict({"finetune": {"n_steps": 5}}).finetune.schedule == "cosine", "who asks now"
