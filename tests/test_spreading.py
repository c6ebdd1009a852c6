"""Labels on a graph of neighbours: brute force, the linear solve, and what is taught."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.spatial.distance import cdist
from scipy.special import softmax

from jaxssl.evaluation.graph import affinity, bridge
from jaxssl.evaluation.logistic import fit_logistic
from jaxssl.evaluation.spreading import PENALTY, STRENGTHS, choose_strength, self_train, spread

RNG = np.random.default_rng(0)
Y = np.arange(60) % 3
X = (RNG.normal(size=(60, 4)) + 4 * RNG.normal(size=(3, 4))[Y]).astype(np.float32)
LABELLED = np.arange(7)
GRAPH = affinity(X)


def test_the_graph_is_that_of_brute_force_and_symmetric():
    x, k = X[:20], 5
    distances = cdist(x, x)
    np.fill_diagonal(distances, np.inf)
    weights = np.zeros((20, 20))
    for i, row in enumerate(distances):
        near = np.argsort(row)[:k]
        weights[i, near] = np.exp(-2 * (row[near] / row[near[-1]]) ** 2)
    weights = np.maximum(weights, weights.T)
    degrees = weights.sum(axis=1)
    found = affinity(x, k).toarray()
    assert_allclose(found, weights / np.sqrt(np.outer(degrees, degrees)), atol=1e-5)
    assert_allclose(found, found.T)
    assert abs(np.linalg.eigvalsh(found)).max() == pytest.approx(1)


def test_no_unit_of_features_changes_the_graph_and_few_or_equal_samples_have_one():
    assert_allclose(affinity(1000 * X).toarray(), GRAPH.toarray(), atol=1e-4)
    assert affinity(X[:4]).toarray()[~np.eye(4, dtype=bool)].all()
    same = affinity(np.ones((15, 3), np.float32)).toarray()
    assert np.isfinite(same).all()
    assert abs(np.linalg.eigvalsh(same)).max() == pytest.approx(1)


def test_weights_of_samples_outside_are_those_of_brute_force():
    distances = cdist(X[40:], X[:40])
    near = np.argsort(distances, axis=1)[:, :10]
    found = np.take_along_axis(distances, near, axis=1)
    expected = np.zeros((20, 40))
    np.put_along_axis(expected, near, np.exp(-2 * (found / found[:, -1:]) ** 2), axis=1)
    expected /= expected.sum(axis=1, keepdims=True)
    assert_allclose(bridge(X[:40], X[40:]).toarray(), expected, atol=1e-5)
    assert_allclose(bridge(X[:3], X[40:]).sum(axis=1), 1)


@pytest.mark.parametrize("strength", [0.2, *STRENGTHS])
def test_what_is_spread_is_the_linear_solve_with_columns_of_one_sum(strength):
    labels = np.zeros((60, 3))
    labels[LABELLED, Y[LABELLED]] = 1
    solved = np.linalg.solve(np.eye(60) - strength * GRAPH.toarray(), labels)
    columns = solved / solved.sum(axis=0)
    found = spread(GRAPH, LABELLED, Y[LABELLED], 3, strength=strength)
    expected = columns / columns.sum(axis=1, keepdims=True)
    reached = columns.sum(axis=1) > 1e-12
    assert reached.sum() > 30
    assert_allclose(found[reached], expected[reached], atol=1e-6)
    assert_allclose(found.sum(axis=1), 1)


def test_a_sample_that_no_label_reaches_has_all_classes_with_labels_alike():
    apart = np.concatenate([X[:30], X[:15] + 1e4])
    graph, labelled, y = affinity(apart), np.arange(4), np.array([0, 1, 1, 1])
    alone = graph.toarray()[:30, 30:]
    assert not alone.any()
    found = spread(graph, labelled, y, 3)
    assert_allclose(found[30:], np.broadcast_to([0.5, 0.5, 0], (15, 3)))
    assert_allclose(found[:, 2], 0)


def left_out_one_by_one(graph, labelled, y, strength):
    """Of every label, whether the others find it; a class with no other is not asked."""
    hits = np.full(len(y), np.nan)
    for i in np.flatnonzero(np.bincount(y)[y] > 1):
        rest = np.arange(len(y)) != i
        found = spread(graph, labelled[rest], y[rest], int(y.max()) + 1, strength=strength)
        hits[i] = found[labelled[i]].argmax() == y[i]
    return hits


@pytest.mark.parametrize("seed", range(6))
def test_the_strength_is_that_of_leaving_labels_out_one_by_one(seed):
    rng = np.random.default_rng(seed)
    y = np.repeat([0, 1, 2], 50)
    x = np.hstack([np.linspace(0, 8, 150)[:, None] % 2.6, y[:, None] * 0.5])
    graph = affinity((x + 0.3 * rng.normal(size=(150, 2))).astype(np.float32))
    labelled = np.sort(np.concatenate([rng.permutation(50)[:n] + s for n, s in ((5, 0), (4, 50))]))
    labelled = np.append(labelled, 120)  # a class of one label
    both = [left_out_one_by_one(graph, labelled, y[labelled], a)[:-1] for a in STRENGTHS]
    weights = 9 / 2 / np.bincount(y[labelled])[y[labelled][:-1]]
    gains = (both[1] - both[0]) * weights
    expected = STRENGTHS[int(gains.mean() > gains.std() / 3)]
    assert choose_strength(graph, labelled, y[labelled]) == expected


def test_where_no_class_has_two_labels_the_strength_is_the_first():
    assert choose_strength(GRAPH, np.arange(3), Y[:3]) == STRENGTHS[0]
    assert choose_strength(GRAPH, np.array([0, 3]), np.zeros(2, int)) == STRENGTHS[0]


def test_the_order_of_samples_does_not_matter():
    order = np.random.default_rng(1).permutation(60)
    place = np.argsort(order)
    found = spread(affinity(X[order]), place[LABELLED], Y[LABELLED], 3)
    assert_allclose(found[place], spread(GRAPH, LABELLED, Y[LABELLED], 3), atol=1e-5)


def test_a_student_learns_thrice_from_the_mean_of_graph_and_student_and_from_true_labels():
    y = Y[LABELLED]
    of_graph = expected = spread(GRAPH, LABELLED, y, 3)
    for _ in range(3):
        targets = expected.copy()
        targets[LABELLED] = np.eye(3)[y]
        model = fit_logistic(X, targets, penalty=PENALTY)
        expected = (of_graph + softmax(model.logits(X), axis=1)) / 2
    found, student = self_train(X, GRAPH, LABELLED, y, 3)
    assert_allclose(found, expected, atol=5e-3)  # loosely
    # what it says of samples of the graph is its half of what was found
    assert_allclose(2 * found - of_graph, softmax(student.logits(X), axis=1), atol=1e-6)
    assert_allclose(found.sum(axis=1), 1)


def test_the_student_classifies_samples_that_are_not_in_the_graph():
    rows = np.arange(40)
    _, student = self_train(X[rows], affinity(X[rows]), LABELLED, Y[LABELLED], 3)
    assert np.mean(student.logits(X[40:]).argmax(axis=1) == Y[40:]) > 0.9


def test_a_graph_is_sparse():
    assert isinstance(GRAPH, sparse.csr_array)
    assert GRAPH.nnz <= 2 * 10 * 60
