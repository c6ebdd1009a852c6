"""Result rows that arrive in pieces: none is lost, none counts twice, the order is nothing."""

import json
import tempfile
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rows import results_of

from jaxssl.data.task import Task
from jaxssl.evaluation.stats import KEY
from jaxssl.evaluation.sweep import RESULT_COLUMNS, Fitted
from jaxssl.runs import journal
from jaxssl.runs.layout import predictions_file
from jaxssl.runs.merge import merge_parts
from jaxssl.runs.reading import open_study, read_run, read_runs
from jaxssl.runs.result import read_predictions
from jaxssl.types import InputError, Split

ANY = settings(max_examples=10, deadline=None, derandomize=True)
SEEDS, SHARES = range(5), (0.1, 1.0)
SCORES = {"swav": [0.8, 0.9, 0.85, 0.7, 0.95], "scratch": [0.6, 0.7, 0.85, 0.6, 0.5]}
WHOLE = pd.concat([results_of(SCORES, share=share) for share in SHARES]).assign(fit="")
FITS = [(arm, 0.1, seed) for arm in SCORES for seed in (0, 1)]
TEST = np.arange(3)
TASK = Task(
    **dict.fromkeys(("groups", "batches"), np.full(3, "")),
    **{"label": "t", "group": "", "batch": "", "codes": np.array([0, 1, 0]), "classes": ("a", "b")},
    **{"dataset": "d", "sample_ids": np.array(["s0", "s1", "s2"]), "genes": np.array(["g"])},
    **{"expression": np.zeros((3, 1)), "scale": "log2", "twins": np.empty((0, 2), int)},
    split=Split(TEST[:0], TEST[:0], TEST),
)


def probabilities(arm, share, seed):
    p = np.random.default_rng([seed, int(10 * share), len(arm)]).random(3)
    return np.stack([p, 1 - p], axis=1)


def fitted(arm, share, seeds):
    chosen = WHOLE["seed"].isin(seeds) & (WHOLE["arm"] == arm) & (WHOLE["share"] == share)
    rows = WHOLE.loc[chosen, RESULT_COLUMNS].to_dict("records")
    return Fitted(arm, share, rows, {s: probabilities(arm, share, s) for s in seeds}, 0.0)


def predictions(arm, share, seeds):
    tables = [journal.predictions_frame(TASK, TEST, s, probabilities(arm, share, s)) for s in seeds]
    return pd.concat(tables)


def assert_same_rows(found, expected, key):
    found, expected = (t.sort_values(key).reset_index(drop=True) for t in (found, expected))
    pd.testing.assert_frame_equal(found[list(expected)], expected, check_dtype=False)


@ANY
@given(st.permutations(FITS), st.lists(st.sampled_from(FITS), max_size=3))
def test_fits_appended_in_any_order_and_again_are_each_there_once(order, repeated):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for arm, share, seed in [*order, *repeated]:
            journal.add_results(folder, fitted(arm, share, [seed]), TASK, [0, 1])
        found = journal.read_results(folder)
        expected = WHOLE[WHOLE["seed"].isin([0, 1]) & (WHOLE["share"] == 0.1)]
        assert_same_rows(found, expected, KEY)
        for arm, share, _ in FITS:
            told = read_predictions([folder], arm, share)
            assert told is not None
            assert_same_rows(told, predictions(arm, share, [0, 1]), ["seed", "sample_id"])


def write_shard(folder, seeds):
    (folder / "predictions").mkdir(parents=True)
    rows = WHOLE[WHOLE["seed"].isin(seeds)]
    rows.to_parquet(folder / "results.parquet")
    summary = {"seeds": list(seeds), "n_test": 3, "n_train": 9}
    (folder / "summary.json").write_text(json.dumps(summary))
    for arm, share in product(SCORES, SHARES):
        predictions(arm, share, seeds).to_parquet(predictions_file(folder, arm, share))
    return folder


