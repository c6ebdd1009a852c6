"""k-means, and the two methods that learn its clusters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import random, unit

from jaxssl.config import EncoderConfig, OptimizerConfig
from jaxssl.engine.optimize import make_optimizer, restart
from jaxssl.methods import METHODS, kmeans
from jaxssl.methods.deepcluster import DeepClusterConfig, DeepClusterV2Config
from jaxssl.methods.interface import Batch, Training
from jaxssl.model import make_encoder
from jaxssl.types import Views

run_kmeans = jax.jit(kmeans.kmeans, static_argnums=(2, 3, 4))
KEY = jax.random.key(0)
ENCODER = make_encoder(EncoderConfig((6, 5), "layer"), "float32")
N, BATCH = 30, 6


def groups(seed=0, n=60, k=4):
    """Points around `k` far corners."""
    corners = 10 * random(seed, k, 3)
    return jnp.asarray(corners[np.arange(n) % k] + 0.1 * random(seed + 1, n, 3))


def brute_force(x, first, n_iterations, spherical):
    """Lloyd's two steps in float64, sample by sample."""
    x = unit(x) if spherical else np.asarray(x, np.float64)
    centroids = np.asarray(first, np.float64)

    def nearest():
        if spherical:
            return np.array([max(range(len(centroids)), key=lambda k: row @ centroids[k])
                             for row in x])  # fmt: skip
        return np.array([min(range(len(centroids)), key=lambda k: np.sum((row - centroids[k]) ** 2))
                         for row in x])  # fmt: skip

    for _ in range(n_iterations):
        assigned = nearest()
        for k in range(len(centroids)):
            if (assigned == k).any():
                mean = x[assigned == k].mean(axis=0)
                centroids[k] = unit(mean) if spherical else mean
    return centroids, nearest()


@pytest.mark.parametrize("spherical", [False, True])
@pytest.mark.parametrize("n_iterations", [0, 1, 3, 30])
def test_kmeans_equals_brute_force_from_the_same_start(spherical, n_iterations):
    x = jnp.asarray(random(3, 50, 4))
    first = run_kmeans(KEY, x, 6, 0, spherical).centroids
    found = run_kmeans(KEY, x, 6, n_iterations, spherical)
    centroids, assigned = brute_force(x, first, n_iterations, spherical)
    np.testing.assert_allclose(found.centroids, centroids, atol=1e-5)
    np.testing.assert_array_equal(found.assignments, assigned)
    np.testing.assert_array_equal(found.sizes, np.bincount(assigned, minlength=6))


@pytest.mark.parametrize("spherical", [False, True])
def test_a_converged_assignment_is_a_fixed_point(spherical):
    x = jnp.asarray(random(3, 50, 4))
    found, later = (run_kmeans(KEY, x, 6, n, spherical) for n in (40, 41))
    np.testing.assert_array_equal(found.assignments, later.assignments)
    np.testing.assert_allclose(found.centroids, later.centroids, atol=1e-6)


def test_centroids_start_at_different_samples():
    x = groups()
    first = np.asarray(run_kmeans(KEY, x, 8, 0, False).centroids)
    assert all((np.asarray(x) == row).all(axis=1).any() for row in first)
    assert len(np.unique(first, axis=0)) == 8


def test_an_empty_cluster_keeps_its_centroid_and_is_counted():
    x = jnp.asarray(np.repeat([[0.0, 0.0], [9.0, 9.0]], 5, axis=0), jnp.float32)
    found = run_kmeans(KEY, x, 4, 5, False)  # two places for four clusters: two are empty
    assert sorted(found.sizes.tolist()) == [0, 0, 5, 5]
    first = run_kmeans(KEY, x, 4, 0, False).centroids
    np.testing.assert_array_equal(found.centroids[found.sizes == 0], first[found.sizes == 0])


def test_an_empty_spherical_cluster_keeps_its_centroid_too():
    x = jnp.asarray(np.repeat([[1.0, 0.0], [0.0, 2.0]], 5, axis=0), jnp.float32)
    found = run_kmeans(KEY, x, 4, 5, True)
    assert sorted(found.sizes.tolist()) == [0, 0, 5, 5]
    np.testing.assert_allclose(np.linalg.norm(found.centroids, axis=1), 1, rtol=1e-6)


def made(options):
    method = METHODS[options.name].make(options, Training(ENCODER, N, 100))
    return method._replace(
        init=jax.jit(method.init), loss=jax.jit(method.loss), refresh=jax.jit(method.refresh)
    )


DATA = jnp.asarray(random(5, N, 3))
INDEX = jnp.array([3, 1, 4, 15, 9, 26])
VIEWS = Views(jnp.asarray(random(6, 2, BATCH, 3)), INDEX, DATA[INDEX])


