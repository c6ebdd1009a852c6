"""Samples of other files in the pretraining: who sees them, what is refused, what is said."""

import json

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from verbs import launch

import jaxssl
from jaxssl.config import Config, with_options
from jaxssl.data.expression import write_h5ad
from jaxssl.data.synthetic import make_synthetic
from jaxssl.data.task import make_task
from jaxssl.data.unlabelled import join
from jaxssl.engine.bundle import load_bundle
from jaxssl.engine.cohorts import find_cohorts
from jaxssl.engine.prepared import is_among, prepare
from jaxssl.evaluation.arms import make_inputs
from jaxssl.types import InputError

pytestmark = [
    pytest.mark.usefixtures("standard_promotion"),
    pytest.mark.filterwarnings(
        "ignore:.*(collapsed|are few|no group column|knowing nothing|than chance|not healthy)"
    ),
]
SMALL = {
    **{"pretrain.n_steps": 4, "encoder.hidden": (8,), "finetune.transfer_layers": 1},
    **{"finetune.n_steps": 2, "finetune.scratch_steps": 2, "finetune.probe_steps": 2},
    **{"sweep.shares": (1.0,), "run.seeds": 1},
}
CONFIG = with_options(Config(), SMALL)
ASKED = {"config": CONFIG, "progress": False}


def simulated(rows, name, genes=slice(None), prefix=""):
    """Some samples of one simulated data set, as of a laboratory."""
    adata = make_synthetic(n_samples=320, n_genes=80, n_classes=3)[rows, genes].copy()
    adata.obs_names = [prefix + sample for sample in adata.obs_names]
    adata.uns["jaxssl"] |= {"name": name, "group": "", "batch": ""}
    return adata


@pytest.fixture
def own():
    return simulated(slice(200), "own")


@pytest.fixture
def other():
    """Other samples, of which ten genes were not measured, in another order."""
    return simulated(slice(200, 320), "other", np.random.default_rng(0).permutation(80)[:70])


def task_of(own, *files, frame="training"):
    return join(make_task(own, CONFIG), files, frame)


def held_out(own):
    split = make_task(own, CONFIG).split
    return np.concatenate([split.validation, split.test])


def test_rows_join_the_training_part_alone_by_the_names_of_their_genes(own, other):
    alone, task = make_task(own, CONFIG), task_of(own, other)
    genes = [gene for gene in own.var_names if gene in set(other.var_names)]
    assert task.genes.tolist() == genes
    n = own.n_obs
    np.testing.assert_array_equal(task.expression[:n], own[:, genes].X)
    np.testing.assert_array_equal(task.expression[n:], other[:, genes].X)
    np.testing.assert_array_equal(task.split.test, alone.split.test)
    np.testing.assert_array_equal(task.split.validation, alone.split.validation)
    np.testing.assert_array_equal(task.labelled_train, alone.labelled_train)
    assert set(task.split.train) - set(alone.split.train) == set(range(n, n + other.n_obs))
    assert (task.codes[n:] == -1).all()
    assert task.n_own == len(alone.split.train)


def test_scaling_and_components_see_them_and_no_label_does(own, other):
    task = task_of(own, other)
    seen = task.expression[task.split.train]
    normalizer = prepare(task, CONFIG).normalizer
    np.testing.assert_allclose(normalizer.mean, seen.mean(axis=0), rtol=1e-5)
    blank = other.copy()
    blank.obs["class"] = ""
    np.testing.assert_array_equal(task_of(own, blank).codes, task.codes)


def test_a_file_is_a_cohort_or_several_where_it_knows_them(own, other):
    assert set(task_of(own, other).batches) == {"", "other"}
    other.uns["jaxssl"]["batch"] = "batch"
    names = {f"other: {batch}" for batch in other.obs["batch"]}
    assert len(names) > 1
    assert set(task_of(own, other).batches) == {"", *names}
    named = join(make_task(own, with_options(CONFIG, {"data.batch": "batch"})), [other], "training")
    assert set(named.batches) == {*own.obs["batch"], *names}


