"""The comparison: one program, pairing, what is missing, what diverged."""

import gc
import logging
import warnings
import weakref
from dataclasses import replace

import jax
import numpy as np
import pytest

from jaxssl import study
from jaxssl.config import Config, resolve, to_dict
from jaxssl.data.synthetic import make_synthetic
from jaxssl.data.task import make_task
from jaxssl.engine.prepared import prepare
from jaxssl.evaluation import multinomial, network
from jaxssl.evaluation.arms import (
    ARMS,
    RANDOM_ENCODER,
    fit_with_components,
    make_inputs,
    named_arms,
)
from jaxssl.evaluation.network import make_fit_network
from jaxssl.evaluation.sweep import budgets, check_encoders, sweep
from jaxssl.model import make_encoder
from jaxssl.types import InputError

pytestmark = pytest.mark.usefixtures("standard_promotion")

SEEDS = (0, 1, 2)


def small_config() -> Config:
    config = Config()
    config.encoder.hidden = (16, 8)
    config.finetune.transfer_layers = 2
    config.finetune.scratch_steps = 12
    config.finetune.n_steps = 8
    config.finetune.probe_steps = 12
    config.finetune.batch_size = 32
    config.pretrain.n_steps = 40
    config.pretrain.batch_size = 32
    config.sweep.shares = (0.2, 1.0)
    config.sweep.arms = ("majority", "scratch", "pca_logreg", "swav")
    return config


@pytest.fixture(scope="module")
def adata():
    return make_synthetic(n_samples=200, n_genes=60, n_classes=4)


@pytest.fixture(scope="module")
def prepared(adata):
    task = make_task(adata, small_config())
    return task, prepare(task, small_config())


@pytest.fixture(scope="module")
def encoders(prepared):
    _, ready = prepared
    encoder = make_encoder(ready.config.encoder, "float32")
    x = jax.numpy.asarray(ready.pool[:1])
    params = {seed: jax.device_get(encoder.init(jax.random.key(seed), x)) for seed in SEEDS}
    ensembles = {seed: {"first": params[seed], "second": params[0]} for seed in SEEDS}
    return {"swav": params, "best": ensembles}


def run(prepared, encoders, seeds=SEEDS, config=None, done=()):
    _, ready = prepared
    if config:
        ready = replace(ready, config=config)
    return list(sweep(ready, encoders, seeds, done))


def values(fits):
    return {
        (f.arm, f.share, row["seed"], row["part"], row["metric"]): row["value"]
        for f in fits
        for row in f.rows
    }


def test_one_compiled_program_serves_all_network_arms_and_shares(prepared, encoders, caplog):
    network._compile.cache_clear()  # other tests fit the same shapes
    multinomial._program.cache_clear()
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        run(prepared, encoders)
    compiled = [r.getMessage() for r in caplog.records if "Finished XLA" in r.getMessage()]
    task, ready = prepared
    assert sum("fit_one" in message for message in compiled) == 1, compiled
    linear = sum("_solve_one" in message for message in compiled)
    assert 0 < linear <= 2 * len(budgets(task, ready.config)), "genes and components"


def test_no_program_is_compiled_twice_in_a_study_of_splits_of_one_size(adata, caplog):
    adata = adata.copy()
    adata.uns["jaxssl"]["group"] = ""  # whole groups would make parts of other sizes
    config = small_config()
    config.data.label, config.split.n_splits, config.run.seeds = "class", 2, 2
    config.sweep.arms = ("scratch", "logreg", "pca_logreg", "cluster_logreg", "swav")
    network._compile.cache_clear()  # other tests fit the same shapes
    multinomial._program.cache_clear()
    with jax.log_compiles(), caplog.at_level(logging.WARNING), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of so few samples and steps
        study(adata, config=config, progress=False)
    started = [r.getMessage() for r in caplog.records if r.getMessage().startswith("Compiling")]
    # a cast of one array has the same arguments whatever it is cast to
    programs = [message for message in started if "convert_element_type" not in message]
    again = sorted(one[:2000] for one in set(programs) if programs.count(one) > 1)
    assert not again
    assert sum("fit_one" in one for one in programs) == 1


def test_a_seeds_scores_are_the_same_alone_among_others_and_in_chunks(prepared, encoders):
    together = values(run(prepared, encoders))
    alone = values(run(prepared, encoders, seeds=[2]))
    _, ready = prepared
    chunked = replace(ready.config, run=replace(ready.config.run, chunk=2))
    in_chunks = values(run(prepared, encoders, config=chunked))
    for key, value in alone.items():
        assert together[key] == pytest.approx(value, abs=1e-5), key
        assert in_chunks[key] == pytest.approx(value, abs=1e-5), key


def test_what_is_done_is_left_out(prepared, encoders):
    done = {("scratch", 0.2, seed) for seed in SEEDS} | {("swav", 1.0, 1)}
    fits = {(f.arm, f.share): set(f.probabilities) for f in run(prepared, encoders, done=done)}
    assert ("scratch", 0.2) not in fits
    assert fits["swav", 1.0] == {0, 2}
    assert fits["swav", 0.2] == set(SEEDS)


