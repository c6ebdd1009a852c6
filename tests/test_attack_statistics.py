"""Attacks on statistics, searches and audits: against computations of their own."""

import itertools

import numpy as np
import pandas as pd
import pytest
from attacks import ARMS, KEYS, alone, in_session, study, synthetic, tiny, values
from scipy import stats
from sklearn import metrics as sk
from sklearn.dummy import DummyClassifier
from verbs import launch

import jaxssl
from jaxssl.data.expression import write_h5ad
from jaxssl.types import InputError

pytestmark = [pytest.mark.usefixtures("standard_promotion"), pytest.mark.filterwarnings("ignore")]
QUICK = ["majority", "pca_logreg", "knn", "logreg"]  # logreg is under test


@pytest.fixture(scope="module")
def quick():
    """As `whole`, without anything to compile."""
    return in_session(lambda: study(synthetic(), arms=QUICK))


def test_a_study_twice_is_the_same(whole):
    pd.testing.assert_series_equal(values(study(synthetic())), values(whole))


def test_the_first_three_of_five_seeds_are_those_of_three(whole):
    five = values(study(synthetic(), tiny(seeds=5)))
    np.testing.assert_allclose(five.reindex(values(whole).index), values(whole), atol=1e-5)


def test_shards_together_are_the_whole(quick, tmp_path):
    whole = quick
    for i in range(3):
        study(synthetic(), arms=QUICK, out=tmp_path / "run", shard=f"{i}/3")
    merged = jaxssl.open_study(tmp_path / "run")
    np.testing.assert_allclose(values(merged), values(whole), atol=1e-5)
    assert merged.headline == whole.headline
    columns = ["mean", "difference", "ci_low", "ci_high", "p_holm", "group_low"]
    np.testing.assert_allclose(merged.endpoint[columns], whole.endpoint[columns], atol=1e-5)


@pytest.mark.parametrize("less", [{"seeds": 2}, {"shares": (0.05, 1.0)}])
def test_a_run_that_was_resumed_for_more_is_that_of_one_go(less, quick, tmp_path):
    whole = quick
    try:
        study(synthetic(), tiny(**less), QUICK, out=tmp_path / "run")
        result = study(synthetic(), arms=QUICK, out=tmp_path / "run", resume=True)
    except InputError:
        return  # another option, refused
    np.testing.assert_allclose(values(result), values(whole), atol=1e-5)
    assert result.headline == whole.headline


def test_the_verb_gives_the_numbers_of_the_function(whole, tmp_path):
    write_h5ad(synthetic(), tmp_path / "data.h5ad")
    options = [
        "--config.encoder.hidden=(16,8)",
        "--config.finetune.transfer_layers=2",
        "--config.finetune.scratch_steps=20",
        "--config.finetune.scratch_learning_rate=0.01",
        "--config.sweep.reference_arms=('pca_logreg','knn')",
    ]
    options += ["--shares=0.05,0.1,1", "--seeds=3", f"--arms={','.join(ARMS)}"]
    launch("sweep", f"--data={tmp_path / 'data.h5ad'}", f"--out={tmp_path / 'run'}", *options)
    result = jaxssl.open_study(tmp_path / "run")
    np.testing.assert_allclose(values(result), values(whole), atol=1e-6)
    assert result.headline == whole.headline


def test_the_scores_are_those_of_the_predictions(whole):
    test = values(whole).xs("test", level="part").droplevel("split")
    for arm, share in itertools.product(ARMS, (0.05, 1.0)):
        for seed, rows in whole.predictions(arm, share).groupby("seed"):
            p = rows[[c for c in rows if c.startswith("p_")]]
            named = p.idxmax(axis=1).str.removeprefix("p_")
            found = test[arm, share, seed]
            assert found["accuracy"] == pytest.approx(sk.accuracy_score(rows["label"], named))
            balanced = sk.balanced_accuracy_score(rows["label"], named)
            assert found["balanced_accuracy"] == pytest.approx(balanced)
            loss = sk.log_loss(rows["label"], p.astype(float))
            assert found["log_loss"] == pytest.approx(loss, rel=1e-4)


def test_the_majority_is_that_of_scikit_learn(whole):
    part = whole.samples.set_index("sample_id")
    train, test = (part[part["part"] == name]["label"] for name in ("train", "test"))
    dummy = DummyClassifier().fit(np.zeros((len(train), 1)), train)
    found = values(whole).xs(("majority", 1.0, "test", "accuracy"), level=KEYS[1:3] + KEYS[4:])
    assert (found == dummy.score(np.zeros((len(test), 1)), test)).all()


def test_intervals_and_tests_are_those_of_scipy(whole):
    table = values(whole).xs(("test", "accuracy"), level=("part", "metric")).unstack("arm")
    for _, row in whole.statistics.query("metric == 'accuracy'").iterrows():
        of_share = table.xs(row["share"], level="share")
        d = of_share[row["arm"]] - of_share[row["reference"]]
        assert row["difference"] == pytest.approx(d.mean())
        low, high = stats.t.interval(0.95, len(d) - 1, d.mean(), stats.sem(d))
        assert (row["ci_low"], row["ci_high"]) == pytest.approx((low, high))
        if np.ptp(d):
            p = stats.ttest_rel(of_share[row["arm"]], of_share[row["reference"]]).pvalue
            assert row["p_t"] == pytest.approx(p)


