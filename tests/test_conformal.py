"""Temperatures against oracles; sets that hold the true class as often as theory says."""

import dataclasses
import warnings

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from jaxssl.evaluation.calibration import (
    MIN_LABELS,
    calibrate,
    fit_temperature,
    nonconformity,
    sentence,
    with_temperature,
)
from jaxssl.evaluation.conformal import (
    by_cohort,
    in_words,
    least_labels,
    limits_of,
    prediction_sets,
    score_limits,
    told,
    warn_of_other,
)
from jaxssl.types import Calibration, InputError

pytestmark = pytest.mark.filterwarnings("ignore:.*(not healthy|collapsed):UserWarning")


def drawn(n, n_classes=3, temperature=1.0, seed=0):
    """Logits, and classes drawn by their probabilities at a temperature."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(scale=3, size=(n, n_classes))
    gumbel = rng.gumbel(size=scores.shape)
    return scores, (scores / temperature + gumbel).argmax(axis=1)


def kept(scores, codes, is_held_out=True):
    return Calibration(np.float32(scores), np.int32(codes), 1.0, is_held_out)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_by_which_labels_were_drawn_is_found(temperature):
    assert fit_temperature(*drawn(20_000, temperature=temperature)) == pytest.approx(
        temperature, rel=0.05
    )


def test_the_temperature_is_scipys_optimum_of_the_log_loss_with_one_label_more():
    scores, codes = drawn(60, temperature=2.5)

    def loss(log_t):
        log_p = log_softmax(scores / np.exp(log_t), axis=1)
        own, any_class = log_p[np.arange(60), codes], log_p.mean(axis=1)
        return -(60 * own + any_class).sum() / 61

    best = minimize(loss, [0.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-12})
    assert np.log(fit_temperature(scores, codes)) == pytest.approx(best.x[0], abs=1e-4)


def test_of_many_labels_it_is_the_temperature_of_scikit_learn():
    calibration = pytest.importorskip("sklearn.calibration", minversion=None)
    theirs = getattr(calibration, "_TemperatureScaling", None)
    if theirs is None:
        pytest.skip("scikit-learn before 1.8 has none")
    scores, codes = drawn(5000, temperature=1.7)
    assert fit_temperature(scores, codes) == pytest.approx(
        1 / theirs().fit(scores, codes).beta_, rel=2e-3
    )


def test_labels_without_an_error_make_nothing_certain():
    codes = np.arange(30) % 3
    scores = 50.0 * np.eye(3)[codes]
    confidence = with_temperature(scores, fit_temperature(scores, codes)).max(axis=1)
    # the rule of succession: 30 right of 31, and the last of any of three classes
    np.testing.assert_allclose(confidence, (30 + 1 / 3) / 31, atol=1e-4)


@pytest.mark.parametrize("temperature", [0.1, 0.7, 4.0])
def test_a_temperature_changes_no_class_that_is_named(temperature):
    scores, _ = drawn(500)
    np.testing.assert_array_equal(
        with_temperature(scores, temperature).argmax(axis=1), scores.argmax(axis=1)
    )
    np.testing.assert_allclose(with_temperature(scores, 1.0), softmax(scores, axis=1), rtol=1e-5)


def test_of_few_labels_no_temperature_is_fitted_and_a_sentence_says_so():
    scores, codes = drawn(MIN_LABELS, temperature=4.0)
    assert calibrate(scores, codes).temperature > 1
    few = calibrate(scores[:-1], codes[:-1])
    assert few.temperature == 1
    assert "19 validation labels are too few for a temperature (at least 20)" in sentence(few)
    assert calibrate(scores[:0], codes[:0]) is None
    assert "keeps none" in sentence(None)


def test_scores_that_are_no_numbers_are_left_out():
    scores, codes = drawn(30)
    scores[3] = np.nan
    assert len(calibrate(scores, codes).codes) == 29


@pytest.mark.parametrize(("coverage", "n"), [(0.9, 9), (0.9, 50), (0.8, 4), (0.95, 33)])
def test_coverage_on_exchangeable_data_is_that_of_theory(coverage, n):
    """Of scores without ties, a set holds the class of a new sample with k / (n + 1) exactly."""
    rng, repeats = np.random.default_rng(n), 4000
    rank = int(np.ceil(round((n + 1) * coverage, 9)))
    held = 0
    for scores in rng.normal(size=(repeats, n + 1)).astype(np.float32):
        limits = score_limits(kept(scores[:n], np.zeros(n)), 1, coverage)
        held += scores[n] <= limits[0]
    expected = rank / (n + 1)
    assert coverage <= expected <= coverage + 1 / (n + 1) + 1e-12
    assert stats.binomtest(int(held), repeats, expected).pvalue > 1e-3


def test_every_class_is_covered_although_the_classifier_neglects_one():
    scores, codes = drawn(6000, n_classes=3)
    scores[:, 2] -= 4  # the third is hardly ever named
    of = nonconformity(scores)
    own, new = np.arange(6000) < 3000, np.arange(6000) >= 3000
    limits = score_limits(kept(of[own, codes[own]], codes[own]), 3, 0.9)
    sets = prediction_sets(of[new], limits)
    for code in range(3):
        rows = codes[new] == code
        assert sets[rows, code].mean() == pytest.approx(0.9, abs=0.03)
    assert (scores[new].argmax(axis=1) == codes[new])[codes[new] == 2].mean() < 0.3


def test_sets_grow_with_the_coverage_and_none_is_empty():
    scores, codes = drawn(400)
    of = nonconformity(scores)
    calibration = kept(of[:200, :][np.arange(200), codes[:200]], codes[:200])
    before = np.zeros((200, 3), bool)
    for coverage in (0.05, 0.3, 0.6, 0.8, 0.9, 0.95, 0.98):
        sets = prediction_sets(of[200:], score_limits(calibration, 3, coverage))
        assert (sets | ~before).all()
        assert sets[np.arange(200), scores[200:].argmax(axis=1)].all()
        before = sets
    assert before.sum() > 200


def test_a_class_with_too_few_labels_or_none_is_in_every_set_and_named():
    calibration = kept(np.linspace(0, 1, 17), [0] * 9 + [1] * 8)
    assert least_labels(0.9) == 9
    with pytest.warns(UserWarning, match=r"needs 9 validation labels.*b \(8\), c \(0\): these"):
        limits = limits_of(calibration, ["a", "b", "c"], 0.9)
    assert np.isfinite(limits).tolist() == [True, False, False]
    sets = prediction_sets(np.full((4, 3), 99, np.float32), limits)
    assert sets[:, 1:].all()
    with pytest.warns(UserWarning, match="all classes are in every set"):
        limits_of(calibration, ["a", "b", "c"], 0.95)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        limits_of(calibration, ["a", "b"], 0.85)


@pytest.mark.parametrize("coverage", [0.0, 1.0, -0.1, 9.0, 90.0, float("nan")])
def test_a_coverage_outside_0_and_1_is_refused(coverage):
    with pytest.raises(InputError, match="is out of its range; choose a number that lies in"):
        limits_of(kept(np.ones(9), np.zeros(9)), ["a"], coverage)


def test_what_is_promised_is_said_and_of_another_cohort_nothing():
    calibration, sets = kept(np.ones(9), np.zeros(9)), np.ones((4, 2), bool)
    own = told(sets, calibration, 0.9, is_other=False)
    assert "promised: at least 0.9 of the samples of every class" in own
    assert "of any other, nothing" in own
    assert told(sets, calibration, 0.9, is_other=True).endswith("promised: nothing")
    with pytest.warns(UserWarning, match="no coverage here, as the samples are of another cohort"):
        warn_of_other(calibration, is_other=True)
    warn_of_other(calibration, is_other=False)  # a warning would be an error
    validated = dataclasses.replace(calibration, is_held_out=False)
    assert "cross-validated labels promise nothing exact" in told(
        sets, validated, 0.9, is_other=False
    )


def test_cohorts_are_measured_apart_with_exact_intervals():
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4], [0.5, 0.5]])
    codes, cohorts = np.array([0, 1, 1, 0, -1]), np.array(["x", "x", "y", "y", "y"])
    sets = np.array([[1, 0], [1, 1], [0, 1], [0, 1], [1, 1]], bool)
    table = by_cohort(p, codes, cohorts, sets).set_index("cohort")
    assert table["n"].tolist() == [2, 2]
    assert table["accuracy"].tolist() == [0.5, 1.0]
    assert table["coverage"].tolist() == [1.0, 0.5]
    assert table["least_coverage"].tolist() == [1.0, 0.0]
    assert table["set_size"].tolist() == [1.5, 1.0]
    # Clopper and Pearson: of 2 out of 2, the lower end has q² = 0.025
    assert table.loc["x", "coverage_low"] == pytest.approx(np.sqrt(0.025))
    assert table.loc["x", "coverage_high"] == 1
    assert "coverage" not in by_cohort(p, codes, cohorts)


def test_sets_in_words_name_the_best_class_first():
    scores = np.float32([[2, 0.1, 0.3], [0.2, 5, 9]])
    sets = np.array([[1, 1, 1], [1, 0, 0]], bool)
    assert in_words(["a", "b", "c"], sets, scores) == ["b | c | a", "a"]
