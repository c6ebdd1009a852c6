"""Compiled linear models and scikit-learn's: the same penalties, the same probabilities."""

import numpy as np
import pytest

from jaxssl.config import Config
from jaxssl.data.synthetic import make_synthetic
from jaxssl.data.task import make_task
from jaxssl.engine.prepared import prepare
from jaxssl.evaluation import paths
from jaxssl.evaluation.baselines import BASELINES, task_of
from jaxssl.evaluation.paths import fit_paths
from jaxssl.evaluation.problem import Problem
from jaxssl.evaluation.reference import fit_path
from jaxssl.evaluation.sweep import sweep
from jaxssl.evaluation.trials import SKLEARN

HELD_OUT = 40


def problem(n, n_classes, seed, n_features=30):
    """Classes of unlike sizes; the last has a single label."""
    rng = np.random.default_rng(seed)
    shares = np.r_[np.arange(1, n_classes), 0.0]
    y = rng.choice(n_classes, n + HELD_OUT, p=shares / shares.sum())
    y[0] = n_classes - 1
    centres = rng.normal(size=(n_classes, n_features))
    x = (centres[y] + 2 * rng.normal(size=(len(y), n_features))).astype(np.float32)
    rows = np.arange(len(y))
    return Problem(x, y[:n], rows[:n], rows, rows[n:], seed, n_classes=n_classes + 1)


@pytest.mark.parametrize(("n", "n_classes"), [(30, 2), (60, 5), (80, 3), (1200, 4)])
def test_both_choose_like_penalties_and_give_like_probabilities(n, n_classes):
    alike = 0
    for seed in range(3):
        given = problem(n, n_classes, seed)
        task = task_of(given)
        one, other = fit_paths([task])[0], fit_path(task)
        assert abs(one.position - other.position) <= 1, "what is compared is fitted loosely"
        held_out = task.folds >= 0
        assert np.abs(one.held_out - other.held_out)[held_out].mean() < 0.03
        if one.position == other.position:
            alike += 1
            np.testing.assert_allclose(one(given.x), other(given.x), atol=0.01)
            np.testing.assert_allclose(one.held_out, other.held_out, atol=0.05)
    assert alike >= 2


@pytest.mark.parametrize("name", ["logreg", "pca_logreg", "cluster_logreg", "pool"])
def test_arms_are_fitted_by_either(name, monkeypatch):
    given = problem(60, 3, 0)
    given = given._replace(genes=given.x)
    compiled = BASELINES[name].fit([given])[0]
    monkeypatch.setattr(paths, "solve", None)  # nothing is compiled
    of_sklearn = BASELINES[name].fit([given._replace(solver=SKLEARN)])[0]
    assert np.abs(of_sklearn - compiled).mean() < 0.02


def test_the_option_decides_what_fits_the_arms_of_a_study(monkeypatch):
    solvers, fit = [], paths.fit_paths
    for module in ("baselines", "best"):
        noted = lambda tasks: solvers.append(tasks[0].solver) or fit(tasks)  # noqa: E731
        monkeypatch.setattr(f"jaxssl.evaluation.{module}.fit_paths", noted)
    config = Config()
    config.sweep.arms, config.sweep.shares = ("logreg", "pool"), (0.2,)
    config.sweep.linear_models = SKLEARN
    task = make_task(make_synthetic(n_samples=100, n_genes=30, n_classes=3), config)
    fits = list(sweep(prepare(task, config), {}, [0]))
    assert [fitted.arm for fitted in fits] == ["logreg", "pool"]
    assert set(solvers) == {SKLEARN}
    assert len(solvers) == 3, "one arm is one model, the other two"
