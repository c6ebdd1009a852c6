"""Variance components and the type-I audit, where the truth is simulated."""

import itertools
from dataclasses import replace

import jax
import numpy as np
import pandas as pd
import pytest

from jaxssl.config import Config, with_options
from jaxssl.data.synthetic import make_synthetic
from jaxssl.data.task import make_task
from jaxssl.engine.prepared import prepare
from jaxssl.evaluation.audit import (
    FACTORS,
    RESIDUAL,
    crossed_scores,
    decompose,
    null_scores,
    rejections,
)
from jaxssl.evaluation.ensembles import MEMBERS, N_ENCODERS
from jaxssl.model import make_encoder


def crossed(sd, levels, rest, split=0, rng=None):
    rng = rng or np.random.default_rng(0)
    effects = [rng.normal(scale=s, size=n) for s, n in zip(sd, levels, strict=True)]
    return pd.DataFrame(
        [
            dict(zip(FACTORS, at, strict=True))
            | {"split": split, "value": 0.8 + sum(e[i] for e, i in zip(effects, at, strict=True))}
            for at in itertools.product(*map(range, levels))
        ]
    ).assign(value=lambda t: t["value"] + rng.normal(scale=rest, size=len(t)))


def test_known_components_come_back():
    found = decompose(crossed((0.03, 0.01, 0.0), (60, 60, 4), rest=0.005), FACTORS)
    sd = found.set_index("factor")["sd"]
    assert sd["labels"] == pytest.approx(0.03, rel=0.2)
    assert sd["pretraining"] == pytest.approx(0.01, rel=0.25)
    assert sd["finetuning"] < 0.001
    assert sd[RESIDUAL] == pytest.approx(0.005, rel=0.05)
    assert found["proportion"].sum() == pytest.approx(1)


def test_components_are_those_of_the_mean_squares_by_hand():
    table = crossed((0.03, 0.01, 0.02), (3, 2, 2), rest=0.01)
    cells = table.set_index(list(FACTORS))["value"]
    mean = cells.mean()
    squares = {f: (cells.groupby(f).mean() - mean) ** 2 for f in FACTORS}
    sums = {f: len(table) / len(s) * s.sum() for f, s in squares.items()}
    freedom = {f: len(s) - 1 for f, s in squares.items()}
    left = ((cells - mean) ** 2).sum() - sum(sums.values())
    residual = left / (len(table) - 1 - sum(freedom.values()))
    found = decompose(table, FACTORS).set_index("factor")["variance"]
    assert found[RESIDUAL] == pytest.approx(residual, abs=1e-12)
    for factor in FACTORS:
        levels = freedom[factor] + 1
        by_hand = (sums[factor] / freedom[factor] - residual) / (len(table) / levels)
        assert found[factor] == pytest.approx(max(by_hand, 0), abs=1e-12)


def test_splits_differ_by_more_than_what_is_drawn_within_them():
    rng = np.random.default_rng(2)
    tables = []
    for split, shift in enumerate(rng.normal(scale=0.05, size=80)):
        part = crossed((0.02, 0.0, 0.0), (5, 2, 2), 0.002, split, rng)
        tables.append(part.assign(value=part["value"] + shift))
    sd = decompose(pd.concat(tables), FACTORS).set_index("factor")["sd"]
    assert sd["split"] == pytest.approx(0.05, rel=0.15)
    assert sd["labels"] == pytest.approx(0.02, rel=0.1)


def test_a_design_with_holes_is_refused():
    with pytest.raises(ValueError, match="11 rows, where the crossed design has 12"):
        decompose(crossed((1, 1, 1), (3, 2, 2), 1).iloc[1:], FACTORS)


def sides(first, second):
    comparison, repetition = (index.ravel() for index in np.indices(first.shape))
    columns = {"comparison": comparison, "repetition": repetition}
    return pd.DataFrame({**columns, "first": first.ravel(), "second": second.ravel()})


def test_sound_tests_reject_a_null_as_often_as_they_say_and_a_real_difference_nearly_always():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 2000, 10))
    for found in rejections(sides(first, second)).itertuples():
        assert found.n_comparisons == 2000
        assert 0.035 < found.rejected < 0.065
        assert found.low < 0.05 < found.high
    for found in rejections(sides(first, second + 3)).itertuples():
        assert found.rejected > 0.99