def test_a_study_with_unlabelled_samples_is_one_of_the_same_rows_in_one_file(own, other):
    """Rows of one file, those of the other without a label, by the same split."""
    options = {"normalize.frame": "cohort", "pretrain.batches": "by_cohort"}
    config = with_options(CONFIG, {**options, "data.label": "class", "data.batch": "cohort"})
    own.obs["cohort"] = "own"
    joined = join(make_task(own, config), [other], "cohort")
    obs = pd.DataFrame({"cohort": joined.batches}, index=joined.sample_ids)
    obs["class"] = [*own.obs["class"], *[""] * other.n_obs]
    whole = AnnData(joined.expression, obs, pd.DataFrame(index=joined.genes))
    whole.uns["jaxssl"] = {"scale": "log2", "name": "own"}
    task = make_task(whole, config)
    ours, theirs = prepare(joined, config), prepare(task, config)
    np.testing.assert_array_equal(ours.pool, theirs.pool)
    np.testing.assert_array_equal(ours.features, theirs.features)
    np.testing.assert_array_equal(ours.genes, theirs.genes)
    cohorts = [find_cohorts(config.pretrain, each.batches) for each in (ours, theirs)]
    assert cohorts[0].names == cohorts[1].names == ("other", "own")
    np.testing.assert_array_equal(*(each.of_samples for each in cohorts))
    inputs = [make_inputs(each, [0]) for each in (ours, theirs)]
    np.testing.assert_array_equal(inputs[0].train, inputs[1].train)
    np.testing.assert_array_equal(inputs[0].orders[0], inputs[1].orders[0])
    np.testing.assert_array_equal(inputs[0].held_out, inputs[1].held_out)


# --- held-out samples


def renamed_copy(own, rows, how="copied"):
    """Held-out samples under other names, as they are, with noise, or as of another laboratory."""
    copy = own[rows].copy()
    copy.obs_names = [f"x{i}" for i in range(len(rows))]
    copy.uns["jaxssl"] |= {"name": "copy"}
    rng = np.random.default_rng(0)
    if how == "noisy":
        copy.X = copy.X + 0.02 * rng.normal(size=copy.shape).astype(np.float32)
    if how == "shifted":
        copy.X = copy.X * rng.uniform(0.7, 1.3, 80).astype(np.float32) + 1
    return copy


@pytest.mark.parametrize("how", ["copied", "noisy", "shifted"])
def test_held_out_samples_under_another_name_are_found(own, how):
    rows = np.sort(held_out(own))
    found = task_of(own, renamed_copy(own, rows, how)).joined.held_out
    assert len(found) == len(rows)
    assert found[0] == f"{own.obs_names[rows[0]]}, as x0 of copy"


def test_strangers_are_no_held_out_samples(own, other):
    assert task_of(own, other).joined.held_out == ()


def test_held_out_samples_are_refused_unless_that_is_said(own, other, tmp_path):
    copy, out = renamed_copy(own, np.sort(held_out(own))[:12]), tmp_path / "run"
    words = {"unlabelled": [copy, other], "out": out, "arms": ["swav", "logreg"], **ASKED}
    finding = r"leak \(transductive\): 12 of the study's \d+ held-out .* `allow_leaks=transductive`"
    with pytest.raises(InputError, match=finding):
        jaxssl.study(own, **words)
    assert not out.exists()
    run = jaxssl.study(own, allow_leaks=["transductive"], **words)
    files = [{"name": n, "samples": k, "cohorts": 1} for n, k in (("copy", 12), ("other", 120))]
    genes = {"genes": 70, "genes_of_study": 80}
    assert run.summary["unlabelled"] == {"n": 132, "files": files, **genes, "transductive": 12}
    report = (out / "report.html").read_text()
    assert "copy (12), other (120) in pretraining, scaling" in report
    assert "70 genes in common (10 of the study left out)" in report
    assert "transductive: 12 held-out samples are among them" in report
    card = (out / "encoder" / "seed_000" / "MODEL_CARD.md").read_text()
    assert "unlabelled samples of other files: copy (12 samples), other (120 samples)" in card
    assert "its scores are transductive" in card
    assert run.encoders[0].provenance["n_train"] == run.summary["n_train"] + 132