def test_deepcluster_weighs_the_cross_entropy_by_the_size_of_the_cluster():
    method = made(DeepClusterConfig(n_prototypes=(4,)))
    params, memory = method.init(KEY, DATA[:BATCH])
    params, memory = method.refresh(params, KEY, DATA)
    value, metrics = method.loss(params, Batch(VIEWS, memory, 0))
    embedded = np.asarray(jax.jit(ENCODER.apply)(params["encoder"], DATA))
    again = run_kmeans(jax.random.split(KEY)[0], jnp.asarray(unit(embedded), jnp.float32), 4, 20)
    np.testing.assert_array_equal(memory["assignments"], again.assignments)
    sizes, total = np.asarray(memory["sizes"]), 0.0
    n_filled = (sizes > 0).sum()
    for view in VIEWS.x:
        e = np.asarray(jax.jit(ENCODER.apply)(params["encoder"], view), np.float64)
        logits = e @ np.asarray(params["head"]["output"]["kernel"])
        logits += np.asarray(params["head"]["output"]["bias"])
        for row, sample in zip(logits, np.asarray(INDEX), strict=True):
            k = int(memory["assignments"][sample])
            weight = N / (n_filled * sizes[k])  # 1 on average over the samples
            total += weight * (np.log(np.exp(row).sum()) - row[k])
    np.testing.assert_allclose(value, total / (2 * BATCH), rtol=1e-4)
    np.testing.assert_allclose(metrics["usage"], sizes / N, rtol=1e-6)
    assert float(metrics["empty_clusters"]) == 4 - n_filled


def test_a_refresh_draws_a_new_head_and_its_optimizer_state_begins_anew():
    method = made(DeepClusterConfig(n_prototypes=(4,)))
    params, _ = method.init(KEY, DATA[:BATCH])
    new, _ = method.refresh(params, jax.random.key(1), DATA)
    assert bool((new["head"]["output"]["kernel"] != params["head"]["output"]["kernel"]).any())
    np.testing.assert_array_equal(new["encoder"]["layer_0"]["dense"]["kernel"],
                                  params["encoder"]["layer_0"]["dense"]["kernel"])  # fmt: skip
    with jax.numpy_dtype_promotion("standard"):
        optimizer = make_optimizer(OptimizerConfig(), 100, {}, method.restart)
        fresh = optimizer.init(params)
        ones = jax.tree.map(jnp.ones_like, params)
        _, used = optimizer.update(ones, fresh, params)
    begun = restart(optimizer, params, used, method.restart)

    def of(state, name):
        return jax.tree.leaves(state[0].inner_states[name])

    for name, expected in (("head", fresh), ("free", used)):
        for a, b in zip(of(begun, name), of(expected, name), strict=True):
            np.testing.assert_array_equal(a, b)
    assert restart(optimizer, params, used, ()) is used


def test_deepcluster_v2_predicts_every_heads_clusters_by_its_centroids():
    options = DeepClusterV2Config(n_prototypes=(4, 3), projection="none", temperature=0.2)
    method = made(options)
    params, memory = method.init(KEY, DATA[:BATCH])
    params, memory = method.refresh(params, KEY, DATA)
    value, metrics = method.loss(params, Batch(VIEWS, memory, 0))
    z = unit(jax.jit(ENCODER.apply)(params["encoder"], DATA))
    total = []
    for i in range(2):
        centroids = np.asarray(params["prototypes"][f"head_{i}"], np.float64)
        np.testing.assert_allclose(np.linalg.norm(centroids, axis=1), 1, rtol=1e-5)
        clusters = np.argmax(z @ centroids.T, axis=1)
        np.testing.assert_array_equal(memory["assignments"][i], clusters)
        for view in VIEWS.x:
            logits = unit(jax.jit(ENCODER.apply)(params["encoder"], view)) @ centroids.T / 0.2
            picked = logits[np.arange(BATCH), clusters[np.asarray(INDEX)]]
            total.append(np.mean(np.log(np.exp(logits).sum(axis=1)) - picked))
    np.testing.assert_allclose(value, np.mean(total), rtol=1e-4)
    np.testing.assert_array_equal(np.asarray(method.scores(params, DATA)).argmax(axis=1),
                                  memory["assignments"][0])  # fmt: skip
    assert metrics["empty_clusters"] == 0


def test_no_gradient_moves_the_centroids():
    method = made(DeepClusterV2Config(n_prototypes=(4, 3), projection="none"))
    params, memory = method.init(KEY, DATA[:BATCH])
    params, memory = method.refresh(params, KEY, DATA)
    gradient = jax.grad(lambda p: method.loss(p, Batch(VIEWS, memory, 0))[0])(params)
    assert all(bool((leaf == 0).all()) for leaf in jax.tree.leaves(gradient["prototypes"]))
    assert method.freeze == {"prototypes": 100}, "nor does a decay of the weights"


def test_empty_clusters_are_counted_over_all_heads():
    method = made(DeepClusterV2Config(n_prototypes=(4, 3), projection="none"))
    params, memory = method.init(KEY, DATA[:BATCH])
    same = jnp.broadcast_to(DATA[:1], DATA.shape)  # one place: all but one cluster are empty
    params, memory = method.refresh(params, KEY, same)
    _, metrics = method.loss(params, Batch(VIEWS, memory, 0))
    assert float(metrics["empty_clusters"]) == 3 + 2
    one_head = made(DeepClusterConfig(n_prototypes=(4,)))
    params, memory = one_head.init(KEY, DATA[:BATCH])
    params, memory = one_head.refresh(params, KEY, same)
    value, metrics = one_head.loss(params, Batch(VIEWS, memory, 0))
    assert float(metrics["empty_clusters"]) == 3
    assert np.isfinite(value)
