"""Every part of a run bears its id: what belongs to another run is refused by name."""

import re
import shutil

import pandas as pd
import pytest
from verbs import beside, instead, launch

import jaxssl
from jaxssl.data.expression import write_h5ad
from jaxssl.data.synthetic import make_synthetic
from jaxssl.types import InputError

pytestmark = pytest.mark.usefixtures("standard_promotion")
OPTIONS = instead("--shares=0.1", "--config.pretrain.n_steps=20", of=beside("scratch,swav"))
WARNED = "ignore:.*(collapsed|are few|no group column)"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A study; one of more steps; one of other values under the same names; shards of both."""
    folder = tmp_path_factory.mktemp("runs")
    for name, seed in (("data", 0), ("others", 1)):
        adata = make_synthetic(n_samples=200, n_genes=60, n_classes=4, n_superclasses=2, seed=seed)
        write_h5ad(adata, folder / f"{name}.h5ad")
    own, others = (f"--data={folder / name}.h5ad" for name in ("data", "others"))
    launch("study", *OPTIONS, own, f"--out={folder / 'run'}")
    launch("study", *OPTIONS, own, "--config.pretrain.n_steps=30", f"--out={folder / 'longer'}")
    launch("study", *OPTIONS, others, f"--out={folder / 'other'}")
    return folder


@pytest.fixture
def run(runs, tmp_path):
    """A copy of the study to be changed."""
    return shutil.copytree(runs / "run", tmp_path / "run")


def resume(runs, run, *options, code=0):
    return launch(
        "study",
        *OPTIONS,
        f"--data={runs / 'data.h5ad'}",
        f"--out={run}",
        "--resume",
        *options,
        code=code,
    )


def read_all(run):
    found = jaxssl.open_study(run)
    return found, found.encoders, found.predictions("swav", 0.1)


def put(source, target):
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)


@pytest.mark.parametrize("other", ["longer", "other"])
@pytest.mark.parametrize(
    "part",
    [
        *("results.parquet", "predictions/swav_0.1000.parquet", "splits.parquet", "metrics.jsonl"),
        *("encoder/seed_001", "embedding.h5ad", "summary.json"),
    ],
)
def test_a_part_of_another_run_is_refused_by_name(part, other, runs, run):
    put(runs / other / part, run / part)
    refusal = f"{part} is of another run than"
    with pytest.raises(InputError, match=refusal):
        read_all(run)
    assert refusal in resume(runs, run, code=2)


def test_training_states_of_another_run_are_not_gone_on_with(runs, run):
    for folder in (run / "encoder", run / "checkpoints"):
        shutil.rmtree(folder)
    shutil.copytree(runs / "longer" / "checkpoints", run / "checkpoints")
    resume(runs, run)
    one, two = (jaxssl.open_study(folder) for folder in (runs / "run", run))
    for seed, bundle in one.encoders.items():
        kernels = [
            b.params["encoder"]["layer_0"]["dense"]["kernel"] for b in (bundle, two.encoders[seed])
        ]
        assert (kernels[0] == kernels[1]).all()
    pd.testing.assert_frame_equal(one.endpoint, two.endpoint)


@pytest.mark.parametrize("name", ["config.json", "environment.json"])
def test_a_run_without_its_record_is_not_resumed_under_any_options(name, runs, run):
    (run / name).unlink()
    error = resume(runs, run, code=2)
    assert re.search(rf"is no run folder, so --resume leaves it: it has .*, but no {name}", error)


def test_a_record_of_another_run_is_refused(runs, run):
    shutil.copy(runs / "longer" / "config.json", run / "config.json")
    with pytest.raises(InputError, match=r"config\.json is not of the run"):
        jaxssl.open_study(run)
    assert "pretrain.n_steps=30, now 20" in resume(runs, run, code=2)


@pytest.mark.filterwarnings(WARNED)
def test_probabilities_that_are_gone_are_missed_aloud_and_computed_again(runs, run):
    file = run / "predictions" / "swav_0.1000.parquet"
    before = pd.read_parquet(file)
    file.unlink()
    with pytest.warns(UserWarning, match=r"lacks predictions of swav at 10 %"):
        found = jaxssl.open_study(run)
    assert found.summary["warnings"]
    launch("report", run, "--overwrite")
    assert "lacks predictions of swav at 10 %" in (run / "report.html").read_text()
    assert "computed again" in resume(runs, run)
    assert "lacks predictions" not in (run / "summary.json").read_text()
    pd.testing.assert_frame_equal(pd.read_parquet(file), before)


@pytest.mark.filterwarnings(WARNED)
def test_tables_that_disagree_with_what_was_written_are_named(runs, run):
    before = jaxssl.open_study(run)
    for name in ("statistics.csv", "results.csv", "batch.csv"):
        shutil.copy(runs / "other" / name, run / name)
    (run / "endpoint.csv").unlink()
    with pytest.warns(UserWarning, match="is missing|as the run wrote it") as caught:
        found = jaxssl.open_study(run)
    told = " ".join(str(warning.message) for warning in caught)
    for name in ("statistics.csv", "results.csv", "batch.csv"):
        assert f"{name} is not as the run wrote it" in told
    assert "endpoint.csv is missing; what it holds is computed anew" in told
    pd.testing.assert_frame_equal(found.endpoint, before.endpoint)
    assert found.batch is None
    launch("report", run, "--overwrite")
    assert "statistics.csv is not as the run wrote it" in (run / "report.html").read_text()
    rows = pd.read_parquet(run / "results.parquet")
    rows.assign(value=rows["value"] / 2).to_parquet(run / "results.parquet", index=False)
    with pytest.raises(InputError, match=r"results\.parquet is not as the run wrote it"):
        jaxssl.open_study(run)


def test_what_a_killed_run_tells_agrees_with_its_scores(runs, run):
    (run / "manifest.json").unlink()
    rows = pd.read_parquet(run / "results.parquet")
    of_one_seed = rows[rows["seed"] == 0]
    of_one_seed.attrs = rows.attrs
    of_one_seed.to_parquet(run / "results.parquet", index=False)
    with pytest.warns(UserWarning, match="has not come to its end; its verb goes on with `resume`"):
        found = jaxssl.open_study(run)
    assert (found.endpoint["n"] == 1).all()
    assert found.headline.startswith("Over 1 seeds")
    output = launch("report", run, "--overwrite")
    assert "wrote" in output


@pytest.mark.parametrize("name", ["results.parquet", "predictions/swav_0.1000.parquet"])
def test_a_damaged_part_is_one_sentence_and_its_advice_helps(name, runs, run):
    whole = (run / name).read_bytes()
    (run / name).write_bytes(whole[: len(whole) // 2])
    error = resume(runs, run, code=2)
    assert error.count("\n") == 1
    assert f"{name} is damaged" in error
    (run / name).unlink()
    resume(runs, run)
    pd.testing.assert_frame_equal(
        jaxssl.open_study(run).endpoint, jaxssl.open_study(runs / "run").endpoint
    )


def test_shards_of_other_data_are_not_merged(runs, run, tmp_path):
    parent = tmp_path / "sharded"
    for shard, other in (("shard_0_of_2", "run"), ("shard_1_of_2", "other")):
        shutil.copytree(runs / other, parent / shard)
    with pytest.raises(InputError, match="are of different data"):
        jaxssl.open_study(parent)


def test_encoders_of_another_run_do_not_join_a_sweep_that_goes_on(runs, tmp_path):
    options = [*OPTIONS, f"--data={runs / 'data.h5ad'}", f"--out={tmp_path / 'sweep'}"]
    launch("sweep", *options, f"--encoder={runs / 'run'}")
    again = shutil.copytree(runs / "run", tmp_path / "again")
    shutil.rmtree(again / "encoder" / "seed_001")
    shutil.copytree(runs / "longer" / "encoder" / "seed_001", again / "encoder" / "seed_001")
    error = launch("sweep", *options, f"--encoder={again}", "--resume", code=2)
    assert "seed_001 is of another run than" in error
