"""Every verb end to end on simulated expression, as a user runs it."""

import filecmp
import importlib
import json
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import anndata
import jax
import numpy as np
import pandas as pd
import pytest
from run_folders import unknown
from verbs import PRETRAIN, TINY, at_most, beside, instead, launch, launch_alone

import jaxssl
from jaxssl.config import from_dict
from jaxssl.data.expression import write_h5ad
from jaxssl.data.synthetic import make_synthetic
from jaxssl.readers import refuse_unread
from jaxssl.types import InputError
from jaxssl.validate import validate
from launch.benchmark.kills import differences


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "study"
    output = launch("study", *TINY, f"--out={folder}")
    return folder, output


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "simulated.h5ad"
    write_h5ad(make_synthetic(), path)
    return path


def test_study_leaves_a_whole_run_folder(study):
    folder, output = study
    for name in (
        *("config.json", "environment.json", "splits.parquet", "metrics.jsonl", "results.parquet"),
        *("results.csv", "statistics.csv", "summary.json", "report.html", "prototype_usage.csv"),
        *("embedding.h5ad", "encoder/seed_000/bundle.json", "encoder/seed_001/bundle.json"),
        *("predictions/swav_0.1000.parquet", "figures", "endpoint.csv", "saved.csv", "batch.csv"),
        "encoder/seed_001/MODEL_CARD.md",
    ):
        assert (folder / name).exists(), name
    assert not unknown(folder)
    assert "device:" in output
    assert "memory:" in output


def test_a_model_card_says_what_the_encoder_is_and_what_it_is_worth(study):
    card = (study[0] / "encoder" / "seed_001" / "MODEL_CARD.md").read_text()
    summary = json.loads((study[0] / "summary.json").read_text())
    assert "seed 1" in card
    assert summary["headline"] in card.replace("\\", "")
    assert f"| 10 % | {summary['arms']['swav']['0.1']['accuracy']['mean']:.3f} |" in card


def test_several_splits_are_the_repetitions_and_one_batch_after_the_other_can_be_left_out(
    tmp_path, data
):
    flags = instead(f"--data={data}", "--seeds=1", "--shares=0.1", f"--out={tmp_path / 'all'}")
    flags = beside("scratch,swav", flags)
    output = launch("study", *flags, "--splits=0", "--config.split.protocol=leave_batch_out")
    statistics = pd.read_csv(tmp_path / "all" / "statistics.csv")
    folders = sorted(p.name for p in (tmp_path / "all").glob("split_*"))
    assert len(folders) > 1
    assert f"Over {len(folders)} splits, swav " in output
    assert statistics["p_nadeau_bengio"].notna().all()
    summary = json.loads((tmp_path / "all" / "summary.json").read_text())
    results = pd.read_csv(tmp_path / "all" / "results.csv")
    of_swav = results.query("arm == 'swav' and part == 'test' and metric == 'accuracy'")
    assert summary["arms"]["swav"]["0.1"]["accuracy"]["mean"] == pytest.approx(
        of_swav["value"].mean(), abs=1e-12
    )
    assert (tmp_path / "all" / "environment.json").is_file()  # so --overwrite knows the folder
    for name in folders:
        samples = pd.read_parquet(tmp_path / "all" / name / "splits.parquet")
        of_test = set(samples.loc[samples["part"] == "test", "batch"])
        assert len(of_test) == 1
        assert not of_test & set(samples.loc[samples["part"] == "train", "batch"])


def test_splits_that_cannot_be_run_are_refused_before_anything_is_written(tmp_path, data):
    out = tmp_path / "all"
    flags = [*TINY, f"--data={data}", f"--out={out}", "--config.split.protocol=leave_batch_out"]
    message = launch("study", *flags, "--splits=9", code=2)
    assert "2 batches have labels" in message
    unknown = launch("study", *TINY, "--data=demo", f"--out={out}", "--splits=0", code=2)
    assert "no batch column is known" in unknown
    assert not out.exists()


