import numpy as np
import pytest
from sklearn import metrics as sk

from jaxssl.evaluation.predictions import expected_calibration_error, score


def random_case(n_samples=80, n_classes=4, seed=0):
    rng = np.random.default_rng(seed)
    codes = np.arange(n_samples) % n_classes
    return codes, rng.dirichlet(np.ones(n_classes), n_samples)


def test_scores_equal_scikit_learn_where_every_class_occurs():
    codes, probabilities = random_case()
    predicted = probabilities.argmax(axis=1)
    scores = score(codes, probabilities)
    assert scores["accuracy"] == np.mean(predicted == codes)
    assert scores["balanced_accuracy"] == pytest.approx(
        sk.balanced_accuracy_score(codes, predicted), abs=1e-12
    )
    assert scores["macro_f1"] == pytest.approx(sk.f1_score(codes, predicted, average="macro"))
    assert scores["log_loss"] == pytest.approx(-np.log(probabilities[range(80), codes]).mean())
    assert set(scores) == {"accuracy", "balanced_accuracy", "macro_f1", "log_loss", "ece"}


def test_scores_equal_scikit_learn_where_classes_are_absent_and_never_named():
    codes, probabilities = random_case(n_classes=6)
    codes, probabilities = codes[codes != 2], probabilities[codes != 2] * [1, 1, 1, 0, 1, 1]
    predicted, present = probabilities.argmax(axis=1), np.unique(codes)
    scores, over = score(codes, probabilities), {"labels": present, "average": "macro"}
    assert scores["balanced_accuracy"] == pytest.approx(sk.recall_score(codes, predicted, **over))
    assert scores["macro_f1"] == pytest.approx(sk.f1_score(codes, predicted, **over))
    expected = sk.log_loss(codes, probabilities / probabilities.sum(1)[:, None], labels=range(6))
    assert scores["log_loss"] == pytest.approx(expected)


def test_two_classes_add_threshold_free_scores_of_the_second_class():
    codes, probabilities = random_case(n_classes=2)
    scores = score(codes, probabilities)
    positive, negative = probabilities[codes == 1, 1], probabilities[codes == 0, 1]
    assert scores["auroc"] == pytest.approx(np.mean(positive[:, None] > negative[None, :]))
    assert scores["auprc"] == pytest.approx(sk.average_precision_score(codes, probabilities[:, 1]))
    predicted = probabilities[:, 1] > 0.5
    assert scores["mcc"] == pytest.approx(np.corrcoef(codes, predicted)[0, 1])


def test_class_absent_from_the_test_part_does_not_count_but_its_predictions_do():
    codes = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8], [0.1, 0.8, 0.1], [0.2, 0.7, 0.1]])
    scores = score(codes, probabilities)
    assert scores["accuracy"] == 0.75
    assert scores["balanced_accuracy"] == 0.75  # recalls 1/2 and 1; nothing for the absent class
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)
    assert scores["log_loss"] == pytest.approx(-np.log([0.8, 0.1, 0.8, 0.7]).mean())


def test_binary_scores_are_nan_when_one_class_is_absent():
    scores = score(np.zeros(3, int), np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]]))
    assert all(np.isnan(scores[name]) for name in ("auroc", "auprc", "mcc"))
    assert scores["accuracy"] == pytest.approx(2 / 3)


def test_calibration_error_equals_the_sum_over_bins_written_out():
    codes, probabilities = random_case(200, 3, seed=1)
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == codes
    expected = 0.0
    for m in range(15):
        inside = (confidence > m / 15) & (confidence <= (m + 1) / 15)
        if inside.any():
            gap = abs(correct[inside].mean() - confidence[inside].mean())
            expected += inside.mean() * gap
    assert expected_calibration_error(codes, probabilities) == pytest.approx(expected, abs=1e-12)


def test_perfect_certainty_has_no_calibration_error_and_no_loss():
    scores = score(np.array([0, 1, 2]), np.eye(3))
    assert scores["ece"] == 0.0
    assert scores["log_loss"] == pytest.approx(0.0, abs=1e-12)


def test_float32_probabilities_score_as_their_float64_values():
    codes, probabilities = random_case()
    single = score(codes, probabilities.astype(np.float32))
    assert single == pytest.approx(score(codes, probabilities), abs=1e-6)
