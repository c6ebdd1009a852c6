"""What transfers come to: a family counts once, rivals are fixed, cohorts are drawn anew."""

from collections import Counter
from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from jaxssl.evaluation import families
from jaxssl.evaluation.families import best_classical, differences, of_families
from jaxssl.evaluation.transfer import SEVERAL

PIPELINES = [("logreg", "cohort"), ("coral", "rank"), ("swav", "rank"), ("adapt", SEVERAL)]
COHORTS = {"one": "abc", "two": "de", "three": "fghi"}
RIVAL = PIPELINES[0]


def scores(cohorts=COHORTS, pipelines=PIPELINES, shares=(0.2, 1.0), seeds=2, seed=0):
    """Scores of all pairs of every family."""
    rng = np.random.default_rng(seed)
    head = ["family", "source", "target", "arm", "frame", "share", "seed"]
    rows = [
        (family, *pair, *pipeline, share, i)
        for family, names in cohorts.items()
        for pair in permutations(names, 2)
        for pipeline in pipelines
        for share in shares
        for i in range(seeds if share < 1 else 1)
    ]
    table = pd.DataFrame(rows, columns=head)
    return table.assign(balanced_accuracy=rng.uniform(0.4, 0.9, len(rows)))


def test_a_family_counts_once_and_a_pair_once_whatever_its_seeds():
    rows = scores()
    means = of_families(rows)
    one = rows.query("arm == 'coral' and share == 1 and family == 'three'")["balanced_accuracy"]
    assert len(one) == 12
    assert_allclose(means.loc[("coral", "rank", 1.0), "three"], one.mean())
    # another draw of one pair alone leaves that pair's weight as it is
    twice = pd.concat([rows, rows[(rows["source"] == "a") & (rows["share"] < 1)].assign(seed=9)])
    assert_allclose(of_families(twice), means)
    again = differences(rows, RIVAL).iloc[0]
    assert_allclose(again["difference"], again[["one", "two", "three"]].astype(float).mean())


def test_a_pipeline_that_lacks_a_family_or_a_share_is_no_rival():
    rows = scores()
    lacks = (rows["arm"] == "coral") & (rows["family"] == "two")
    best = rows.assign(
        balanced_accuracy=rows["balanced_accuracy"].where(rows["arm"] != "coral", 0.99)
    )
    assert best_classical(best) == ("coral", "rank")
    assert best_classical(best[~lacks]) == RIVAL
    assert (
        best_classical(best[~(lacks | ((rows["share"] < 1) & (rows["arm"] == "coral")))]) == RIVAL
    )
    assert best_classical(best[~((rows["share"] < 1) & (rows["arm"] == "coral"))]) == RIVAL
    assert "coral" not in of_families(best[~lacks]).index.get_level_values("arm")


def test_the_rival_is_the_best_mean_of_one_arm_in_one_frame_and_never_ours():
    rows = scores()
    rows["balanced_accuracy"] = 0.5
    rows.loc[rows["arm"].isin(["adapt", "swav"]), "balanced_accuracy"] = 0.9
    # better in the family of most pairs, worse over families
    rows.loc[(rows["arm"] == "coral") & (rows["family"] == "three"), "balanced_accuracy"] = 0.6
    rows.loc[(rows["arm"] == "logreg") & (rows["family"] != "three"), "balanced_accuracy"] = 0.58
    assert best_classical(rows) == RIVAL
    ours = rows[rows["arm"].isin(["adapt", "swav"])]
    assert best_classical(ours) is None
    none = differences(ours, None)
    assert none.empty
    assert none.columns.tolist() == differences(rows, RIVAL).columns.tolist()


def test_differences_are_paired_and_of_what_is_not_classical():
    rows = scores()
    found = differences(rows, RIVAL)
    assert set(found["arm"]) == {"swav", "adapt"}
    assert set(found["reference"]) == {"logreg"}
    harder = rows["source"].map({name: i / 50 for i, name in enumerate("abcdefghi")})
    moved = rows.assign(balanced_accuracy=rows["balanced_accuracy"] - harder)
    again = differences(moved, RIVAL)  # what is hard for all is hard for none
    assert_allclose(again[["difference", "low", "high"]], found[["difference", "low", "high"]])
    own = rows[rows["arm"] == "adapt"].set_index(["source", "target", "share", "seed"])
    rival = rows[rows["arm"] == "logreg"].set_index(["source", "target", "share", "seed"])
    paired = own["balanced_accuracy"] - rival["balanced_accuracy"]
    expected = paired[own["family"] == "one"].xs(1.0, level="share").mean()
    adapt = found[(found["arm"] == "adapt") & (found["share"] == 1)]
    assert_allclose(adapt["one"], expected)


