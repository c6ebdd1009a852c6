"""Classifiers whose probabilities are calibrated, and the sets that they give."""

import dataclasses
import json
import warnings

import jax
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import stats
from scipy.special import log_softmax, softmax
from verbs import launch

import jaxssl
from jaxssl import SSLClassifier, SSLEncoder
from jaxssl.data.expression import write_h5ad
from jaxssl.data.synthetic import make_synthetic
from jaxssl.engine.bundle import load_bundle, save_bundle
from jaxssl.estimators.options import make_config
from jaxssl.evaluation.calibration import (
    nonconformity,
    sentence,
)
from jaxssl.evaluation.classifier import cross_validate, fit_classifier, logits, with_calibration
from jaxssl.evaluation.conformal import (
    prediction_sets,
    score_limits,
)
from jaxssl.types import Calibration, InputError

pytestmark = pytest.mark.filterwarnings("ignore:.*(not healthy|collapsed):UserWarning")
SMALL = {"encoder.hidden": (16, 8), "finetune.transfer_layers": 2, "pretrain.n_steps": 20}


def kept(scores, codes, is_held_out=True):
    return Calibration(np.float32(scores), np.int32(codes), 1.0, is_held_out)


@pytest.fixture(scope="module")
def data():
    return make_synthetic(n_samples=240, n_genes=60, n_classes=3, n_superclasses=3)


@pytest.fixture(scope="module")
def encoder(data):
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return SSLEncoder(config=SMALL).fit(data)


@pytest.fixture(scope="module")
def classifier(data, tmp_path_factory):
    """The folder of a fine-tuning."""
    folder = tmp_path_factory.mktemp("calibrated")
    promotion = jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow")
    with promotion[0], promotion[1], warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so few steps collapse
        config = make_config("swav", None, SMALL)
        quiet = {"label": "class", "progress": False}
        jaxssl.pretrain(data, out=folder / "enc", config=config, seeds=1, **quiet)
        jaxssl.finetune(folder / "enc", out=folder / "clf", data=data, **quiet)
    return folder / "clf"


@pytest.mark.usefixtures("numerics")
def test_a_fine_tuning_keeps_its_validation_labels_as_numbers_and_uses_them(
    classifier, data, tmp_path
):
    bundle = load_bundle(classifier / "classifier")
    summary = json.loads((classifier / "summary.json").read_text())
    held_out = pd.read_parquet(classifier / "predictions.parquet")
    validation = held_out[held_out["part"] == "validation"]
    kept = bundle.calibration
    assert kept.is_held_out
    assert summary["calibration"] == {
        "temperature": kept.temperature,
        "n_labels": len(validation),
    }
    np.testing.assert_array_equal(
        np.asarray(bundle.provenance["classes"])[kept.codes], validation["label"]
    )
    # p^T, made to add up to 1 again, is what the network says
    p = validation.filter(regex="^p_").to_numpy(float)
    own = log_softmax(np.log(p) * kept.temperature, axis=1)
    np.testing.assert_allclose(-own[np.arange(len(p)), kept.codes], kept.scores, atol=1e-2)
    uncalibrated = dataclasses.replace(bundle, calibration=None)
    new = data.copy()
    new.obs_names = [f"new{i}" for i in range(240)]
    raw, table = (jaxssl.predict(b, new) for b in (uncalibrated, bundle))
    assert (raw["predicted"] == table["predicted"]).all()
    assert (raw["max_probability"] != table["max_probability"]).any()
    card = (classifier / "classifier" / "MODEL_CARD.md").read_text()
    assert sentence(kept).removeprefix("calibration: ") in card
    save_bundle(tmp_path / "again", bundle)
    again = load_bundle(tmp_path / "again").calibration
    np.testing.assert_array_equal(again.scores, kept.scores)
    assert again.temperature == kept.temperature


