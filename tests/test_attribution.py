"""Attributions add up, and lie with the genes that a score was made of."""

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxssl.config import NormalizeConfig
from jaxssl.data.normalize import fit_normalizer, standardize_framed
from jaxssl.engine.attribution import features_of, path_gradients, target_scores
from jaxssl.evaluation import attributions
from jaxssl.evaluation.attributions import Target, counts_of, deletion, explain_target, stability
from jaxssl.model import EncoderConfig, make_encoder

N_GENES, N = 40, 120
GENES = [f"G{i}" for i in range(N_GENES)]


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    rng = np.random.default_rng(0)
    x = rng.normal(8, 1, (N, N_GENES)).astype(np.float32)
    x[: N // 3, :3] += 4
    return x


def normalizer_of(x: np.ndarray, given: Any):
    return fit_normalizer(x, GENES, NormalizeConfig(input=given, n_components=20))


def network(n_features: int):
    encoder = make_encoder(EncoderConfig(hidden=(16, 8)), "float32")
    return encoder.apply, encoder.init(jax.random.key(0), jnp.zeros((2, n_features)))


@pytest.mark.parametrize("given", ["genes", "spectral"])
def test_attributions_add_up_to_the_difference_of_scores(x: np.ndarray, given: str):
    normalizer = normalizer_of(x, given)
    apply, params = network(features_of(normalizer, standardize_framed(normalizer, x)).shape[1])
    target = Target(2, np.arange(N // 3))
    coarse, fine = (explain_target(apply, params, normalizer, x, target, n) for n in (2, 64))
    assert fine.attribution.shape == (N_GENES,)
    assert fine.apart < 0.02
    assert fine.apart < coarse.apart
    assert abs(fine.attribution.sum() - fine.gap) == pytest.approx(fine.apart * abs(fine.gap))


def test_of_a_linear_score_an_attribution_is_weight_times_difference(x: np.ndarray):
    normalizer = normalizer_of(x, "spectral")
    weights = np.random.default_rng(1).normal(size=(20, 3)).astype(np.float32)
    target = Target(1, np.arange(N // 3))
    found = explain_target(lambda w, x: x @ w["w"], {"w": weights}, normalizer, x, target)
    z = standardize_framed(normalizer, x)
    left, right = attributions._sides(target, N)
    first = np.resize(np.arange(len(left)), attributions.PAIRS)
    used = (np.arange(attributions.PAIRS) + np.arange(attributions.PAIRS) // len(left)) % len(right)
    difference = (z[left][first] - z[right][used]).mean(axis=0)
    assert normalizer.rotation is not None
    weight = normalizer.rotation @ (weights - weights.mean(axis=1, keepdims=True))[:, 1]
    np.testing.assert_allclose(found.attribution, difference * weight, rtol=1e-3, atol=1e-4)


def test_the_gradient_at_a_sample_is_that_of_its_genes(x: np.ndarray):
    normalizer = normalizer_of(x, "spectral")
    z = standardize_framed(normalizer, x)[:4]
    apply, params = network(20)
    features = features_of(normalizer, z)
    gradient = path_gradients(apply, params, features, features, np.int32(1), 0)
    assert normalizer.rotation is not None
    back = np.asarray(gradient) @ normalizer.rotation.T

    def score(z):
        return target_scores(apply, params, z @ normalizer.rotation, np.int32(1)).sum()

    np.testing.assert_allclose(back, jax.grad(score)(jnp.asarray(z)), rtol=1e-4, atol=1e-5)


def test_genes_that_make_a_class_are_found_and_their_deletion_tells(x: np.ndarray):
    normalizer = normalizer_of(x, "genes")
    weights = np.zeros((N_GENES, 2), np.float32)
    weights[:3, 1] = 1
    target = Target(1, np.arange(N // 3))
    words = (lambda w, x: jnp.tanh(x @ w["w"]), {"w": weights}, normalizer, x, target)
    found = explain_target(*words)
    order = np.argsort(-found.attribution, kind="stable")
    assert set(order[:3]) == {0, 1, 2}
    assert (found.level[:3] > 1).all()
    left_over = deletion(*words, {"attribution": order}, [1, 2, 5, 20])
    assert left_over["attribution"][0] < 1
    np.testing.assert_allclose(left_over["attribution"][2:], 0, atol=0.2)
    assert np.mean(left_over["attribution"]) < np.mean(left_over["random"]) - 0.2


def test_stability_is_the_mean_correlation_of_ranks():
    a = np.random.default_rng(0).normal(size=(3, 200))
    assert abs(stability(a)) < 0.2
    assert stability(np.stack([a[0], np.exp(a[0]), a[0] ** 3])) == pytest.approx(1)
    assert np.isnan(stability(a[:1]))
    assert counts_of(60) == [1, 2, 5, 10, 20]


def test_mean_directions_tell_classes_apart():
    outputs = np.array([[2.0, 0.1], [1.0, 0.0], [0.0, 3.0], [5.0, 5.0]])
    means = attributions.mean_directions(outputs, np.array([0, 0, 1, -1]), 2)
    network = SimpleNamespace(apply=lambda _, x: x)
    scores = attributions.direction_scores(network.apply)
    found = np.asarray(scores({"encoder": {}, "directions": means}, jnp.asarray(outputs)))
    assert found.argmax(axis=1).tolist()[:3] == [0, 0, 1]
    np.testing.assert_allclose(np.linalg.norm(means, axis=1), 1, rtol=1e-6)