def test_an_unpaired_spread_makes_a_test_reject_too_rarely_and_the_audit_says_so():
    rng = np.random.default_rng(1)
    first = rng.normal(size=(400, 10))
    constant = np.repeat(first[:, :1], 10, axis=1)  # ties: Wilcoxon has nothing to say
    (student, wilcoxon) = rejections(sides(constant, constant)).itertuples()
    assert student.rejected == wilcoxon.rejected == 0
    assert student.high < 0.05


def small_task():
    config = Config()
    config.data.label, config.encoder.hidden, config.finetune.transfer_layers = "class", (16, 8), 2
    config.finetune.scratch_steps = config.finetune.n_steps = config.finetune.probe_steps = 10
    config.finetune.batch_size, config.sweep.shares = 16, (0.2,)
    task = make_task(make_synthetic(n_samples=300, n_genes=60, n_classes=3), config)
    prepared = prepare(task, config)
    return task, prepared


@pytest.mark.usefixtures("standard_promotion")
def test_an_arm_against_itself_is_called_different_five_times_of_a_hundred():
    _, prepared = small_task()
    scores = null_scores(prepared, 0.2, 8, 128, lambda n: None)
    for table in scores.values():
        assert np.mean(table["first"] != table["second"]) > 0.5, "the sides differ by chance"
        for found in rejections(table).itertuples():
            assert 0.01 < found.rejected < 0.1


@pytest.mark.usefixtures("standard_promotion")
def test_both_sides_of_the_audit_are_kept_a_row_a_repetition():
    _, prepared = small_task()
    table = null_scores(prepared, 0.2, 3, 2, lambda n: None)["accuracy"]
    head = ["comparison", "repetition", "first", "second", "first_fit", "second_fit"]
    assert table.columns.tolist() == head
    at = list(zip(table["comparison"], table["repetition"], strict=True))
    assert at == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    alone = null_scores(prepared, 0.2, 1, 6, lambda n: None)["accuracy"]  # the same seeds
    pd.testing.assert_frame_equal(table[["first", "second"]], alone[["first", "second"]])


@pytest.mark.usefixtures("standard_promotion")
def test_sides_of_best_have_other_encoders_of_the_bank_and_the_same_labels():
    task, prepared = small_task()
    rng = np.random.default_rng(0)  # classes lie too far apart for encoders to differ in scores
    task = replace(task, expression=task.expression + rng.normal(size=task.expression.shape) * 2)
    prepared = prepare(task, with_options(prepared.config, {"sweep.arms": ("best",)}))
    encoder = make_encoder(prepared.config.encoder, "float32")
    x = jax.numpy.asarray(prepared.pool[:1])
    bank = {
        (method, i): jax.device_get(encoder.init(jax.random.key(i), x))
        for method in MEMBERS
        for i in range(8)
    }
    tables = [null_scores(prepared, 0.015, 2, 3, lambda n: None, bank) for _ in range(2)]
    table = tables[0]["balanced_accuracy"]
    assert (table["first"] != table["second"]).any()
    pd.testing.assert_frame_equal(table, tables[1]["balanced_accuracy"])
    few = {name: params for name, params in bank.items() if name[1] < N_ENCODERS}
    five = null_scores(prepared, 0.015, 2, 3, lambda n: None, few)["balanced_accuracy"]
    np.testing.assert_allclose(five["first"], five["second"], atol=0.1)  # the same, by order


@pytest.mark.usefixtures("standard_promotion")
def test_crossed_scores_hold_every_combination_and_what_is_pinned_does_not_vary():
    _, prepared = small_task()
    encoder = make_encoder(prepared.config.encoder, "float32")
    x = jax.numpy.asarray(prepared.pool[:1])
    same = jax.device_get(encoder.init(jax.random.key(0), x))
    table = crossed_scores(prepared, {4: same, 9: same}, 3, 2, lambda n: None)
    rows = table[table["metric"] == "accuracy"]
    assert not rows.duplicated([*FACTORS]).any()
    assert len(rows) == 3 * 2 * 2
    assert (rows.groupby(["labels", "finetuning"])["value"].nunique() == 1).all(), "one encoder"
    assert rows.groupby("pretraining")["value"].nunique().min() > 1
