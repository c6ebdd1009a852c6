"""Few labels: what a study runs of itself, what it says of them, and intervals of shares."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn.metrics import balanced_accuracy_score

import jaxssl
from jaxssl.config import Config, with_options
from jaxssl.data.synthetic import make_synthetic
from jaxssl.evaluation import all_labels
from jaxssl.evaluation.all_labels import Named, at_all_labels, balanced, p_of_chance
from jaxssl.evaluation.intervals import doubt_of_size, score_interval, t_interval, wilson
from jaxssl.evaluation.stats import summarize
from jaxssl.evaluation.verdict import verdict_of
from jaxssl.studies import amount
from jaxssl.types import InputError

WARNED = pytest.mark.filterwarnings("ignore")  # of the size of the data, and of groups
OPEN = {"sweep.shares"}
QUICK = {"arms": ["majority", "logreg", "pca_logreg"], "progress": False}


@pytest.fixture
def several(monkeypatch):
    """Small test parts call for several splits, as they do outside the tests; for three."""
    monkeypatch.setattr(amount, "N_SPLITS", 3)


@pytest.fixture(scope="module")
def cohort():
    adata = make_synthetic(n_samples=85, n_genes=60, n_classes=4)
    adata.uns["jaxssl"] = dict(adata.uns["jaxssl"], group="", batch="")
    return adata


def shares_for(*sizes, config=None, is_open=OPEN):
    return amount.with_shares(config or Config(), is_open, sizes).sweep.shares


def test_default_shares_hold_a_label_of_every_class_and_are_all_where_they_can():
    everything = Config().sweep.shares
    assert shares_for((1000, 5)) == everything == (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
    assert shares_for((59, 2)) == everything[1:]
    assert shares_for((59, 5)) == everything[3:]
    assert shares_for((59, 2), (59, 5)) == everything[3:], "alike on all splits"
    assert shares_for((59, 5), is_open=()) == everything, "named ones stay, to be refused"


def test_splits_follow_from_the_size_of_the_test_part(several):
    assert [amount.n_splits_for(n, 0.15) for n in (40, 85, 660, 661, 10_000)] == [3, 3, 3, 1, 1]


@WARNED
def test_a_study_of_few_labels_needs_no_flag_and_goes_on_as_it_began(several, cohort, tmp_path):
    first = jaxssl.study(cohort, out=tmp_path / "run", **QUICK)
    assert sorted(first.results["split"].unique()) == [0, 1, 2]
    assert first.results["seed"].nunique() == amount.SEEDS_A_SPLIT
    kept = first.config
    assert kept["split"]["n_splits"] == 1
    assert min(kept["sweep"]["shares"]) == first.results["share"].min() > 0.02
    amount.N_SPLITS = 4  # what began with three has three
    again = jaxssl.study(cohort, out=tmp_path / "run", resume=True, **QUICK)
    pd.testing.assert_frame_equal(again.results, first.results)
    tested = again.summary["tested"]
    assert sum(tested.values()) > first.summary["n_test"], "different samples of all splits"
    assert any("splits test on" in text for text in again.summary["warnings"])
    assert not any("seeds are few" in text for text in again.summary["warnings"])


@WARNED
@pytest.mark.parametrize("words", [{"splits": 1}, {"config": ("split.seed", 4)}])
def test_who_names_the_splits_or_one_of_them_gets_these(several, cohort, words):
    if "config" in words:
        words = {"config": with_options(Config(), dict([words["config"]]))}
    result = jaxssl.study(cohort, shares=[1.0], seeds=1, **words, **QUICK)
    assert result.results["split"].nunique() == 1
    assert any("test samples are few" in text for text in result.summary["warnings"])
    with pytest.raises(InputError, match=r"a share of 0\.01 is .* fewer than the"):
        jaxssl.study(cohort, shares=[0.01], **words, **QUICK)


@given(st.integers(1, 500), st.floats(0, 1))
def test_any_share_has_an_interval_inside_0_to_1_that_is_wide(n, share):
    low, high = wilson(share, n)
    assert 0 <= low <= share <= high <= 1 or abs(share - np.clip(share, low, high)) < 1e-12
    assert high - low > 1 / (n + 4)


def test_the_interval_of_a_share_covers_it():
    n, p = 13, np.linspace(0.02, 0.98, 49)
    ends = np.array([wilson(k / n, n) for k in range(n + 1)])
    inside = (ends[:, :1] <= p) & (p <= ends[:, 1:])
    covered = (binom.pmf(np.arange(n + 1)[:, None], n, p) * inside).sum(axis=0)
    assert covered.mean() == pytest.approx(0.95, abs=0.015)


def test_the_interval_of_a_score_is_that_of_its_samples_or_of_its_repetitions():
    even = {"a": 20, "b": 20}
    same, apart = np.ones(5), np.array([0.2, 0.9, 0.5, 0.7, 1.0])
    assert score_interval(same, "accuracy", even) == wilson(1.0, 40)
    assert score_interval(same, "balanced_accuracy", even) == pytest.approx(wilson(1.0, 40))
    assert score_interval(same, "balanced_accuracy", {"a": 38, "b": 2})[0] < wilson(1.0, 8)[0]
    low, high = t_interval(apart)
    assert score_interval(apart, "accuracy", even) == (max(low, 0), min(high, 1))
    assert np.isnan(score_interval(same, "auroc", even)).all(), "never of zero width"
    table = pd.DataFrame({"dataset": "d", "task": "t", "arm": "x", "share": 1.0, "seed": range(5)})
    table = table.assign(split=0, part="test", metric="accuracy", value=1.0, n_labelled=9)
    assert summarize(table, even)["ci_low"].iloc[0] == wilson(1.0, 40)[0]


def test_balanced_accuracy_of_shares_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    codes, named = rng.integers(0, 3, 50), rng.integers(0, 3, 50)
    found = balanced(np.eye(3)[named], codes)
    assert found == pytest.approx(balanced_accuracy_score(codes, named), abs=1e-12)


def test_the_permutation_test_is_that_of_all_exchanges():
    codes, named = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 1, 1])
    frequencies, alone = np.eye(2)[named], np.array(list("abcdef"))
    observed = balanced_accuracy_score(codes, named)
    exact = np.mean(
        [balanced_accuracy_score(y, named) >= observed for y in itertools.permutations(codes)]
    )
    assert p_of_chance(frequencies, codes, alone) == pytest.approx(exact, abs=0.03)
    assert p_of_chance(np.eye(2)[np.zeros(6, int)], codes, alone) == 1, "one class for all"


def test_samples_of_a_group_are_no_independent_evidence():
    codes = np.repeat([0, 1], 20)
    groups = np.repeat(list("abcd"), 10)
    told = np.eye(2)[codes]
    assert p_of_chance(told, codes, np.arange(40).astype(str)) < 0.001
    assert p_of_chance(told, codes, groups) == pytest.approx(1 / 6, abs=0.03)  # of 4! / (2! 2!)


def test_labels_by_chance_are_found_at_chance_as_often_as_the_level_says(monkeypatch):
    monkeypatch.setattr(all_labels, "N_PERMUTATIONS", 199)  # the level is exact for any number
    rng, codes = np.random.default_rng(1), np.repeat([0, 1], [30, 10])
    alone = np.arange(40).astype(str)
    p = [p_of_chance(np.eye(2)[rng.permutation(codes)], codes, alone) for _ in range(60)]
    assert np.mean(np.array(p) <= 0.05) <= 0.1


def results_at(share, **arms):
    """Balanced accuracies by arm, a split each, on both held-out parts."""
    rows = [
        {"arm": arm, "split": i, "part": part, "value": value}
        for arm, values in arms.items()
        for i, value in enumerate(values)
        for part in ("test", "validation")
    ]
    same = {"dataset": "d", "task": "t", "share": share, "seed": 0, "n_labelled": 59}
    return pd.DataFrame(rows).assign(**same, metric="balanced_accuracy")


def judged(swav, logreg, scratch=(0.6, 0.62, 0.61, 0.6, 0.6), named=None):
    results = results_at(1.0, swav=swav, logreg=logreg, scratch=scratch)
    table = at_all_labels(
        results, ["swav"], ["scratch", "logreg"], named or {}, test_train_ratio=0.2
    )
    return verdict_of(table, 59, "over splits")


def test_the_verdict_is_the_classical_arm_unless_pretraining_wins():
    close = [0.80, 0.72, 0.75, 0.83, 0.71], [0.79, 0.74, 0.76, 0.80, 0.73]
    found = judged(*close)
    assert found["use"] == "logreg"
    assert (
        "Use logistic regression (logreg): nothing here shows that swav is better"
        in (found["sentences"][-1])
    )
    assert "With all 59 training labels, swav is worth" in found["sentences"][0]
    high, low = [0.90, 0.92, 0.91, 0.90, 0.93], [0.70, 0.72, 0.70, 0.71, 0.72]
    assert judged(high, low)["sentences"][-1] == "Use swav."
    lost = judged(low, high)["sentences"]
    assert lost[-1] == ("Use logistic regression (logreg): swav loses to it with this many labels.")
    same = judged(high, high)["sentences"][-1]
    assert "equivalent to it, and costs more" in same


def test_where_no_arm_knows_the_classes_no_arm_is_recommended():
    rng, codes = np.random.default_rng(0), np.repeat([0, 1], 20)
    alone = np.arange(40).astype(str)
    blind = {
        arm: Named(np.eye(2)[rng.permutation(codes)], codes, alone) for arm in ("swav", "logreg")
    }
    found = judged([0.9, 0.92, 0.91, 0.9, 0.93], [0.5] * 5, named=blind)
    assert found["at_chance"] is True
    assert found["use"] == ""
    assert "all methods are at chance" in found["sentences"][0]
    seeing = blind | {"logreg": Named(np.eye(2)[codes], codes, alone)}
    found = judged([0.5, 0.52, 0.49, 0.5, 0.5], [1.0] * 5, named=seeing)
    assert found["at_chance"] is False
    assert found["use"] == "logreg"
    assert found["sentences"][-1].endswith("At chance: swav.")


def test_a_small_test_part_is_doubted_by_what_it_can_tell():
    assert "13 test samples are few: an accuracy of 80 % has a 95 % interval of 53 to 93 %" in (
        doubt_of_size(13)
    )
    assert "splits=5" in doubt_of_size(13)
    assert "5 splits test on 48 samples" in doubt_of_size(48, 5)
    assert not doubt_of_size(100)
