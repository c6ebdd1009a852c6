"""Every program lowers for a GPU, vectorised over seeds, with no call back to the host."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from test_methods_contract import CASES

from jaxssl.config import Config
from jaxssl.engine import ensemble
from jaxssl.engine.planning import plan_pretraining
from jaxssl.engine.pretrain import make_members, over_all_seeds
from jaxssl.evaluation import finetune, multinomial, network
from jaxssl.evaluation.selftrain import Lesson
from jaxssl.methods.augment import make_pool

pytestmark = pytest.mark.usefixtures("standard_promotion")  # optax
N, FEATURES, CLASSES, SEEDS = 40, 10, 3, 4
ON_CARD = {"cu_threefry2x32_ffi", "Sharding"}
"""Calls that a GPU answers itself."""


@pytest.fixture(autouse=True)
def vectorized(monkeypatch):
    monkeypatch.setattr(ensemble, "vectorizes", lambda: True)


def lower(program, *arguments):
    """The shapes of its results; it must lower for CUDA without the host."""
    exported = export.export(program.program, platforms=("cuda",))(*arguments)
    called = set(re.findall(r"custom_call @(\w+)", exported.mlir_module()))
    assert called <= ON_CARD, "what the host answers would halt the card at each step"
    return jax.tree.unflatten(exported.out_tree, map(struct, exported.out_avals))


def struct(leaf):
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype)


@pytest.mark.parametrize("options", CASES, ids=lambda options: options.name)
def test_pretraining_lowers(options):
    config = Config(method=options)
    config.pretrain.n_steps, config.encoder.hidden = 20, (16, 8)
    plan = plan_pretraining(config, N, FEATURES, SEEDS)
    pool = make_pool(np.zeros((N, FEATURES), np.float32), config.augment, 0)
    programs = over_all_seeds.__wrapped__(plan.trainer)
    state = lower(programs.init, make_members(0, range(SEEDS)), pool)
    state, metrics = lower(programs.epoch, state, jnp.int32(0), pool)
    assert metrics["loss"].shape == (SEEDS,)


def test_an_epoch_in_pieces_lowers():
    config = Config(method=CASES[0])
    config.pretrain.n_steps = 20
    plan = plan_pretraining(config, N, FEATURES, SEEDS)
    pool = make_pool(np.zeros((N, FEATURES), np.float32), config.augment, 0)
    programs = over_all_seeds.__wrapped__(plan.trainer)
    state = lower(programs.init, make_members(0, range(SEEDS)), pool)
    state, batches = lower(programs.begin, state, jnp.int32(0), pool)
    numbers = plan.schedule.numbers(0)
    state, metrics = lower(programs.steps, state, batches, numbers, pool)
    assert lower(programs.end, state, metrics, pool)["loss"].shape == (SEEDS,)


def test_fine_tuning_and_self_training_lower():
    config = Config()
    networks = finetune.make_networks(config, CLASSES)
    fresh_encoders, fit, selftrain = network._compile.__wrapped__(networks)
    keys, x = ensemble.seed_keys(0, range(SEEDS)), np.zeros((N, FEATURES), np.float32)
    params = lower(fresh_encoders, keys, x[:1])
    orders, codes = np.zeros((SEEDS, N), np.int32), np.zeros(N, np.int32)
    shared = x, codes, x[:5], np.int32(N), network.make_recipe("swav", config.finetune, 3)
    probabilities, losses = lower(fit, keys, params, orders, *shared)
    assert (probabilities.shape, losses.shape) == ((SEEDS, 5, CLASSES), (SEEDS,))
    lesson = Lesson(*(getattr(config.selftrain, name) for name in Lesson._fields))
    probabilities, _ = lower(selftrain, keys, params, orders, params, *shared, lesson)
    assert probabilities.shape == (SEEDS, 5, CLASSES)


def test_linear_models_lower():
    n_fits, n_axes = 6, FEATURES + 1
    batch = multinomial.Batch(
        *map(np.float32, (np.zeros((SEEDS, N, n_axes)), np.zeros((SEEDS, N, CLASSES)))),
        *map(np.float32, (np.zeros((SEEDS, n_fits, N)), np.zeros((SEEDS, n_axes)))),
    )
    each = np.ones(SEEDS, np.float32), np.ones((SEEDS, n_fits), np.float32)
    found = lower(multinomial._program.__wrapped__(), *batch, *each, batch.zeros)
    assert found.shape == (SEEDS, n_axes, n_fits, CLASSES)


def test_what_the_host_must_answer_does_not_pass():
    def asks(x):
        return jax.pure_callback(np.asarray, struct(x), x, vmap_method="expand_dims")

    with pytest.raises(ValueError, match="platform"):
        lower(ensemble.over_seeds(asks, [True]), jnp.zeros(SEEDS))
