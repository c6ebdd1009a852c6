"""Logistic regression against scikit-learn's, and what may not change a fit."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from jaxssl.engine import ensemble
from jaxssl.evaluation import logistic, multinomial
from jaxssl.evaluation.logistic import PENALTIES, UNTUNED, fit_logistic, weights_of

TIGHT = 3e-5
SHAPES = [(60, 10, 3), (30, 200, 3), (200, 50, 5)]  # samples, features, classes


def problem(n, n_features, n_classes, seed=0):
    """Rows about the centres of their classes, far from the origin; classes of unlike sizes."""
    rng = np.random.default_rng(seed)
    y = rng.choice(n_classes, n, p=np.arange(1, n_classes + 1) / sum(range(n_classes + 1)))
    y[: 2 * n_classes] = np.tile(np.arange(n_classes), 2)
    centres = rng.normal(0, 1, (n_classes, n_features)) * (np.arange(n_features) < 5)
    return (centres[y] + rng.normal(size=(n, n_features)) + 5).astype(np.float32), np.eye(
        n_classes
    )[y]


def by_sklearn(x, targets, weights, penalty):
    """Probabilities of the same objective: a row of `targets` is a weighted copy a class."""
    n_classes = targets.shape[1]
    mean = weights @ x / weights.sum()
    x = x.astype(np.float64) / np.sqrt(np.mean(np.sum((x - mean) ** 2, axis=1)))
    copies = (weights[:, None] * targets).T.ravel()
    y = np.repeat(np.arange(n_classes), len(x))
    # of two classes, scikit-learn penalises the difference of their coefficients
    model = LogisticRegression(C=(2 if n_classes == 2 else 1) / penalty, tol=1e-8, max_iter=5000)
    model.fit(np.tile(x, (n_classes, 1))[copies > 0], y[copies > 0], copies[copies > 0])
    return model.predict_proba(x)


def probabilities(x, targets, **options):
    return softmax(fit_logistic(x, targets, **{"tolerance": TIGHT, **options}).logits(x), axis=1)


@pytest.mark.parametrize("penalty", [PENALTIES[0], 0.1, PENALTIES[-1]])
@pytest.mark.parametrize("shape", [*SHAPES, (40, 8, 2), (12, 300, 2)])
def test_probabilities_are_those_of_scikit_learn(shape, penalty):
    x, targets = problem(*shape)
    expected = by_sklearn(x, targets, np.ones(len(x)), penalty)
    found = probabilities(x, targets, balanced=False, penalty=penalty)
    assert_allclose(found, expected, atol=1e-4)


def test_balanced_is_scikit_learns_class_weight():
    x, targets = problem(60, 10, 3)
    y = targets.argmax(axis=1)
    size = np.sqrt(np.mean(np.sum((x - weights_of(targets) @ x / len(x)) ** 2, axis=1)))
    model = LogisticRegression(C=10, class_weight="balanced", tol=1e-8, max_iter=5000)
    expected = model.fit(x / size, y).predict_proba(x / size)
    assert_allclose(probabilities(x, targets, penalty=0.1), expected, atol=1e-4)
    mass = weights_of(targets) @ targets
    assert_allclose(mass, len(x) / 3)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_distribution_over_classes_is_a_copy_a_class_of_its_weight(shape):
    x, labels = problem(*shape)
    rng = np.random.default_rng(1)
    targets = 0.6 * labels + 0.4 * rng.dirichlet(np.ones(shape[2]), len(x))
    expected = by_sklearn(x, targets, np.ones(len(x)), 0.1)
    found = probabilities(x, targets, balanced=False, penalty=0.1)
    assert_allclose(found, expected, atol=1e-4)
    assert_allclose(weights_of(targets).sum(), len(x))


def test_the_intercept_is_not_penalised():
    x, targets = problem(60, 10, 3)
    shares = np.broadcast_to(targets.mean(axis=0), targets.shape)
    for rows, penalty in ((x, 1e6), (np.ones_like(x), 0.1)):
        found = probabilities(rows, targets, balanced=False, penalty=penalty)
        assert_allclose(found, shares, atol=1e-4)
    # where it is free, the mean probability of a class is its share
    assert_allclose(
        probabilities(x, targets, balanced=False, penalty=0.1).mean(axis=0),
        targets.mean(axis=0),
        atol=1e-3,
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("penalty", [0.1, None])
def test_no_rotation_shift_or_unit_of_features_changes_a_fit(shape, penalty):
    x, targets = problem(*shape)
    rotation = np.linalg.qr(np.random.default_rng(2).normal(size=(x.shape[1],) * 2))[0]
    moved = (7 * (x - 5) @ rotation + 3).astype(np.float32)
    one, other = (fit_logistic(z, targets, penalty=penalty, tolerance=TIGHT) for z in (x, moved))
    assert one.penalty == other.penalty
    assert_allclose(softmax(other.logits(moved), 1), softmax(one.logits(x), 1), atol=1e-4)


def test_coefficients_of_features_give_the_same_logits():
    for shape in SHAPES:
        x, targets = problem(*shape)
        model = fit_logistic(x, targets, penalty=0.1)
        kernel, intercept = model.linear()
        new = x[::-1] * 1.5 - 1
        assert_allclose(new @ kernel + intercept, model.logits(new), atol=1e-4)


def test_many_weightings_and_penalties_at_once_are_one_after_the_other():
    given, penalties = [], [1.0, 0.03, 0.3]
    for i, n in enumerate((60, 50, 64)):
        x, targets = problem(n, 10, 3, seed=i)
        rng = np.random.default_rng(i)
        axes = logistic.find_axes(x, np.ones(n))
        weights = (rng.random((4, n)) < 0.8).astype(float)
        given.append(multinomial.Problem(axes.of(x), targets, weights, axes.curvature))
    together = multinomial.unpack(
        multinomial.solve(multinomial.stack(given), penalties, TIGHT), given
    )
    for own, penalty, b in zip(given, penalties, together, strict=True):
        for i, weights in enumerate(own.weights):
            found = softmax(own.z @ b[:, i], axis=1)
            alone = own._replace(weights=weights[None])
            fitted = multinomial.solve(multinomial.stack([alone]), [penalty], TIGHT)
            b_alone = multinomial.unpack(fitted, [alone])[0][:, 0]
            assert_allclose(found, softmax(own.z @ b_alone, axis=1), atol=1e-4)
            model = LogisticRegression(C=1 / penalty, tol=1e-8, max_iter=5000)
            z = own.z.astype(float)
            model.fit(z[weights > 0, :-1], own.targets[weights > 0].argmax(axis=1))
            assert_allclose(found, model.predict_proba(z[:, :-1]), atol=1e-4)


def test_problems_side_by_side_in_one_wide_computation_are_as_one_after_the_other(monkeypatch):
    given = []
    for i, n in enumerate((60, 50, 64)):
        x, targets = problem(n, 10, 3, seed=i)
        axes = logistic.find_axes(x, np.ones(n))
        given.append(multinomial.Problem(axes.of(x), targets, np.ones((2, n)), axes.curvature))

    def fitted():
        multinomial._program.cache_clear()
        return multinomial.unpack(
            multinomial.solve(multinomial.stack(given), [1.0, 0.1, 0.01], TIGHT), given
        )

    in_turn = fitted()
    monkeypatch.setattr(ensemble, "vectorizes", lambda: True)  # as on a GPU
    together = fitted()
    multinomial._program.cache_clear()
    for own, one, other in zip(given, in_turn, together, strict=True):
        assert_allclose(softmax(own.z @ one[:, 0], 1), softmax(own.z @ other[:, 0], 1), atol=1e-4)


def test_a_path_ends_where_a_direct_descent_does_and_infinity_leaves_a_fit_as_it_is():
    x, targets = problem(60, 10, 3)
    axes = logistic.find_axes(x, np.ones(60))
    given = [multinomial.Problem(axes.of(x), targets, np.ones((2, 60)), axes.curvature)]
    batch = multinomial.stack(given)
    large = multinomial.solve(batch, [1.0])
    ends = np.array([[TIGHT, np.inf]])
    small = multinomial.unpack(multinomial.solve(batch, [0.03], ends, large), given)[0]
    direct = multinomial.unpack(multinomial.solve(batch, [0.03], TIGHT), given)[0]
    assert_allclose(
        softmax(given[0].z @ small[:, 0], 1), softmax(given[0].z @ direct[:, 0], 1), atol=1e-4
    )
    assert_allclose(small[:, 1], multinomial.unpack(large, given)[0][:, 1], rtol=1e-6)


def test_a_class_of_one_label_has_the_penalty_that_is_not_chosen():
    x, targets = problem(60, 10, 3)
    few = np.r_[0, np.flatnonzero(targets[:, 0] == 0)]
    assert targets[few, 0].sum() == 1
    assert fit_logistic(x[few], targets[few]).penalty == UNTUNED
    assert fit_logistic(x[:3], np.eye(3)).penalty == UNTUNED
    one_class = fit_logistic(x[:3], np.eye(3)[[1, 1, 1]])
    assert (one_class.logits(x).argmax(axis=1) == 1).all()


def test_the_penalty_is_the_best_of_held_out_folds_and_follows_the_noise():
    x, targets = problem(120, 10, 2)
    apart = fit_logistic((x + 6 * targets[:, :1]).astype(np.float32), targets).penalty
    noise = np.random.default_rng(4).permutation(targets)
    assert apart <= PENALTIES[-3]
    assert fit_logistic(x, noise).penalty == max(PENALTIES)
