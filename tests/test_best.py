"""The recommended classifier: its pool, what it may see, and its fits against oracles."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from jaxssl.evaluation import best, pooling
from jaxssl.evaluation.best import fit_best
from jaxssl.evaluation.pooling import FLOOR, WEIGHTS, Pool, fit_weights
from jaxssl.evaluation.spaces import (
    COMPONENTS,
    GRAPHS,
    OUTPUTS,
    STRENGTH,
    make_spaces,
    with_outputs,
)

RNG = np.random.default_rng(0)
N, K = 200, 4
CODES = np.arange(N) % K
CENTRES = RNG.normal(size=(K, 12)) * 2
GENES = (CENTRES[CODES] + RNG.normal(size=(N, 12))).astype(np.float32)
TRAIN, OTHERS = np.arange(150), np.arange(150, N)


@pytest.fixture(scope="module")
def spaces():
    axes = np.linalg.svd(GENES[TRAIN] - GENES[TRAIN].mean(axis=0), full_matrices=False)[2]
    components = (GENES - GENES[TRAIN].mean(axis=0)) @ axes.T
    outputs = np.hstack([components[:, :6], np.tanh(components)])
    return with_outputs(make_spaces(components, GENES, TRAIN, OTHERS), outputs)


def opinions(n=60, n_opinions=5):
    return list(RNG.dirichlet(np.ones(K), size=(n_opinions, n)))


def test_a_pool_of_even_weights_is_the_geometric_mean():
    said = [np.clip(p, FLOOR, None) for p in opinions()]
    mean = np.prod(said, axis=0) ** (1 / 5)
    pooled = Pool(np.zeros(3, int), np.full(5, 0.2))(said)
    np.testing.assert_allclose(pooled, mean / mean.sum(axis=1, keepdims=True), rtol=1e-10)


def test_a_pool_of_one_says_what_that_says():
    said = [np.clip(p, 0.01, None) for p in opinions()]
    said = [p / p.sum(axis=1, keepdims=True) for p in said]
    np.testing.assert_allclose(Pool(np.zeros(3, int), np.eye(5)[2])(said), said[2], rtol=1e-10)


def test_weights_minimise_the_penalised_log_loss():
    said, codes, weights = opinions(), RNG.integers(K, size=60), RNG.uniform(0.5, 2, size=60)
    said[1] = 0.7 * said[1] + 0.3 * np.eye(K)[codes]  # one that knows something
    found = fit_weights(said, codes, weights, range(5))
    log_p = np.log(np.clip(said, FLOOR, None))

    def loss(v):
        pooled = log_softmax(np.tensordot(v, log_p, 1), axis=1)[np.arange(60), codes]
        return pooling.PRIOR * ((v - WEIGHTS) ** 2).sum() - weights @ pooled

    bounds = [(0, ceiling) for ceiling in pooling.CEILINGS]
    oracle = minimize(loss, WEIGHTS, bounds=bounds, method="trust-constr", options={"gtol": 1e-9})
    np.testing.assert_allclose(found, oracle.x, atol=2e-3)
    assert found[1] > WEIGHTS[1]
    assert fit_weights(said, codes, weights, (1,))[[0, 2, 3, 4]].sum() == 0


def test_without_labels_to_hold_out_the_weights_are_those_given(spaces):
    rows = np.array([0, 1, 2, 3])  # one a class
    _, pool = fit_best(spaces, rows, CODES[rows], K)
    np.testing.assert_array_equal(pool.weights, WEIGHTS)
    assert pool.held_out is None


def test_a_linear_head_is_scikit_learns_class_balanced_regression(spaces):
    rows = np.arange(0, 60)
    y = np.where(CODES[rows] == 3, 0, CODES[rows])  # uneven classes
    view = spaces.views[COMPONENTS]
    found = best.linear(view, rows, y, K, OTHERS, [2])[0]
    model = LogisticRegression(
        C=1 / best.PENALTIES[2], class_weight="balanced", max_iter=5000, tol=1e-9
    )
    model.fit(view.of(rows), y)
    np.testing.assert_allclose(found[:, :3], model.predict_proba(view.of(OTHERS)), atol=2e-3)
    assert (found[:, 3] == 0).all(), "a class without a label has no probability"


def test_graphs_spread_labels_as_the_linear_solve_does(spaces):
    rows = np.arange(40)
    said = best.opinions_of(spaces, rows, CODES[rows], K, OTHERS, [[0]] * 3)
    for name, found in zip(GRAPHS, said.graphs, strict=True):
        graph, labels = spaces.graphs[name], np.zeros((len(TRAIN), K))
        labels[rows, CODES[rows]] = 1
        inside = np.linalg.solve(np.eye(len(TRAIN)) - STRENGTH * graph.inside.toarray(), labels)
        inside /= inside.sum(axis=0)
        inside /= inside.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(found, graph.outside @ inside, atol=1e-5)
    assert {COMPONENTS, OUTPUTS} == set(GRAPHS)


def test_others_are_predicted_one_by_one(spaces):
    rows = np.arange(40)
    together, _ = fit_best(spaces, rows, CODES[rows], K)
    components, genes = (spaces.views[name].x for name in ("components", "genes"))
    few = OTHERS[:7]
    outputs = spaces.views[OUTPUTS]
    alone = make_spaces(components, genes, TRAIN, few).with_view(OUTPUTS, outputs.x)
    np.testing.assert_allclose(fit_best(alone, rows, CODES[rows], K)[0], together[:7], atol=1e-6)
    assert (together.argmax(axis=1) == CODES[OTHERS]).mean() > 0.9
    np.testing.assert_allclose(together.sum(axis=1), 1)


def test_fewer_opinions_need_two_standard_errors():
    first = RNG.uniform(size=400)
    assert pooling.first_unless_beaten([first, first + 0.001 * RNG.normal(size=400)]) == 0
    assert pooling.first_unless_beaten([first, first + 0.5 + 0.1 * RNG.normal(size=400)]) == 1