def assert_is_whole(merged):
    assert merged.summary["seeds"] == list(SEEDS)
    assert_same_rows(merged.results, WHOLE, KEY)
    for arm in SCORES:
        told = merged.predictions(arm, 0.1)
        assert_same_rows(told, predictions(arm, 0.1, SEEDS), ["seed", "sample_id"])


@ANY
@given(st.lists(st.integers(0, 2), min_size=5, max_size=5), st.randoms())
def test_any_division_of_the_seeds_merges_to_the_whole_in_any_order(shard_of_seed, random):
    with tempfile.TemporaryDirectory() as name:
        folders = [
            write_shard(Path(name) / f"shard_{i}_of_3", [s for s in SEEDS if shard_of_seed[s] == i])
            for i in sorted(set(shard_of_seed))
        ]
        again = [*folders, random.choice(folders)]
        random.shuffle(again)
        for given_folders in (folders, again):
            [merged] = merge_parts([read_run(folder) for folder in given_folders])
            assert_is_whole(merged)


def test_a_folder_named_twice_counts_once(tmp_path):
    folder = write_shard(tmp_path / "run", SEEDS)
    named_otherwise = tmp_path / "run" / ".." / "run"
    [merged] = merge_parts([read_run(folder), read_run(named_otherwise)])
    assert_is_whole(merged)


def test_shards_of_different_data_are_refused(tmp_path):
    for i in (0, 1):
        folder = write_shard(tmp_path / f"shard_{i}_of_2", (i,))
        (folder / "environment.json").write_text(json.dumps({"data_hash": f"of {i}"}))
    with pytest.raises(InputError, match="are of different data or splits"):
        open_study(tmp_path)


def test_shards_of_other_counts_are_refused_and_splits_of_other_counts_are_not(tmp_path):
    for i in (0, 1):  # of one split, the counts that follow from its size are one
        shard = write_shard(tmp_path / "a" / f"shard_{i}_of_2", (i,))
        for folder in (shard, write_shard(tmp_path / "b" / f"split_{i}", (0,))):
            config = {"pretrain": {"n_steps": 20 + i}}
            (folder / "config.json").write_text(json.dumps(config))
            (folder / "environment.json").write_text('{"versions": {}}')
    (tmp_path / "b" / "summary.json").write_text('{"splits": ["split_0", "split_1"]}')
    with pytest.raises(InputError, match="were run with different options"):
        open_study(tmp_path / "a")
    assert len(open_study(tmp_path / "b").folders) == 2


def test_a_split_that_was_run_alone_over_that_of_a_study_is_refused(tmp_path):
    for i in (0, 1):
        folder = write_shard(tmp_path / f"split_{i}", (0,))
        (folder / "environment.json").write_text(json.dumps({"part_of": "a run" * i}))
    (tmp_path / "summary.json").write_text('{"splits": ["split_0", "split_1"]}')
    with pytest.raises(InputError, match=f"the splits in {tmp_path} are not of one run"):
        open_study(tmp_path)


def test_a_split_that_one_shard_lacks_is_missed_aloud(tmp_path):
    for shard, seeds, numbers in (("shard_0_of_2", (0, 2), (0,)), ("shard_1_of_2", (1,), (0, 1))):
        for number in numbers:
            write_shard(tmp_path / shard / f"split_{number}", seeds)
        summary = {"splits": [f"split_{number}" for number in numbers]}
        (tmp_path / shard / "summary.json").write_text(json.dumps(summary))
    with pytest.warns(UserWarning, match="lacks split 1 of seeds 0, 2"):
        open_study(tmp_path)


def test_a_shard_that_was_killed_before_its_summary_tells_its_seeds_all_the_same(tmp_path):
    shards = [write_shard(tmp_path / f"shard_{i}_of_2", (i,)) for i in (0, 1)]
    (shards[1] / "summary.json").unlink()
    assert open_study(tmp_path).seeds == [0, 1]
    write_shard(tmp_path / "shard_2_of_3", (1,))
    with (
        pytest.raises(InputError, match="both hold seed 1"),
        pytest.warns(UserWarning, match="lacks shards 0/3, 1/3"),
    ):
        open_study(tmp_path)