def test_held_out_samples_by_their_own_names_join_once_that_is_allowed(own):
    part = own[np.sort(held_out(own))[:12]].copy()
    part.uns["jaxssl"] |= {"name": "part"}
    run = jaxssl.pretrain(own, unlabelled=[part], allow_leaks=["transductive"], **ASKED)
    recorded = run.encoders[0].provenance["training_ids"]
    assert is_among(part.obs_names.to_numpy(), recorded).all()


def test_another_sample_of_a_held_out_patient_is_found_and_numbers_are_no_patients(own, other):
    own.obs["patient"] = [f"P{i}" for i in range(own.n_obs)]
    config = with_options(CONFIG, {"data.group": "patient"})
    task = make_task(own, config)
    row = task.split.test[0]
    other.obs["patient"] = ["", *map(str, range(other.n_obs - 2)), f"P{row}"]
    [found] = join(task, [other], "training").joined.held_out
    assert found == f"{own.obs_names[row]}, with {other.obs_names[-1]} of other of P{row}"
    own.obs["patient"] = list(map(str, range(own.n_obs)))
    other.obs["patient"] = own.obs["patient"].to_numpy()[: other.n_obs]
    assert join(make_task(own, config), [other], "training").joined.held_out == ()


# --- what is refused


def test_samples_that_train_already_are_refused(own, other):
    for files, finding in (
        ([own], r"`unlabelled` names the study's own data"),
        ([own.copy()], r"among the study's training samples"),
        ([other, other], r"`unlabelled` names an AnnData twice"),
        ([other, other.copy()], r"120 unlabelled samples of other \(2\) .* those of other "),
    ):
        with pytest.raises(InputError, match=finding):
            jaxssl.pretrain(own, unlabelled=files, **ASKED)


def counts_of(adata):
    adata.X = np.rint(2 ** np.abs(adata.X)).astype(np.float32)
    adata.uns["jaxssl"]["scale"] = "counts"
    return adata


def test_another_scale_is_refused_by_name_unless_a_frame_takes_it(own, other):
    with pytest.raises(InputError, match=r"of other: .* on the counts scale, the study's on log2"):
        task_of(own, counts_of(other))
    task = task_of(own, other, frame="cohort")
    np.testing.assert_allclose(
        np.exp2(task.expression[own.n_obs :]).max(), 1 + _cpm(other, task.genes).max(), rtol=1e-4
    )


def _cpm(adata, genes):
    """Counts per million of all genes of a file."""
    return (1e6 * adata.X / adata.X.sum(axis=1, keepdims=True))[
        :, adata.var_names.get_indexer(genes)
    ]


def test_files_without_shared_genes_or_samples_are_refused_by_name(own, other):
    other.var_names = [f"ENSG{i:011d}" for i in range(other.n_vars)]
    with pytest.raises(InputError, match=r"of other: none of their 70 genes .*Ensembl gene"):
        task_of(own, other)
    with pytest.raises(InputError, match=r"of other: the data are empty"):
        task_of(own, other[:0].copy())
    left, right = simulated(slice(200, 220), "a"), simulated(slice(220, 240), "b")
    with pytest.raises(InputError, match="no gene of the study is in all of the 2"):
        task_of(own, left[:, :40].copy(), right[:, 40:].copy())


def test_a_cohort_of_three_is_refused_in_the_frame_of_cohorts(own, other):
    words = {"config": with_options(CONFIG, {"normalize.frame": "cohort"}), "progress": False}
    with pytest.raises(InputError, match=r"fewer than 10 samples \(first: other \(3\)\)"):
        jaxssl.pretrain(own, unlabelled=[other[:3].copy()], **words)


def test_losing_a_third_of_the_genes_is_said(own, other):
    with pytest.warns(UserWarning, match="50 of the study's 80 genes are left out"):
        jaxssl.pretrain(own, unlabelled=[other[:, :30].copy()], **ASKED)


def test_rows_that_are_only_numbered_are_no_clash(own, other):
    own.obs_names = list(map(str, range(own.n_obs)))
    other.obs_names = list(map(str, range(other.n_obs)))
    ids = task_of(own, other).sample_ids
    assert len(set(ids)) == len(ids)
    assert ids[own.n_obs] == "other:0"


# --- estimators, verbs, splits


