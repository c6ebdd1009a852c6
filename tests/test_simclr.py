"""NT-Xent and what SimCLR and SCARF make of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import lightly_loss, random, unit

from jaxssl.config import EncoderConfig
from jaxssl.methods import METHODS, losses
from jaxssl.methods.contrastive import ScarfConfig, SimCLRConfig
from jaxssl.methods.interface import Batch, Training
from jaxssl.model import make_encoder
from jaxssl.types import Views

nt_xent = jax.jit(losses.nt_xent, static_argnums=3)
KEY = jax.random.key(0)
B = 7


def pair(seed, n=B, dim=5):
    return tuple(jnp.asarray(unit(random(seed + i, n, dim)), jnp.float32) for i in (0, 100))


def looped(first, second, temperature, decoupled):
    """Equation 1 of SimCLR, anchor by anchor; equation 6 of the decoupled loss."""
    z = np.concatenate([np.asarray(first, np.float64), np.asarray(second, np.float64)])
    n, total = len(first), 0.0
    for i in range(2 * n):
        j = (i + n) % (2 * n)
        others = [k for k in range(2 * n) if k != i and not (decoupled and k == j)]
        denominator = sum(np.exp(z[i] @ z[k] / temperature) for k in others)
        total -= np.log(np.exp(z[i] @ z[j] / temperature) / denominator)
    return total / (2 * n)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("decoupled", [False, True])
def test_nt_xent_equals_the_loop_over_anchors(temperature, decoupled):
    a, b = pair(1)
    expected = looped(a, b, temperature, decoupled)
    np.testing.assert_allclose(nt_xent(a, b, temperature, decoupled), expected, rtol=2e-5)


@pytest.mark.parametrize(
    ("ours", "theirs"), [(False, "NTXentLoss"), (True, "DCLLoss")], ids=["plain", "decoupled"]
)
def test_nt_xent_equals_lightlys(ours, theirs):
    a, b = pair(3)
    expected = lightly_loss(theirs, temperature=0.5)(a, b)
    np.testing.assert_allclose(nt_xent(a, b, 0.5, ours), expected, rtol=1e-5)


@pytest.mark.parametrize("decoupled", [False, True])
def test_nt_xent_does_not_know_the_order_of_views_or_samples(decoupled):
    a, b = pair(5)
    value = nt_xent(a, b, 0.3, decoupled)
    order = np.random.default_rng(0).permutation(B)
    np.testing.assert_allclose(nt_xent(b, a, 0.3, decoupled), value, rtol=1e-6)
    np.testing.assert_allclose(nt_xent(a[order], b[order], 0.3, decoupled), value, rtol=1e-6)
    assert abs(nt_xent(a, b[order], 0.3, decoupled) - value) > 1e-3, "pairs matter"


@pytest.mark.parametrize("decoupled", [False, True])
def test_views_that_are_all_alike_cost_what_chance_does(decoupled):
    same = jnp.broadcast_to(pair(7)[0][:1], (B, 5))
    chance = losses.nt_xent_of_chance(B, decoupled)
    np.testing.assert_allclose(nt_xent(same, same, 0.1, decoupled), chance, rtol=1e-5)


def test_the_decoupled_gradient_does_not_vanish_where_views_agree():
    far = jnp.asarray(np.eye(B, 5)[:5], jnp.float32)  # told apart already: nothing left to learn
    coupled, decoupled = (
        jax.jit(jax.grad(lambda x, d=d: losses.nt_xent(x, far, 0.1, d)))(far) for d in (False, True)
    )
    assert float(jnp.abs(coupled).max()) < 1e-2 < float(jnp.abs(decoupled).max())


def test_spread_is_none_where_all_point_one_way_and_one_where_directions_cancel():
    spread = jax.jit(losses.spread)
    x = jnp.asarray(random(1, 9, 4))
    np.testing.assert_allclose(spread(jnp.broadcast_to(x[:1], x.shape)), 0, atol=1e-3)
    np.testing.assert_allclose(spread(jnp.concatenate([x, -x])), 1, rtol=1e-6)
    np.testing.assert_allclose(spread(3 * x), spread(x), rtol=1e-5)
    expected = np.sqrt(np.mean(np.sum((unit(x) - unit(x).mean(axis=0)) ** 2, axis=1)))
    np.testing.assert_allclose(spread(x), expected, rtol=1e-5)


def method_of(options):
    encoder = make_encoder(EncoderConfig((6, 5), "layer"), "float32")
    return METHODS[options.name].make(options, Training(encoder, B, 10)), encoder


def test_simclr_averages_over_all_pairs_of_views():
    options = SimCLRConfig(projection="none", temperature=0.2)
    method, encoder = method_of(options)
    x = jnp.asarray(random(2, 3, B, 4))
    params, memory = jax.jit(method.init)(KEY, x[0])
    value, metrics = jax.jit(method.loss)(params, Batch(Views(x, jnp.arange(B), x[0]), memory, 0))
    z = [unit(jax.jit(encoder.apply)(params["encoder"], view)) for view in x]
    expected = np.mean([looped(z[i], z[j], 0.2, False) for i, j in ((0, 1), (0, 2), (1, 2))])
    np.testing.assert_allclose(value, expected, rtol=1e-4)
    np.testing.assert_allclose(metrics["loss_ratio"], expected / np.log(2 * B - 1), rtol=1e-4)


def test_scarf_compares_the_profile_with_its_corrupted_view():
    options = ScarfConfig(projection="none", temperature=0.7)
    method, encoder = method_of(options)
    x = jnp.asarray(random(2, 2, B, 4))
    params, memory = jax.jit(method.init)(KEY, x[0])
    views = Views(x[1:], jnp.arange(B), x[0])
    value, _ = jax.jit(method.loss)(params, Batch(views, memory, 0))
    clean, corrupted = (unit(jax.jit(encoder.apply)(params["encoder"], view)) for view in x)
    np.testing.assert_allclose(value, looped(clean, corrupted, 0.7, False), rtol=1e-4)


@pytest.mark.parametrize("decoupled", [False, True])
def test_copies_of_a_sample_are_no_negatives_of_each_other(decoupled):
    first, second = pair(11, 6)
    index = jnp.array([3, 5, 3, 7, 5, 3])
    with_copies = nt_xent(first, second, 0.5, decoupled, index)
    z, sample = np.concatenate([first, second]).astype(np.float64), np.tile(index, 2)
    expected = 0.0
    for a in range(12):
        positive = np.exp(z[a] @ z[(a + 6) % 12] / 0.5)
        others = sum(np.exp(z[a] @ z[b] / 0.5) for b in range(12) if sample[a] != sample[b])
        expected -= np.log(positive / (others + (0 if decoupled else positive))) / 12
    np.testing.assert_allclose(with_copies, expected, rtol=1e-5)
    apart = jnp.arange(6)
    np.testing.assert_allclose(
        nt_xent(first, second, 0.5, decoupled, apart),
        nt_xent(first, second, 0.5, decoupled),
        rtol=1e-6,
    )
