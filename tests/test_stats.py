import numpy as np
import pandas as pd
import pytest
from rows import results_of
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests

from jaxssl.evaluation.headline import best_reference, sentence_by_share
from jaxssl.evaluation.stats import (
    STATISTICS_COLUMNS,
    compare,
    holm,
    paired_statistics,
    signed_ranks,
    summarize,
)

NAN = float("nan")


def random_values(seed=0, n=8, gain=0.02):
    rng = np.random.default_rng(seed)
    base = rng.normal(0.8, 0.02, n)
    return {"swav": base + gain + rng.normal(0, 0.01, n), "scratch": base}


def test_differences_and_tests_equal_scipy():
    values = random_values()
    row = paired_statistics(results_of(values), ["scratch"], ["accuracy"]).iloc[0]
    expected = scipy_stats.ttest_rel(values["swav"], values["scratch"])
    interval = expected.confidence_interval(0.95)
    difference = values["swav"] - values["scratch"]
    assert list(row.index) == STATISTICS_COLUMNS
    assert row["n"] == 8
    assert row["difference"] == pytest.approx(difference.mean(), abs=1e-10)
    assert row["p_t"] == pytest.approx(expected.pvalue, abs=1e-10)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(
        (interval.low, interval.high), abs=1e-10
    )
    assert row["p_wilcoxon"] == pytest.approx(scipy_stats.wilcoxon(difference).pvalue, abs=1e-12)
    assert row["effect_size"] == pytest.approx(difference.mean() / difference.std(ddof=1))
    assert np.isnan(row["p_nadeau_bengio"])
    assert row["estimand"] == "over seeds, on this split"


@pytest.mark.parametrize("n", [2, 5, 12])
def test_signed_ranks_with_ties_and_zeros_equal_those_of_all_permutations(n):
    difference = np.random.default_rng(n).integers(-2, 4, n).astype(float)
    every_sign = scipy_stats.PermutationMethod(n_resamples=2**n)
    expected = scipy_stats.wilcoxon(difference, method=every_sign).pvalue
    assert signed_ranks(difference) == pytest.approx(expected, abs=1e-12)


def test_signed_ranks_of_fifty_repetitions_are_exact_too():
    difference = np.random.default_rng(0).normal(0.3, 1, 50)
    exact = scipy_stats.wilcoxon(difference, method="exact").pvalue
    assert signed_ranks(difference) == pytest.approx(exact, abs=1e-12)


def test_pairs_are_matched_by_seed_whatever_the_row_order():
    rows = results_of(random_values())
    shuffled = rows.sample(frac=1, random_state=0)
    assert paired_statistics(rows, ["scratch"], ["accuracy"]).equals(
        paired_statistics(shuffled, ["scratch"], ["accuracy"]).reindex(columns=STATISTICS_COLUMNS)
    )


def test_comparisons_are_in_the_order_of_the_arms():
    values = random_values()
    order = ["swav", "byol", "scratch", "knn"]
    rows = results_of(dict.fromkeys(order, values["swav"]))
    table = paired_statistics(rows, ["knn", "scratch"], ["accuracy"])
    expected = [(arm, reference) for arm in order[:2] for reference in order[2:]]
    assert list(zip(table["arm"], table["reference"], strict=True)) == expected


def test_a_seed_missing_in_one_arm_leaves_the_pair_and_shows_in_n():
    rows = results_of(random_values())
    short = rows[~((rows["arm"] == "swav") & (rows["seed"] == 3))]
    row = paired_statistics(short, ["scratch"], ["accuracy"]).iloc[0]
    complete = rows[rows["seed"] != 3]
    assert row["n"] == 7
    assert row["p_t"] == paired_statistics(complete, ["scratch"], ["accuracy"])["p_t"].iloc[0]


def test_a_later_row_replaces_an_earlier_and_validation_rows_do_not_count():
    rows = results_of(random_values())
    stale = rows.assign(value=0.0)
    validation = results_of(random_values(seed=1), part="validation")
    merged = pd.concat([stale, rows, validation])
    assert paired_statistics(merged, ["scratch"], ["accuracy"]).equals(
        paired_statistics(rows, ["scratch"], ["accuracy"])
    )


def test_equal_arms_have_p_one_and_a_constant_gain_has_no_p():
    # 0.1 + 0.2 - 0.3 is not zero in floating point
    equal = compare(np.array([0.0, 0.1 + 0.2 - 0.3, 0.0]))
    assert equal["p_t"] == equal["p_wilcoxon"] == 1.0
    assert (equal["ci_low"], equal["ci_high"]) == (0.0, 0.0)
    assert np.isnan(equal["p_nadeau_bengio"])
    assert compare(np.zeros(3), test_train_ratio=1 / 6)["p_nadeau_bengio"] == 1.0
    for gain in (0.1, -0.1):
        constant = compare(np.full(3, gain))
        assert constant["difference"] == pytest.approx(gain)
        assert np.isnan(constant["p_t"])
        assert np.isnan(constant["effect_size"])


def test_one_repetition_gives_a_difference_without_interval_or_test():
    row = compare(np.array([0.05]))
    assert row["difference"] == 0.05
    assert all(np.isnan(row[name]) for name in ("ci_low", "ci_high", "p_t", "p_wilcoxon"))


def test_two_repetitions_are_tested():
    # t = 0.3 / 0.1 with one degree of freedom, the Cauchy distribution
    assert compare(np.array([0.2, 0.4]))["p_t"] == pytest.approx(1 - 2 * np.arctan(3) / np.pi)


