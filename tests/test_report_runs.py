"""Runs, shards and splits that a report is made of."""

import json

import pandas as pd
import pytest
from run_folders import write_pretraining, write_run

from jaxssl.report.render import write_report
from jaxssl.runs.merge import merge_parts
from jaxssl.runs.reading import expand, read_run, read_runs
from jaxssl.types import InputError

pytestmark = pytest.mark.usefixtures("drawn")


def test_splits_of_a_study_report_as_the_study(tmp_path):
    study = tmp_path / "study"
    for number in range(2):
        folder = write_run(study / f"split_{number}", seeds=(0, 1))
        told = pd.DataFrame({"representation": ["input"], "seed": 0, "batches": 2})
        told.assign(balanced_accuracy=0.6 + number / 10, chance=0.5).to_csv(
            folder / "batch.csv", index=False
        )
        results = pd.read_parquet(folder / "results.parquet").assign(split=number)
        results.to_parquet(folder / "results.parquet")
    (study / "summary.json").write_text(json.dumps({"splits": ["split_0", "split_1"]}))
    [merged] = merge_parts([read_run(folder) for folder in expand([study])])
    assert merged.name == "study"
    assert merged.batch is not None
    assert merged.batch["balanced_accuracy"].tolist() == [0.6, 0.7]
    assert merged.summary["pretraining"]["collapsed_seeds"] == ["0/1", "1/1"]
    write_report(read_runs([study]), tmp_path / "report.md")
    usage = pd.read_csv(tmp_path / "figures" / "prototype_usage.csv")
    assert usage.groupby(["split", "seed"]).size().tolist() == [6, 6, 6, 6]
    text = (tmp_path / "report.md").read_text()
    assert "over outer splits" in text
    assert "0.600 to 0.700" in text


def test_a_killed_run_is_read_to_its_last_whole_line(tmp_path):
    write_pretraining(tmp_path, seeds=(0, 1), with_embedding=False)
    log = tmp_path / "metrics.jsonl"
    whole = read_run(tmp_path).metrics
    lines = log.read_text().splitlines()
    log.write_text("\n".join([*lines[:5], lines[4], lines[5], lines[0][:30]]))
    again = read_run(tmp_path).metrics.reset_index(drop=True)
    pd.testing.assert_frame_equal(again, whole.reset_index(drop=True))
    log.write_text(lines[0][:30])
    assert read_run(tmp_path).metrics is None


def test_results_that_are_kept_as_csv_alone_are_the_same(run_folder, tmp_path):
    expected = read_run(run_folder).results
    assert expected is not None
    expected.to_csv(tmp_path / "results.csv", index=False)
    found = read_run(tmp_path).results.fillna({"method": ""})
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


def test_damaged_files_of_a_run_are_refused(tmp_path):
    for name, text in {
        **{"results.parquet": "PAR1", "summary.json": '{"a": 1', "config.json": "[]"},
        **{"metrics.jsonl": '{"seed": 0, "ep\n{}\n', "statistics.csv": 'a,b\n"1,2\n3,4,5\n'},
        **{"splits.parquet": "", "embedding.h5ad": "HDF"},
    }.items():
        folder = tmp_path / name.replace(".", "_")
        folder.mkdir()
        (folder / "results.csv").write_text("arm,share\n")
        (folder / name).write_text(text)
        with pytest.raises(InputError, match=rf"{name} is damaged \(.*\); put a whole copy there"):
            read_run(folder)


def test_shards_of_a_pretraining_join_without_a_sweep(tmp_path):
    shards = [tmp_path / f"shard_{i}_of_2" for i in range(2)]
    for i, shard in enumerate(shards):
        write_pretraining(shard, seeds=(i,), with_embedding=False)
    [merged] = merge_parts([read_run(shard) for shard in shards])
    assert merged.statistics is None
    assert merged.metrics["seed"].unique().tolist() == [0, 1]
    assert merged.usage.groupby("seed").size().tolist() == [6, 6]
    assert merged.groups().empty


def test_shards_of_a_run_report_as_the_run(tmp_path, run_folder):
    shards = [
        write_run(tmp_path / "mini" / f"shard_{i}_of_2", seeds)
        for i, seeds in enumerate([(0, 2), (1,)])
    ]
    [merged] = merge_parts([read_run(folder) for folder in shards])
    whole = read_run(run_folder)
    assert merged.name == "mini"
    assert merged.summary["seeds"] == [0, 1, 2]
    assert merged.statistics is not None
    assert whole.statistics is not None
    pd.testing.assert_frame_equal(merged.statistics, whole.statistics, check_dtype=False)
    predictions = merged.predictions("swav", 0.1)
    assert predictions is not None
    assert set(predictions["seed"]) == {0, 1, 2}


def test_shards_with_different_options_are_refused(tmp_path):
    shards = [tmp_path / f"shard_{i}_of_2" for i in range(2)]
    for i, shard in enumerate(shards):
        write_pretraining(shard, seeds=(i,))
    (shards[1] / "config.json").write_text("{}")
    with pytest.raises(InputError, match="different options"):
        write_report(read_runs(shards), tmp_path / "report.html")
