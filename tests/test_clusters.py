"""Cluster codes, and what is computed once for a matrix."""

import gc
import threading
import weakref

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from jaxssl.evaluation import clusters
from jaxssl.evaluation.baselines import BASELINES
from jaxssl.evaluation.clusters import beside_codes, soft_codes
from jaxssl.evaluation.once import once
from jaxssl.evaluation.problem import Problem

RNG = np.random.default_rng(0)
Y = np.arange(120) % 4
X = (RNG.normal(size=(120, 6)) + 3 * RNG.normal(size=(4, 6))[Y]).astype(np.float32)
TRAIN = np.arange(100)


def problem(x, seed=0, held_out=(*range(100, 120),), shared=None):
    """Eight labels, those of the first rows."""
    return Problem(x, Y[:8], np.arange(8), TRAIN, np.array(held_out), seed, shared=shared)


def test_codes_tell_clusters_and_read_held_out_rows_not_at_all():
    codes = soft_codes(X, TRAIN)
    assert_allclose(codes[TRAIN].mean(axis=0), 0, atol=1e-5)
    centres = np.stack([codes[TRAIN][Y[TRAIN] == c].mean(axis=0) for c in range(4)])
    nearest = np.linalg.norm(codes[100:, None] - centres, axis=2).argmin(axis=1)
    assert np.mean(nearest == Y[100:]) > 0.9
    other = X.copy()
    other[100:] = 0
    assert_array_equal(soft_codes(other, TRAIN)[TRAIN], codes[TRAIN])
    assert_allclose(soft_codes(1000 * X, TRAIN), codes, atol=1e-3)  # whatever the unit


def test_axes_of_codes_are_uncorrelated_and_those_left_out_carry_one_percent(monkeypatch):
    codes = soft_codes(X, TRAIN)[TRAIN]
    products = codes.T @ codes
    assert_allclose(products - np.diag(np.diag(products)), 0, atol=1e-3 * products.max())
    monkeypatch.setattr(clusters, "KEPT", 1 - 1e-9)
    every = soft_codes(X, TRAIN)[TRAIN]
    assert codes.shape[1] < every.shape[1]
    assert 0.99 <= np.sum(codes**2) / np.sum(every**2) < 1


def test_both_blocks_are_of_one_size_and_equal_samples_have_no_codes():
    both = beside_codes(X, TRAIN)
    for block in (both[TRAIN, :6], both[TRAIN, 6:]):
        assert_allclose(np.mean(np.sum(block**2, axis=1)), 1, rtol=1e-5)
    assert beside_codes(np.ones((30, 3), np.float32), np.arange(20)).shape == (30, 3)


def test_what_seeds_share_is_computed_once_and_leaves_with_what_they_share():
    calls = []

    @once
    def counted(asked):
        calls.append(asked.seed)
        return asked.x.sum(axis=0)

    shared, given = {}, [problem(X, s) for s in range(8)]
    given = [own._replace(shared=shared) for own in given]
    threads = [threading.Thread(target=counted, args=(own,)) for own in given]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    counted(problem(X, held_out=(110,), shared=shared))
    counted(problem(X.copy(), shared=shared))
    counted(problem(X, shared=shared)._replace(genes=X))
    assert len(calls) == 4, "other rows, matrices and genes are others"
    counted(problem(X))
    assert len(calls) == 5, "with none to share, nothing is kept"
    kept = weakref.ref(counted(given[0]))
    assert kept() is not None
    del shared, given, threads, thread
    gc.collect()
    assert kept() is None


def test_no_arm_keeps_its_matrix_beyond_what_is_shared():
    x, shared = X.copy(), {}
    alive = weakref.ref(x)
    for name in ("label_spreading", "spread_selftrain", "cluster_logreg"):
        given = problem(x, shared=shared)
        fresh = BASELINES[name].fit([problem(x)])[0]
        for _ in range(2):
            assert_allclose(BASELINES[name].fit([given])[0], fresh, atol=1e-6)
    assert shared
    del x, given
    assert alive() is not None
    del shared
    gc.collect()
    assert alive() is None
