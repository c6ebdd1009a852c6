"""A study as jobs: the shards of its seeds, what starts them, and what they come to together."""

import shutil
import sys

import pandas as pd
import pytest
from verbs import beside, launch, run

import jaxssl
from launch import cluster

ARGUMENTS = [*beside("majority,pca_logreg,centroid"), "--splits=1"]
KEY = ["seed", "arm", "share", "part", "metric"]


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Commands that stand for Slurm's: what is submitted goes into a folder, in order."""
    submitted = tmp_path / "submitted"
    submitted.mkdir()
    commands = tmp_path / "bin"
    commands.mkdir()
    count = f"$(ls {submitted} | wc -l)"
    for name, does in (
        ("sbatch", f'n={count}\ncp "$1" {submitted}/$n.sh\necho Submitted batch job 10$n'),
        ("srun", "exit 1"),
    ):
        (commands / name).write_text(f"#!/bin/sh\n{does}\n")
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(commands), prepend=":")
    return submitted


def rows_of(folder):
    results = jaxssl.open_study(folder).results
    return results.sort_values(KEY)[[*KEY, "value"]].reset_index(drop=True)


def test_a_study_in_jobs_is_the_study_and_a_shard_that_was_lost_is_run_again(tmp_path):
    launch("study", *ARGUMENTS, f"--out={tmp_path}/one")
    command = (*ARGUMENTS, f"--out={tmp_path}/run", "--cluster=local", "--jobs=2")
    said = launch("study", *command)
    assert "2 of 2 jobs are to be run" in said
    assert (tmp_path / "run/report.html").is_file()
    whole = rows_of(tmp_path / "one")  # a process of other devices rounds otherwise
    pd.testing.assert_frame_equal(rows_of(tmp_path / "run"), whole, rtol=1e-5)
    lost = tmp_path / "run/shard_1_of_2"
    for name in ("results.parquet", "results.csv", "summary.json"):
        (lost / name).unlink()
    assert "1 of 2 jobs are to be run" in launch("study", *command, "--resume")
    pd.testing.assert_frame_equal(rows_of(tmp_path / "run"), whole, rtol=1e-5)


def test_processes_that_are_started_together_take_a_shard_each_and_the_last_reports(
    tmp_path, monkeypatch
):
    launch("study", *ARGUMENTS, f"--out={tmp_path}/one")
    monkeypatch.setenv("JAX_NUM_PROCESSES", "2")
    for index, reports in (("0", False), ("1", True)):
        monkeypatch.setenv("JAX_PROCESS_ID", index)
        said = launch("study", *ARGUMENTS, f"--out={tmp_path}/run")
        assert f"process {index} of 2: its seeds are [{index}]" in said
        assert (tmp_path / "run/report.html").is_file() == reports
    pd.testing.assert_frame_equal(
        rows_of(tmp_path / "run"), rows_of(tmp_path / "one"), check_exact=True
    )
    refused = launch("study", *ARGUMENTS, "--seeds=1", f"--out={tmp_path}/few", code=2)
    assert "2 processes were started, and there are 1 seeds; start fewer" in refused


def test_slurm_gets_an_array_of_shards_and_a_report_after_it(tmp_path, slurm):
    options = "--cluster_options=partition=gpu,gpus=1,time=90,licenses=matlab"
    said = launch(
        *("study", *ARGUMENTS, f"--out={tmp_path}/run", "--cluster=slurm", "--jobs=2", options)
    )
    array, report = [(slurm / name).read_text() for name in ("0.sh", "1.sh")]
    assert "#SBATCH --array=0-1%" in array
    for option in ("partition=gpu", "gpus-per-node=1", "time=90", "licenses=matlab"):
        assert f"#SBATCH --{option}" in array
    assert "#SBATCH --dependency=afterany:100" in report
    assert "array 100, then 101" in said


def test_a_job_has_the_command_without_what_is_of_the_cluster(monkeypatch):
    given = ["--data=a.h5ad", "--cluster", "slurm", "--jobs=3", "--resume", "--seeds", "9"]
    monkeypatch.setattr(sys, "argv", ["study", *given, "--cluster_options=a=b"])
    words = [*cluster.command("1/3")]
    assert words[:3] == [sys.executable, "-m", "launch.study"]
    assert words[3:] == ["--data=a.h5ad", "--seeds", "9", "--shard=1/3", "--resume"]


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ([], "several processes write into a folder; pass --out=RUN"),
        (["--out=OUT", "--shard=0/2"], "--shard is not for several processes"),
        (["--out=OUT", "--overwrite"], "--overwrite is not for several processes"),
        (["--out=OUT", "--jobs=5"], "--jobs=5, and there are 2 seeds"),
        (["--out=OUT", "--cluster=slurm"], "there is no sbatch on this machine"),
        (["--out=OUT", "--cluster_options=gpus"], "write NAME=VALUE, such as gpus=1"),
        (["--out=OUT", "--cluster_options=time=1h"], "give a whole number of minutes"),
    ],
)
def test_what_jobs_cannot_be_made_of_is_refused(tmp_path, more, found):
    words = [word.replace("OUT", str(tmp_path / "run")) for word in more]
    done = run("study", *ARGUMENTS, "--cluster=local", *words)
    assert done.returncode == 2
    assert found in done.stderr
    assert not (tmp_path / "run/jobs").exists()


def test_without_a_number_of_seeds_or_submitit_nothing_is_submitted(tmp_path, monkeypatch):
    words = [word for word in ARGUMENTS if not word.startswith("--seeds")]
    place = f"--out={tmp_path}/run"
    assert "pass --seeds=20, say" in run("study", *words, place, "--cluster=local").stderr
    monkeypatch.setitem(sys.modules, "submitit", None)
    done = run("study", *ARGUMENTS, place, "--cluster=local")
    assert "pip install 'jaxssl[cluster]'" in done.stderr


def test_a_folder_that_is_shared_out_otherwise_is_refused(tmp_path):
    (tmp_path / "shard_0_of_7").mkdir()
    done = run("study", *ARGUMENTS, f"--out={tmp_path}", "--cluster=local", "--jobs=2")
    assert f"{tmp_path} is shared out to 7 jobs; pass --jobs=7" in done.stderr
    shutil.rmtree(tmp_path / "shard_0_of_7")
    (tmp_path / "config.json").write_text("{}")
    done = run("study", *ARGUMENTS, f"--out={tmp_path}", "--cluster=local", "--jobs=2")
    assert "holds a run of one process" in done.stderr
