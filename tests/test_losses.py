"""Losses against loops in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxssl.methods import losses

entropy, l2_normalize = map(jax.jit, (losses.entropy, losses.l2_normalize))
soft_cross_entropy = jax.jit(lambda targets, x: losses.softmax_cross_entropy(x, targets))
swapped_prediction = jax.jit(losses.swapped_prediction, static_argnums=2)


def softmax(x):
    x = np.exp(np.asarray(x, np.float64))
    return x / x.sum(axis=-1, keepdims=True)


def random(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_cross_entropy_equals_the_sum_written_out():
    targets, logits = softmax(random(0, 5, 4)), random(1, 5, 4)
    expected = [
        -sum(targets[b, k] * np.log(softmax(logits)[b, k]) for k in range(4)) for b in range(5)
    ]
    value = soft_cross_entropy(jnp.asarray(targets, jnp.float32), jnp.asarray(logits))
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_gradient_of_cross_entropy_is_prediction_minus_target():
    targets = jnp.asarray(softmax(random(2, 5, 4)), jnp.float32)
    logits = jnp.asarray(random(3, 5, 4))
    gradient = jax.jit(jax.grad(lambda x: soft_cross_entropy(targets, x).sum()))(logits)
    np.testing.assert_allclose(gradient, softmax(logits) - np.asarray(targets), atol=1e-6)


def test_cross_entropy_is_finite_for_extreme_logits():
    logits = jnp.array([[1e4, -1e4, 0.0]])
    assert float(soft_cross_entropy(jnp.array([[1.0, 0.0, 0.0]]), logits)[0]) == 0.0
    assert float(soft_cross_entropy(jnp.array([[0.0, 1.0, 0.0]]), logits)[0]) == 2e4


def test_rows_may_lie_along_any_number_of_axes():
    x, y = jnp.asarray(softmax(random(13, 3, 2, 4)), jnp.float32), jnp.asarray(random(14, 3, 2, 4))
    flat = x.reshape(-1, 4), y.reshape(-1, 4)
    np.testing.assert_array_equal(entropy(x).ravel(), entropy(flat[0]))
    np.testing.assert_array_equal(soft_cross_entropy(x, y).ravel(), soft_cross_entropy(*flat))
    np.testing.assert_array_equal(l2_normalize(y).reshape(-1, 4), l2_normalize(flat[1]))
    spread = jax.jit(losses.spread)
    np.testing.assert_allclose(spread(y), spread(flat[1]), rtol=1e-6)
    np.testing.assert_allclose(entropy(x[0, 0]), entropy(x)[0, 0], rtol=1e-6)


def test_half_precision_input_gives_a_float32_loss():
    targets, scores = (jnp.asarray(random(s, 2, 5, 4), jnp.bfloat16) for s in (4, 5))
    expected = swapped_prediction(targets.astype(jnp.float32), scores.astype(jnp.float32), 0.25)
    value = swapped_prediction(targets, scores, 0.25)
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, expected, rtol=1e-6)


@pytest.mark.parametrize("n_views", [2, 3, 5])
def test_swapped_prediction_averages_over_ordered_pairs_of_code_view_and_other_view(n_views):
    codes, scores = softmax(random(6, 2, 8, 5)), random(7, n_views, 8, 5)
    terms = []
    for i in range(2):
        for j in range(n_views):
            if i != j:
                log_p = np.log(softmax(scores[j] / 0.1))
                terms.append(np.mean([-codes[i, b] @ log_p[b] for b in range(8)]))
    assert len(terms) == 2 * (n_views - 1)
    value = swapped_prediction(jnp.asarray(codes, jnp.float32), jnp.asarray(scores), 0.1)
    np.testing.assert_allclose(value, np.mean(terms), rtol=1e-5)


def test_entropy_is_zero_for_one_hot_and_log_k_for_uniform():
    np.testing.assert_array_equal(entropy(jnp.eye(4)), 0.0)
    np.testing.assert_allclose(entropy(jnp.full((3, 6), 1 / 6)), np.log(6), rtol=1e-6)
    assert np.isfinite(jax.jit(jax.grad(lambda p: entropy(p).sum()))(jnp.full((3, 6), 1 / 6))).all()


def test_normalized_rows_have_unit_length_and_a_zero_row_stays_zero():
    x = random(8, 4, 3) * np.float32(1e3)
    x[2] = 0.0
    expected = x.copy()
    expected[[0, 1, 3]] /= np.linalg.norm(x[[0, 1, 3]], axis=1, keepdims=True)
    np.testing.assert_allclose(l2_normalize(jnp.asarray(x)), expected, rtol=1e-6)
    gradient = jax.jit(jax.grad(lambda x: l2_normalize(x)[:, 0].sum()))(jnp.asarray(x))
    assert np.isfinite(gradient).all()


def test_chance_tells_a_view_from_all_others_unless_it_is_decoupled():
    assert losses.nt_xent_of_chance(4) == np.log(7)
    assert losses.nt_xent_of_chance(4, decoupled=True) == np.log(6)


def test_cosine_distance_is_the_squared_distance_between_directions():
    a, b = random(9, 2, 5, 4), random(10, 2, 5, 4)
    directions = [x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (a, b)]
    expected = np.mean(np.sum((directions[0] - directions[1]) ** 2, axis=-1))
    value = jax.jit(losses.cosine_distance)(jnp.asarray(a), jnp.asarray(b))
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_squared_error_is_the_mean_over_what_counts_and_zero_where_nothing_does():
    squared_error = jax.jit(losses.squared_error)
    a, b = random(11, 5, 4), random(12, 5, 4)
    counted = np.random.default_rng(0).random((5, 4)) < 0.4
    few = np.zeros((5, 4), np.float32)
    few[2, 1] = 1.0
    np.testing.assert_allclose(squared_error(a, b), np.mean((a - b) ** 2), rtol=1e-5)
    value = squared_error(a, b, counted.astype(np.float32))
    np.testing.assert_allclose(value, np.mean((a - b)[counted] ** 2), rtol=1e-5)
    np.testing.assert_allclose(squared_error(a, b, few), (a - b)[2, 1] ** 2, rtol=1e-5)
    assert float(squared_error(a, b, np.zeros_like(few))) == 0.0