def test_the_endpoint_is_the_area_under_the_curve(whole):
    table = values(whole).xs(("test", "balanced_accuracy"), level=("part", "metric"))
    wide = table.unstack("share")[[0.05, 0.1]].mean(axis=1).groupby("arm").mean()  # two: trapezoid
    for _, row in whole.endpoint.iterrows():
        assert row["mean"] == pytest.approx(wide[row["arm"]])
        assert row["reference_mean"] == pytest.approx(wide[row["reference"]])
    on_validation = values(whole).xs(("validation", "balanced_accuracy"), level=KEYS[4:])
    means = on_validation.unstack("share")[[0.05, 0.1]].mean(axis=1).groupby("arm").mean()
    [best] = whole.endpoint.loc[whole.endpoint["is_best"].astype(bool), "reference"]
    assert best == means[["pca_logreg", "knn"]].idxmax()


def test_holm_counts_all_shares_and_references(whole):
    for _, family in whole.statistics.groupby("metric"):
        p = family["p_t"].dropna().sort_values()
        factors = np.arange(len(p), 0, -1)
        expected = np.minimum(np.maximum.accumulate(p * factors), 1)
        np.testing.assert_allclose(family.loc[p.index, "p_holm"], expected)


def test_one_seed_has_no_interval_and_no_verdict():
    result = study(synthetic(), tiny(seeds=1))
    assert result.endpoint[["ci_low", "ci_high", "p_t", "p_holm"]].isna().all(axis=None)
    assert "is undecided" in result.headline
    assert "no interval" in result.headline


def test_without_shares_of_one_to_ten_percent_there_is_no_endpoint():
    result = study(synthetic(), tiny((0.2, 1.0), 2))
    assert result.endpoint is None
    assert "no primary endpoint" in result.headline


def test_an_endpoint_of_one_share_is_the_score_at_that_share():
    result = study(synthetic(), tiny((0.05, 0.5), 2))
    scores = values(result).xs((0.05, "test", "balanced_accuracy"), level=["share", *KEYS[4:]])
    assert result.endpoint["mean"].iloc[0] == pytest.approx(scores.groupby("arm").mean()["scratch"])
    assert "at 5 % of the labels" in result.headline


@pytest.mark.parametrize("what", ["shares", "arms"])
def test_what_stands_twice_is_refused(what):
    twice = {"shares": [0.1, 0.1], "arms": [*ARMS, "knn"]}
    with pytest.raises(InputError, match="twice"):
        study(synthetic(), **{what: twice[what]})


def test_ties_are_no_difference():
    adata = alone(classes=2, class_effect=20.0, noise=0.01, batch_effect=0.01)
    adata.X = 12 + 10 * adata.X / np.abs(adata.X).max()
    config = tiny((0.1, 1.0), 3)
    config.finetune.scratch_steps = 300
    result = study(adata, config, ["knn", "scratch"])
    rows = result.statistics.query("metric == 'accuracy'")
    tied = rows[rows["difference"] == 0]
    assert len(tied)
    assert (tied["p_t"] == 1).all()
    assert "beats" not in result.headline


def test_several_splits_are_repetitions_of_the_means_over_seeds(tmp_path):
    config = tiny((0.05, 0.1), 2)
    result = study(synthetic(), config, QUICK, out=tmp_path / "run", splits=3)
    table = values(result).xs((0.1, "test", "accuracy"), level=["share", *KEYS[4:]])
    of_split = table.groupby(["split", "arm"]).mean().unstack("arm")
    d = of_split["logreg"] - of_split["knn"]
    [row] = result.statistics.query(
        "share == 0.1 and metric == 'accuracy' and reference == 'knn'"
    ).to_dict("records")
    assert row["n"] == 3
    assert row["difference"] == pytest.approx(d.mean())
    sizes = [jaxssl.open_study(tmp_path / "run" / f"split_{i}").summary for i in range(3)]
    ratio = np.mean([s["n_test"] / s["n_train"] for s in sizes])
    half = stats.t.ppf(0.975, 2) * np.sqrt((1 / 3 + ratio) * d.var(ddof=1))
    assert row["ci_high"] - row["ci_low"] == pytest.approx(2 * half)


def test_a_search_looks_at_the_validation_part_alone_and_takes_the_best(tmp_path):
    grid = {"finetune.scratch_steps": [1, 30], "finetune.scratch_learning_rate": [0.001, 0.01]}
    asked = {"arms": ["scratch"], "config": tiny((0.1,), 2), "progress": False}
    found = jaxssl.tune(synthetic(), grid=grid, out=tmp_path / "run", **asked)
    rows = pd.read_csv(tmp_path / "run" / "results.csv", keep_default_na=False)
    assert set(rows["part"]) == {"validation"}
    rows["value"] = pd.to_numeric(rows["value"])
    means = rows[rows["metric"] == "balanced_accuracy"].groupby("point")["value"].mean()
    assert found.best.name == means.idxmax()
    assert found.score == pytest.approx(means.max())


def test_a_search_by_loss_takes_the_lowest(tmp_path):
    asked = {"arms": ["scratch"], "config": tiny((0.1,), 2), "progress": False}
    grid = {"finetune.scratch_steps": [1, 30, 60]}
    found = jaxssl.tune(synthetic(), grid=grid, metric="log_loss", out=tmp_path / "run", **asked)
    assert found.score == found.table["mean"].min()


def test_an_audit_counts_what_scipy_counts(tmp_path):
    asked = {"n_comparisons": 10, "seeds": 3, "shares": [0.1], "config": tiny()}
    table = jaxssl.audit(synthetic(), out=tmp_path / "run", progress=False, **asked)
    scores = pd.read_csv(tmp_path / "run" / "type1_scores.csv")
    for metric in scores["metric"].unique():
        rows = scores[scores["metric"] == metric]
        rejected = 0
        for _, one in rows.groupby("comparison"):
            d = one["first"] - one["second"]
            rejected += bool(np.ptp(d.round(12)) and stats.ttest_1samp(d, 0).pvalue <= 0.05)
        [found] = table[(table["metric"] == metric) & (table["test"] == "p_t")]["rejected"]
        assert found == rejected / 10
