"""What aligns cohorts without labels: moments, simulated effects, fixed points."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import softmax

from jaxssl.evaluation.correction import SHRINKAGE, combat, coral, soft_balance

RNG = np.random.default_rng(0)
SIGNAL = RNG.normal(8, 2, 300)
"""Mean of every gene."""


def cohort(n, shift=0.0, gain=1.0, seed=0):
    """Samples that differ in a gene by its noise alone, as a laboratory changes them."""
    noise = np.random.default_rng(seed).normal(size=(n, 300))
    return (SIGNAL + shift + gain * noise).astype(np.float32)


def test_corrected_cohorts_have_one_location_and_scale():
    shift, gain = RNG.normal(1, 2, 300), RNG.uniform(0.5, 2, 300)
    for part in combat([cohort(200), cohort(300, shift, gain, seed=1)]):
        # but for what is shrunk
        assert_allclose(part.mean(axis=0), 0, atol=0.05)
        assert_allclose(part.std(axis=0), 1, atol=0.1)


def test_a_simulated_shift_and_scale_is_taken_out():
    clean = cohort(200, seed=1)
    shift, gain = RNG.normal(1, 2, 300), RNG.uniform(0.5, 2, 300)
    changed = cohort(200, shift, gain, seed=1)
    own = cohort(150)
    before, after = combat([own, clean])[1], combat([own, changed])[1]
    unscaled = [np.corrcoef(before[:, i], after[:, i])[0, 1] for i in range(300)]
    assert_allclose(unscaled, 1, atol=1e-5)
    assert np.sqrt(np.mean((after - before) ** 2)) < 0.1
    raw = (changed - own.mean(axis=0)) / own.std(axis=0)
    assert np.sqrt(np.mean((raw - before) ** 2)) > 1


def test_location_and_scale_are_shrunk_over_genes_the_more_the_fewer_samples():
    """By Johnson et al. 2007: the posterior lies between a gene's own moment and their mean."""

    def left(n):  # of the true location, which is the same for all genes
        other = combat([cohort(300), cohort(n, shift=2.0, seed=1)])[1]
        raw = cohort(n, seed=1) - SIGNAL
        return np.mean((other - raw / raw.std()) ** 2)

    few = combat([cohort(300), cohort(6, shift=2.0, seed=1)])[1]
    assert few.mean(axis=0).std() > 0.2  # chance is left, and not taken for a laboratory's doing
    assert left(6) < 0.2
    assert abs(few.mean()) < 0.05


def test_the_order_of_genes_and_of_cohorts_does_not_matter():
    parts = [cohort(20), cohort(30, RNG.normal(0, 2, 300), seed=1), cohort(15, 1.0, 2.0, seed=2)]
    order = RNG.permutation(300)
    expected = combat(parts)
    for found, part in zip(combat([x[:, order] for x in parts]), expected, strict=True):
        assert_allclose(found, part[:, order], atol=1e-4)
    for found, part in zip(combat(parts[::-1]), expected[::-1], strict=True):
        assert_allclose(found, part, atol=1e-4)


def test_genes_that_are_constant_in_a_cohort_or_in_all_have_finite_values():
    flat, other = cohort(12), cohort(20, seed=1)
    flat[:, :5] = 7
    other[:, 3:8] = 7
    for part in combat([flat, other]):
        assert np.isfinite(part).all()
    for part in combat([np.ones((9, 4), np.float32), np.ones((8, 4), np.float32)]):
        assert_allclose(part, 0, atol=1e-3)


def shrunk(x):
    found = np.cov(x.T.astype(np.float64))
    even = np.trace(found) / len(found) * np.eye(len(found))
    return (1 - SHRINKAGE) * found + SHRINKAGE * even


@pytest.mark.parametrize("n", [200, 8])  # of the source: more and fewer than features
def test_the_moved_source_has_the_covariance_of_the_target(n):
    source = RNG.normal(3, 2, (n, 12)) @ RNG.normal(size=(12, 12))
    target = RNG.normal(-1, 1, (60, 12)) @ RNG.normal(size=(12, 12))
    moved, kept = coral(source.astype(np.float32), target.astype(np.float32))
    assert_allclose(kept, target - target.mean(axis=0), atol=1e-4)
    assert_allclose(moved.mean(axis=0), 0, atol=1e-4)
    # whitening by the shrunk covariance A of the source leaves A^-1/2 C A^-1/2 of its own, C
    values, axes = np.linalg.eigh(shrunk(source))
    root = (axes / np.sqrt(values)) @ axes.T
    colour = np.linalg.cholesky(shrunk(target))
    white = root @ np.cov(source.T) @ root
    half = _root(shrunk(target))
    assert_allclose(np.cov(moved.T), half @ white @ half, rtol=2e-3, atol=2e-3)
    assert_allclose(half @ half, colour @ colour.T, rtol=1e-6)


def _root(matrix):
    values, axes = np.linalg.eigh(matrix)
    return (axes * np.sqrt(values)) @ axes.T


def test_cohorts_of_one_covariance_are_only_centred_and_one_feature_is_scaled():
    x = RNG.normal(size=(50, 6)).astype(np.float32)
    moved, kept = coral(x + 3, x)
    assert_allclose(moved, kept, atol=1e-4)
    moved, kept = coral(5 * x[:, :1], x[:, :1])
    assert_allclose(moved, kept, atol=1e-4)


LOGITS = RNG.normal(size=(80, 4)) * 2 + np.array([2.0, 0.5, 0, -1])


def mean_shares(b):
    return softmax(LOGITS + b, axis=1).mean(axis=0)


@pytest.mark.parametrize("strength", [0.5, 2.0, 4.0])
def test_the_balance_is_its_fixed_point(strength):
    b = soft_balance(LOGITS, strength)
    expected = -strength * np.log(4 * mean_shares(b))
    assert_allclose(b, expected - expected.mean(), atol=1e-4)


def test_no_strength_leaves_all_as_it_is_and_more_is_nearer_to_uniform():
    assert_allclose(soft_balance(LOGITS, 0.0), 0)
    shares = [mean_shares(soft_balance(LOGITS, s)) for s in (0.0, 0.5, 1.0, 2.0, 4.0, 16.0)]
    distances = [abs(share - 0.25).max() for share in shares]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < distances[0] / 5
    even = RNG.normal(size=(40, 4))
    even = np.concatenate([np.roll(even, i, axis=1) for i in range(4)])
    assert_allclose(soft_balance(even, 4.0), 0, atol=1e-6)


def test_the_balance_minimises_what_it_says():
    """The sum of both divergences, over shifts of the logits, has its least there."""

    def objective(b):
        p, q = softmax(LOGITS, axis=1), softmax(LOGITS + b, axis=1)
        mean = q.mean(axis=0)
        own = np.sum(q * np.log(q / p), axis=1).mean()
        return own + 2.0 * np.sum(mean * np.log(4 * mean))

    b = soft_balance(LOGITS, 2.0)
    for step in RNG.normal(0, 0.05, (50, 4)):
        assert objective(b) <= objective(b + step) + 1e-9


def test_one_class_that_nobody_has_gives_finite_numbers():
    logits = LOGITS - np.array([0, 0, 0, 80.0])
    assert np.isfinite(soft_balance(logits, 4.0)).all()