def test_an_estimator_pretrains_on_them_too(own, other):
    encoder = jaxssl.SSLEncoder(config=SMALL_OF_ENCODER).fit(own, unlabelled=[other])
    assert encoder.bundle_.provenance["n_train"] == 320
    assert encoder.transform(own).shape == (200, 8)
    labels = own.obs["class"].to_numpy()
    classifier = jaxssl.SSLClassifier(config=SMALL_OF_ENCODER)
    classifier.fit(own, labels, unlabelled=other)
    assert classifier.encoder_.bundle_.provenance["n_train"] == 320
    with pytest.raises(InputError, match="`unlabelled` is not for a pretrained encoder"):
        jaxssl.SSLClassifier(encoder=encoder).fit(own, labels, unlabelled=[other])


SMALL_OF_ENCODER = {"pretrain.n_steps": 4, "encoder.hidden": (8,), "finetune.transfer_layers": 1}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    for adata in (simulated(slice(200), "own"), simulated(slice(200, 320), "other")):
        write_h5ad(adata, folder / f"{adata.uns['jaxssl']['name']}.h5ad")
    return folder


TINY = [
    *("--seeds=1", "--config.pretrain.n_steps=4", "--config.encoder.hidden=(8,)"),
    "--config.finetune.transfer_layers=1",
]
COMPARED = [
    *("--arms=swav,pca_logreg", "--shares=1", "--config.finetune.n_steps=2"),
    "--config.finetune.probe_steps=2",
]


def test_verbs_join_files_and_a_sweep_of_their_encoders_compares_on_the_same(files, tmp_path):
    data, joined = f"--data={files / 'own.h5ad'}", f"--unlabelled={files / 'other.h5ad'}"
    launch("study", data, joined, *TINY, *COMPARED, f"--out={tmp_path / 'study'}")
    words = ["--seeds=1", f"--encoder={tmp_path / 'study'}", f"--out={tmp_path / 'sweep'}"]
    launch("sweep", data, *words, *COMPARED, TINY[-1])
    values = [pd.read_csv(tmp_path / run / "results.csv")["value"] for run in ("study", "sweep")]
    pd.testing.assert_series_equal(*values)
    config = json.loads((tmp_path / "sweep" / "config.json").read_text())
    assert config["data"]["unlabelled"] == [str(files / "other.h5ad")]


def test_a_verb_ends_with_the_flag_that_answers_and_writes_nothing(files, tmp_path):
    own = simulated(slice(200), "own")
    write_h5ad(renamed_copy(own, np.sort(held_out(own))), tmp_path / "copy.h5ad")
    data, out = f"--data={files / 'own.h5ad'}", f"--out={tmp_path / 'run'}"
    for file, finding in (
        (tmp_path / "copy.h5ad", "or pass --allow_leaks=transductive, which the report will say"),
        (files / "own.h5ad", "--unlabelled names the study's own data"),
        (files / "absent.h5ad", "absent.h5ad does not exist"),
    ):
        error = launch("pretrain", data, f"--unlabelled={file}", *TINY, out, code=2)
        assert finding in error
        assert not (tmp_path / "run").exists()


def test_every_split_is_joined_and_looked_at(own, other, tmp_path):
    with pytest.warns(UserWarning, match="2 splits test on 55 samples"):
        run = jaxssl.study(
            own, unlabelled=[other], splits=2, arms=["logreg"], out=tmp_path / "r", **ASKED
        )
    assert run.summary["unlabelled"]["n"] == 120
    test = make_task(own, with_options(CONFIG, {"split.seed": 1})).split.test
    only_there = np.setdiff1d(test, held_out(own))
    copy = renamed_copy(own, np.sort(only_there))
    with pytest.raises(InputError, match="transductive"):
        jaxssl.study(own, unlabelled=[copy], splits=2, out=tmp_path / "s", **ASKED)
    assert not (tmp_path / "s").exists()


def test_without_the_option_nothing_of_it_is_there(own, tmp_path):
    run = jaxssl.pretrain(own, out=tmp_path / "run", **ASKED)
    assert "unlabelled" not in run.summary
    assert "unlabelled" not in load_bundle(tmp_path / "run/encoder/seed_000").provenance
