"""Transfers between two real cohorts end to end."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from transfer_runs import TINY, rows_of, watch
from verbs import launch

import jaxssl
from jaxssl.evaluation import adaptation

pytestmark = pytest.mark.usefixtures("drawn")


COHORTS = ("denmark", "japan")
SHARED = ["--shares=0.5", "--seeds=1", "--frames=cohort,rank"]


@pytest.fixture(scope="module")
def tiny():
    """A pretraining of few steps in the place of that of docs/results/transfer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adaptation, "RECIPE", adaptation.RECIPE | TINY)
        yield


@pytest.fixture(scope="module")
def files(data_dir, tmp_path_factory):
    """Two cohorts of colorectal cancer, imported by the product."""
    folder = tmp_path_factory.mktemp("crc")
    for name in COHORTS:
        own = data_dir / "cohorts" / "crc_msi" / name
        if not own.is_dir():
            pytest.skip(f"no cohorts in {own.parent}")
        options = [f"--labels={own / 'labels.csv'}", "--label=label", "--scale=log2"]
        launch("prepare", *options, f"--out={folder / name}.h5ad", own / "expression.npz")
    return [folder / f"{name}.h5ad" for name in COHORTS]


@pytest.fixture(scope="module")
def run(files, tiny, tmp_path_factory):
    """Transfers between them, by the verb."""
    out = tmp_path_factory.mktemp("runs") / "crc"
    data = ",".join(map(str, files))
    arms = "logreg,pca_logreg,consensus,adapt"
    printed = launch("transfer", f"--data={data}", f"--out={out}", f"--arms={arms}", *SHARED)
    assert f"wrote {out / 'transfer.md'}" in printed
    return out


def test_a_run_has_a_row_a_pipeline_and_direction_and_a_page(run):
    rows = rows_of(run)
    assert {*rows["source"] + " " + rows["target"]} == {"denmark japan", "japan denmark"}
    assert len(rows) == 2 * (2 * 2 + 2)
    assert set(rows["family"]) == {"crc"}
    assert rows["balanced_accuracy"].between(0, 1).all()
    told = rows.groupby(["source"])["n_labelled"].first()
    assert told.to_dict() == {"denmark": 39, "japan": 21}
    text = (run / "transfer.md").read_text()
    assert "2 transfers, from each cohort to each other one, in 1 family: crc (2 targets)" in text
    assert "## 50 % of the source's labels" in text
    assert "mean over families" not in text  # there is one
    assert "| not known |" in text
    for name in ("figures/transfer.png", "figures/transfer.svg", "transfer.csv", "differences.csv"):
        assert (run / name).stat().st_size > 0
    best = rows.groupby(["arm", "frame"])["balanced_accuracy"].mean()
    assert best["logreg", "rank"] > 0.75  # real cohorts: the labels travel


def test_python_gives_the_numbers_of_the_verb_and_a_column_those_of_files(run, files, tmp_path):
    words = {"frames": "rank", "shares": 0.5, "seeds": 1, "progress": False, "label": "label"}
    data = dict(zip(COHORTS, map(jaxssl.read, files), strict=True))
    both = anndata.concat(data, label="site")
    both.uns["jaxssl"] = {"scale": "log2"}
    expected = rows_of(run).query("arm == 'logreg' and frame == 'rank'").drop(columns="seconds")
    for i, (asked, batch) in enumerate([(files, ""), (both, "site")]):
        out = tmp_path / str(i) / "crc"
        found = jaxssl.transfer(asked, out=out, arms="logreg", batch=batch, **words)
        assert_frame_equal(found.drop(columns="seconds"), expected.reset_index(drop=True))


def test_a_resume_computes_what_is_missing_and_keeps_the_rest(run, files, tiny, monkeypatch):
    fitted = watch(monkeypatch)
    before = rows_of(run)
    record = json.loads((run / "config.json").read_text())
    del record["normalize"]["frame"]  # as runs had it before encoders had a default by the split
    (run / "config.json").write_text(json.dumps(record))
    data = f"--data={','.join(map(str, files))}"
    again = (data, f"--out={run}", *SHARED, "--resume")
    launch("transfer", *again, "--arms=logreg,consensus")
    assert not fitted
    assert_frame_equal(rows_of(run), before)
    launch("transfer", *again, "--arms=logreg,coral")
    assert fitted == [("dj", "coral")]
    after = rows_of(run)
    assert len(after) == len(before) + 4
    kept = after[after["arm"] != "coral"].reset_index(drop=True)
    assert_frame_equal(kept, before)
    other = ["--shares=0.25,0.5", "--seeds=1", "--frames=cohort,rank", "--arms=coral"]
    launch("transfer", data, f"--out={run}", *other, "--resume")
    assert fitted[1:] == [("dj", "coral")]
    assert len(rows_of(run)) == len(after) + 4
    refused = launch("transfer", *again, "--max_samples=30", code=2)
    assert "was run on other data" in refused


def family(n=30, n_genes=12, names="abc", **columns):
    """Cohorts of a column, with the same two classes."""
    total = n * len(names)
    rng, y = np.random.default_rng([*names.encode()]), np.arange(total) % 2
    x = 8 + rng.normal(size=(total, n_genes)) + 3 * y[:, None] * (np.arange(n_genes) < 3)
    table = {"kind": np.array(["sick", "well"])[y], "lab": np.repeat([*names], n)} | columns
    obs = pd.DataFrame(table, index=[f"{names}{i}" for i in range(total)])
    made = anndata.AnnData(x.astype(np.float32), obs)
    made.uns["jaxssl"] = {"scale": "log2", "label": "kind", "batch": "lab"}
    return made
