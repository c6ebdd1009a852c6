"""Measures of collapse against closed forms, and the names of the failures."""

import re

import numpy as np
import pytest

from jaxssl.config import Config, with_options
from jaxssl.engine.diagnose import HEALTHY, diagnose, effective_rank, measure, perplexity
from jaxssl.methods import METHODS
from jaxssl.validate import get_option

ALIVE = {
    "loss": 2.0,
    "loss_ratio": 0.5,
    "code_entropy_ratio": 0.4,
    "usage_perplexity": 50.0,
    "effective_rank": 20.0,
}


MASKED = with_options(Config(), {"augment.mask_rate": 0.5, "augment.noise": 0.0})


def scatter(x):
    centred = x - x.mean(axis=0)
    return (centred.T @ centred).astype(np.float32)


ISOTROPIC = np.linalg.qr(np.random.default_rng(0).normal(size=(64, 8)))[0]
LINE = np.linspace(-1, 1, 50)[:, None] * np.arange(1.0, 9.0)


def test_effective_rank_of_an_isotropic_cloud_is_its_dimension():
    cloud = np.concatenate([ISOTROPIC, -ISOTROPIC])  # centred, equal singular values
    assert effective_rank(scatter(cloud)) == pytest.approx(8, rel=1e-4)


def test_effective_rank_of_a_line_is_one():
    assert effective_rank(scatter(LINE)) == pytest.approx(1, abs=0.02)


def test_a_broken_embedding_has_no_effective_rank():
    broken = scatter(LINE).copy()
    broken[2, 3] = np.nan
    assert np.isnan(effective_rank(broken))


def test_perplexity_of_equal_masses_is_their_number():
    assert perplexity(np.array([3.0, 3.0, 0.0, 3.0])) == pytest.approx(3)


def test_measured_are_the_perplexity_of_an_epochs_usage_and_the_rank_of_its_embedding():
    usage = np.array([0.5, 0.5, 0.0])
    measured = measure({"loss": np.float32(1.5), "usage": usage, "scatter": np.eye(4)})
    assert measured == pytest.approx({"loss": 1.5, "usage_perplexity": 2, "effective_rank": 4})
    assert all(isinstance(value, float) for value in measured.values()), "as JSON holds them"


def test_healthy_metrics_are_healthy():
    assert diagnose(ALIVE, MASKED) == HEALTHY


@pytest.mark.parametrize(
    ("change", "status", "option"),
    [
        ({"loss_ratio": 0.99}, "collapsed", "augment.mask_rate"),
        ({"code_entropy_ratio": 0.97}, "uniform codes", "method.epsilon"),
        ({"effective_rank": 1.2}, "collapsed", "augment.mask_rate"),
        ({"usage_perplexity": 1.1}, "collapsed", "method.n_iterations"),
        ({"embedding_spread": 0.05}, "collapsed", "augment.mask_rate"),
        ({"projection_spread": 0.05}, "collapsed", "optimizer.learning_rate"),
        ({"loss": float("nan")}, "diverged", "optimizer.learning_rate"),
        ({"effective_rank": float("inf")}, "diverged", "optimizer.learning_rate"),
    ],
)
def test_each_failure_has_its_name_and_the_option_to_change(change, status, option):
    verdict = diagnose(ALIVE | change, MASKED)
    assert verdict.status == status
    assert option in verdict.fix
    assert verdict.sentence(3).startswith(f"seed 3: {status} (")


def test_measures_a_method_lacks_are_not_judged():
    assert diagnose({"loss": 1.0, "effective_rank": 9.0}, MASKED) == HEALTHY


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("strong", ["augment.noise", "augment.mask_rate", "augment.latent_radius"])
def test_every_option_that_is_advised_is_one_that_the_method_has_and_that_is_on(method, strong):
    config = Config()
    config.method = METHODS[method].options()
    config = with_options(config, {"augment.noise": 0.0, strong: 1.0})
    for change in (
        {"loss_ratio": 0.99},
        {"loss": float("nan")},
        {"effective_rank": 1.2},
        {"projection_spread": 0.05},
    ):
        fix = diagnose(ALIVE | change, config).fix
        options = re.findall(r"`(\w+\.\w+)[`=]", fix)
        assert options
        assert all(get_option(config, option) is not None for option in options), fix
        assert {o for o in options if o.startswith("augment")} <= {strong}, fix


@pytest.mark.parametrize(
    ("batches", "balance", "is_advised"),
    [("by_cohort", 0.2, True), ("by_cohort", 1.0, False), ("mixed", 0.2, False)],
)
def test_a_soft_balance_that_collapses_is_told_to_be_raised(batches, balance, is_advised):
    options = {"pretrain.batches": batches, "method.cohort_balance": balance}
    fix = diagnose(ALIVE | {"usage_perplexity": 1.0}, with_options(Config(), options)).fix
    assert ("raise `method.cohort_balance`" in fix) == is_advised
