"""The primary endpoint: its area, its reference, its tests."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rows import results_of
from statsmodels.stats.weightstats import DescrStatsW

from jaxssl.evaluation.conclusions import conclude
from jaxssl.evaluation.endpoint import areas, endpoint, weights
from jaxssl.evaluation.headline import endpoint_sentence, endpoint_verdict, headlines, in_words
from jaxssl.evaluation.stats import equivalence
from jaxssl.runs import layout

SHARES = (0.01, 0.02, 0.05, 0.1, 0.5)


def sweep(means, noise=0.01, n=12, parts=("test", "validation")):
    """Results of {arm: mean at each share}; every arm of a seed shares its luck."""
    rng = np.random.default_rng(0)
    tables = []
    for part in parts:
        for i, share in enumerate(SHARES):
            luck = rng.normal(scale=noise, size=n)
            values = {
                arm: of_arm[i] + luck + rng.normal(scale=noise / 5, size=n)
                for arm, of_arm in means.items()
            }
            tables.append(results_of(values, share=share, metric="balanced_accuracy", part=part))
    return pd.concat(tables)


def test_shares_that_are_nearly_the_same_stay_apart_and_are_found_again():
    shares = [1 / 30, 1 / 30 + 1e-9, 0.05]
    parts = [
        results_of(
            {"swav": [0.8 + i / 10, 0.81], "logreg": [0.7, 0.72]}, share=share, metric=m, part=part
        )
        for i, share in enumerate(shares)
        for part in ("test", "validation")
        for m in ("balanced_accuracy", "accuracy")
    ]
    results, asked = pd.concat(parts), []

    def read(arm, share):
        asked.append(share)

    concluded = conclude(results, ["logreg"], read, pd.Series(dtype=object))
    assert set(asked) == set(shares)
    assert concluded.endpoint["shares"].iloc[0].split()[2] == "0.05"
    told = in_words(results, concluded)["arms"]["swav"]
    assert sorted(map(float, told)) == sorted(shares)
    files = {layout.predictions_file(Path("r"), "swav", share) for share in (*shares, 1e-5)}
    assert len(files) == len(shares) + 1


def level(value, slope=0.0):
    return value + slope * np.arange(len(SHARES))


def test_the_area_is_the_integral_over_the_logarithm_of_the_share():
    x = np.log([0.01, 0.02, 0.05, 0.1])
    y = np.array([0.5, 0.7, 0.8, 0.85])
    expected = np.trapezoid(y, x) / (x[-1] - x[0])
    assert weights([0.01, 0.02, 0.05, 0.1]) @ y == pytest.approx(expected, abs=1e-14)
    assert weights([0.03]).tolist() == [1.0]


def test_an_area_has_only_the_shares_of_one_to_ten_per_cent_and_only_whole_repetitions():
    rows = sweep({"a": level(0.5)}, noise=0)
    rows.loc[rows["share"] == 0.5, "value"] = 99.0
    rows = rows[~((rows["seed"] == 3) & (rows["share"] == 0.05))]
    found = areas(rows, "test")
    assert found["value"].to_numpy() == pytest.approx(0.5)
    assert set(found["seed"]) == set(range(12)) - {3}
    assert areas(rows[rows["share"] == 0.5], "test").empty


def test_the_best_classical_arm_is_chosen_on_validation_alone():
    rows = sweep({"swav": level(0.8), "logreg": level(0.7), "knn": level(0.6)})
    on_test = rows["part"] == "test"
    knn, logreg = rows["arm"] == "knn", rows["arm"] == "logreg"
    rows.loc[on_test & knn, "value"] += 0.15  # the better one on test, which must not matter
    table = endpoint(rows, ["swav"], ["scratch", "logreg", "knn"]).set_index("reference")
    assert table["is_best"].to_dict() == {"logreg": True, "knn": False}
    rows.loc[~on_test & (knn | logreg), "value"] *= -1
    table = endpoint(rows, ["swav"], ["scratch", "logreg", "knn"]).set_index("reference")
    assert table["is_best"].to_dict() == {"logreg": False, "knn": True}


def test_a_network_is_no_classical_arm():
    rows = sweep({"swav": level(0.8), "scratch": level(0.79), "knn": level(0.6)})
    table = endpoint(rows, ["swav"], ["scratch", "knn"]).set_index("reference")
    assert table["is_best"].to_dict() == {"scratch": False, "knn": True}


def test_equivalence_is_that_of_statsmodels():
    difference = np.random.default_rng(1).normal(0.002, 0.01, size=20)
    expected = DescrStatsW(difference).ttost_mean(-0.01, 0.01)[0]
    assert equivalence(difference) == pytest.approx(expected, abs=1e-10)


def test_equivalence_with_overlapping_training_sets_takes_the_larger_variance():
    difference = np.array([0.0, 0.004, 0.002, -0.001, 0.003])
    error = np.sqrt((1 / 5 + 0.25) * difference.var(ddof=1))
    from scipy.stats import t

    expected = t.sf((0.01 - difference.mean()) / error, 4)
    assert equivalence(difference, 0.25) == pytest.approx(expected, abs=1e-10)
    assert equivalence(difference, 0.25) > equivalence(difference)


@pytest.mark.parametrize(("value", "p"), [(0.0, 0.0), (0.5, 1.0)])
def test_equivalence_without_spread_is_a_fact(value, p):
    assert equivalence(np.full(5, value)) == p


def test_too_few_repetitions_decide_nothing():
    assert np.isnan(equivalence(np.array([0.1])))


def sentence(means, **options):
    rows = sweep(means, **options)
    row = endpoint(rows, ["swav"], ["logreg"]).iloc[0]
    return endpoint_sentence(row, 3)


def test_the_sentence_says_wins_loses_equivalent_and_undecided():
    won = sentence({"swav": level(0.8), "logreg": level(0.7)})
    assert won.startswith("Over 12 seeds on this split, swav beats logreg, the best of 3 classical")
    assert "balanced accuracy averaged over 1 to 10 % of the labels" in won
    assert "+10.0 points (95 % interval +9" in won or "+10.0 points (95 % interval +10" in won
    assert "loses to logreg" in sentence({"swav": level(0.7), "logreg": level(0.8)})
    same = {"swav": level(0.8), "logreg": level(0.8)}
    assert "is equivalent to logreg" in sentence(same)
    assert "is undecided against logreg" in sentence(same, noise=0.2, n=4)


def test_one_repetition_decides_nothing_and_has_no_interval():
    said = sentence({"swav": level(0.8), "logreg": level(0.7)}, n=1)
    assert said.startswith("Over 1 seeds on this split, swav is undecided against logreg")
    assert "(one repetition, so no interval)" in said


def test_without_predictions_there_is_no_interval_over_test_samples():
    rows = sweep({"swav": level(0.8), "logreg": level(0.7)})
    found = conclude(rows, ["logreg"], lambda arm, share: None, pd.Series(dtype=str))
    assert found.endpoint[["group_low", "group_high"]].isna().all(axis=None)
    assert found.endpoint["ci_low"].notna().all()


def test_without_shares_of_few_labels_the_sentence_is_by_share():
    rows = sweep({"swav": level(0.8), "logreg": level(0.7)})
    rows = pd.concat([rows, rows.assign(metric="accuracy")])
    rows = rows[rows["share"] == 0.5]
    found = conclude(rows, ["logreg"], lambda arm, share: None, pd.Series(dtype=str))
    assert found.endpoint.empty
    assert "swav beats logreg in test accuracy at 50 %" in headlines(found)[0]


def test_only_declared_comparisons_have_a_verdict_and_holm_adjusts_over_them():
    means = {"swav": 0.75, "other": 0.752, "logreg": 0.7505, "knn": 0.6}
    rows = sweep({arm: level(value) for arm, value in means.items()})
    table = endpoint(rows, ["swav", "other"], ["logreg", "knn"])
    declared = table[table["is_best"]]
    assert set(declared["reference"]) == {"logreg"}
    assert table.loc[~table["is_best"], "p_holm"].isna().all()
    assert {endpoint_verdict(row) for _, row in table[~table["is_best"]].iterrows()} == {""}
    lower, higher = sorted(declared["p_t"])
    by_hand = [min(2 * lower, 1), max(2 * lower, higher)]
    assert sorted(declared["p_holm"]) == pytest.approx(by_hand, rel=1e-12)


def predictions(hits):
    """Two classes, one sample a column: whether each seed (row) is right."""
    rows = []
    for seed, right in enumerate(hits):
        label = np.array(["a", "b"])[np.arange(len(right)) % 2]
        p_a = np.where((label == "a") == np.array(right, bool), 0.9, 0.1)
        head = {"sample_id": [f"s{i}" for i in range(len(right))], "seed": seed, "label": label}
        rows.append(pd.DataFrame(head | {"p_a": p_a, "p_b": 1 - p_a}))
    return pd.concat(rows, ignore_index=True)


def conclude_two(of_swav, of_logreg, splits=1):
    tables = {"swav": predictions(of_swav), "logreg": predictions(of_logreg)}
    scores = {
        "swav": np.mean(of_swav, axis=1),
        "logreg": np.mean(of_logreg, axis=1)[: len(of_swav)],
    }
    kinds = {"share": 0.1, "metric": "balanced_accuracy"}
    rows = pd.concat(
        [
            results_of(scores, part=part, **kinds).assign(split=split)
            for part in ("test", "validation")
            for split in range(splits)
        ]
    )
    groups = pd.Series("", index=[f"s{i}" for i in range(8)])
    return conclude(rows, ["logreg"], lambda arm, share: tables[arm], groups).endpoint.iloc[0]


def test_the_interval_over_test_samples_is_of_the_seeds_that_both_arms_have():
    ours = [[1, 1, 1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 0, 0, 1, 1]]
    theirs = [[1, 0, 1, 0, 1, 1, 0, 1], [0, 1, 1, 1, 0, 0, 0, 1]]
    paired = conclude_two(ours, theirs)
    longer = conclude_two(ours, [*theirs, [0] * 8])
    assert paired["group_low"] < paired["difference"] < paired["group_high"]
    assert (longer["group_low"], longer["group_high"]) == (
        paired["group_low"],
        paired["group_high"],
    )


def test_several_splits_have_no_interval_over_test_samples():
    hits = [[1, 1, 1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 0, 0, 1, 1]]
    assert np.isnan(conclude_two(hits, hits[::-1], splits=2)["group_low"])
