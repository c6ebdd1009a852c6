"""Odd columns of labels, and labels of few groups: no more is said of them than is known."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from jaxssl.config import Config, with_options
from jaxssl.data import caveats
from jaxssl.data.task import make_task
from jaxssl.evaluation.all_labels import Named, at_all_labels
from jaxssl.evaluation.novelty import fit_novelty, told_of_none
from jaxssl.evaluation.verdict import verdict_of
from jaxssl.evaluation.worth import accuracy_of, balanced_accuracy_of, gain_of, worth_of
from jaxssl.types import InputError


def test_few_labels_that_are_told_apart_are_not_called_chance():
    y = np.arange(10) % 2  # McNemar against the largest class: p = 0.06
    found = worth_of({"ours": y, "linear": y, "largest": y * 0}, y)
    assert found.verdict == "untold"
    assert found.p_chance == pytest.approx(1 / 252, abs=0.005)
    rare = np.arange(60) < 6  # half of the rare class is found, at no loss
    ours = (rare & (np.arange(60) % 2 == 0)) * 1
    found = worth_of({"ours": ours, "linear": ours, "largest": ours * 0}, rare * 1)
    assert found.verdict != "chance"
    two = np.array([0, 0, 0, 1])
    assert worth_of({"ours": two, "linear": two, "largest": two * 0}, two).verdict == "chance"


def test_labels_of_a_group_are_no_independent_evidence():
    rng, inside = np.random.default_rng(5), {True: [], False: []}
    for _ in range(60):
        n_groups, size = 10, 6
        groups = np.arange(n_groups * size) // size
        of_group = rng.beta(0.8, 0.2, n_groups)  # mean 0.8: the truth of a new group's samples
        hits, y = (rng.random(len(groups)) < of_group[groups]) * 1.0, np.arange(len(groups)) % 3
        for found in (accuracy_of(hits, y, groups), balanced_accuracy_of(hits, y, groups)):
            inside[True].append(found.low <= 0.8 <= found.high)
        found = accuracy_of(hits, y)
        inside[False].append(found.low <= 0.8 <= found.high)
    assert np.mean(inside[True]) > 0.9 > 0.85 > np.mean(inside[False])
    all_right = accuracy_of(np.ones(60), np.arange(60) % 3, np.arange(60) // 10)
    assert all_right.low < accuracy_of(np.ones(8), np.arange(8) % 2).low
    alone = np.arange(60)
    for one in (accuracy_of, balanced_accuracy_of):
        assert one(hits, y, alone) == one(hits, y), "groups of one change nothing"
    assert gain_of(hits, y * 0.0, alone) == gain_of(hits, y * 0.0)


def test_where_no_label_can_be_held_out_nothing_is_expected():
    y = np.repeat([0, 1, 2], 8)  # every class of one group
    wrong = (y + 1) % 3
    found = worth_of({"ours": wrong, "linear": wrong, "largest": y * 0}, y, y)
    assert found.verdict == "unknown"
    assert "is not known" in found.advice
    assert found.n_single == 24
    for one in (found.accuracy, found.balanced_accuracy):
        assert (one.low, one.high) == (0, 1)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["ER+", "er+ ", "ER-"], "'ER+' and 'er+ ' are classes of their own"),
        (["a", " ", "b"], "samples are of the class ' '"),
        ([str(v / 7) for v in range(60)], "as if they were measurements or names"),
        ([f"s{v}" for v in range(60)], "60 labels are of 60 classes, 60 of these with one"),
        (["0", "1", "2"], ""),
    ],
)
def test_classes_that_may_be_none_are_doubted(names, told):
    rng = np.random.default_rng(0)
    obs = pd.DataFrame({"label": np.resize(names, 60)}, index=[f"s{i}" for i in range(60)])
    adata = AnnData(rng.normal(8, 1, (60, 60)).astype(np.float32), obs)
    task = make_task(adata, with_options(Config(), {"data.label": "label"}), is_split=False)
    found = caveats.doubts(task, adata.X)
    assert len(found) == bool(told)
    assert not told or told in found[0]


def test_copies_with_different_labels_are_doubted():
    x = np.random.default_rng(0).normal(8, 1, (60, 60)).astype(np.float32)
    x[59] = x[0]
    obs = pd.DataFrame({"label": np.resize(["a", "b"], 60)}, index=[f"s{i}" for i in range(60)])
    config = with_options(Config(), {"data.label": "label"})
    [told] = caveats.doubts(make_task(AnnData(x, obs), config, is_split=False), x)
    assert "s0 as 'a' and s59 as 'b'" in told
    obs.loc["s59", "label"] = ""
    assert caveats.doubts(make_task(AnnData(x, obs), config, is_split=False), x) == []


def test_one_column_is_not_both_label_and_group():
    obs = pd.DataFrame({"label": np.resize(["a", "b"], 8)}, index=[f"s{i}" for i in range(8)])
    adata = AnnData(np.random.default_rng(0).normal(8, 1, (8, 5)).astype(np.float32), obs)
    for role in ("group", "batch"):
        config = with_options(Config(), {"data.label": "label", f"data.{role}": "label"})
        with pytest.raises(InputError, match=f"'label' is both `label` and `{role}`"):
            make_task(adata, config, is_split=False)


def test_two_classes_are_not_said_to_tell_samples_of_a_third():
    rng = np.random.default_rng(0)
    codes = np.arange(60) % 3
    x = np.eye(3)[codes] + rng.normal(size=(60, 3)) * 0.05
    for known, is_told in (([0, 1], False), ([0, 1, 2], True)):
        rows = np.flatnonzero(np.isin(codes, known))[:24]
        found = fit_novelty(x, rows, codes[rows])
        assert found.tells == is_told
        assert ("cannot be told" in told_of_none(found(x), found)) != is_told


def test_methods_without_an_error_on_few_samples_are_not_called_chance():
    for codes, told in ((np.array([0, 0, 0, 1, 1]), "too few"), (np.arange(40) % 2, "at chance")):
        n = len(codes)
        right = np.eye(2)[codes if n == 5 else np.random.default_rng(0).permutation(codes)]
        named = {"logreg": Named(right, codes, np.arange(n).astype(str))}
        results = pd.DataFrame({"dataset": "d", "task": "t", "arm": "logreg", "share": [1.0]})
        results = results.assign(
            split=0, seed=0, part="test", metric="balanced_accuracy", value=1.0, n_labelled=9
        )
        table = at_all_labels(results, [], ["logreg"], named)
        verdict = verdict_of(table, 9, "over splits")
        [sentence] = verdict["sentences"]
        assert verdict["at_chance"] == (None if n == 5 else True)
        assert told in sentence
        assert ("at chance" in sentence) == (told == "at chance")
