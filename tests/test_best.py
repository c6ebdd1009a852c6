"""The recommended classifier: its pool, what it may see, and its fits against oracles."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from jaxssl.evaluation import best, pooling
from jaxssl.evaluation.baselines import BASELINES
from jaxssl.evaluation.best import Asked
from jaxssl.evaluation.linear import TEMPERATURE, class_means, held_out_of
from jaxssl.evaluation.neighbourhood import N_AXES, RIDGE, find_neighbourhood
from jaxssl.evaluation.pooling import FLOOR, Pool, fit_weights, prior_of
from jaxssl.evaluation.problem import Problem
from jaxssl.evaluation.spaces import (
    AGREEMENT,
    COMPONENTS,
    GRAPHS,
    HEADS,
    MEANS,
    OUTPUTS,
    STRENGTH,
    make_spaces,
    with_outputs,
)
from jaxssl.evaluation.trials import SKLEARN

RNG = np.random.default_rng(0)
N, K = 200, 4
CODES = np.arange(N) % K
CENTRES = RNG.normal(size=(K, 12)) * 2
GENES = (CENTRES[CODES] + RNG.normal(size=(N, 12))).astype(np.float32)
PRIOR = prior_of(MEANS, HEADS, GRAPHS)
TRAIN, OTHERS = np.arange(150), np.arange(150, N)
AXES = np.linalg.svd(GENES[TRAIN] - GENES[TRAIN].mean(axis=0), full_matrices=False)[2]
PARTS = (GENES - GENES[TRAIN].mean(axis=0)) @ AXES.T


@pytest.fixture(scope="module")
def spaces():
    outputs = np.hstack([PARTS[:, :6], np.tanh(PARTS)])
    return with_outputs(make_spaces(PARTS, GENES, TRAIN, OTHERS)[0], outputs)


def fit_best(spaces, rows, codes, n_classes):
    return best.fit_best([Asked(spaces, rows, codes, n_classes)])[0]


def opinions(n=60, n_opinions=7):
    return list(RNG.dirichlet(np.ones(K), size=(n_opinions, n)))


def test_a_pool_of_even_weights_is_the_geometric_mean():
    said = [np.clip(p, FLOOR, None) for p in opinions()]
    mean = np.prod(said, axis=0) ** (1 / 7)
    pooled = Pool(np.full(7, 1 / 7))(said)
    np.testing.assert_allclose(pooled, mean / mean.sum(axis=1, keepdims=True), rtol=1e-10)


def test_a_pool_of_one_says_what_that_says():
    said = [np.clip(p, 0.01, None) for p in opinions()]
    said = [p / p.sum(axis=1, keepdims=True) for p in said]
    np.testing.assert_allclose(Pool(np.eye(7)[2])(said), said[2], rtol=1e-10)


def test_weights_minimise_the_penalised_log_loss():
    said, codes, weights = opinions(), RNG.integers(K, size=60), RNG.uniform(0.5, 2, size=60)
    said[1] = 0.7 * said[1] + 0.3 * np.eye(K)[codes]  # one that knows something
    found = fit_weights(said, codes, weights, PRIOR)
    log_p = np.log(np.clip(said, FLOOR, None))

    def loss(v):
        pooled = log_softmax(np.tensordot(v, log_p, 1), axis=1)[np.arange(60), codes]
        return pooling.PRIOR * ((v - PRIOR.weights) ** 2).sum() - weights @ pooled

    bounds = [(0, ceiling) for ceiling in PRIOR.ceilings]
    start, options = PRIOR.weights, {"ftol": 1e-12}
    oracle = minimize(loss, start, bounds=bounds, method="SLSQP", options=options)
    np.testing.assert_allclose(found, oracle.x, atol=2e-3)
    assert found[1] > PRIOR.weights[1]


def test_without_labels_to_hold_out_the_weights_are_those_given(spaces):
    rows = np.array([0, 1, 2, 3])  # one a class
    _, pool = fit_best(spaces, rows, CODES[rows], K)
    np.testing.assert_array_equal(pool.weights, PRIOR.weights)


def test_a_linear_head_is_scikit_learns_class_balanced_regression(spaces):
    rows = np.arange(0, 60)
    y = np.where(CODES[rows] == 3, 0, CODES[rows])  # uneven classes
    (chosen,) = best.choose_pools([Asked(spaces, rows, y, K)])
    for name, head in zip(HEADS, chosen.heads, strict=True):
        view, penalty = spaces.views[name], best.PENALTIES[head.position]
        found = head(view.of(OTHERS))
        words = {"class_weight": "balanced", "max_iter": 5000, "tol": 1e-9}
        model = LogisticRegression(C=1 / penalty, **words).fit(view.of(rows).astype(float), y)
        np.testing.assert_allclose(found[:, :3], model.predict_proba(view.of(OTHERS)), atol=2e-3)
        assert (found[:, 3] == 0).all(), "a class without a label has no probability"


def test_what_a_head_says_of_labels_that_are_held_out_decides_its_penalty(spaces):
    rows = np.arange(0, 60)
    y, (folds, n_folds) = CODES[rows], held_out_of(CODES[rows], 0)
    (chosen,) = best.choose_pools([Asked(spaces, rows, y, K)])
    for name, head in zip(HEADS, chosen.heads, strict=True):
        x, losses = spaces.views[name].of(rows).astype(float), []
        for penalty in best.PENALTIES:
            words = {"class_weight": "balanced", "max_iter": 5000, "tol": 1e-9}
            p = np.zeros((60, K))
            for out in (folds == number for number in range(n_folds)):
                model = LogisticRegression(C=1 / penalty, **words).fit(x[~out], y[~out])
                p[out] = model.predict_proba(x[out])
            losses.append(-np.log(np.maximum(p[rows, y], FLOOR)).mean())
            if penalty == best.PENALTIES[head.position]:
                np.testing.assert_allclose(head.held_out, p, atol=0.05)  # loosely
        assert losses[head.position] < min(losses) + 1e-3


def test_graphs_spread_labels_as_the_linear_solve_does(spaces):
    rows = np.arange(40)
    asked = Asked(spaces, rows, CODES[rows], K)
    (chosen,) = best.choose_pools([asked])
    said = best.opinions_of(asked, OTHERS, chosen.heads)
    for name, found in zip(GRAPHS, said[-len(GRAPHS) :], strict=True):
        graph, labels = spaces.graphs[name], np.zeros((len(TRAIN), K))
        labels[rows, CODES[rows]] = 1
        inside = np.linalg.solve(np.eye(len(TRAIN)) - STRENGTH * graph.inside.toarray(), labels)
        inside /= inside.sum(axis=0)
        inside /= inside.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(found, graph.outside @ inside, atol=1e-5)
    assert {AGREEMENT, OUTPUTS} == set(GRAPHS)


def test_others_are_predicted_one_by_one(spaces):
    rows = np.arange(40)
    together, _ = fit_best(spaces, rows, CODES[rows], K)
    few = OTHERS[:7]
    alone, _ = make_spaces(PARTS, GENES, TRAIN, few)
    alone = alone.with_view(OUTPUTS, spaces.views[OUTPUTS].x)
    np.testing.assert_allclose(fit_best(alone, rows, CODES[rows], K)[0], together[:7], atol=1e-6)
    assert (together.argmax(axis=1) == CODES[OTHERS]).mean() > 0.9
    np.testing.assert_allclose(together.sum(axis=1), 1)


def test_the_prior_adds_up_whatever_views_there_are():
    for kinds in ((MEANS, HEADS, GRAPHS), ([COMPONENTS], HEADS[1:], GRAPHS[1:])):
        prior = prior_of(*kinds)
        assert prior.weights.sum() == pytest.approx(1)
        assert (prior.weights > 0).all()
        assert (prior.ceilings >= prior.weights).all()
        of_graphs = slice(-len(kinds[2]), None)
        np.testing.assert_array_equal(prior.ceilings[of_graphs], prior.weights[of_graphs])


def test_a_class_mean_is_nearest_by_its_cosine(spaces):
    rows = np.arange(60)
    y = np.where(CODES[rows] == 1, 2, CODES[rows])  # one class has no label
    found = best.nearest(spaces.views[COMPONENTS], rows, y, K, OTHERS)
    x = PARTS - PARTS[TRAIN].mean(axis=0)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    for i, row in enumerate(x[OTHERS]):
        means = [x[rows][y == c].mean(axis=0) for c in (0, 2, 3)]
        scores = [np.exp(row @ m / np.linalg.norm(m) / TEMPERATURE) for m in means]
        np.testing.assert_allclose(found[i, [0, 2, 3]], scores / np.sum(scores), rtol=1e-4)
    assert (found[:, 1] == 0).all()
    problem = Problem(PARTS, y, rows, TRAIN, OTHERS, 0)
    np.testing.assert_allclose(
        BASELINES["centroid"].fit([problem])[0], found[:, [0, 2, 3]], rtol=1e-4
    )
    np.testing.assert_allclose(np.linalg.norm(class_means(x[rows], y), axis=1), 1, rtol=1e-5)


def test_axes_of_agreement_solve_their_eigenproblem():
    found = find_neighbourhood(PARTS[TRAIN])
    x = PARTS[TRAIN] - PARTS[TRAIN].mean(axis=0)
    distances = np.linalg.norm(x[:, None] - x[None], axis=2)
    nearest = np.sort(np.where(np.eye(len(x)), np.inf, distances), axis=1)[:, 9]
    weights = np.exp(-2 * (distances / nearest[:, None]) ** 2) * (distances <= nearest[:, None])
    weights = np.maximum(weights, weights.T) * (1 - np.eye(len(x)))
    means = weights @ x / weights.sum(axis=1, keepdims=True)
    noise = (x - means).T @ (x - means)
    noise += RIDGE * np.trace(noise) / len(noise) * np.eye(len(noise))
    signal = means.T @ means
    w = np.sum(found.kernel * (signal @ found.kernel), axis=0)
    w /= np.sum(found.kernel * (noise @ found.kernel), axis=0)
    np.testing.assert_allclose(
        signal @ found.kernel, noise @ found.kernel * w, rtol=1e-4, atol=1e-3
    )
    assert (np.diff(w) <= 1e-9).all()
    assert found.kernel.shape[1] == min(N_AXES, x.shape[1])
    np.testing.assert_allclose(found.train, x @ found.kernel, atol=1e-6)


def test_the_noise_between_neighbours_is_turned_down():
    signal, noise = 4 * CENTRES[CODES, :1], 9 * RNG.normal(size=(N, 1))
    x = np.hstack([noise, *[signal + 0.1 * RNG.normal(size=(N, 1)) for _ in range(30)]])
    seen = find_neighbourhood(x[TRAIN])(x[OTHERS])
    codes, shares = CODES[OTHERS], []
    for rows in (x[OTHERS], seen):
        within = sum(
            ((rows[codes == k] - rows[codes == k].mean(axis=0)) ** 2).sum() for k in range(K)
        )
        shares.append(within / ((rows - rows.mean(axis=0)) ** 2).sum())
    assert shares[1] < shares[0] / 2


def test_a_pool_without_encoders_has_four_opinions():
    spaces, _ = make_spaces(PARTS, GENES, TRAIN, OTHERS)
    rows = np.arange(40)
    probabilities, pool = fit_best(spaces, rows, CODES[rows], K)
    assert len(pool.weights) == 4
    problem = Problem(PARTS, CODES[rows], rows, TRAIN, OTHERS, 0, GENES)
    np.testing.assert_array_equal(BASELINES["pool"].fit([problem])[0], probabilities)
    assert (probabilities.argmax(axis=1) == CODES[OTHERS]).mean() > 0.9


def test_pool_and_best_fit_the_heads_that_they_share_once(monkeypatch):
    outputs, shared = np.hstack([PARTS[:, :6], np.tanh(PARTS)]), {}
    common = make_spaces(PARTS, GENES, TRAIN, OTHERS)[0]
    beside = with_outputs(common, outputs)
    rows = [np.arange(40), np.arange(1, 42)]
    asked = [Asked(common, own, CODES[own], K, shared=shared) for own in rows]
    fitted, fit = [], best.fit_paths
    monkeypatch.setattr(best, "fit_paths", lambda tasks: fitted.append(len(tasks)) or fit(tasks))
    best.fit_best(asked)
    assert fitted == [2, 2], "agreement and genes"
    found = best.fit_best([own._replace(spaces=beside) for own in asked])
    assert fitted[2:] == [2, 0, 0], "outputs alone"
    apart = best.fit_best([Asked(beside, own, CODES[own], K) for own in rows])
    assert fitted[5:] == [2, 2, 2], "with none to share, nothing is kept"
    for (one, _), (other, _) in zip(found, apart, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_heads_are_shared_by_none_that_asks_for_another(monkeypatch):
    rows, shared = np.arange(40), {}
    given = Asked(make_spaces(PARTS, GENES, TRAIN, OTHERS)[0], rows, CODES[rows], K, shared=shared)
    others = [
        given._replace(y=given.y[::-1]),
        given._replace(labelled=rows[:30], y=given.y[:30]),
        given._replace(n_classes=K + 1),
        given._replace(solver=SKLEARN),
        given._replace(spaces=make_spaces(PARTS, GENES, TRAIN, OTHERS)[0]),
    ]
    fitted, fit = [], best.fit_paths
    monkeypatch.setattr(best, "fit_paths", lambda tasks: fitted.append(len(tasks)) or fit(tasks))
    best.fit_best([given, given])
    assert fitted == [1, 1], "equal ones are one"
    for other in others:
        best.fit_best([other])
    best.choose_pools([given], by_share=True)
    same_genes = others[-1].spaces.views["genes"].x is given.spaces.views["genes"].x
    assert same_genes, "of its own view of the same genes the head is the same"
    assert fitted[2:] == [1, 1] * 4 + [1, 0] + [1, 1]
    monkeypatch.setattr(best, "MOST_KEPT", 3)
    best.fit_best([given])
    assert len(shared[best.HEADS_KEPT]) == 3
