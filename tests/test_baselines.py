"""The classical arms against direct fits."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score

from jaxssl.evaluation.baselines import (
    FEW_LABELS,
    INVERSE_PENALTIES,
    UNTUNED,
    choose_penalty,
    logistic_regression,
    majority,
    row_space,
)

RNG = np.random.default_rng(0)
CENTRES = RNG.normal(size=(3, 200)).astype(np.float32)
Y = np.repeat(np.arange(3), 10)
X = CENTRES[Y] + RNG.normal(size=(30, 200)).astype(np.float32)
ROWS = CENTRES[np.arange(50) % 3] + RNG.normal(size=(50, 200)).astype(np.float32)


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


def test_majority_predicts_the_label_frequencies():
    y = np.array([0, 0, 1, 2])
    np.testing.assert_allclose(majority(X[:4], y, ROWS[:2], 0), [[0.5, 0.25, 0.25]] * 2)


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
    probabilities = logistic_regression(X[rows], Y[rows], ROWS, 0)
    assert probabilities.shape == (50, 3)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
