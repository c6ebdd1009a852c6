"""The verbs `prepare` and `inspect` as a user types them."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from jaxssl.data.store import read_h5ad

ROOT = Path(__file__).parents[1]
SAMPLES = [f"TCGA-A1-{i:04d}-01" for i in range(30)]


def run(folder: Path, verb: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"launch.{verb}", *words]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    counts = np.random.default_rng(0).poisson(90, (8, 30))
    genes = [f"ENSG{i:011d}" for i in range(8)]
    pd.DataFrame(counts, index=genes, columns=SAMPLES).to_csv(tmp_path / "x.csv")
    table = pd.DataFrame({"sample": SAMPLES, "tissue": ["a", "b"] * 15, "site": ["u"] * 30})
    table.to_csv(tmp_path / "labels.csv", index=False)
    return tmp_path


def test_prepare_writes_matrix_and_record_once(folder):
    words = ["--labels=labels.csv", "--label_column=tissue", "--out=made/x.h5ad", "x.csv"]
    done = run(folder, "prepare", *words)
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
    again = run(folder, "prepare", *words)
    assert again.returncode == 2
    assert again.stderr == "error: made/x.h5ad exists; pass --overwrite, or another --out\n"


@pytest.mark.parametrize(
    ("words", "finding"),
    [
        (["--out=y.h5ad", "--label_column=tisue", "--labels=labels.csv", "x.csv"], "tissue?"),
        (["--out=y.h5ad", "--scale=log3", "x.csv"], "should be one of <auto|counts|linear|log2>"),
        (["--out=y.h5ad", "--colour=red", "x.csv"], "Unknown command line flag 'colour'"),
    ],
)
def test_bad_input_exits_2_with_one_line_and_writes_nothing(folder, words, finding):
    before = {path.name for path in folder.iterdir()}
    done = run(folder, "prepare", *words)
    assert done.returncode == 2
    assert finding in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert {path.name for path in folder.iterdir()} == before


def test_debug_shows_where_an_error_arose(folder):
    done = run(folder, "inspect", "--debug", "nothing.csv")
    assert done.returncode == 2
    assert "Traceback" in done.stderr


def test_inspect_prints_json_on_request(folder):
    done = run(folder, "inspect", "--labels=labels.csv", "--json", "x.csv")
    assert json.loads(done.stdout)["n_genes"] == 8
    assert {path.name for path in folder.iterdir()} == {"x.csv", "labels.csv"}


def test_help_shows_a_worked_example():
    done = run(ROOT, "prepare", "--helpshort")
    assert done.returncode == 0
    assert "python -m launch.prepare --labels=labels.csv" in done.stdout
