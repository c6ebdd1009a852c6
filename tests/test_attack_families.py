"""Runs of other kinds, other data or other names are told apart before they are used together."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData, concat

import jaxssl
from jaxssl.config import Config
from jaxssl.runs.output import Output
from jaxssl.studies.encoders import read_classifier, read_encoder, read_encoders, with_data
from jaxssl.studies.job import make_job
from jaxssl.studies.joining import join_transfers
from jaxssl.studies.progress import SILENT
from jaxssl.types import InputError

QUICK = {"arms": ["logreg"], "frames": ["cohort"], "shares": [1.0], "progress": False}


def laboratory(name, seed):
    rng = np.random.default_rng(seed)
    y = np.resize([0, 1], 24)
    x = (rng.normal(8, 1, (24, 12)) + y[:, None]).astype(np.float32)
    table = pd.DataFrame({"kind": np.array(["sick", "well"])[y]}, [f"{name}{i}" for i in range(24)])
    return AnnData(x, table, uns={"jaxssl": {"scale": "log2", "label": "kind"}})


def run(folder, seed, **words):
    names = [f"{folder.parent.name}_{i}" for i in range(2)]
    if folder.name == "again":
        names = ["lung_0", "lung_1"]
    both = concat({n: laboratory(n, seed + i) for i, n in enumerate(names)}, label="lab")
    both.uns["jaxssl"] = {"scale": "log2"}
    jaxssl.transfer(both, out=folder, label="kind", batch="lab", **QUICK, **words)
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory, numerics):
    folder = tmp_path_factory.mktemp("runs")
    return {
        "one": run(folder / "lung" / "run", 0),
        "other": run(folder / "liver" / "run", 5),
        "again": run(folder / "again", 0),
        "named": run(folder / "liver" / "named", 5),
    }


@pytest.mark.usefixtures("numerics")
def test_families_of_one_name_are_not_joined_and_one_of_two_names_counts_once(runs, tmp_path):
    with pytest.raises(InputError, match="two runs call their families run, and are of other dat"):
        join_transfers([runs["one"], runs["other"]], tmp_path / "out", SILENT)
    with pytest.raises(InputError, match="run and again are the same cohorts, which would count"):
        join_transfers([runs["one"], runs["again"]], tmp_path / "out", SILENT)
    assert not (tmp_path / "out").exists()
    join_transfers([runs["one"], runs["named"]], tmp_path / "out", SILENT)
    with pytest.raises(InputError, match="and again are the same cohorts"):
        join_transfers([tmp_path / "out", runs["again"]], tmp_path / "more", SILENT)


@pytest.mark.usefixtures("numerics")
def test_what_is_no_study_has_no_report_and_says_what_to_read(runs):
    with pytest.raises(InputError, match=r"holds transfers between cohorts, which .*transfer\.md"):
        jaxssl.open_study(runs["one"])


def test_an_adapted_classifier_is_no_encoder_and_says_so(tmp_path):
    inside = tmp_path / "run" / "classifier"
    inside.mkdir(parents=True)
    (inside / "ensemble.json").write_text("{}")
    for folder in (tmp_path / "run", inside):
        for given in (read_encoder, read_classifier, lambda folder: read_encoders(folder, [0])):
            with pytest.raises(InputError, match=r"several encoders, .* only `predict\(\)`"):
                given(folder)


def test_data_in_memory_are_not_put_on_record_as_the_file_of_the_options():
    config = with_data(Config(), path="pretraining.h5ad")
    job = make_job(config, laboratory("a", 0), Output(""), SILENT)
    assert job.config.data.path == ""
    assert config.data.path == "pretraining.h5ad"
    assert make_job(config, "demo", Output(""), SILENT).config.data.path == "demo"
