"""BYOL: its loss, its target, and its collapse without what prevents one."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import lightly_loss, random, unit

from jaxssl.config import Config, EncoderConfig
from jaxssl.data.synthetic import make_synthetic
from jaxssl.data.task import make_task
from jaxssl.engine.planning import plan_pretraining
from jaxssl.engine.prepared import prepare
from jaxssl.engine.pretrain import merge, pretrain
from jaxssl.methods import losses
from jaxssl.methods.byol import BYOLConfig, byol, momentum
from jaxssl.methods.interface import Batch, Training
from jaxssl.model import make_encoder
from jaxssl.types import Views

KEY = jax.random.key(0)
BATCH = 6
ENCODER = make_encoder(EncoderConfig((6, 5), "layer"), "float32")
OPTIONS = BYOLConfig(projection_hidden=7, projection_dim=4, predictor_hidden=8)


def views_of(seed, n_views=2):
    x = jnp.asarray(random(seed, n_views, BATCH, 3))
    return Views(x, jnp.arange(BATCH), x[0])


def made(**changes):
    method = byol(dataclasses.replace(OPTIONS, **changes), Training(ENCODER, 20, 100))
    return method._replace(init=jax.jit(method.init), loss=jax.jit(method.loss))


def forward(params, x):
    """Encoder and one-hidden-layer heads, in float64."""

    def layer(p, x):
        x = x @ np.asarray(p["dense"]["kernel"], np.float64) + np.asarray(p["dense"]["bias"])
        x = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-6)
        return x * np.asarray(p["norm"]["scale"]) + np.asarray(p["norm"]["bias"])

    def head(p, x):
        x = np.maximum(layer(p["layer_0"], x), 0)
        return x @ np.asarray(p["output"]["kernel"], np.float64) + np.asarray(p["output"]["bias"])

    e = np.maximum(layer(params["encoder"]["layer_0"], np.asarray(x, np.float64)), 0)
    z = head(params["projection"], layer(params["encoder"]["layer_1"], e))
    return z, (head(params["predictor"], z) if "predictor" in params else z)


@pytest.mark.parametrize("n_views", [2, 3])
def test_loss_is_the_cosine_form_between_prediction_and_target_both_ways(n_views):
    method, views = made(), views_of(1, n_views)
    params, memory = method.init(KEY, views.x[0])
    target = jax.tree.map(lambda leaf: leaf + 0.05, memory["target"])
    value, _ = method.loss(params, Batch(views, {"target": target}, 0))
    predicted = [unit(forward(params, x)[1]) for x in views.x]
    targets = [unit(forward(target, x)[0]) for x in views.x]
    pairs = [(i, j) for i in range(n_views) for j in range(n_views) if i != j]
    cosines = [np.sum(predicted[i] * targets[j], axis=1).mean() for i, j in pairs]
    np.testing.assert_allclose(value, np.mean([2 - 2 * c for c in cosines]), rtol=1e-4)


def test_cosine_distance_equals_lightlys_negative_cosine():
    a, b = random(1, 6, 5), random(2, 6, 5)
    theirs = lightly_loss("NegativeCosineSimilarity")(a, b)
    ours = jax.jit(losses.cosine_distance)(jnp.asarray(a), jnp.asarray(b))
    np.testing.assert_allclose(ours, 2 + 2 * theirs, rtol=1e-5)


def test_no_gradient_reaches_the_target_unless_it_is_asked_for():
    method, views = made(), views_of(1)
    params, memory = method.init(KEY, views.x[0])
    gradient = jax.grad(lambda m: method.loss(params, Batch(views, m, 0))[0])(memory)
    assert all(bool((leaf == 0).all()) for leaf in jax.tree.leaves(gradient))
    stopped = jax.grad(lambda p: method.loss(p, Batch(views, {"target": memory["target"]}, 0))[0])
    through = made(stop_gradient=False)
    flowing = jax.grad(lambda p: through.loss(p, Batch(views, memory, 0))[0])
    leaves = zip(*map(jax.tree.leaves, (stopped(params), flowing(params))), strict=True)
    assert any(bool((jnp.abs(a - b) > 1e-6).any()) for a, b in leaves)


def test_momentum_rises_from_its_base_to_one_by_a_cosine():
    values = [float(momentum(OPTIONS, 100, step)) for step in (0, 25, 50, 100)]
    expected = [1 - 0.01 * (np.cos(np.pi * t) + 1) / 2 for t in (0, 0.25, 0.5, 1)]
    np.testing.assert_allclose(values, expected, rtol=1e-6)


def test_the_target_follows_encoder_and_projection_by_that_momentum():
    method, views = made(), views_of(1)
    params, memory = method.init(KEY, views.x[0])
    moved = jax.tree.map(lambda leaf: leaf + 1.0, params)
    after = method.remember(moved, Batch(views, memory, 50))["target"]
    assert set(after) == {"encoder", "projection"}
    jax.tree.map(
        lambda new, old: np.testing.assert_allclose(new - old, 0.005, rtol=1e-3),
        after,
        memory["target"],
    )


@pytest.fixture(scope="module")
def prepared():
    config = Config()
    config.method = BYOLConfig(momentum=0.9)  # a slow target only delays a collapse
    config.encoder.hidden, config.finetune.transfer_layers = (32, 16), 2
    config.pretrain.batch_size, config.pretrain.n_steps = 32, 400
    return prepare(make_task(make_synthetic(n_samples=240, n_genes=80), Config()), config)


@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "healthy"),
        ({"predictor": "none"}, "collapsed"),
        ({"stop_gradient": False}, "collapsed"),
    ],
    ids=["whole", "no predictor", "no stop-gradient"],
)
def test_without_predictor_or_stop_gradient_it_collapses_and_the_alarm_names_it(
    prepared, changes, status
):
    method = dataclasses.replace(prepared.config.method, **changes)
    config = dataclasses.replace(prepared.config, method=method)
    plan = plan_pretraining(config, *prepared.pool.shape, 1)
    diagnosis = merge(pretrain(plan, config, prepared.pool, [0])).diagnoses[0]
    assert diagnosis.status == status
    if status == "collapsed":
        assert "projection points the same way" in diagnosis.cause
        (option,) = changes
        assert f"`method.{option}=" in diagnosis.fix
