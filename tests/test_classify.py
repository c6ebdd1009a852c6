"""A cohort is classified by all its labels, and told what to expect."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from verbs import launch

import jaxssl
from jaxssl.data.synthetic import make_synthetic
from jaxssl.evaluation import ensembles
from jaxssl.evaluation.ensemble_bundle import load_ensemble
from jaxssl.runs.output import Output
from jaxssl.studies import data as studies_data
from jaxssl.studies import recommendation
from jaxssl.studies.progress import Hooks
from jaxssl.studies.recommendation import OPTIONS
from jaxssl.studies.refusals import Refusals
from jaxssl.types import InputError

pytestmark = pytest.mark.usefixtures("small", "numerics")
SMALL = {"encoder.hidden": (32, 16), "pretrain.n_steps": 80}


@pytest.fixture(scope="module")
def small():
    """The recipe in miniature."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ensembles, "N_ENCODERS", 2)
        for name, value in SMALL.items():
            patch.setitem(OPTIONS, name, value)
        yield


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """A file of 160 samples with 24 labels of four classes, one of them alone; and later samples.

    A fifth class has no label.
    """
    made = make_synthetic(
        n_samples=260, n_genes=80, n_superclasses=5, n_classes=5, batch_effect=0.0, noise=0.5
    )
    obs, rng = made.obs[["class", "donor"]].astype(str), np.random.default_rng(0)
    adata = AnnData(made.X, obs, made.var[[]], uns={"jaxssl": {"scale": "log2"}})
    adata = adata[rng.permutation(260)].copy()
    truth = adata.obs["class"].to_numpy().astype(object)
    classes, first = np.unique(truth), adata[:160].copy()
    label = np.full(160, "", object)
    known = np.flatnonzero(truth[:160] == classes[3])[:1]
    several = np.flatnonzero(np.isin(truth[:160], classes[:3]))[:23]
    for rows in (known, several):
        label[rows] = truth[rows]
    first.obs["label"] = label
    files = {"first": tmp_path_factory.mktemp("cohort") / "first.h5ad"}
    files["later"] = files["first"].with_name("later.h5ad")
    first.write_h5ad(files["first"])
    adata[160:].copy().write_h5ad(files["later"])
    return files


@pytest.fixture(scope="module")
def run(cohort, tmp_path_factory, small, numerics):
    """The folder of a classification, by the verb."""
    out = tmp_path_factory.mktemp("classified") / "run"
    words = "--label=label", "--group=donor", f"--out={out}"
    return out, launch("classify", f"--data={cohort['first']}", *words)


def test_all_labels_are_learnt_from_and_what_to_expect_is_said(run, cohort):
    out, told = run
    table = pd.read_parquet(out / "predictions.parquet")
    summary = json.loads((out / "summary.json").read_text())
    truth = jaxssl.read(cohort["first"]).obs["class"].to_numpy()
    assert len(table) == 160
    assert sorted(summary["labels"].values())[0] == 1, "the only label of a class stays"
    assert (table["label"] != "").sum() == summary["n_labelled"] == 24
    known = np.isin(truth, summary["classes"]) & (table["label"] == "").to_numpy()
    right = table["predicted"].to_numpy() == truth
    assert right[known].mean() >= 0.9
    expected = summary["expected"]["accuracy"]
    assert 0.7 < expected["low"] <= right[known].mean()
    np.testing.assert_allclose(table.filter(like="p_").sum(axis=1), 1, rtol=1e-5)
    card = (out / "classifier" / "MODEL_CARD.md").read_text()
    for text in (str(told), card):
        assert "xpected accuracy on new samples of this cohort: " in text
        assert summary["expected"]["advice"][1:] in text
    # what is of the class without a label lies further from labels
    unseen = ~np.isin(truth, summary["classes"])
    none = table["none_of_the_classes"]
    assert none[unseen].mean() > none[known].mean() + 0.1
    least = table.filter(like="p_").min(axis=1)
    assert (least >= none / len(summary["classes"]) - 1e-6).all(), "drawn towards equal ones"
    with pytest.raises(InputError, match="which is no study; read its classifier/"):
        jaxssl.open_study(out)


@pytest.mark.filterwarnings("ignore:coverage 0.6 needs")
def test_samples_that_stay_on_disk_are_classified_as_in_memory(run, cohort, monkeypatch):
    words = {"coverage": 0.6}
    expected = jaxssl.predict(run[0], cohort["later"], **words)
    monkeypatch.setattr(studies_data, "LARGE_SHARE", 0)
    monkeypatch.setattr("jaxssl.data.backed.BLOCK", 30)
    told = []
    hooks = Hooks(lambda event: told.append(event.text))
    found = jaxssl.predict(run[0], cohort["later"], hooks, **words)
    assert any("stay on disk" in text for text in told)
    pd.testing.assert_frame_equal(found, expected, atol=1e-5)