@pytest.mark.usefixtures("numerics")
def test_an_old_classifier_predicts_as_it_did_and_promises_nothing(classifier, data, tmp_path):
    bundle = load_bundle(classifier / "classifier")
    old = dataclasses.replace(bundle, calibration=None)
    save_bundle(tmp_path / "old", old)
    description = json.loads((tmp_path / "old" / "bundle.json").read_text())
    assert description["calibration"] == {}
    assert load_bundle(tmp_path / "old").calibration is None
    write_h5ad(data, tmp_path / "new.h5ad")
    words = [f"--classifier={tmp_path / 'old'}", f"--data={tmp_path / 'new.h5ad'}"]
    assert "keeps none, so probabilities are the network's own" in launch(
        "predict", *words, f"--out={tmp_path / 'p.csv'}"
    )
    found = pd.read_csv(tmp_path / "p.csv").filter(regex="^p_").to_numpy()
    np.testing.assert_allclose(found, softmax(logits(old, _input(old, data)), axis=1), atol=1e-5)
    told = launch("predict", *words, f"--out={tmp_path / 'q.csv'}", "--coverage=0.9", code=2)
    assert "keeps no calibration labels" in told
    assert "drop --coverage" in told
    assert not (tmp_path / "q.csv").exists()


def _input(bundle, data):
    return jaxssl.data.arrival.receive(data, bundle.normalizer, bundle.reference).x


@pytest.mark.usefixtures("numerics")
def test_a_verb_writes_sets_and_tells_of_every_cohort_as_measured(classifier, data, tmp_path):
    labelled = data.copy()
    labelled.obs_names = [f"new{i}" for i in range(240)]
    labelled.obs["site"] = np.where(np.arange(240) % 2, "north", "south")
    labelled.obs["truth"] = labelled.obs["class"].astype(object)
    labelled.obs.loc[labelled.obs_names[:3], "truth"] = "another"
    labelled.obs.loc[labelled.obs_names[3:9], "truth"] = ""
    write_h5ad(labelled, tmp_path / "new.h5ad")
    words = [f"--classifier={classifier}", f"--data={tmp_path / 'new.h5ad'}", "--coverage=0.7"]
    out = f"--out={tmp_path / 'p.csv'}"
    printed = launch("predict", *words, out, "--label=truth", "--batch=site")
    assert "promised: at least 0.7 of the samples of every class" in printed
    table = pd.read_csv(tmp_path / "p.csv")
    with pytest.warns(UserWarning, match="3 samples are of classes that.*measure: another"):
        by_python = jaxssl.predict(classifier, labelled, coverage=0.7, label="truth", batch="site")
    assert table["prediction_set"].tolist() == by_python["prediction_set"].tolist()
    assert table["prediction_set"].str.split(" | ", regex=False).str.len().equals(table["set_size"])
    assert [a.split(" | ")[0] for a in table["prediction_set"]] == table["predicted"].tolist()
    known = table["label"].isin(load_bundle(classifier / "classifier").provenance["classes"])
    for site, rows in table[known].groupby(labelled.obs["site"].to_numpy()[known]):
        held = [
            a in b.split(" | ") for a, b in zip(rows["label"], rows["prediction_set"], strict=True)
        ]
        accuracy = (rows["label"] == rows["predicted"]).mean()
        assert f"measured: {site}, {len(rows)} labels: accuracy {accuracy:.3f} (" in printed
        assert f"coverage {np.mean(held):.3f} (" in printed
    loaded = SSLClassifier.load(classifier)
    np.testing.assert_array_equal(loaded.predict_set(data, 0.7).sum(axis=1), by_python["set_size"])
    labelled.X = labelled.X + 4
    with pytest.warns(UserWarning, match="sets promise no coverage here"):
        jaxssl.predict(classifier, labelled, coverage=0.7, shift="adapt")
    loaded.shift = "adapt"
    with pytest.warns(UserWarning, match="sets promise no coverage here"):
        loaded.predict_set(labelled, 0.7)
    for words, found in {
        ("--label=truht",): "did you mean truth?",
        ("--label=site",): "no value of the column 'site' is a class",
        ("--coverage=1",): "--coverage=1.0 is out of its range",
    }.items():
        given = [f"--classifier={classifier}", f"--data={tmp_path / 'new.h5ad'}", *words]
        assert found in launch("predict", *given, f"--out={tmp_path / 'q.csv'}", code=2)
    assert not (tmp_path / "q.csv").exists()


