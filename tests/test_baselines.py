"""The classical arms against direct fits."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score

from jaxssl.evaluation.baselines import (
    BASELINES,
    FEW_LABELS,
    INVERSE_PENALTIES,
    UNTUNED,
    Problem,
    choose_penalty,
    label_spreading,
    logistic_regression,
    majority,
    nearest_neighbours,
    row_space,
)

RNG = np.random.default_rng(0)
CENTRES = RNG.normal(size=(3, 200)).astype(np.float32)
Y = np.repeat(np.arange(3), 10)
X = CENTRES[Y] + RNG.normal(size=(30, 200)).astype(np.float32)
ROWS = CENTRES[np.arange(50) % 3] + RNG.normal(size=(50, 200)).astype(np.float32)


def problem(labelled=range(30), seed=0):
    """The 30 known samples are the training part; the others are to be predicted."""
    rows = np.array(labelled)
    return Problem(np.vstack([X, ROWS]), Y[rows], rows, np.arange(30), np.arange(30, 80), seed)


@pytest.mark.parametrize("penalty", [0.01, 1.0])
def test_the_row_space_fit_equals_the_direct_one(penalty):
    x, rows = row_space(X, ROWS)
    assert x.shape == (30, 30)
    model = LogisticRegression(C=penalty, tol=1e-10, max_iter=10_000)
    reduced = model.fit(x, Y).predict_proba(rows)
    direct = model.fit(X, Y).predict_proba(ROWS)
    np.testing.assert_allclose(reduced, direct, atol=1e-4)


def test_inner_products_survive_the_row_space():
    x, rows = row_space(X, ROWS)
    np.testing.assert_allclose(rows @ x.T, ROWS @ X.T, rtol=1e-3, atol=1e-3)


def test_fewer_genes_than_labels_stay_as_they_are():
    x, rows = row_space(X[:, :5], ROWS[:, :5])
    assert x.shape == (30, 5)
    np.testing.assert_array_equal(rows, ROWS[:, :5])


def test_a_penalty_is_chosen_only_where_two_classes_remain_to_fit():
    assert choose_penalty(X[:10], Y[:10], 0) == UNTUNED


def test_majority_predicts_the_label_frequencies():
    found = majority(problem([0, 1, 10, 20]))
    np.testing.assert_allclose(found, [[0.5, 0.25, 0.25]] * 50)


@pytest.mark.filterwarnings(f"ignore:{FEW_LABELS}")
def test_the_penalty_chosen_is_that_of_a_brute_force_search():
    noisy = X + 4 * RNG.normal(size=X.shape).astype(np.float32)
    folds = StratifiedKFold(3, shuffle=True, random_state=1)
    accuracy = [
        cross_val_score(LogisticRegression(C=c, tol=1e-3, max_iter=1000), noisy, Y, cv=folds).mean()
        for c in INVERSE_PENALTIES
    ]
    chosen = accuracy[INVERSE_PENALTIES.index(choose_penalty(noisy, Y, 1))]
    # a fit that starts where the last one ended stops elsewhere within its tolerance
    assert chosen >= max(accuracy) - 2.01 / len(Y)
    assert min(accuracy) < max(accuracy), "the choice matters here"


def test_one_label_a_class_leaves_nothing_to_validate_on():
    assert choose_penalty(X[::10], Y[::10], 0) == UNTUNED


@pytest.mark.filterwarnings(f"ignore:{FEW_LABELS}")
def test_a_class_with_a_single_label_is_no_obstacle():
    rows = [0, 1, 2, 3, 10, 11, 12, 13, 20]
    probabilities = logistic_regression(problem(rows))
    assert probabilities.shape == (50, 3)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)


@pytest.mark.filterwarnings(f"ignore:{FEW_LABELS}")
@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("labelled", [(0, 1, 10), (0, 1, 2, 10), (0, 1, 2, 10, 11)])
def test_one_of_two_classes_may_have_few_labels_whatever_the_folds(name, labelled):
    for seed in range(5):
        assert BASELINES[name].fit(problem(labelled, seed)).shape == (50, 2)


@pytest.mark.filterwarnings(f"ignore:{FEW_LABELS}")
@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("labelled", [range(30), (0, 10, 20), (0, 1, 2, 3, 10, 20)])
def test_every_baseline_gives_probabilities_of_all_classes(name, labelled):
    found = BASELINES[name].fit(problem(labelled))
    assert found.shape == (50, 3)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    if name != "majority" and len(labelled) != 6:  # these are of one class, mostly
        assert np.mean(found.argmax(axis=1) == np.arange(50) % 3) > 0.8, "the classes are far apart"


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_is_the_same_twice_and_reads_no_label_but_those_given(name):
    given = problem([0, 1, 10, 11, 20, 21], seed=3)
    fit = BASELINES[name].fit
    np.testing.assert_array_equal(fit(given), fit(given))


def test_one_neighbour_where_there_is_one_label_a_class():
    found = nearest_neighbours(problem([0, 10, 20]))
    distance = np.linalg.norm(ROWS[:, None] - X[[0, 10, 20]], axis=2)
    np.testing.assert_array_equal(found.argmax(axis=1), distance.argmin(axis=1))


def test_labels_spread_over_unlabelled_training_samples():
    # two chains of points; the label at one end of each reaches the other through its neighbours
    t = np.linspace(0, 12, 25)[:, None]
    chain = np.hstack([t, np.zeros_like(t)])
    x = np.vstack([chain, chain + np.array([0, 8])]).astype(np.float32)
    labelled, held_out = np.array([0, 49]), np.array([24, 25])
    train = np.setdiff1d(np.arange(50), held_out)
    far_ends = Problem(x, np.array([0, 1]), labelled, train, held_out, 0)
    assert label_spreading(far_ends).argmax(axis=1).tolist() == [0, 1]
    # the nearest label of each is the other chain's
    assert nearest_neighbours(far_ends).argmax(axis=1).tolist() == [1, 0]


def test_a_sample_that_no_label_reaches_gets_the_frequencies():
    x = np.vstack([np.zeros((40, 2)), np.full((40, 2), 100.0)]).astype(np.float32)
    x += np.random.default_rng(0).normal(size=x.shape).astype(np.float32)
    labelled = np.array([0, 1, 2])
    apart = Problem(x, np.array([0, 1, 1]), labelled, np.arange(79), np.array([79]), 0)
    np.testing.assert_allclose(label_spreading(apart), [[1 / 3, 2 / 3]])