def test_arms_of_a_seed_share_labels_and_budgets_are_nested(prepared):
    task, ready = prepared
    inputs = make_inputs(ready, SEEDS)
    for order in inputs.orders.values():
        assert set(order) == set(task.labelled_train)
        assert len(np.unique(task.codes[order[:4]])) == 4
    assert not np.array_equal(inputs.orders[0], inputs.orders[1])


def test_nothing_is_read_of_labels_beyond_the_budget(prepared, encoders):
    _, ready = prepared
    inputs = make_inputs(ready, SEEDS)
    spoiled = inputs.codes.copy()
    spoiled[inputs.orders[0][20:]] = 0
    spoiled[inputs.held_out] = 0
    for codes in (inputs.codes, spoiled):
        fit = make_fit_network(ready.config, inputs._replace(codes=codes))
        found = fit("swav", encoders["swav"], 20, [0])[0][0]
        expected = found if codes is inputs.codes else expected
    np.testing.assert_array_equal(found, expected)


def test_all_arms_run_on_the_same_labels(prepared, encoders):
    _, ready = prepared
    arms = named_arms(["all"], "swav")
    everything = replace(ready.config, sweep=replace(ready.config.sweep, arms=arms))
    found = values(run(prepared, encoders, seeds=[0], config=everything))
    assert {key[0] for key in found} == set(arms)
    assert {"scratch", "swav", "swav+components", "swav+selftrain", "logreg"} <= set(arms)
    assert not any(arm.startswith("simclr") for arm in arms), "one method at a time"
    assert set(arms) < set(ARMS)


@pytest.mark.parametrize("arm", ["swav", "swav+selftrain"])
def test_what_an_arm_says_of_a_held_out_sample_does_not_depend_on_the_others(
    prepared, encoders, arm
):
    _, ready = prepared
    inputs = make_inputs(ready, [0])
    others = inputs.held_out[1:]
    spoiled = inputs.features.copy()
    spoiled[others] = 100.0
    found = [
        make_fit_network(ready.config, inputs._replace(features=x))(arm, encoders["swav"], 40, [0])[
            0
        ][0][0]
        for x in (inputs.features, spoiled)
    ]
    np.testing.assert_array_equal(*found)


def test_a_random_encoder_never_moves(prepared):
    _, ready = prepared
    inputs = make_inputs(ready, [0])
    options = replace(ready.config.finetune, learning_rate=1e9, scratch_learning_rate=1e9)
    fits = (
        make_fit_network(replace(ready.config, finetune=o), inputs)
        for o in (ready.config.finetune, options)
    )
    found = [fit(RANDOM_ENCODER, None, 40, [0])[0][0] for fit in fits]
    np.testing.assert_array_equal(*found)


def test_components_beside_the_embedding_weigh_as_much(prepared, encoders):
    _, ready = prepared
    inputs = make_inputs(ready, [0])
    found = fit_with_components(ready.config, encoders["swav"], inputs, 40, [0])[0][0]
    scaled = {0: jax.tree.map(lambda leaf: leaf * 1.0, encoders["swav"][0])}
    last = scaled[0]["layer_1"]["norm"]
    last["scale"], last["bias"] = 100 * last["scale"], 100 * last["bias"]
    larger = fit_with_components(ready.config, scaled, inputs, 40, [0])[0][0]
    np.testing.assert_allclose(larger, found, atol=1e-3)  # the scale of an embedding says nothing


def test_a_diverged_seed_scores_as_one_that_knows_nothing(prepared, encoders):
    broken = jax.tree.map(lambda leaf: np.full_like(leaf, np.nan), encoders["swav"][0])
    found = values(run(prepared, {"swav": encoders["swav"] | {0: broken}}))
    assert found["swav", 1.0, 0, "test", "log_loss"] == pytest.approx(np.log(4), rel=1e-4)
    assert found["swav", 1.0, 1, "test", "log_loss"] != found["swav", 1.0, 0, "test", "log_loss"]


def test_unknown_arms_and_missing_encoders_are_named(prepared, encoders):
    task, ready = prepared
    wrong = replace(ready.config, sweep=replace(ready.config.sweep, arms=("swan",)))
    with pytest.raises(InputError, match="unknown arm 'swan'"):
        budgets(task, wrong)
    with pytest.raises(InputError, match=r"no encoder for seeds \[7\]"):
        check_encoders(["swav"], encoders, [0, 7])


def test_resolved_options_resolve_to_themselves():
    once = resolve(Config(), 500)
    assert to_dict(resolve(once, 500)) == to_dict(once)


def test_what_fits_have_in_common_is_gone_with_their_inputs(adata):
    config = small_config()
    config.sweep.arms = ("label_spreading", "pool")
    ready = prepare(make_task(adata, config), config)
    inputs = make_inputs(ready, SEEDS)
    matrix = weakref.ref(inputs.features)
    assert len(list(sweep(ready, {}, SEEDS, inputs=inputs))) == 4
    assert inputs.shared
    del ready, inputs
    gc.collect()
    assert matrix() is None