@pytest.mark.usefixtures("numerics")
def test_an_estimator_is_calibrated_by_fits_that_did_not_see_the_label(encoder, data):
    x, codes = encoder._input_of(data), np.unique(data.obs["class"], return_inverse=True)[1]
    rng = np.random.default_rng(0)
    random = rng.permutation(codes)  # what is learnt by heart is worth nothing on new labels
    order = rng.permutation(240)
    given = encoder.bundle_, encoder.bundle_.config, x
    found = cross_validate(*given, random, ("a", "b", "c"), order, 0)
    assert not found.is_held_out
    assert len(found.scores) == 240
    fitted = fit_classifier(*given, random, ("a", "b", "c"), order, 0)
    seen = nonconformity(logits(fitted, x))[order, random[order]]
    assert found.scores.mean() > seen.mean() + 0.1
    assert found.scores.mean() > np.log(3) - 0.05
    rare = np.where(np.arange(240) == order[7], 2, codes % 2)
    assert len(cross_validate(*given, rare, ("a", "b", "c"), order, 0).scores) == 239
    assert cross_validate(*given, codes, ("a", "b", "c"), order[:19], 0) is None


@pytest.mark.usefixtures("numerics")
def test_an_estimator_says_how_few_labels_make_sets(encoder, data):
    y = np.where(np.arange(240) < 15, data.obs["class"].to_numpy(), "")
    few = SSLClassifier(encoder, config={"finetune.n_steps": 5}).fit(data, y)
    with pytest.raises(InputError, match="keeps no calibration labels"):
        few.predict_set(data)
    many = SSLClassifier(encoder, label="class").fit(data)
    sets = many.predict_set(data, 0.9)
    assert sets.shape == (240, 3)
    own = sets[np.arange(240), np.searchsorted(many.classes_, data.obs["class"])]
    assert own.mean() > 0.85


@pytest.fixture(scope="module")
def tumours(data_dir):
    """TCGA breast tumours with a PAM50 class, by thirds of patients."""
    folder = data_dir / "tcga_brca_909"
    obs = pd.read_csv(folder / "labels.csv", dtype=str, keep_default_na=False)
    adata = AnnData(np.load(folder / "expression.npz")["X"], obs.set_index("sample_id"))
    adata.uns["jaxssl"] = {"scale": "log2"}
    adata = adata[~adata.obs["pam50"].isin(["", "Normal"])].copy()
    names = adata.obs["patient"].to_numpy()
    patients, of = np.unique(names, return_inverse=True)
    part = np.random.default_rng(0).permutation(len(patients))[of] % 3
    return [adata[part == i].copy() for i in range(3)]


@pytest.mark.usefixtures("numerics")
def test_on_tumours_of_other_patients_probabilities_improve_and_the_promise_is_kept(tumours):
    own, held_out, new = tumours
    by_heart = {"encoder.hidden": (64, 32), "finetune.learning_rate": 2e-3}
    config = SMALL | by_heart | {"normalize.scaling": 1.0}
    fitted = SSLClassifier(config=config, label="pam50").fit(own)
    validated = fitted.bundle_.calibration.temperature
    codes = [np.searchsorted(fitted.classes_, part.obs["pam50"]) for part in (held_out, new)]
    x = [_input(fitted.bundle_, part) for part in (held_out, new)]
    bundle = with_calibration(fitted.bundle_, x[0], codes[0])
    assert 1.2 < validated == pytest.approx(bundle.calibration.temperature, rel=0.3)
    of = logits(bundle, x[1])
    losses = [
        -log_softmax(of / t, axis=1)[np.arange(len(of)), codes[1]].mean()
        for t in (1.0, validated, bundle.calibration.temperature)
    ]
    assert max(losses[1:]) < 0.95 * losses[0]
    sets = prediction_sets(nonconformity(of), score_limits(bundle.calibration, 4, 0.9))
    for code in range(4):
        held = sets[codes[1] == code, code]
        assert stats.binomtest(int(held.sum()), len(held), 0.9).pvalue > 0.01 or held.mean() > 0.9
    assert sets.sum(axis=1).mean() < 1.6
