"""The classical arms against direct fits."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.model_selection import PredefinedSplit

from jaxssl.evaluation import baselines, linear, paths
from jaxssl.evaluation.baselines import (
    BASELINES,
    FEW_LABELS,
    PENALTIES,
    UNTUNED,
    label_spreading,
    logistic_regressions,
    majority,
    nearest_neighbours,
    spread_selftrains,
)
from jaxssl.evaluation.graph import affinity, bridge
from jaxssl.evaluation.linear import FOLDS, folds_of
from jaxssl.evaluation.paths import fit_paths
from jaxssl.evaluation.problem import Problem
from jaxssl.evaluation.spreading import Lesson, spread, teach

RNG = np.random.default_rng(0)
CENTRES = RNG.normal(size=(3, 200)).astype(np.float32)
Y = np.repeat(np.arange(3), 10)
X = CENTRES[Y] + RNG.normal(size=(30, 200)).astype(np.float32)
ROWS = CENTRES[np.arange(50) % 3] + RNG.normal(size=(50, 200)).astype(np.float32)


def problem(labelled=range(30), seed=0):
    """The 30 known samples are the training part; the others are to be predicted."""
    rows = np.array(labelled)
    x = np.vstack([X, ROWS])
    return Problem(x, Y[rows], rows, np.arange(30), np.arange(30, 80), seed, genes=x)


def logistic_regression(given):
    return logistic_regressions([given])[0]


def fitted(name, given):
    return BASELINES[name].fit([given])[0]


def penalty_of(x, y, seed=0):
    """The penalty that is chosen, of rows with mean square length 1, and that of the rows."""
    n = len(y)
    task = baselines.task_of(Problem(x, y, np.arange(n), np.arange(n), np.arange(0), seed))
    own = task.penalties[fit_paths([task])[0].position]
    return float(own / size(x)), own


def size(x):
    """Mean square length of rows about their mean."""
    return np.mean(np.sum((x - x.mean(axis=0)) ** 2, axis=1))


@pytest.mark.parametrize("rows", [range(10), range(0, 30, 10)])
def test_one_class_or_one_label_a_class_leaves_nothing_to_validate_on(rows):
    x, y = X[rows], Y[rows]
    assert penalty_of(x, y)[0] == pytest.approx(UNTUNED)


def test_where_every_label_is_found_again_the_penalty_is_that_of_little_loss():
    y = np.repeat(np.arange(2), 11)  # weights of 1 / 22 that sum to more than one by a rounding
    x = np.eye(2, dtype=np.float32)[y]
    assert penalty_of(x, y)[0] <= PENALTIES[-2] * (1 + 1e-6)


def test_a_penalty_does_not_depend_on_the_unit():
    noisy = X + 4 * RNG.normal(size=X.shape).astype(np.float32)
    assert penalty_of(noisy, Y, 1)[0] == pytest.approx(penalty_of(100 * noisy, Y, 1)[0])


def test_majority_predicts_the_label_frequencies():
    found = majority(problem([0, 1, 10, 20]))
    np.testing.assert_allclose(found, [[0.5, 0.25, 0.25]] * 50)


def test_folds_leave_every_class_among_the_fitted_and_single_labels_in_all():
    y = np.array([3, 0, 0, 1, 1, 1, 1, 5, 5, 5, 5, 5, 5, 5])
    fold = folds_of(y, 3, 0)
    np.testing.assert_array_equal(fold < 0, y == 3)
    assert np.ptp(np.bincount(fold[fold >= 0])) <= 1
    for i in range(3):
        assert set(y[fold != i]) == set(y)
    np.testing.assert_array_equal(folds_of(y, 3, 0), fold)
    assert (folds_of(y, 3, 1) != fold).any()


def test_the_penalties_chosen_are_those_of_a_brute_force_search():
    y, chosen = np.append(Y[:-1], 3), set()  # a class of one label
    for seed in range(4):
        rng = np.random.default_rng(seed)
        x = X[:, :40] + 3 * rng.normal(size=(30, 40)).astype(np.float32)
        recalls, losses = [], []
        for penalty in PENALTIES:
            words = {"class_weight": "balanced", "max_iter": 10_000, "tol": 1e-6}
            model, p = LogisticRegression(C=1 / penalty / size(x), **words), np.zeros((30, 4))
            for fitted, rest in PredefinedSplit(folds_of(y, FOLDS, seed)).split():
                p[rest] = model.fit(x[fitted], y[fitted]).predict_proba(x[rest])
            p, known = p[:-1], y[:-1]  # those of which a fold can be asked
            recalls.append(recall_score(known, p.argmax(axis=1), labels=range(3), average="macro"))
            log_p, weights = np.log(p[np.arange(29), known]), 1 / np.bincount(known)[known]
            losses.append(-np.average(log_p, weights=weights))
        best = max(recalls)
        good = np.array(recalls) >= best - np.sqrt(best * (1 - best) / 29)
        at = PENALTIES.index(round(penalty_of(x, y, seed)[0], 5))
        # what is compared is fitted loosely
        assert good[at]
        assert losses[at] < np.where(good, losses, np.inf).min() + 2e-3
        chosen.add(at)
    assert len(chosen) > 1, "the choice matters here"


def test_a_path_is_the_same_alone_and_beside_one_that_ends_later():
    tasks = []
    for seed, noise in enumerate((0.1, 6, 2)):
        rng = np.random.default_rng(seed)
        x = X + noise * rng.normal(size=X.shape).astype(np.float32)
        tasks.append(baselines.task_of(Problem(x, Y, np.arange(30), np.arange(30), Y[:0], seed)))
    few = np.array([0, 10, 20])  # one label a class: one penalty
    given = Problem(X, Y[few], few, np.arange(30), few[:0], 0, n_classes=3)
    tasks.append(baselines.task_of(given))
    together, alone = paths._fit_side_by_side(tasks), [fit_paths([task])[0] for task in tasks]
    assert len({path.position for path in alone}) > 1, "they end at different penalties"
    for one, other in zip(together, alone, strict=True):
        assert one.position == other.position
        np.testing.assert_allclose(one.held_out, other.held_out, atol=1e-4)
        np.testing.assert_allclose(one(ROWS), other(ROWS), atol=1e-4)


@pytest.mark.filterwarnings(f"ignore:{FEW_LABELS}")
def test_classes_of_one_label_do_not_make_the_penalty_collapse(data_dir):
    # 22 labels of 17 classes: accuracy over folds cannot reward a class whose only label it leaves
    # out, and took C = 0.001
    folder = data_dir / "tcga_mirna_pancan"
    labels = pd.read_csv(folder / "labels.csv", dtype=str)["label20"]
    all_codes, _ = pd.factorize(labels, sort=True)
    rows = np.flatnonzero((all_codes >= 0) & (all_codes < 17))
    nth = labels.iloc[rows].groupby(all_codes[rows]).cumcount().to_numpy()
    rows, nth = rows[nth < 40], nth[nth < 40]
    codes, x = all_codes[rows], np.load(folder / "expression.npz")["X"][rows]
    x = ((x - x.mean(axis=0)) / (x.std(axis=0) + 1e-6)).astype(np.float32)
    labelled = np.flatnonzero(nth < np.where(codes < 5, 2, 1))
    rest = np.setdiff1d(np.arange(len(rows)), labelled)
    assert len(labelled) == 22
    given = Problem(x, codes[labelled], labelled, np.arange(len(rows)), rest, 0)
    found = logistic_regression(given).argmax(axis=1)
    assert recall_score(codes[rest], found, average="macro") > 0.6


def test_every_class_counts_alike_in_a_linear_model():
    # twice the labels of a class are twice the rows, not another answer
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(12, 2)), rng.normal(size=(3, 2)) + 1.5]).astype(np.float32)
    y = np.repeat([0, 1], (12, 3))
    grid = rng.normal(size=(200, 2)).astype(np.float32) + 0.7
    given = Problem(np.vstack([x, grid]), y, np.arange(15), np.arange(15), np.arange(15, 215), 0)
    model = LogisticRegression(
        C=1 / penalty_of(x, y)[1], tol=1e-8, class_weight="balanced", max_iter=1000
    )
    expected = model.fit(x, y).predict_proba(grid)
    np.testing.assert_allclose(logistic_regression(given), expected, atol=1e-3)
    assert expected[:, 1].mean() > 0.4


@pytest.mark.filterwarnings(f"ignore:{FEW_LABELS}")
def test_a_class_with_a_single_label_is_no_obstacle():
    rows = [0, 1, 2, 3, 10, 11, 12, 13, 20]
    probabilities = logistic_regression(problem(rows))
    assert probabilities.shape == (50, 3)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)


@pytest.mark.filterwarnings(f"ignore:{FEW_LABELS}")
@pytest.mark.parametrize("name", ["logreg", "knn", "label_spreading", "cluster_logreg"])
@pytest.mark.parametrize("labelled", [(0, 1, 10), (0, 1, 2, 10), (0, 1, 2, 10, 11)])
def test_one_of_two_classes_may_have_few_labels_whatever_the_folds(name, labelled):
    for seed in range(5):
        found = fitted(name, problem(labelled, seed))
        assert found.shape == (50, 2)
        np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.filterwarnings(f"ignore:{FEW_LABELS}")
@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("labelled", [range(30), (0, 10, 20), (0, 1, 2, 3, 10, 20)])
def test_every_baseline_gives_probabilities_of_all_classes(name, labelled):
    found = fitted(name, problem(labelled))
    assert found.shape == (50, 3)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    if name != "majority" and len(labelled) != 6:  # these are of one class, mostly
        assert np.mean(found.argmax(axis=1) == np.arange(50) % 3) > 0.8, "the classes are far apart"


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_is_the_same_twice_and_reads_no_label_but_those_given(name):
    given = problem([0, 1, 10, 11, 20, 21], seed=3)
    np.testing.assert_array_equal(fitted(name, given), fitted(name, given))


def test_of_many_labels_one_of_three_folds_chooses(monkeypatch):
    monkeypatch.setattr(linear, "MANY", 30)
    x = X[:, :40] + 3 * np.random.default_rng(0).normal(size=(30, 40)).astype(np.float32)
    task = baselines.task_of(Problem(x, Y, np.arange(30), np.arange(30), Y[:0], 0))
    assert task.n_folds == 1
    path, out = fit_paths([task])[0], task.folds == 0
    assert out.sum() == 10
    words = {"class_weight": "balanced", "max_iter": 10_000, "tol": 1e-8}
    model = LogisticRegression(C=1 / task.penalties[path.position], **words)
    expected = model.fit(x[~out], Y[~out]).predict_proba(x[out])
    np.testing.assert_allclose(path.held_out[out], expected, atol=0.02)
    assert (path.held_out[~out] == 0).all()
    np.testing.assert_allclose(path(x), model.fit(x, Y).predict_proba(x), atol=2e-3)


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


def test_a_sample_that_no_label_reaches_has_all_classes_alike():
    x = np.vstack([np.zeros((40, 2)), np.full((40, 2), 100.0)]).astype(np.float32)
    x += np.random.default_rng(0).normal(size=x.shape).astype(np.float32)
    labelled = np.array([0, 1, 2])
    apart = Problem(x, np.array([0, 1, 1]), labelled, np.arange(79), np.array([79]), 0)
    np.testing.assert_allclose(label_spreading(apart), [[0.5, 0.5]])


def test_held_out_samples_have_what_their_neighbours_have_and_the_student_half_of_it():
    given = problem([0, 10, 20])
    graph, weights = affinity(X), bridge(X, ROWS)
    of_graph = spread(graph, np.array([0, 10, 20]), np.arange(3), 3, strength=0.5)
    np.testing.assert_allclose(label_spreading(given), weights @ of_graph)
    lesson = Lesson(X, of_graph, given.labelled, np.arange(3))
    ((_, student),) = teach([lesson], penalty=0.3)
    mean = (weights @ of_graph + softmax(student.logits(ROWS), axis=1)) / 2
    np.testing.assert_allclose(spread_selftrains([given])[0], mean, atol=1e-6)