def test_shards_of_a_run_of_several_splits_merge_by_split(tmp_path):
    for shard, seeds in (("shard_0_of_2", (0, 2, 4)), ("shard_1_of_2", (1, 3))):
        for number in (0, 1):
            folder = write_shard(tmp_path / shard / f"split_{number}", seeds)
            rows = pd.read_parquet(folder / "results.parquet").assign(split=number)
            rows.to_parquet(folder / "results.parquet")
        summary = {"splits": ["split_0", "split_1"]}
        (tmp_path / shard / "summary.json").write_text(json.dumps(summary))
    found = open_study(tmp_path)
    assert len(found.folders) == 4
    assert found.seeds == list(SEEDS)
    both = pd.concat([WHOLE.assign(split=number) for number in (0, 1)])
    assert_same_rows(found.results, both, [*KEY, "split"])
    told = found.predictions("swav", 0.1)
    assert told.groupby("split")["seed"].unique().map(sorted).tolist() == [list(SEEDS)] * 2


def test_a_shard_of_several_splits_that_did_not_end_is_part_of_the_run_all_the_same(tmp_path):
    for shard, seeds in (("shard_0_of_2", (0, 2, 4)), ("shard_1_of_2", (1, 3))):
        for number in (0, 1):
            folder = write_shard(tmp_path / shard / f"split_{number}", seeds)
            rows = pd.read_parquet(folder / "results.parquet").assign(split=number)
            rows.to_parquet(folder / "results.parquet")
    (tmp_path / "shard_0_of_2" / "summary.json").write_text('{"splits": ["split_0", "split_1"]}')
    (tmp_path / "shard_1_of_2" / "split_2").mkdir()  # begun, and without a result
    with pytest.warns(
        UserWarning, match="shard_1_of_2 lacks some splits, or its study did not end"
    ):
        [found] = read_runs([tmp_path])
    assert len(found.folders) == 4
    both = pd.concat([WHOLE.assign(split=number) for number in (0, 1)])
    assert_same_rows(found.results, both, [*KEY, "split"])


def test_what_lay_in_a_folder_that_is_gone_is_missed_aloud(tmp_path):
    found = open_study(write_shard(tmp_path / "run", SEEDS))
    (tmp_path / "run").rename(tmp_path / "moved")
    for read in (lambda: found.predictions("swav", 0.1), lambda: found.encoders):
        with pytest.raises(InputError, match=r"run, where the study lay, is gone.*open_study"):
            read()
    assert open_study(tmp_path / "moved").predictions("swav", 0.1) is not None


def test_names_that_only_begin_as_those_of_parts_are_names_as_any_other(tmp_path):
    named = open_study(write_shard(tmp_path / "split_by_donor", SEEDS))
    assert_is_whole(named)
    write_shard(tmp_path / "run" / "shard_0_of_1", SEEDS)
    write_shard(tmp_path / "run" / "shard_0_of_1.old", SEEDS)
    assert_is_whole(open_study(tmp_path / "run"))


def test_a_missing_shard_is_missed_aloud(tmp_path):
    write_shard(tmp_path / "shard_1_of_3", (1, 4))
    with pytest.warns(UserWarning, match="lacks shards 0/3, 2/3"):
        assert open_study(tmp_path).seeds == [1, 4]


def test_parts_that_hold_the_same_seed_are_refused(tmp_path):
    shards = [
        write_shard(tmp_path / name, seeds)
        for name, seeds in {
            "shard_0_of_2": (0, 2),
            "shard_1_of_2": (1, 3),
            "shard_2_of_3": (2,),
        }.items()
    ]
    with pytest.raises(InputError, match=r"shard_0_of_2 and shard_2_of_3 in .* both hold seed 2"):
        merge_parts([read_run(folder) for folder in shards])
