"""Labels saved, where the answer is known."""

import numpy as np
import pandas as pd
import pytest
from rows import results_of
from sklearn.isotonic import isotonic_regression

from jaxssl.evaluation import labels_saved as module
from jaxssl.evaluation.labels_saved import labels_needed, labels_saved, rise, saved_table

BUDGETS = np.array([10, 20, 50, 100, 200, 500, 1000])


def needed_of(curve, score):
    (found,) = labels_needed(BUDGETS, np.asarray(curve)[None], np.array([float(score)]))
    return found


def test_curves_rise_as_by_isotonic_regression():
    curves = np.random.default_rng(0).normal(size=(200, 8)) + np.linspace(0, 1, 8)
    expected = [isotonic_regression(curve) for curve in curves]
    np.testing.assert_allclose(rise(curves), expected, atol=1e-10)


def log_curve(n):
    """0.5 at 10 labels, 0.1 more for every tenfold."""
    return 0.4 + 0.1 * np.log10(n)


def test_labels_needed_are_those_of_the_curve_between_its_points():
    for n in (10, 14, 20, 77, 500, 1000):
        needed = needed_of(log_curve(BUDGETS), log_curve(n))
        assert needed == pytest.approx(n, rel=1e-9)


def test_a_score_below_the_curve_needs_the_smallest_budget_and_one_above_has_no_answer():
    assert needed_of(log_curve(BUDGETS), 0.1) == 10
    assert needed_of(log_curve(BUDGETS), 0.99) == np.inf


def test_a_dip_of_the_curve_does_not_make_labels_cheaper():
    curve = log_curve(BUDGETS).copy()
    curve[3], curve[4] = curve[4], curve[3]  # 100 labels look better than 200
    needed = needed_of(curve, curve[3] - 1e-6)
    assert 200 < needed < 500


def test_a_simulated_arm_that_saves_nine_tenths_of_the_labels_is_found_out():
    rng = np.random.default_rng(0)
    luck = rng.normal(scale=0.01, size=(40, 1))  # of a seed, shared by both arms
    reference = log_curve(BUDGETS) + luck + rng.normal(scale=0.002, size=(40, len(BUDGETS)))
    arm = log_curve(200) + luck[:, 0] + rng.normal(scale=0.002, size=40)  # with 20 labels
    needed, low, high = labels_saved(BUDGETS, reference, arm)
    assert needed == pytest.approx(200, rel=0.05)
    assert low < 200 < high
    assert high / low < 1.2, "luck that both arms share does not widen the interval"


def test_the_interval_covers_the_truth_as_often_as_it_says(monkeypatch):
    monkeypatch.setattr(module, "N_RESAMPLES", 300)
    rng, covered = np.random.default_rng(1), 0
    for _ in range(100):
        reference = log_curve(BUDGETS) + rng.normal(scale=0.02, size=(15, len(BUDGETS)))
        arm = log_curve(150) + rng.normal(scale=0.02, size=15)
        _, low, high = labels_saved(BUDGETS, reference, arm)
        covered += low <= 150 <= high
    assert 85 <= covered <= 100  # isotonic means of 15 draws are a little too regular


def test_one_repetition_has_no_interval():
    needed, low, _ = labels_saved(BUDGETS, log_curve(BUDGETS)[None], np.array([0.5]))
    assert (needed, np.isnan(low)) == (10, True)


def test_a_single_budget_is_enough_or_is_not():
    reference = np.array([[0.5], [0.6]])
    assert labels_saved(BUDGETS[:1], reference, np.array([0.4, 0.5]))[0] == 10
    assert labels_saved(BUDGETS[:1], reference, np.array([0.8, 0.7]))[0] == np.inf


def test_what_two_arms_save_does_not_depend_on_a_third_that_lacks_seeds():
    rng, shares = np.random.default_rng(0), (0.01, 0.1, 1.0)
    scores = {"swav": 0.6, "scratch": 0.5, "knn": 0.4}
    table = pd.concat(
        results_of(
            {arm: low + 0.1 * i + 0.1 * rng.random(8) for arm, low in scores.items()}, share=s
        )
        for i, s in enumerate(shares)
    )
    some = table[(table["arm"] != "knn") | (table["seed"] > 2)]
    pair = saved_table(table[table["arm"] != "knn"], ["swav"], ["scratch"])
    beside = saved_table(some, ["swav"], ["knn", "scratch"])
    beside = beside[beside["reference"] == "scratch"].reset_index(drop=True)
    pd.testing.assert_frame_equal(beside, pair, check_exact=True)
