"""What the benchmark counts and whom it compares; never how long anything takes."""

from functools import partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from blank import sketch
from matplotlib.figure import Figure

from jaxssl.config import Config, resolve
from jaxssl.engine.planning import plan_pretraining
from jaxssl.engine.train import PROBE_SAMPLES
from jaxssl.methods.sinkhorn import sinkhorn
from jaxssl.methods.swav import SwAVConfig
from jaxssl.report import maps
from jaxssl.types import InputError, Member, Pool
from launch.benchmark import card, linear, one_class, shifts, suites, work
from launch.benchmark.pretraining import N_SAMPLES, measure, plan_swav
from launch.benchmark.scaling import measure_conditioning
from launch.benchmark.studies import count_programs
from launch.benchmark.timing import Bench, in_new_process, interleave
from launch.benchmark.work import step_flops, work_of_step

pytestmark = pytest.mark.usefixtures("standard_promotion")


@pytest.fixture(scope="module")
def bench():
    return Bench(1, {})


def test_candidates_take_turns_after_a_first_call_each():
    calls = []
    timings = interleave({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3)
    assert calls == ["a", "b"] * 4
    for timing in timings.values():
        assert 0 <= timing.lowest <= timing.median <= timing.highest


def test_flops_of_a_step_are_those_of_its_dot_products():
    plan, config = plan_swav(n_features=50, batch_size=32, n_seeds=1)
    pool = jnp.zeros((N_SAMPLES, 50))
    pool = Pool(pool, {})
    state = jax.eval_shape(plan.trainer.init, Member(jax.random.key(0), {}), pool)
    text = jax.make_jaxpr(lambda s: plan.trainer.epoch(s, jnp.int32(0), pool))(state)
    counted = sum(_dot_flops(eqn) for eqn in _equations(text.jaxpr))
    # once outside the scan, of an epoch's probe samples
    widths = (50, *config.encoder.hidden)
    probe = 2 * PROBE_SAMPLES * sum(a * b for a, b in pairwise(widths))
    rank = 2 * PROBE_SAMPLES * widths[-1] ** 2
    # codes take scores of their own: a forward product without gradient
    codes = 2 * 64 * widths[-1] * config.method.n_prototypes[0]
    # traced, but nothing uses it, so that the compiler drops it
    input_gradient = 2 * 64 * widths[0] * widths[1]
    extra = probe + rank + codes + input_gradient
    assert counted - extra == step_flops(widths, config.method.n_prototypes[0], 64)


def test_torch_reference_computes_the_same_codes():
    torch = pytest.importorskip("torch", reason="PyTorch is in the bench extra only")
    from launch.benchmark import torch_reference

    scores = np.random.default_rng(0).uniform(-1, 1, (40, 10)).astype(np.float32)
    options = SwAVConfig()
    theirs = torch_reference.sinkhorn(torch.tensor(scores), options.epsilon, options.n_iterations)
    ours = sinkhorn(jnp.asarray(scores), options.epsilon, options.n_iterations)
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's compiler, of PyTorch
@pytest.mark.parametrize("name", suites.NEEDS)
def test_a_reference_trains_as_jaxssl_does(name):
    found, left_out = suites.find_references()
    if name not in found:
        pytest.skip(f"in the bench extra or installed beside it: {left_out}")
    row = measure(Bench(1, {name: found[name]}), 20, 64, jax.device_count())
    assert row[f"{name}_loss_difference"] < 1e-4


def test_without_torch_a_row_holds_what_could_be_measured(bench):
    row = measure(bench, n_features=20, batch_size=16, n_seeds=jax.device_count())
    assert row["jaxssl_ms"] > 0
    assert not [name for name in row if "torch" in name]


def count_undrawn(*size):
    """Count in a process that has no `conftest`: figures and maps of its report are no programs."""
    Figure.savefig, maps.N_STEPS = sketch, 250
    return count_programs(*size)


def test_a_whole_sweep_is_two_programs_over_seeds_whatever_its_shares_and_seeds(tmp_path):
    count = partial(in_new_process, count_undrawn, str(tmp_path))
    few, many = (count(*size) for size in [(2, 2, 500), (3, 4, 500)])  # of one batch size
    for row in (few, many):
        assert row["pretraining"] == 2, "initialisation, epoch"
        assert row["sweep"] == 2, "fresh encoders, fit"
    assert few["small"] == many["small"]


def test_linear_models_are_as_scikit_learns(bench):
    row = linear.measure(bench, 30, 60, 2)
    assert row["apart"] < 2e-3
    assert row["folds"] == 5
    assert row["times_sklearn_precise"] > 0


def test_conditioning_is_measured_against_the_matrix(bench):
    row = measure_conditioning(bench, 4_000, 5_000)
    assert row["matrix_gb"] == 4_000 * 5_000 * 4 / 1e9
    assert 1 < row["times_matrix"] < 5, "the matrix itself counts, and nothing is as large again"


def test_steps_on_a_card_are_held_to_its_best_product(monkeypatch):
    monkeypatch.setattr(card, "PRODUCT", 256)
    row = card._measure(1, 20, 64, 2)
    plan, _ = plan_swav(20, 64, 2)
    flops, _ = work_of_step(plan, 64, card.N_SAMPLES, 20)
    assert row["tflop_per_s"] == pytest.approx(2 * flops / row["ms_a_step"] / 1e9)
    assert row["ms_a_step_and_seed"] == pytest.approx(row["ms_a_step"] / 2)
    assert row["compile_seconds"] > 0 < row["gemm_share"]
    assert row["planned_gb"] == pytest.approx(plan.memory.total / 1e9)


def test_a_roofline_is_the_longest_of_products_traffic_and_launches(bench, monkeypatch):
    cards = {
        "products": work.Card(80, 1e12, 1e18),
        "memory": work.Card(80, 1e18, 1e9),
        "launches": work.Card(80, 1e18, 1e18),
    }
    monkeypatch.setattr(work, "CARDS", cards)
    for bound in cards:
        row = work.measure(bench, bound, 500, 200, 50)
        assert row["bound_by"] == bound
        config = Config()
        config.normalize.input = "genes"
        plan = plan_pretraining(resolve(config, 500), 500, 200, 50)
        flops, traffic = work_of_step(plan, 128, 500, 200)
        limits = {"products": flops / 1e12, "memory": traffic / 1e9, "launches": work.LAUNCHES / 50}
        assert row["ms_a_step"] == pytest.approx(1e3 * limits[bound])
        assert row["seeds_at_once"] == 50
        seconds = row["ms_a_step"] * row["steps"] * 50 / 1e3
        assert row["pretraining_s"] == pytest.approx(seconds)
        assert row["fits_s"] >= 7 * 300 * work.LAUNCHES, "seven shares of 200 and 100 steps"


def _equations(jaxpr):
    for eqn in jaxpr.eqns:
        yield eqn
        branches = eqn.params.get("branches", ())[-1:]  # a product has one a backend, all alike
        for value in (*eqn.params.values(), *branches):
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from _equations(inner)


def _dot_flops(eqn):
    if eqn.primitive.name != "dot_general":
        return 0
    (contracted, _), _ = eqn.params["dimension_numbers"]
    depth = np.prod([eqn.invars[0].aval.shape[axis] for axis in contracted])
    return 2 * int(np.prod(eqn.outvars[0].aval.shape) * depth)


def test_the_guards_suite_counts_what_is_refused_and_what_passes(data_dir, monkeypatch):
    monkeypatch.setenv("JAXSSL_DATA", str(data_dir))
    monkeypatch.setattr(shifts, "SPLITS", 1)
    row = shifts.measure_guard(Bench(1, {}), "breast_u133_er", "series=GSE2109", "er", "", 8)
    assert (row["samples"], row["missed_log10"], row["missed_all_zero"]) == (353, 0, 0)
    assert row["refused_half"] == row["refused_25"] == 0
    with pytest.raises(InputError, match=r"has no expression\.npz; set JAXSSL_DATA"):
        shifts.measure_guard(Bench(1, {}), "nothing", "", "", "", 1)


def test_the_suite_of_one_class_counts_who_is_warned_of(data_dir, monkeypatch):
    monkeypatch.setenv("JAXSSL_DATA", str(data_dir))
    row = one_class.measure_one_class(Bench(1, {}), "breast_u133_er", "er", "series", "", 2)
    assert (row["pairs"], row["silent"], row["all"], row["half_all"]) == (2, 0, 0, 0)
    assert row["mixed"] < row["one_class"] < 100
    with pytest.raises(InputError, match=r"has no expression\.npz; set JAXSSL_DATA"):
        one_class.measure_one_class(Bench(1, {}), "nothing", "", "", "", 1)