def test_nadeau_bengio_equals_the_case_computed_by_hand():
    # mean 2, s^2 = 1, J = 3, n_test/n_train = 1/6: t = 2 / sqrt((1/3 + 1/6) 1) = 2 sqrt(2);
    # two degrees of freedom: P(|T| > t) = 1 - t / sqrt(2 + t^2) = 1 - 2 sqrt(2) / sqrt(10)
    row = compare(np.array([1.0, 2.0, 3.0]), test_train_ratio=1 / 6)
    assert row["p_nadeau_bengio"] == pytest.approx(1 - 2 / np.sqrt(5), abs=1e-10)
    quantile = scipy_stats.t.ppf(0.975, 2)
    assert row["ci_high"] - 2 == pytest.approx(quantile * np.sqrt(0.5), abs=1e-10)


def test_several_splits_are_the_repetitions_and_their_seeds_are_averaged():
    rows = pd.concat(
        [results_of({"swav": [g, g + 2], "scratch": [0, 0]}, split=g) for g in range(3)]
    )
    row = paired_statistics(rows, ["scratch"], ["accuracy"], test_train_ratio=1 / 6).iloc[0]
    assert row["n"] == 3
    assert row["p_nadeau_bengio"] == pytest.approx(1 - 2 / np.sqrt(5), abs=1e-10)
    assert row["p_holm"] == row["p_nadeau_bengio"]
    assert "splits" in row["estimand"]
    two = rows[rows["split"] < 2]
    assert paired_statistics(two, ["scratch"], ["accuracy"])["n"].tolist() == [2]
    assert summarize(two)["n"].tolist() == [2, 2]


@pytest.mark.parametrize("n", [1, 2, 30])
def test_holm_is_that_of_statsmodels(n):
    p = np.random.default_rng(n).choice([1e-9, 0.003, 0.02, 0.02001, 0.4, 1.0], n)
    np.testing.assert_array_equal(holm(p), multipletests(p, method="holm")[1])


def test_holm_adjusts_over_shares_and_references_of_one_metric():
    parts = []
    for i, share in enumerate((0.01, 0.1, 1.0)):
        values = random_values(seed=i, gain=0.004) | {"logreg": random_values(seed=9 + i)["swav"]}
        parts += [results_of(values, share=share), results_of(values, share=share, metric="ece")]
    table = paired_statistics(pd.concat(parts), ["scratch", "logreg"], ["accuracy", "ece"])
    family = table[table["metric"] == "accuracy"].sort_values("p_t")
    assert len(family) == 6
    by_hand = np.minimum(np.maximum.accumulate(family["p_t"] * np.arange(6, 0, -1)), 1)
    np.testing.assert_allclose(family["p_holm"], by_hand, rtol=1e-12)


def test_the_majority_floor_is_summarised_but_not_tested():
    rows = results_of(random_values() | {"majority": np.full(8, 0.2)})
    assert set(paired_statistics(rows, ["scratch"], ["accuracy"])["arm"]) == {"swav"}
    summary = summarize(rows).set_index("arm").loc["majority"]
    assert summary["mean"] == pytest.approx(0.2)
    assert np.isnan(summary["ci_low"]), "seeds that do not differ say nothing of other samples"


def test_summary_interval_equals_scipy():
    values = random_values()
    row = summarize(results_of(values)).set_index("arm").loc["swav"]
    interval = scipy_stats.ttest_1samp(values["swav"], 0).confidence_interval(0.95)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(
        (interval.low, interval.high), abs=1e-10
    )
    assert (row["n"], row["n_labelled"]) == (8, 100)


def test_references_that_the_sweep_lacks_give_an_empty_table_with_the_columns():
    table = paired_statistics(results_of(random_values()), ["knn"], ["accuracy"])
    assert table.empty
    assert list(table) == STATISTICS_COLUMNS


def sweep_with_gains(gains):
    return pd.concat(
        results_of(random_values(seed=i, gain=gain, n=10), share=share)
        for i, (share, gain) in enumerate(gains.items())
    )


def test_headline_says_wins_undecided_and_loses():
    rows = sweep_with_gains({0.01: 0.2, 0.05: 0.1, 0.5: 0.0, 1.0: -0.2})
    sentence = sentence_by_share(paired_statistics(rows, ["scratch"], ["accuracy"]), "swav")
    assert "beats scratch in test accuracy at 1 and 5 % of the labels (at 1 %: +" in sentence
    assert "is undecided against it at 50 % (" in sentence
    assert "and loses to it at 100 % (-" in sentence
    assert sentence.startswith("Over 10 seeds on this split, swav ")


def test_headline_sets_the_arm_against_the_best_reference_of_each_share():
    rows = pd.concat(
        [
            results_of({"swav": [0.80, 0.81], "a": [0.7, 0.7], "b": [0.9, 0.8]}, share=0.1),
            results_of({"swav": [0.80, 0.81], "a": [0.7, 0.7], "b": [0.6, 0.6]}, share=1.0),
        ]
    )
    table = paired_statistics(rows, ["a", "b"], ["accuracy"])
    assert best_reference(table, "swav", "accuracy")["reference"].tolist() == ["b", "a"]


def test_less_is_better_for_errors():
    rows = results_of(random_values(gain=0.2), metric="log_loss")
    table = paired_statistics(rows, ["scratch"], ["log_loss"])
    sentence = sentence_by_share(table, "swav", "log_loss")
    assert "swav loses to scratch in test log loss" in sentence


def test_headline_joins_four_or_more_shares_that_were_tested_in_a_row():
    gains = {0.01: 0.2, 0.02: 0.2, 0.03: 0.2, 0.04: 0.2, 0.05: -0.2, 0.1: 0.2}
    rows = sweep_with_gains(gains)
    sentence = sentence_by_share(paired_statistics(rows, ["scratch"], ["accuracy"]), "swav")
    assert "beats scratch in test accuracy at 1 to 4 and 10 % of the labels (at 1 %: " in sentence
    assert "loses to it at 5 % (" in sentence