@pytest.mark.filterwarnings("ignore:coverage 0.6 needs")
def test_later_samples_are_classified_from_disk_as_by_the_estimator(run, cohort):
    later = jaxssl.read(cohort["later"])
    table = jaxssl.predict(run[0], later, coverage=0.6)
    known = table["none_of_the_classes"] < 0.5
    truth = later.obs["class"].to_numpy()
    assert (table["predicted"].to_numpy() == truth)[known].mean() >= 0.9
    loaded = jaxssl.SSLClassifier.load(run[0])
    columns = [f"p_{name}" for name in loaded.classes_]
    np.testing.assert_allclose(loaded.predict_proba(later), table[columns], atol=1e-6)
    sets = loaded.predict_set(later, coverage=0.6)
    np.testing.assert_array_equal(sets.sum(axis=1), table["set_size"])
    one = jaxssl.predict(run[0], later[:1].copy())  # a sample is the same whatever is beside it
    assert one[columns].to_numpy() == pytest.approx(table[columns].to_numpy()[:1], abs=1e-5)
    with pytest.warns(UserWarning, match="4 of the encoder's 80 genes are missing"):
        few = jaxssl.predict(run[0], later[:, 4:].copy())
    assert (few["predicted"] == table["predicted"])[known].mean() > 0.9
    with pytest.raises(InputError, match=r"of several encoders, .* only `predict\(\)` takes it"):
        jaxssl.embed(run[0], later)


@pytest.mark.filterwarnings("ignore:the pretraining is not healthy")
def test_a_classifier_in_memory_is_the_one_on_disk(cohort, tmp_path):
    adata = jaxssl.read(cohort["first"], label="label", group="donor")
    fitted = jaxssl.SSLClassifier(recipe="best").fit(adata)
    fitted.save(tmp_path / "clf")
    loaded = jaxssl.SSLClassifier.load(tmp_path / "clf")
    np.testing.assert_array_equal(loaded.classes_, fitted.classes_)
    np.testing.assert_allclose(loaded.predict_proba(adata), fitted.predict_proba(adata), atol=1e-6)
    other = jaxssl.SSLEncoder(config={"pretrain.n_steps": 2}).fit(adata)
    with pytest.raises(InputError, match="of another recipe"):
        other.save(tmp_path / "clf")
    with pytest.raises(InputError, match="`encoder` is not for `recipe=best`"):
        jaxssl.SSLClassifier(encoder="somewhere", recipe="best").fit(adata)
    with pytest.raises(InputError, match="did you mean best"):
        jaxssl.SSLClassifier(recipe="bets").fit(adata)


def test_a_damaged_bundle_is_refused(run, tmp_path):
    folder = tmp_path / "clf"
    shutil.copytree(run[0] / "classifier", folder)
    assert load_ensemble(folder).calibration.temperature == 1
    genes = (folder / "genes.txt").read_text().split()
    (folder / "genes.txt").write_text("\n".join(reversed(genes)) + "\n")
    with pytest.raises(InputError, match=r"genes\.txt is not as it was written"):
        load_ensemble(folder)


def test_what_makes_labels_doubtful_is_said_before_anything_is_fitted(cohort, tmp_path):
    adata = jaxssl.read(cohort["first"], label="label", group="donor")
    label = adata.obs["label"].astype(object)
    adata.obs["label"] = label.where((label != "") | (np.arange(160) % 10 > 0), "NA")
    adata.obs["site"] = np.where(np.arange(160) < 80, "a", "b")
    adata.obs.loc[adata.obs["site"] == "b", "label"] = ""
    roles = {"label": "label", "group": "", "batch": "site"}
    asked = recommendation.Wanted(adata, (), roles, 0)
    silent = r"80 samples are of 1 batches without a label \(first: b\)"
    with pytest.warns(match=silent), pytest.warns(match="samples are of the class 'NA'"):
        recommendation._prepare(asked, Output(str(tmp_path / "new")), Hooks())


def test_what_two_checks_find_is_told_once():
    found = Refusals()
    for fix in ("import a table", "there are a, b"):
        with found.kept():
            raise InputError("there is no column 'c'", fix)
    with pytest.raises(InputError, match=r"^there is no column 'c'; import a table$"):
        found.tell()


def test_one_message_lists_all_that_must_change(cohort, tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("mine")
    adata = jaxssl.read(cohort["first"])
    adata.obs["one"] = "same"
    adata.uns["jaxssl"]["scale"] = "of its own"
    words = {"label": "one", "group": "patient", "batch": "site", "progress": False}
    with pytest.raises(InputError) as found:
        jaxssl.classify(adata, out=tmp_path / "taken", **words)
    for part in (
        "5 things must change: (1)",
        "is no run folder",
        "of its own",
        "all labelled samples are 'same'",
        "no column 'patient' for `group`",
        "no column 'site' for `batch`",
    ):
        assert part in str(found.value)
    file = f"--data={cohort['first']}"
    error = launch("classify", file, "--label=lable", "--group=dona", "--out=", code=2)
    for part in (
        "3 things must change",
        "pass --out=",
        "'lable' for --label; did",
        "'dona' for --",
    ):
        assert part in error
