"""VIME and the denoising autoencoder: sums written out, and what knowing nothing costs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import random

from jaxssl.config import EncoderConfig
from jaxssl.methods import METHODS
from jaxssl.methods.interface import Batch, Training
from jaxssl.methods.reconstruction import DenoisingConfig, VimeConfig
from jaxssl.model import make_encoder
from jaxssl.types import Views

KEY = jax.random.key(0)
B, FEATURES = 8, 5
ENCODER = make_encoder(EncoderConfig((6, 4), "layer"), "float32")


def made(options):
    method = METHODS[options.name].make(options, Training(ENCODER, B, 10))
    return method._replace(init=jax.jit(method.init), loss=jax.jit(method.loss))


@pytest.fixture
def views():
    original = random(1, B, FEATURES)
    changed = np.random.default_rng(2).random((2, B, FEATURES)) < 0.4
    x = np.where(changed, random(3, 2, B, FEATURES), original)
    return Views(jnp.asarray(x), jnp.arange(B), jnp.asarray(original))


def linear(params, x):
    kernel, bias = (np.asarray(params["output"][name], np.float64) for name in ("kernel", "bias"))
    return np.asarray(x, np.float64) @ kernel + bias


def test_vime_is_the_cross_entropy_of_the_mask_and_the_weighed_error_of_the_values(views):
    method = made(VimeConfig(alpha=3.0))
    params, memory = method.init(KEY, views.original)
    value, metrics = method.loss(params, Batch(views, memory, 0))
    mask_loss, values_loss = [], []
    for view in views.x:
        e = jax.jit(ENCODER.apply)(params["encoder"], view)
        p = 1 / (1 + np.exp(-linear(params["mask"], e)))
        was_changed = np.asarray(view != views.original)
        mask_loss.append(-np.mean(np.where(was_changed, np.log(p), np.log(1 - p))))
        errors = linear(params["values"], e) - np.asarray(views.original)
        values_loss.append(np.mean(errors**2))
    np.testing.assert_allclose(metrics["mask_loss"], np.mean(mask_loss), rtol=1e-5)
    np.testing.assert_allclose(metrics["values_loss"], np.mean(values_loss), rtol=1e-5)
    np.testing.assert_allclose(value, np.mean(mask_loss) + 3 * np.mean(values_loss), rtol=1e-5)


def test_knowing_nothing_of_mask_and_values_is_a_loss_ratio_of_one(views):
    method = made(VimeConfig(alpha=3.0))
    params, memory = method.init(KEY, views.original)
    params = jax.tree.map(jnp.zeros_like, params)
    share = float((views.x != views.original[None]).mean())
    params["mask"]["output"]["bias"] = jnp.full(FEATURES, np.log(share / (1 - share)), jnp.float32)
    params["values"]["output"]["bias"] = views.original.mean(axis=0)
    _, metrics = method.loss(params, Batch(views, memory, 0))
    np.testing.assert_allclose(metrics["loss_ratio"], 1, rtol=1e-5)


@pytest.mark.parametrize("target", ["all", "changed"])
def test_denoising_is_the_squared_error_of_what_is_asked_for(views, target):
    method = made(DenoisingConfig(target=target, decoder_hidden=0))
    params, memory = method.init(KEY, views.original)
    value, metrics = method.loss(params, Batch(views, memory, 0))
    errors, of_means = [], []
    for view in views.x:
        decoded = linear(params["decoder"], jax.jit(ENCODER.apply)(params["encoder"], view))
        original = np.asarray(views.original, np.float64)
        counted = np.asarray(view != views.original) | (target == "all")
        errors.append(((decoded - original) ** 2)[counted])
        of_means.append(((original.mean(axis=0) - original) ** 2)[counted])
    expected = np.concatenate(errors).mean()
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    ratio = expected / np.concatenate(of_means).mean()
    np.testing.assert_allclose(metrics["loss_ratio"], ratio, rtol=1e-5)


def test_a_view_without_a_change_asks_a_masked_autoencoder_for_nothing(views):
    method = made(DenoisingConfig(target="changed"))
    params, memory = method.init(KEY, views.original)
    same = views._replace(x=jnp.stack([views.original, views.original]))
    value, metrics = method.loss(params, Batch(same, memory, 0))
    assert float(value) == 0
    assert np.isfinite(metrics["loss_ratio"])


def test_a_decoder_may_have_a_hidden_layer(views):
    deep, shallow = (made(DenoisingConfig(decoder_hidden=h)) for h in (7, 0))
    names = [set(m.init(KEY, views.original)[0]["decoder"]) for m in (deep, shallow)]
    assert names == [{"layer_0", "output"}, {"output"}]
