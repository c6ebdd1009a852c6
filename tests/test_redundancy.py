"""VICReg and Barlow Twins: covariances by hand."""

import jax
import jax.numpy as jnp
import numpy as np
from oracles import lightly_loss, random

from jaxssl.config import EncoderConfig
from jaxssl.methods import METHODS
from jaxssl.methods.interface import Batch, Training
from jaxssl.methods.redundancy import (
    BarlowTwinsConfig,
    VICRegConfig,
    covariance_term,
    cross_correlation,
    variance_term,
)
from jaxssl.model import make_encoder
from jaxssl.types import Views

KEY = jax.random.key(0)
B, DIM = 9, 4


def loss_of(options, z):
    """The loss of a method on given projections: encoder and head are left out."""
    encoder = make_encoder(EncoderConfig((5,), "none"), "float32")
    identity = encoder._replace(apply=lambda params, x: x)
    options.projection = "none"
    method = METHODS[options.name].make(options, Training(identity, B, 10))
    views = Views(jnp.asarray(z), jnp.arange(B), jnp.asarray(z[0]))
    return jax.jit(method.loss)({"encoder": {}}, Batch(views, {}, 0))


def vicreg_by_hand(a, b, invariance=25.0, variance=25.0, covariance=1.0):
    def terms(z):
        z = np.asarray(z, np.float64)
        n, d = z.shape
        centred = z - z.mean(axis=0)
        c = np.array([[sum(centred[:, i] * centred[:, j]) / (n - 1) for j in range(d)]
                      for i in range(d)])  # fmt: skip
        hinge = np.mean([max(0, 1 - np.sqrt(c[i, i] + 1e-4)) for i in range(d)])
        return hinge, sum(c[i, j] ** 2 for i in range(d) for j in range(d) if i != j) / d

    (v_a, c_a), (v_b, c_b) = terms(a), terms(b)
    mse = np.mean((np.asarray(a, np.float64) - b) ** 2)
    return invariance * mse + variance * (v_a + v_b) / 2 + covariance * (c_a + c_b)


def test_vicreg_equals_its_terms_by_hand():
    z = 0.7 * random(1, 2, B, DIM)
    value, metrics = loss_of(VICRegConfig(invariance=3.0, variance=5.0, covariance=2.0), z)
    np.testing.assert_allclose(value, vicreg_by_hand(*z, 3.0, 5.0, 2.0), rtol=1e-5)
    total = 3 * metrics["invariance"] + 5 * metrics["variance"] + 2 * metrics["covariance"]
    np.testing.assert_allclose(value, total, rtol=1e-6)


def test_vicreg_equals_lightlys():
    a, b = 0.7 * random(1, 2, B, DIM)
    theirs = lightly_loss("VICRegLoss")(a, b)
    np.testing.assert_allclose(loss_of(VICRegConfig(), np.stack([a, b]))[0], theirs, rtol=1e-5)


def test_vicreg_of_a_collapse_is_all_variance_and_its_gradient_is_finite():
    same = np.zeros((2, B, DIM), np.float32)
    value, metrics = loss_of(VICRegConfig(), same)
    np.testing.assert_allclose(metrics["variance"], 1 - 0.01, rtol=1e-5)  # sqrt(1e-4)
    np.testing.assert_allclose(value, 25 * 0.99, rtol=1e-5)
    gradient = jax.jit(jax.grad(variance_term))(jnp.asarray(same[0]))
    assert bool(jnp.isfinite(gradient).all())


def test_dimensions_that_are_alive_and_independent_cost_nothing():
    signs = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], np.float32) * 1.5
    assert float(variance_term(jnp.asarray(signs))) == 0
    assert float(covariance_term(jnp.asarray(signs))) == 0


def barlow_by_hand(a, b, redundancy):
    a, b = (np.asarray(z, np.float64) for z in (a, b))
    a, b = ((z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + 1e-5) for z in (a, b))
    total = 0.0
    for i in range(DIM):
        for j in range(DIM):
            c = np.mean(a[:, i] * b[:, j])
            total += (1 - c) ** 2 if i == j else redundancy * c**2
    return total


def test_barlow_twins_equals_the_correlations_by_hand():
    z = random(2, 2, B, DIM)
    value, _ = loss_of(BarlowTwinsConfig(redundancy=0.05), z)
    np.testing.assert_allclose(value, barlow_by_hand(*z, 0.05), rtol=1e-5)


def test_barlow_twins_equals_lightlys():
    a, b = random(2, 2, B, DIM)
    theirs = lightly_loss("BarlowTwinsLoss", lambda_param=5e-3)(a, b)
    ours = loss_of(BarlowTwinsConfig(), np.stack([a, b]))[0]
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)


def test_cross_correlation_does_not_know_scale_or_order_and_a_dead_dimension_is_none():
    a, b = (jnp.asarray(random(seed, B, DIM)) for seed in (3, 4))
    correlate = jax.jit(cross_correlation)
    order = np.random.default_rng(0).permutation(B)
    np.testing.assert_allclose(correlate(a[order], b[order]), correlate(a, b), atol=1e-6)
    np.testing.assert_allclose(correlate(100 * a + 3, b), correlate(a, b), atol=1e-4)
    np.testing.assert_allclose(correlate(a, b), np.corrcoef(a.T, b.T)[:DIM, DIM:], atol=1e-4)
    dead = a.at[:, 0].set(2.0)
    np.testing.assert_allclose(correlate(dead, b)[0], 0, atol=1e-6)


def test_three_views_are_their_three_pairs():
    z = random(5, 3, B, DIM)
    pairs = [(0, 1), (0, 2), (1, 2)]
    value, _ = loss_of(BarlowTwinsConfig(), z)
    expected = np.mean([barlow_by_hand(z[i], z[j], 5e-3) for i, j in pairs])
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    value, _ = loss_of(VICRegConfig(), z)
    expected = np.mean([vicreg_by_hand(z[i], z[j]) for i, j in pairs])
    np.testing.assert_allclose(value, expected, rtol=1e-5)
