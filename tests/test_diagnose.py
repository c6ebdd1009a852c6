"""Measures of collapse against closed forms, and the names of the failures."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxssl.engine.diagnose import HEALTHY, diagnose, effective_rank, perplexity

ALIVE = {
    "loss": 2.0,
    "loss_ratio": 0.5,
    "code_entropy_ratio": 0.4,
    "usage_perplexity": 50.0,
    "effective_rank": 20.0,
}


def test_effective_rank_of_an_isotropic_cloud_is_its_dimension():
    basis = jnp.linalg.qr(jax.random.normal(jax.random.key(0), (64, 8)))[0]
    cloud = jnp.concatenate([basis, -basis])  # centred, equal singular values
    assert effective_rank(cloud) == pytest.approx(8, rel=1e-4)


def test_effective_rank_of_a_line_is_one():
    line = jnp.linspace(-1, 1, 50)[:, None] * jnp.arange(1.0, 5.0)[None, :]
    assert effective_rank(line) == pytest.approx(1, abs=0.02)


def test_perplexity_of_equal_masses_is_their_number():
    assert perplexity(jnp.array([3.0, 3.0, 0.0, 3.0])) == pytest.approx(3)


def test_healthy_metrics_are_healthy():
    assert diagnose(ALIVE, augment_is_mask=False) == HEALTHY


@pytest.mark.parametrize(
    ("change", "status", "option"),
    [
        ({"loss_ratio": 0.99}, "collapsed", "augment.mask_rate"),
        ({"code_entropy_ratio": 0.97}, "uniform codes", "method.epsilon"),
        ({"effective_rank": 1.2}, "collapsed", "augment.mask_rate"),
        ({"usage_perplexity": 1.1}, "collapsed", "method.n_iterations"),
        ({"loss": float("nan")}, "diverged", "optimizer.learning_rate"),
    ],
)
def test_each_failure_has_its_name_and_the_option_to_change(change, status, option):
    verdict = diagnose(ALIVE | change, augment_is_mask=True)
    assert verdict.status == status
    assert option in verdict.fix
    assert verdict.sentence(3).startswith(f"seed 3: {status} (")


def test_measures_a_method_lacks_are_not_judged():
    assert diagnose({"loss": 1.0, "effective_rank": np.inf - np.inf + 9}, True).status == "diverged"
    assert diagnose({"loss": 1.0, "effective_rank": 9.0}, True) == HEALTHY
