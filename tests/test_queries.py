"""Which samples are queried: oracles of scikit-activeml, and what groups and cohorts ask for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skactiveml.classifier import SklearnClassifier
from skactiveml.pool import Clue, uncertainty_scores
from sklearn.linear_model import LogisticRegression

from jaxssl.evaluation.queries import (
    IN_DOUBT,
    N_ITERATIONS,
    Pool,
    directions_of,
    doubtful,
    margins,
    typical,
)

SEED = 3


@pytest.fixture(scope="module")
def blobs():
    """Six clouds of 40 samples, and the cloud of each."""
    rng = np.random.default_rng(0)
    cloud = np.repeat(np.arange(6), 40)
    x = rng.normal(size=(6, 8))[cloud] * 9 + rng.normal(size=(240, 8))
    return directions_of(x), cloud


def alone(x):
    """A pool in which every sample is of its own group and all are of one cohort."""
    return Pool(x, np.arange(len(x)), np.zeros(len(x), int))


def clue(x, y, n, candidates=None):
    """Samples by scikit-activeml's CLUE: middles of clusters weighted by how small margins are."""
    words = {"n_init": 1, "max_iter": N_ITERATIONS, "random_state": SEED}
    strategy = Clue(method="margin_sampling", cluster_algo_dict=words, random_state=SEED)
    model = SklearnClassifier(LogisticRegression(), classes=[0, 1, 2, 3, 4, 5])
    return strategy.query(x, y, model, candidates=candidates, batch_size=n), model.fit(x, y)


@pytest.mark.filterwarnings("ignore:.*base_estimator")  # which has no label
def test_typical_samples_are_those_of_clue_where_nothing_is_known(blobs):
    x, cloud = blobs
    found = typical(alone(x), 6, np.zeros(240, bool), SEED)
    expected, _ = clue(x, np.full(240, np.nan), 6)
    assert set(found.rows) == set(expected)
    assert sorted(cloud[found.rows]) == [0, 1, 2, 3, 4, 5]
    assert found.size.tolist() == sorted(found.size.tolist(), reverse=True)


def test_doubtful_samples_are_those_of_clue_among_the_smallest_margins(blobs):
    x, cloud = blobs
    y = np.full(240, np.nan)
    y[::20] = cloud[::20]
    is_labelled = np.isfinite(y)
    free = np.flatnonzero(~is_labelled)
    _, model = clue(x, y, 1)
    p = model.predict_proba(x)
    candidates = np.sort(free[np.argsort(margins(p)[free], kind="stable")[: IN_DOUBT * 5]])
    expected, _ = clue(x, y, 5, candidates)
    assert set(doubtful(alone(x), 5, is_labelled, p, SEED).rows) == set(expected)


def test_margins_are_those_of_scikit_activeml():
    p = np.random.default_rng(0).dirichlet(np.ones(5), size=50)
    np.testing.assert_allclose(1 - margins(p), uncertainty_scores(p, method="margin_sampling"))


def test_a_cluster_that_has_a_label_waits(blobs):
    x, cloud = blobs
    is_labelled = np.isin(cloud, [0, 1]) & (np.arange(240) % 4 == 0)
    found = typical(alone(x), 4, is_labelled, SEED)
    assert not {0, 1} & set(cloud[found.rows])


@given(st.integers(1, 40), st.integers(0, 30), st.integers(1, 50), st.integers(0, 3))
def test_queried_samples_are_different_and_have_no_label(n, n_labelled, n_groups, seed):
    rng = np.random.default_rng(seed)
    x = directions_of(rng.normal(size=(80, 3)).round())  # some are the same
    is_labelled = rng.permutation(80) < n_labelled
    groups = rng.integers(n_groups, size=80)
    pool = Pool(x, groups, rng.integers(3, size=80))
    rows = typical(pool, n, is_labelled, seed).rows
    assert len(set(rows)) == n
    assert not is_labelled[rows].any()
    unused = set(groups[~is_labelled]) - set(groups[is_labelled])  # come before all others
    assert len(set(groups[rows]) & unused) == min(n, len(unused))


def test_the_middle_of_a_cluster_has_its_cohorts_in_turn():
    rng = np.random.default_rng(1)
    x = directions_of(np.repeat(np.eye(4) * 5, 30, axis=0) + rng.normal(size=(120, 4)))
    cohorts = np.tile([0, 1], 60)
    found = typical(Pool(x, np.arange(120), cohorts), 4, np.zeros(120, bool), SEED).rows
    assert np.bincount(cohorts[found]).tolist() == [2, 2]


def test_fewer_different_samples_than_labels_are_asked_for_again():
    x = np.repeat(np.eye(3), 10, axis=0)
    found = typical(alone(x), 7, np.zeros(30, bool), SEED)
    assert sorted(np.bincount(found.rows // 10)) == [2, 2, 3]


def test_a_model_without_doubt_is_asked_for_the_middles_of_clusters(blobs):
    x, cloud = blobs
    is_labelled = np.arange(240) % 40 == 0
    rows = doubtful(alone(x), 12, is_labelled, np.eye(6)[cloud], SEED).rows
    assert len(set(rows)) == 12
    assert not is_labelled[rows].any()