def test_a_leak_ends_the_study_and_the_flag_lets_it_pass(tmp_path, data):
    flags = [
        *beside("scratch,pca_logreg"),
        f"--data={data}",
        "--config.split.protocol=stratified",
    ]
    message = launch("study", *flags, f"--out={tmp_path / 'a'}", code=2)
    assert "leak (groups)" in message
    output = launch("study", *flags, f"--out={tmp_path / 'a'}", "--allow_leaks=groups")
    assert "warning: leak (groups), allowed" in output
    page = (tmp_path / "a" / "report.html").read_text()
    assert "allowed leaks" in page


def is_read(what, word):
    """Whether an audit reads a flag: what else is said to it is refused."""
    try:
        option = word.partition("=")[0]
        refuse_unread(what, [option.removeprefix("--config.")] if "." in option else [])
    except InputError:
        return False
    return what != "variance" or option != "--seeds"


@pytest.mark.filterwarnings("ignore:.*(knowing nothing|than chance)")
@pytest.mark.parametrize("what", ["type1", "variance"])
def test_an_audit_writes_its_table_for_a_verb_and_for_python_alike(what, tmp_path, data):
    flags = [f"--data={data}", f"--what={what}", f"--out={tmp_path / what}", "--shares=0.1"]
    size, said = {
        "type1": ({"n_comparisons": 10}, ["--comparisons=10"]),
        "variance": ({"levels": (2, 2, 2)}, ["--levels=2,2,2"]),
    }[what]
    words = [word for word in PRETRAIN if is_read(what, word)]
    output = launch("audit", *words, *flags, *said)
    table = pd.read_csv(tmp_path / what / f"{what}.csv")
    assert str(tmp_path / what) in output
    assert set(table["metric"]) == {"accuracy", "balanced_accuracy"}
    assert "fits" in output
    assert (tmp_path / what / "environment.json").is_file()
    config = from_dict(json.loads((tmp_path / what / "config.json").read_text()))
    options = {"what": what, "progress": False} | size
    with jax.numpy_dtype_promotion("standard"):
        jaxssl.audit(out=tmp_path / "python", config=config, **options)
    names = [f"{what}.csv", f"{what}_scores.csv"]
    same = filecmp.cmpfiles(tmp_path / what, tmp_path / "python", names, shallow=False)[0]
    assert same == names


def test_study_scores_every_arm_share_and_seed_once(study):
    results = pd.read_parquet(study[0] / "results.parquet")
    keys = ["arm", "share", "seed", "part", "metric"]
    assert not results.duplicated(keys).any()
    sizes = results[results["metric"] == "accuracy"].groupby(["arm", "share", "part"]).size()
    assert len(sizes) == 4 * 2 * 2
    assert (sizes == 2).all()


def test_scores_follow_from_the_stored_predictions(study):
    table = pd.read_parquet(study[0] / "predictions" / "swav_1.0000.parquet")
    columns = [name for name in table.columns if name.startswith("p_")]
    predicted = np.array(columns)[table[columns].to_numpy().argmax(1)]
    hits = predicted == "p_" + table["label"].to_numpy()
    accuracy = pd.Series(hits).groupby(table["seed"].to_numpy()).mean()
    results = pd.read_parquet(study[0] / "results.parquet")
    rows = results[(results["arm"] == "swav") & (results["share"] == 1.0)]
    rows = rows[(rows["metric"] == "accuracy") & (rows["part"] == "test")].set_index("seed")
    np.testing.assert_allclose(accuracy[[0, 1]], rows.loc[[0, 1], "value"])


def test_no_group_is_in_two_parts(study):
    splits = pd.read_parquet(study[0] / "splits.parquet").set_index("sample_id")
    donors = np.arange(600) // 2  # the generator's: two samples a donor
    parts = splits["part"].to_numpy()
    assert all(len(set(parts[donors == donor])) == 1 for donor in np.unique(donors))


