"""Schedules and true freezing."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxssl.config import OptimizerConfig
from jaxssl.engine.optimize import make_optimizer, make_schedule

pytestmark = pytest.mark.usefixtures("standard_promotion")

PARAMS = {"encoder": {"w": jnp.ones((3, 2))}, "prototypes": {"head_0": jnp.ones((4, 2))}}
GRADS = jax.tree.map(
    lambda leaf: jnp.arange(leaf.size, dtype=jnp.float32).reshape(leaf.shape), PARAMS
)


def run(optimizer, n_steps, params=PARAMS):
    state = optimizer.init(params)
    for _ in range(n_steps):
        updates, state = optimizer.update(GRADS, state, params)
        params = optax.apply_updates(params, updates)
    return params, state


def test_warmup_rises_linearly_and_cosine_ends_at_zero():
    schedule = make_schedule(OptimizerConfig(learning_rate=0.1, warmup_share=0.1), 100)
    rates = np.array([schedule(step) for step in range(101)])
    np.testing.assert_allclose(rates[:10], 0.1 * np.arange(1, 11) / 10, rtol=1e-6)
    cosine = 0.05 * (1 + np.cos(np.pi * np.arange(91) / 90))
    np.testing.assert_allclose(rates[10:], cosine, atol=1e-7)


@pytest.mark.parametrize("name", ["adam", "adamw", "lars"])
def test_freeze_touches_neither_parameter_nor_state(name):
    options = OptimizerConfig(name=name, weight_decay=0.1, schedule="constant", warmup_share=0.0)
    frozen, state = run(make_optimizer(options, 10, {"prototypes": 3}), 3)
    np.testing.assert_array_equal(frozen["prototypes"]["head_0"], PARAMS["prototypes"]["head_0"])
    moments = [
        leaf
        for leaf in jax.tree.leaves(state)
        if jnp.shape(leaf) == PARAMS["prototypes"]["head_0"].shape
    ]
    assert all(not leaf.any() for leaf in moments)
    assert not np.allclose(frozen["encoder"]["w"], PARAMS["encoder"]["w"])


@pytest.mark.parametrize("name", ["adam", "adamw", "lars"])
def test_a_thawed_parameter_moves_as_if_training_began_then(name):
    options = OptimizerConfig(name=name, weight_decay=0.1, schedule="constant", warmup_share=0.0)
    thawed, _ = run(make_optimizer(options, 10, {"prototypes": 3}), 5)
    fresh, _ = run(make_optimizer(options, 10, {}), 2)
    np.testing.assert_allclose(
        thawed["prototypes"]["head_0"], fresh["prototypes"]["head_0"], rtol=1e-6
    )


def test_freeze_of_zero_steps_is_no_freeze():
    options = OptimizerConfig()
    with_zero, _ = run(make_optimizer(options, 5, {"prototypes": 0}), 5)
    without, _ = run(make_optimizer(options, 5, {}), 5)
    jax.tree.map(np.testing.assert_array_equal, with_zero, without)


def test_adam_equals_the_formula():
    options = OptimizerConfig(learning_rate=0.1, schedule="constant", warmup_share=0.0)
    params, _ = run(make_optimizer(options, 3, {}), 1)
    gradient = np.asarray(GRADS["encoder"]["w"], np.float64)
    expected = 1 - 0.1 * gradient / (np.abs(gradient) + 1e-8)  # first step: moments / corrections
    np.testing.assert_allclose(params["encoder"]["w"], expected, rtol=1e-5)


def test_decay_leaves_vectors_alone():
    options = OptimizerConfig(
        name="adamw", weight_decay=0.5, learning_rate=0.1, schedule="constant", warmup_share=0.0
    )
    params = {"encoder": {"w": jnp.ones((3, 2)), "b": jnp.ones(2)}}
    optimizer = make_optimizer(options, 3, {})
    grads = jax.tree.map(jnp.zeros_like, params)
    updates, _ = optimizer.update(grads, optimizer.init(params), params)
    np.testing.assert_array_equal(updates["encoder"]["b"], 0)
    np.testing.assert_allclose(updates["encoder"]["w"], -0.05, rtol=1e-6)
