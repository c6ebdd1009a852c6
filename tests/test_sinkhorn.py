"""Sinkhorn-Knopp against the formula written out, and its invariants."""

from decimal import Decimal
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxssl.methods.sinkhorn import mix_marginals
from jaxssl.methods.sinkhorn import sinkhorn as sinkhorn_uncompiled

sinkhorn = jax.jit(sinkhorn_uncompiled, static_argnames=("epsilon", "n_iterations"))


def scores_of(seed, n_samples=24, n_prototypes=7):
    """Cosines between random unit vectors."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n_samples, 5))
    c = rng.standard_normal((n_prototypes, 5))
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    c /= np.linalg.norm(c, axis=1, keepdims=True)
    return z @ c.T


def naive(scores, epsilon, n_iterations):
    """The formula in float64, one sum at a time, without any shift."""
    q = np.exp(np.asarray(scores, np.float64) / epsilon)
    n_samples, n_prototypes = q.shape
    q /= q.sum()
    for _ in range(n_iterations):
        for k in range(n_prototypes):
            q[:, k] /= q[:, k].sum() * n_prototypes
        for b in range(n_samples):
            q[b] /= q[b].sum() * n_samples
    for b in range(n_samples):
        q[b] /= q[b].sum()
    return q


def exact(scores, epsilon, n_iterations):
    """The formula in decimal arithmetic, whose exponents reach as far as any epsilon needs."""
    q = [[(Decimal(float(s)) / Decimal(epsilon)).exp() for s in row] for row in scores]
    for _ in range(n_iterations):
        for k in range(len(q[0])):
            mass = sum(row[k] for row in q) * len(q[0])
            for row in q:
                row[k] /= mass
        q = [[entry / (sum(row) * len(q)) for entry in row] for row in q]
    return np.array([[float(entry / sum(row)) for entry in row] for row in q])


@pytest.mark.parametrize(
    ("epsilon", "n_iterations"),
    [(0.002, 3), (0.01, 3), (0.05, 0), (0.05, 1), (0.05, 3), (0.05, 10), (0.13, 3), (1.0, 3)],
)
def test_codes_equal_the_naive_float64_formula(epsilon, n_iterations):
    scores = scores_of(0).astype(np.float32)
    codes = sinkhorn(jnp.asarray(scores), epsilon, n_iterations)
    # a float32 logarithm of size 1 / epsilon is known to 6e-8 / epsilon
    np.testing.assert_allclose(codes, naive(scores, epsilon, n_iterations), atol=1e-6 / epsilon)


@pytest.mark.parametrize("epsilon", [1e-3, 2e-3])
def test_codes_are_exact_where_float64_overflows_and_whole_rows_underflow(epsilon):
    scores = 0.1 * scores_of(1, n_samples=6, n_prototypes=4)
    scores += np.array([[0.9], [0.9], [-0.9], [0.9], [-0.9], [0.9]])
    with np.errstate(all="ignore"):
        shifted = naive(scores - scores.max(), 0.5 * epsilon, 3)
    assert np.isnan(shifted).any()
    scores = scores.astype(np.float32)
    codes = sinkhorn(jnp.asarray(scores), epsilon)
    np.testing.assert_allclose(codes, exact(scores, epsilon, 3), atol=1e-3)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_scores_are_balanced_in_float32(dtype):
    scores = jnp.asarray(scores_of(2), dtype)
    codes = sinkhorn(scores)
    assert codes.dtype == jnp.float32
    np.testing.assert_allclose(codes, sinkhorn(scores.astype(jnp.float32)), atol=1e-6)


def test_float64_scores_stay_float64():
    with jax.enable_x64(True):
        scores = scores_of(3)
        codes = sinkhorn(jnp.asarray(scores), 0.002)
        assert codes.dtype == jnp.float64
        np.testing.assert_allclose(codes, naive(scores, 0.002, 3), atol=1e-12)


@pytest.mark.parametrize("worst", [-1e4, -1e30, -np.inf])
@pytest.mark.parametrize("where", [np.s_[:, 2], np.s_[5], np.s_[5, 2], np.s_[3:6, :]])
def test_codes_are_finite_where_a_prototype_or_a_sample_has_no_mass(worst, where):
    scores = scores_of(4)
    scores[where] = worst
    codes = np.asarray(sinkhorn(jnp.asarray(scores, jnp.float32), 1e-3))
    assert np.isfinite(codes).all()
    np.testing.assert_allclose(codes.sum(axis=1), 1.0, atol=1e-5)


def test_one_sample_or_one_prototype_is_no_special_case():
    # the only sample: balanced prototypes leave it nothing but an even code
    np.testing.assert_allclose(sinkhorn(jnp.array([[0.3, -0.5]]), n_iterations=1), 0.5, atol=1e-6)
    np.testing.assert_allclose(sinkhorn(jnp.array([[0.3], [-0.5]])), 1.0, atol=1e-6)


@pytest.mark.parametrize("epsilon", [1e-3, 0.05, 5.0])
def test_rows_sum_to_one(epsilon):
    codes = sinkhorn(jnp.asarray(scores_of(5), jnp.float32), epsilon)
    np.testing.assert_allclose(codes.sum(axis=1), 1.0, atol=1e-6)
    assert bool((codes >= 0).all())


def test_prototype_balance_improves_with_iterations():
    scores = jnp.asarray(scores_of(6), jnp.float32)
    uneven = [
        float(jnp.abs(sinkhorn(scores, n_iterations=n).mean(axis=0) - 1 / 7).max())
        for n in (0, 1, 3, 10, 100)
    ]
    assert uneven == sorted(uneven, reverse=True)
    assert uneven[0] > 0.05
    assert uneven[-1] < 1e-3


def test_large_epsilon_gives_uniform_codes_and_small_epsilon_hard_ones():
    scores = jnp.asarray(scores_of(7), jnp.float32)
    np.testing.assert_allclose(sinkhorn(scores, 1e4), 1 / 7, atol=1e-4)
    assert float(jnp.median(sinkhorn(scores, 1e-3).max(axis=1))) > 0.999


def test_permuting_samples_or_prototypes_permutes_the_codes():
    scores = jnp.asarray(scores_of(8), jnp.float32)
    rows = np.random.default_rng(0).permutation(24)
    columns = np.random.default_rng(1).permutation(7)
    codes = sinkhorn(scores)
    np.testing.assert_allclose(sinkhorn(scores[rows]), codes[rows], atol=1e-6)
    np.testing.assert_allclose(sinkhorn(scores[:, columns]), codes[:, columns], atol=1e-6)


def test_a_global_shift_changes_nothing_but_a_shift_per_sample_does():
    scores = scores_of(9).astype(np.float32)
    codes = sinkhorn(jnp.asarray(scores))
    np.testing.assert_allclose(sinkhorn(jnp.asarray(scores + 0.5)), codes, atol=1e-5)
    per_sample = sinkhorn(jnp.asarray(scores - scores.max(axis=1, keepdims=True)))
    assert float(jnp.abs(per_sample - codes).max()) > 0.05


def test_codes_under_vmap_equal_codes_alone():
    scores = jnp.asarray(np.stack([scores_of(seed) for seed in range(3)]), jnp.float32)
    together = jax.jit(jax.vmap(partial(sinkhorn, epsilon=0.01)))(scores)
    for codes, alone in zip(together, scores, strict=True):
        np.testing.assert_allclose(codes, sinkhorn(alone, 0.01), atol=1e-6)


MARGINALS = np.array([0.3, 0.05, 0.1, 0.2, 0.05, 0.25, 0.05])


def naive_with(marginals, scores, epsilon, n_iterations):
    """The iterations for given shares of the prototypes in float64, one sum at a time."""
    q = np.exp(np.asarray(scores, np.float64) / epsilon)
    n_samples, n_prototypes = q.shape
    for _ in range(n_iterations):
        for k in range(n_prototypes):
            q[:, k] *= marginals[k] / q[:, k].sum()
        for b in range(n_samples):
            q[b] /= q[b].sum() * n_samples
    return q / q.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("epsilon", "n_iterations"), [(0.01, 3), (0.05, 1), (0.05, 3), (1.0, 3)])
def test_codes_with_marginals_equal_the_naive_float64_formula(epsilon, n_iterations):
    scores = scores_of(0).astype(np.float32)
    codes = sinkhorn(
        jnp.asarray(scores), epsilon, n_iterations, jnp.asarray(MARGINALS, jnp.float32)
    )
    expected = naive_with(MARGINALS, scores, epsilon, n_iterations)
    np.testing.assert_allclose(codes, expected, atol=1e-6 / epsilon)


def test_even_marginals_are_none_and_codes_converge_to_what_is_asked():
    scores = jnp.asarray(scores_of(0), jnp.float32)
    even = sinkhorn(scores, marginals=jnp.full(7, 1 / 7))
    np.testing.assert_allclose(even, sinkhorn(scores), atol=1e-6)
    codes = sinkhorn(scores, n_iterations=300, marginals=jnp.asarray(MARGINALS, jnp.float32))
    np.testing.assert_allclose(codes.mean(axis=0), MARGINALS, atol=1e-4)
    np.testing.assert_allclose(codes.sum(axis=1), 1, atol=1e-5)


def test_codes_with_marginals_are_the_best_of_all_plans_that_have_them():
    epsilon, scores = 0.2, scores_of(1)
    with jax.enable_x64(True):
        found = sinkhorn(jnp.asarray(scores), epsilon, 2000, jnp.asarray(MARGINALS))
    plan = np.asarray(found) / len(scores)

    def gain(plan):
        return (plan * scores).sum() - epsilon * (plan * np.log(plan)).sum()

    rng = np.random.default_rng(0)
    for _ in range(50):  # mass moved round a rectangle keeps every marginal
        (a, b), (c, d) = (rng.choice(n, 2, replace=False) for n in plan.shape)
        moved = plan.copy()
        step = 0.1 * moved[[a, b], [c, d]].min() * np.array([[-1, 1], [1, -1]])
        moved[np.ix_([a, b], [c, d])] += step
        assert gain(moved) < gain(plan)


def test_usage_of_one_softmax_as_marginals_leaves_the_softmax_as_it_is():
    scores = jnp.asarray(scores_of(2), jnp.float32)
    free = jax.nn.softmax(scores / 0.05, axis=1)
    codes = sinkhorn(scores, n_iterations=1000, marginals=free.mean(axis=0))
    np.testing.assert_allclose(codes, free, atol=1e-4)


def test_a_prototype_without_a_share_gets_nothing_and_nothing_overflows():
    marginals = jnp.array([0.5, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0])
    codes = np.asarray(sinkhorn(jnp.asarray(scores_of(3), jnp.float32), 1e-3, 3, marginals))
    assert np.isfinite(codes).all()
    np.testing.assert_allclose(codes[:, [1, 3, 4, 5, 6]], 0)
    np.testing.assert_allclose(codes.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("balance", [0.0, 0.3, 1.0])
def test_mixed_marginals_are_shares_and_reach_from_usage_to_even_ones(balance):
    mixed = mix_marginals(jnp.asarray(MARGINALS, jnp.float32), balance)
    np.testing.assert_allclose(mixed, balance / 7 + (1 - balance) * MARGINALS, rtol=1e-5)
    np.testing.assert_allclose(mixed.sum(), 1, rtol=1e-5)