@pytest.fixture(scope="module")
def resumed(study, tmp_path_factory):
    """A copy of that study that goes on as if another device had begun it, and what it says."""
    folder = shutil.copytree(study[0], tmp_path_factory.mktemp("runs") / "copy")
    begun = json.loads((folder / "environment.json").read_text())
    (folder / "environment.json").write_text(json.dumps(begun | {"device": "another"}))
    return folder, launch("study", *TINY, f"--out={folder}", "--resume")


def test_a_resumed_study_computes_only_what_is_missing(study, resumed):
    folder, output = resumed
    before = pd.read_parquet(study[0] / "results.parquet")
    assert "epoch" not in output
    pd.testing.assert_frame_equal(before, pd.read_parquet(folder / "results.parquet"))


@pytest.fixture
def without_network():
    """A command that runs another where the system itself has no network, if it may be had."""
    prefix = ["unshare", "--map-root-user", "--net"]
    may = shutil.which("unshare") and subprocess.run([*prefix, "true"], check=False).returncode == 0
    return prefix if may else []


def test_a_study_that_the_disk_refuses_goes_on_to_the_same_end(study, without_network, tmp_path):
    out = f"--out={tmp_path / 'run'}"
    error = launch("study", *TINY, out, prefix=at_most(40), code=2).splitlines()[-1]
    assert "larger than this system allows" in error
    assert error.endswith("the same command with --resume goes on")
    launch("study", *TINY, out, "--resume", prefix=without_network)
    assert differences(tmp_path / "run", study[0]) == []


def test_an_existing_folder_is_refused(study):
    message = launch("study", *TINY, f"--out={study[0]}", code=2)
    assert "--resume" in message
    assert message.count("\n") == 1


def test_a_resumed_run_refuses_other_options(study):
    message = launch(
        "study", *TINY, f"--out={study[0]}", "--resume", "--config.augment.noise=0.1", code=2
    )
    assert "augment.noise" in message


def test_a_resumed_run_refuses_other_labels_and_tells_of_another_machine(
    study, resumed, data, tmp_path
):
    folder, _ = resumed
    permuted = anndata.read_h5ad(data)
    permuted.obs["class"] = permuted.obs["class"].to_numpy()[::-1]
    write_h5ad(permuted, tmp_path / "permuted.h5ad")
    options = [*TINY, f"--out={folder}", "--resume"]
    message = launch("study", *options, f"--data={tmp_path / 'permuted.h5ad'}", code=2)
    assert "other data, labels or another split" in message
    told = json.loads((folder / "summary.json").read_text())["warnings"]
    assert any("begun with other device" in warning for warning in told)
    begun, now = (json.loads((run / "environment.json").read_text()) for run in (study[0], folder))
    assert now["device"] == begun["device"]
    assert [environment["device"] for environment in now["before"]] == ["another"]


def test_pretrain_then_sweep_equals_study(study, tmp_path):
    launch("pretrain", *PRETRAIN, f"--out={tmp_path / 'encoders'}")
    launch("sweep", *TINY, f"--encoder={tmp_path / 'encoders'}", f"--out={tmp_path / 'sweep'}")
    other = ("--method=simclr", f"--out={tmp_path / 'other'}")
    refused = launch("sweep", *TINY, f"--encoder={tmp_path / 'encoders'}", *other, code=2)
    assert "--method=simclr, but the encoders are of swav" in refused
    twenty = ("--config.pretrain.n_steps=20", f"--out={tmp_path / 'other'}")
    refused = launch("sweep", *TINY, f"--encoder={tmp_path / 'encoders'}", *twenty, code=2)
    assert "--config.pretrain.n_steps=20 is not for given encoders" in refused
    assert "pretrained with 80; drop it" in refused
    assert not (tmp_path / "other").exists()
    keys = ["arm", "share", "seed", "part", "metric"]
    a, b = (
        pd.read_parquet(folder / "results.parquet").set_index(keys)["value"].sort_index()
        for folder in (study[0], tmp_path / "sweep")
    )
    pd.testing.assert_series_equal(a, b)