def test_the_interval_is_a_point_where_all_pairs_are_equal_and_unknown_of_two_cohorts():
    rows = scores()
    rival = rows[rows["arm"] == "logreg"]
    keys = ["family", "source", "target", "share", "seed"]
    equal = rival.assign(
        arm="adapt", frame=SEVERAL, balanced_accuracy=rival["balanced_accuracy"] + 0.03
    )
    found = differences(pd.concat([rival, equal]).sort_values(keys), RIVAL)
    assert_allclose(found[["difference", "low", "high", "one", "two", "three"]], 0.03)
    two = differences(rows[rows["family"] == "two"], RIVAL)
    assert two["difference"].notna().all()
    assert two[["low", "high"]].isna().all(axis=None)
    larger = differences(rows[rows["family"] != "three"], RIVAL)
    assert (larger["low"] < larger["high"]).all()


def test_a_pipeline_that_lacks_a_pair_is_left_out():
    rows = scores()
    source, target = rows.loc[rows["family"] == "one", ["source", "target"]].iloc[0]
    is_gone = (rows["arm"] == "adapt") & (rows["source"] == source) & (rows["target"] == target)
    lacking = rows[~(is_gone & (rows["share"] == 1))]
    assert ("adapt", SEVERAL, 1.0) in families.of_families(rows).index
    assert ("adapt", SEVERAL, 1.0) not in families.of_families(lacking).index
    told = differences(lacking, RIVAL).query("arm == 'adapt'")
    assert len(told)
    assert 1.0 not in set(told["share"])


def of_pairs(names):
    pairs = [*permutations(names, 2)]
    index = pd.MultiIndex.from_tuples([("f", *p) for p in pairs], names=families.PAIR)
    return pd.Series(np.random.default_rng(0).normal(size=len(pairs)), index=index)


@pytest.mark.parametrize("names", ["abc", "abcd"])
def test_drawn_cohorts_are_those_of_brute_force(names, monkeypatch):
    """Every resample of the cohorts, with the mean over the pairs of two that are not one."""
    pairs = of_pairs(names)
    expected = []
    for drawn in product(names, repeat=len(names)):
        of = [pairs["f", s, t] for s, t in permutations(drawn, 2) if s != t]
        expected.append(np.mean(of) if of else pairs.mean())
    monkeypatch.setattr(families, "N_DRAWS", 40_000)
    found = families._redrawn(pairs, np.random.default_rng(0))
    counts, n = Counter(np.round(expected, 9)), len(expected)
    shares = Counter(np.round(found, 9))
    assert set(shares) == set(counts)
    for value, times in counts.items():
        assert shares[value] / 40_000 == pytest.approx(times / n, abs=0.01)


def test_the_interval_holds_95_of_100_draws_of_all_families_together():
    rows = scores()
    found = differences(rows, RIVAL).query("arm == 'adapt' and share == 1").iloc[0]
    wide = rows[(rows["share"] == 1) & rows["arm"].isin(["adapt", "logreg"])]
    paired = wide.pivot_table("balanced_accuracy", families.PAIR, "arm")
    paired = paired["adapt"] - paired["logreg"]
    draws = []
    for name, names in COHORTS.items():
        of, rng = paired.xs(name, level="family"), np.random.default_rng(1)
        drawn = rng.choice([*names], (4000, len(names)))
        every = [[of[s, t] for s, t in permutations(own, 2) if s != t] for own in drawn]
        draws.append([np.mean(values) if values else of.mean() for values in every])
    low, high = np.quantile(np.mean(draws, axis=0), [0.025, 0.975])
    assert_allclose(found[["low", "high"]].astype(float), [low, high], atol=0.005)


def test_where_the_source_is_several_cohorts_the_target_is_drawn(monkeypatch):
    index = [("f", "b+c", "a"), ("f", "a+c", "b"), ("f", "a+b", "c")]
    pairs = pd.Series([1.0, 2.0, 4.0], pd.MultiIndex.from_tuples(index, names=families.PAIR))
    monkeypatch.setattr(families, "N_DRAWS", 20_000)
    found = families._redrawn(pairs, np.random.default_rng(0))
    expected = {np.mean(drawn) for drawn in product([1.0, 2.0, 4.0], repeat=3)}
    assert set(np.round(found, 9)) == set(np.round([*expected], 9))
    assert found.mean() == pytest.approx(pairs.mean(), abs=0.02)
    # a plus in the name of one cohort makes it no several
    plus = of_pairs(["a+b", "c", "d"])
    plain = of_pairs(["a", "c", "d"])
    assert_allclose(*(families._redrawn(p, np.random.default_rng(0)) for p in (plus, plain)))
