"""The verbs `prepare` and `inspect` as a user types them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import read_h5ad
from verbs import ROOT, run

SAMPLES = [f"TCGA-A1-{i:04d}-01" for i in range(30)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    counts = np.random.default_rng(0).poisson(90, (8, 30))
    genes = [f"ENSG{i:011d}" for i in range(8)]
    pd.DataFrame(counts, index=genes, columns=SAMPLES).to_csv(tmp_path / "x.csv")
    table = pd.DataFrame({"sample": SAMPLES, "tissue": ["a", "b"] * 15, "site": ["u"] * 30})
    table.to_csv(tmp_path / "labels.csv", index=False)
    return tmp_path


def test_prepare_writes_matrix_and_record_once(folder):
    words = ["--labels=labels.csv", "--label=tissue", "--out=made/x.h5ad", "x.csv"]
    done = run("prepare", *words, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "orientation genes_in_rows" in done.stdout
    assert "scale counts" in done.stdout
    assert {path.name for path in (folder / "made").iterdir()} == {"x.h5ad", "x.prepare.json"}
    adata = read_h5ad(folder / "made" / "x.h5ad")
    assert adata.shape == (30, 8)
    assert adata.uns["jaxssl"]["label"] == "tissue"
    record = json.loads((folder / "made" / "x.prepare.json").read_text())
    assert record["classes"] == {"a": 15, "b": 15}
    assert record["scale"] == "counts"
    again = run("prepare", *words, cwd=folder)
    assert again.returncode == 2
    assert again.stderr == "error: made/x.h5ad exists; pass --overwrite, or another --out\n"


@pytest.mark.parametrize(
    ("words", "finding"),
    [
        (["--out=y.h5ad", "--label=tisue", "--labels=labels.csv", "x.csv"], "tissue?"),
        (
            ["--out=y.h5ad", "--scale=log3", "x.csv"],
            "<auto|counts|linear|log2|log_ratio>",
        ),
        (["--out=y.h5ad", "--colour=red", "x.csv"], "there is no flag --colour"),
    ],
)
def test_bad_input_exits_2_with_one_line_and_writes_nothing(folder, words, finding):
    before = {path.name for path in folder.iterdir()}
    done = run("prepare", *words, cwd=folder)
    assert done.returncode == 2
    assert finding in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert {path.name for path in folder.iterdir()} == before


def test_debug_shows_where_an_error_arose(folder):
    done = run("inspect", "--debug", "nothing.csv", cwd=folder)
    assert done.returncode == 2
    assert "Traceback" in done.stderr


def test_inspect_prints_json_on_request(folder):
    done = run("inspect", "--labels=labels.csv", "--json", "x.csv", cwd=folder)
    assert json.loads(done.stdout)["n_genes"] == 8
    assert {path.name for path in folder.iterdir()} == {"x.csv", "labels.csv"}


def test_help_shows_a_worked_example():
    done = run("prepare", "--helpshort")
    assert done.returncode == 0
    assert "python -m launch.prepare --labels=labels.csv" in done.stdout


def test_several_files_and_a_rule_are_imported_as_typed(folder):
    counts = pd.read_csv(folder / "x.csv", index_col=0)
    counts.iloc[:, :20].to_csv(folder / "a.csv")
    counts.iloc[::-1, 20:].to_csv(folder / "b.csv")
    table = pd.DataFrame({"sample": SAMPLES, "project_id": ["TCGA-BRCA", "TCGA-COAD"] * 15})
    table.to_csv(folder / "project.csv", index=False)
    words = ["--labels=project.csv,labels.csv", "--label_rule=tcga20", "--out=x.h5ad"]
    done = run("prepare", *words, "a.csv", "b.csv", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "--label_rule=tcga20: column tcga20 is normal for sample type 11" in done.stdout
    adata = read_h5ad(folder / "x.h5ad")
    np.testing.assert_array_equal(adata.X, counts.to_numpy().T)
    assert list(adata.obs["tcga20"]) == ["BRCA", "COAD"] * 15
    assert list(adata.obs["tissue"]) == ["a", "b"] * 15
    assert adata.uns["jaxssl"]["group"] == "donor_by_name"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_killed_import_leaves_nothing_that_passes_for_whole(folder):
    text = folder / "slow.tsv"
    names = "\t".join(f"S{i}" for i in range(2000))
    line = "\t".join(["7.25"] * 2000)
    text.write_text(f"id\t{names}\n" + "".join(f"ENSG{i:011d}\t{line}\n" for i in range(9000)))
    command = [sys.executable, "-m", "launch.prepare", "--out=y.h5ad", "slow.tsv"]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'offline'}"}
    before = {path.name for path in folder.iterdir()}
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not holds_scratch(process.pid):
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    left = {path.name for path in folder.iterdir()} - before
    assert "y.h5ad" not in left
    lock = {".y.h5ad.lock", ".y.h5ad.lock.owner"}  # the file; the system has let the lock itself go
    assert all(name.startswith(".") and name.endswith(".part") for name in left - lock)
    text.write_text("\n".join(text.read_text().splitlines()[:30]))  # less to wait for
    again = run("prepare", "--out=y.h5ad", "slow.tsv", cwd=folder)
    assert again.returncode == 0, again.stderr


def holds_scratch(pid: int) -> bool:
    """Whether the process has its scratch file open, which has no name any more."""
    try:
        names = [Path(os.readlink(link)).name for link in Path(f"/proc/{pid}/fd").glob("*")]
        return any(name.startswith(".jaxssl-") for name in names)
    except FileNotFoundError:  # a file was closed while we looked
        return False