def test_finetune_predict_and_embed_use_the_encoder(study, data, tmp_path):
    encoder = study[0] / "encoder" / "seed_000"
    launch("finetune", f"--encoder={encoder}", f"--data={data}", f"--out={tmp_path / 'clf'}")
    summary = json.loads((tmp_path / "clf" / "summary.json").read_text())
    predictions = pd.read_parquet(tmp_path / "clf" / "predictions.parquet")
    assert summary["test"]["accuracy"] > 0.5
    assert summary["pretraining"]["status"] == "collapsed", "after 80 steps"
    shuffled = anndata.read_h5ad(data)
    shuffled = shuffled[:, np.random.default_rng(0).permutation(shuffled.n_vars)].copy()
    shuffled.write_h5ad(tmp_path / "shuffled.h5ad")
    launch(
        "predict",
        f"--classifier={tmp_path / 'clf' / 'classifier'}",
        f"--data={tmp_path / 'shuffled.h5ad'}",
        f"--out={tmp_path / 'p.csv'}",
    )
    new = pd.read_csv(tmp_path / "p.csv").set_index("sample_id")
    columns = [name for name in predictions.columns if name.startswith("p_")]
    old = predictions.set_index("sample_id")[columns]
    np.testing.assert_allclose(new.loc[old.index, columns], old, atol=1e-4)
    launch("embed", f"--encoder={encoder}", f"--data={data}", f"--out={tmp_path / 'e.h5ad'}")
    embedded = anndata.read_h5ad(tmp_path / "e.h5ad")
    maps = anndata.read_h5ad(study[0] / "embedding.h5ad")
    np.testing.assert_allclose(embedded.obsm["X_jaxssl"], maps.obsm["X_jaxssl"], atol=1e-4)
    assert (embedded.obs["prototype"].astype(str) == maps.obs["prototype"].astype(str)).all()


def test_an_encoder_whose_genes_are_absent_is_refused(study, tmp_path):
    other = make_synthetic(n_samples=60)
    other.var_names = [f"ENSG{i:011d}" for i in range(other.n_vars)]
    write_h5ad(other, tmp_path / "other.h5ad")
    message = launch(
        "embed",
        f"--encoder={study[0] / 'encoder' / 'seed_000'}",
        f"--data={tmp_path / 'other.h5ad'}",
        f"--out={tmp_path / 'e.h5ad'}",
        code=2,
    )
    assert "500 of the encoder's 500 genes are missing" in message
    assert not (tmp_path / "e.h5ad").exists()


def test_shards_run_side_by_side_are_disjoint_and_merge_into_one_report(tmp_path):
    options = beside("majority,pca_logreg")
    with ThreadPoolExecutor() as pool:
        shards = [(*options, f"--out={tmp_path}", f"--shard={i}/2") for i in (0, 1)]
        list(pool.map(lambda words: launch_alone("study", *words), shards))
    folders = [tmp_path / f"shard_{i}_of_2" for i in (0, 1)]
    seeds = [set(pd.read_parquet(f / "results.parquet")["seed"]) for f in folders]
    assert seeds == [{0}, {1}]
    launch("report", *folders, f"--out={tmp_path / 'all.html'}")
    assert (tmp_path / "all.html").stat().st_size > 10_000


def test_doctor_says_what_will_fit():
    output = launch("doctor", "--seeds=50")
    assert "jaxlib" in output
    assert output.count("here: ") == 4
    for gigabytes in (12, 24, 80):
        assert output.count(f"a card of {gigabytes} GB: ") == 4
    wide = output[output.index("57,387") : output.index("54,675")]
    times = [int(n) for n in re.findall(r"a card of .* at a time, (\d+) times", wide)]
    assert times == sorted(times, reverse=True)
    assert "a card of 80 GB: all at once" in wide


def test_the_studys_protocol_has_its_89_shares_and_50_seeds():
    config = importlib.import_module("configs.study_protocol").get_config()
    validate(config)
    shares = config.sweep.shares
    ends = shares[0], shares[77], shares[78], shares[-1]
    assert (len(shares), *ends) == (89, 0.01, 0.78, 0.8, 1.0)
    assert len(shares) * config.run.seeds * len(config.sweep.arms) == 8_900
