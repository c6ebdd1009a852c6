"""What the engine may assume of every entry of METHODS."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxssl.config import AugmentConfig, EncoderConfig, SwAVConfig
from jaxssl.methods import METHODS
from jaxssl.methods.augment import make_views
from jaxssl.model import make_encoder
from jaxssl.types import Pool

OPTIONS = {
    "swav": [
        SwAVConfig(n_prototypes=(6,)),
        SwAVConfig(n_prototypes=(6, 5), queue_length=20, hard_codes=True, projection="linear"),
    ]
}
CASES = [(name, options) for name, variants in OPTIONS.items() for options in variants]
POOL = jax.random.normal(jax.random.key(7), (40, 10))
INDEX = jnp.arange(12)
STEPS = jnp.arange(4)
KEYS = jax.random.split(jax.random.key(1), 3)


def build(name, options, precision="float32"):
    return METHODS[name](options, make_encoder(EncoderConfig((16, 8), "layer"), precision))


def train(method):
    """A few steps of gradient descent on one seed; `steps` stays unbatched under vmap."""
    make = make_views(AugmentConfig(noise=0.5))

    def run(key, steps):
        params, memory = method.init(key, POOL[INDEX])

        def body(carry, step):
            params, memory = carry
            views = make(jax.random.fold_in(key, step), POOL[INDEX], INDEX, Pool(POOL, {}))
            gradient = jax.value_and_grad(method.loss, has_aux=True)
            (_, metrics), grads = gradient(params, memory, step, key, views)
            params = jax.tree.map(lambda p, g: p - 0.1 * g, params, grads)
            return (params, method.remember(params, memory, views)), (metrics, grads)

        (params, memory), (metrics, grads) = jax.lax.scan(body, (params, memory), steps)
        return params, method.refresh(params, memory, key, POOL), metrics, grads

    return run


def test_every_method_is_covered():
    assert set(OPTIONS) == set(METHODS)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case[0])
def case(request):
    """A method, and its training compiled for one seed."""
    method = build(*request.param)
    return method, train(method), jax.jit(train(method))


def test_encoder_gradient_is_finite_and_nowhere_all_zero(case):
    _, _, metrics, grads = case[2](KEYS[0], STEPS)
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves((grads, metrics)))
    assert all(bool((leaf != 0).any()) for leaf in jax.tree.leaves(grads["encoder"]))


def test_members_of_a_vmapped_ensemble_differ_and_equal_themselves_alone(case):
    _, run, alone = case
    together = jax.jit(jax.vmap(run, in_axes=(0, None)))(KEYS, STEPS)
    for i in range(3):
        member = jax.tree.map(lambda leaf, i=i: leaf[i], together)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), member, alone(KEYS[i], STEPS)
        )
    for leaf in jax.tree.leaves(together[0]["encoder"]):
        assert bool((leaf[0] != leaf[1]).any())


def test_memory_keeps_its_shape_and_metrics_are_float32_and_hold_the_loss(case):
    method, _, alone = case
    _, memory = jax.eval_shape(method.init, KEYS[0], POOL[INDEX])
    _, later, metrics, _ = alone(KEYS[0], STEPS)
    assert jax.tree.map(jnp.shape, memory) == jax.tree.map(jnp.shape, later)
    assert metrics["loss"].shape == STEPS.shape
    assert {leaf.dtype for leaf in jax.tree.leaves(metrics)} == {jnp.dtype("float32")}


@pytest.mark.parametrize(("name", "options"), CASES)
def test_parameters_are_float32_in_plain_dicts_and_freeze_names_some(name, options):
    method = build(name, options, "bfloat16")
    params, memory = jax.eval_shape(method.init, KEYS[0], POOL[INDEX])
    assert type(params) is dict
    assert "encoder" in params
    assert set(method.freeze) <= set(params)
    assert {leaf.dtype for leaf in jax.tree.leaves((params, memory))} == {jnp.dtype("float32")}
