"""Networks against the same sums in NumPy, and the names that transfer relies on."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxssl import model
from jaxssl.config import EncoderConfig

X = jax.random.normal(jax.random.key(0), (6, 10))


def compiled(network):
    return network._replace(init=jax.jit(network.init), apply=jax.jit(network.apply))


def make_encoder(*args):
    return compiled(model.make_encoder(*args))


def make_head(*args):
    return compiled(model.make_head(*args))


def dense(params, x):
    return x @ np.asarray(params["kernel"], np.float64) + np.asarray(params["bias"], np.float64)


def layer_norm(params, x):
    x = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-6)
    return x * np.asarray(params["scale"], np.float64) + np.asarray(params["bias"], np.float64)


def jitter(params):
    """Random values in place of zeros and ones, so that no parameter can be ignored unnoticed."""
    rng = np.random.default_rng(1)
    return jax.tree.map(
        lambda p: jnp.asarray(p + 0.3 * rng.standard_normal(p.shape), jnp.float32), params
    )


@pytest.mark.parametrize("norm", ["layer", "none"])
@pytest.mark.parametrize("activate_last", [True, False])
def test_encoder_is_dense_norm_relu_per_layer(norm, activate_last):
    encoder = make_encoder(EncoderConfig((8, 5), norm, activate_last), "float32")
    params = jitter(encoder.init(jax.random.key(1), X))
    expected = np.asarray(X, np.float64)
    for name in ("layer_0", "layer_1"):
        expected = dense(params[name]["dense"], expected)
        if norm == "layer":
            expected = layer_norm(params[name]["norm"], expected)
        if name == "layer_0" or activate_last:
            expected = np.maximum(expected, 0.0)
    np.testing.assert_allclose(encoder.apply(params, X), expected, atol=1e-5)


def test_encoder_layers_are_named_in_order_in_plain_dicts():
    params = make_encoder(EncoderConfig((8, 5, 4), "layer"), "float32").init(jax.random.key(1), X)
    assert list(params) == ["layer_0", "layer_1", "layer_2"]
    assert all(type(params[name]) is dict for name in params)
    shapes = jax.tree.map(jnp.shape, params)
    assert shapes["layer_1"]["dense"] == {"kernel": (8, 5), "bias": (5,)}
    assert shapes["layer_1"]["norm"] == {"scale": (5,), "bias": (5,)}


def test_encoder_without_norm_has_no_norm_parameters():
    params = make_encoder(EncoderConfig((8,), "none"), "float32").init(jax.random.key(1), X)
    assert list(params["layer_0"]) == ["dense"]


def test_projection_none_is_the_identity_without_parameters():
    projection = make_head("none", 7, 3, "float32")
    params = projection.init(jax.random.key(1), X)
    assert params == {}
    np.testing.assert_array_equal(projection.apply(params, X), X)


def test_projection_heads_are_what_their_names_say():
    x = np.asarray(X, np.float64)
    linear = make_head("linear", 7, 3, "float32")
    params = jitter(linear.init(jax.random.key(1), X))
    np.testing.assert_allclose(linear.apply(params, X), dense(params["output"], x), atol=1e-5)
    mlp = make_head("mlp", 7, 3, "float32")
    params = jitter(mlp.init(jax.random.key(1), X))
    hidden = np.maximum(dense(params["layer_0"]["dense"], x), 0.0)
    np.testing.assert_allclose(mlp.apply(params, X), dense(params["output"], hidden), atol=1e-5)


def test_classifier_is_linear_in_the_embedding():
    classifier = make_head("linear", 0, 3, "float32")
    params = jitter(classifier.init(jax.random.key(1), X))
    expected = dense(params["output"], np.asarray(X, np.float64))
    np.testing.assert_allclose(classifier.apply(params, X), expected, atol=1e-5)


def test_bfloat16_rounds_every_product_forward_and_backward_and_nothing_else():
    encoder = make_encoder(EncoderConfig((8, 5), "layer"), "bfloat16")
    params = encoder.init(jax.random.key(1), X)
    step = jax.jit(jax.value_and_grad(lambda p: encoder.apply(p, X).sum()))
    dtypes = {leaf.dtype for leaf in jax.tree.leaves((params, step(params)))}
    assert dtypes == {jnp.dtype("float32")}
    program = step.lower(params).as_text()
    products = program.count("stablehlo.dot_general")
    # two forward, two for the weights, one for the hidden layer
    assert program.count("lhs_precision_type = bf16") == 5
    assert program.count("accumulation_type = f32") == 5
    assert products - 5 == 4, "the row means of two norms' gradients stay in float32"


def test_bfloat16_starts_from_the_same_parameters_as_float32():
    one, other = (make_encoder(EncoderConfig((8,), "layer"), p) for p in ("float32", "bfloat16"))
    jax.tree.map(
        np.testing.assert_array_equal,
        one.init(jax.random.key(3), X),
        other.init(jax.random.key(3), X),
    )


def test_members_of_an_ensemble_differ_and_equal_themselves_alone():
    encoder = make_encoder(EncoderConfig((8, 5), "layer"), "float32")
    keys = jax.random.split(jax.random.key(2), 3)
    params = jax.jit(jax.vmap(encoder.init, in_axes=(0, None)))(keys, X)
    together = jax.jit(jax.vmap(encoder.apply, in_axes=(0, None)))(params, X)
    for i in range(3):
        alone = encoder.apply(encoder.init(keys[i], X), X)
        np.testing.assert_allclose(together[i], alone, atol=1e-6)
        assert float(jnp.abs(together[i] - together[i - 1]).max()) > 0.1


@pytest.mark.parametrize("width", [5, 256, 512])  # of which the last two spread their columns
def test_gradients_of_a_product_are_those_of_a_plain_one(width):
    keys = jax.random.split(jax.random.key(4), 3)
    x, kernel = jax.random.normal(keys[0], (7, width)), jax.random.normal(keys[1], (width, 3))
    weights = jax.random.normal(keys[2], (7, 3))

    def loss(multiply, x, kernel):
        return (weights * multiply(x, kernel)).sum()

    own = jax.jit(
        jax.grad(lambda *a: loss(partial(model.product, precision="float32"), *a), (0, 1))
    )
    plain = jax.jit(jax.grad(lambda *a: loss(partial(jnp.matmul, precision="highest"), *a), (0, 1)))
    for a, b in zip(own(x, kernel), plain(x, kernel), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_layer_norm_and_its_gradients_are_those_of_its_definition():
    keys = jax.random.split(jax.random.key(5), 4)
    x = 3 * jax.random.normal(keys[0], (6, 9)) + 1
    scale, bias = jax.random.normal(keys[1], (9,)), jax.random.normal(keys[2], (9,))
    weights = jax.random.normal(keys[3], (6, 9))

    def defined(x, scale, bias):
        sd = jnp.sqrt(x.var(axis=1, keepdims=True) + model.LAYER_NORM_EPSILON)
        return (x - x.mean(axis=1, keepdims=True)) / sd * scale[None, :] + bias[None, :]

    np.testing.assert_allclose(model.layer_norm(x, scale, bias), defined(x, scale, bias), atol=1e-5)
    own, expected = (
        jax.jit(jax.grad(lambda *a, f=f: (weights * f(*a)).sum(), (0, 1, 2)))(x, scale, bias)
        for f in (model.layer_norm, defined)
    )
    for a, b in zip(own, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
