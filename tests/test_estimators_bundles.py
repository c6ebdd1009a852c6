"""Estimators and bundles are of one kind: the numbers are those of the verbs."""

import dataclasses
import shutil

import jax
import numpy as np
import pandas as pd
import pytest
from anndata import read_h5ad
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from small_estimators import FITS, SMALL
from verbs import launch

import jaxssl
from jaxssl import SSLClassifier, SSLEncoder
from jaxssl.config import Config
from jaxssl.data.align import encoder_input
from jaxssl.data.labels import label_order
from jaxssl.data.synthetic import make_synthetic
from jaxssl.data.task import make_task
from jaxssl.engine.embed import embed
from jaxssl.engine.prepared import fingerprint
from jaxssl.estimators.options import make_config
from jaxssl.evaluation.classifier import fit_classifier, predict
from jaxssl.runs.output import Output
from jaxssl.studies.job import Job
from jaxssl.studies.study import run_pretraining
from jaxssl.types import InputError

pytestmark = FITS

SEED = 3


@pytest.fixture(scope="module")
def data():
    return make_synthetic(n_samples=90, n_genes=40, n_classes=3, n_superclasses=3)


@pytest.fixture(scope="module")
def task(data):
    return make_task(data, Config())


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """A run folder as the verb `pretrain` writes one."""
    folder = tmp_path_factory.mktemp("runs") / "pretrained"
    with jax.numpy_dtype_promotion("standard"):
        config = make_config("swav", None, SMALL)
        run_pretraining(Job(config, Output(str(folder)), [SEED], data=data))
    return folder


@pytest.fixture(scope="module")
def bundle(run):
    return jaxssl.load_bundle(run / "encoder" / "seed_003")


@pytest.fixture(scope="module")
def fitted(data, task):
    with jax.numpy_dtype_promotion("standard"):
        return SSLEncoder(config=SMALL, random_state=SEED).fit(data[task.split.train])


def test_an_encoder_is_bitwise_that_of_the_verb(data, task, bundle, fitted):
    x, _ = encoder_input(data, bundle.normalizer)
    np.testing.assert_array_equal(fitted.transform(data), embed(bundle, x))
    provenance = fitted.bundle_.provenance
    assert provenance["training_samples"] == fingerprint(task)
    assert provenance["versions"] == bundle.provenance["versions"]
    assert fitted.bundle_.config.method == bundle.config.method
    assert fitted.diagnosis_.status == provenance["status"]
    assert fitted.history_["step"].iloc[-1] == 20


def test_a_classifier_is_bitwise_that_of_fine_tuning(data, task, bundle):
    labelled = task.labelled_train
    order = labelled[label_order(task.codes[labelled], len(task.classes), SEED)]
    x, _ = encoder_input(data, bundle.normalizer)
    train, of_train = task.split.train, x.copy()
    # a matrix product of fewer rows rounds otherwise: the sweep normalises all samples in one
    of_train[train] = encoder_input(data[train], bundle.normalizer)[0]
    np.testing.assert_allclose(of_train, x, atol=1e-5)
    position = np.searchsorted(train, order)
    rows = of_train[train], task.codes[train], task.classes, position, SEED
    expected = fit_classifier(bundle, bundle.config, *rows)
    expected = predict(expected, x)
    fitted = SSLClassifier(encoder=bundle, random_state=SEED).fit(data[task.split.train])
    assert tuple(fitted.classes_) == task.classes
    uncalibrated = dataclasses.replace(fitted.bundle_, calibration=None)
    np.testing.assert_array_equal(predict(uncalibrated, x), expected)
    assert fitted.score(data) > 0.9
    other = SSLClassifier(encoder=bundle, random_state=SEED + 1).fit(data[task.split.train])
    assert (other.predict_proba(data) != expected).any()


def test_an_encoder_is_saved_as_a_bundle(data, fitted, tmp_path):
    fitted.save(tmp_path / "encoder")
    loaded = SSLEncoder.load(tmp_path / "encoder")
    np.testing.assert_array_equal(loaded.transform(data), fitted.transform(data))
    assert loaded.diagnosis_ == fitted.diagnosis_
    pd.testing.assert_frame_equal(loaded.history_, fitted.history_)
    np.testing.assert_array_equal(loaded.feature_names_in_, fitted.feature_names_in_)
    refitted = clone(loaded).fit(data)
    assert refitted.bundle_.config == fitted.bundle_.config
    data.write_h5ad(tmp_path / "data.h5ad")
    launch(
        "embed",
        f"--encoder={tmp_path / 'encoder'}",
        f"--data={tmp_path / 'data.h5ad'}",
        f"--out={tmp_path / 'embedded.h5ad'}",
    )
    found = read_h5ad(tmp_path / "embedded.h5ad").obsm["X_jaxssl"]
    np.testing.assert_allclose(found, fitted.transform(data), atol=1e-4)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").touch()
    with pytest.raises(InputError, match="exists and is no bundle"):
        fitted.save(tmp_path / "thesis")


def test_an_encoder_of_a_run_folder_becomes_an_estimator(data, run, fitted):
    for folder in (run, run / "encoder" / "seed_003"):
        loaded = SSLEncoder.load(folder)
        np.testing.assert_array_equal(loaded.transform(data), fitted.transform(data))
        assert loaded.history_.empty
    assert SSLClassifier(encoder=run).fit(data).score(data) > 0.9
    with pytest.raises(InputError, match="is an encoder, not a classifier"):
        SSLClassifier.load(run)


def test_a_classifier_is_saved_as_a_bundle(data, fitted, tmp_path):
    y = data.obs["class"].str[-1].astype(int)
    made = SSLClassifier(encoder=fitted).fit(data, y)
    made.save(tmp_path / "classifier")
    loaded = SSLClassifier.load(tmp_path / "classifier")
    with pytest.raises(InputError, match="holds a classifier, which this is not"):
        fitted.save(tmp_path / "classifier")
    np.testing.assert_array_equal(loaded.predict(data), made.predict(data))
    assert loaded.classes_.dtype == made.classes_.dtype
    data.write_h5ad(tmp_path / "data.h5ad")
    launch(
        "predict",
        f"--classifier={tmp_path / 'classifier'}",
        f"--data={tmp_path / 'data.h5ad'}",
        f"--out={tmp_path / 'predicted.csv'}",
    )
    predicted = pd.read_csv(tmp_path / "predicted.csv")["predicted"]
    assert np.mean(predicted == made.predict(data)) > 0.98  # other compiler options


def test_an_encoder_of_a_run_is_not_replaced_by_a_classifier(data, run, tmp_path):
    made = SSLClassifier(encoder=run, config={"finetune.n_steps": 5}).fit(data)
    with pytest.raises(InputError, match=r"seed_003 is part of the run in .*pretrained"):
        made.save(run / "encoder" / "seed_003")
    copied = tmp_path / "copied"
    shutil.copytree(run, copied)
    shutil.rmtree(copied / "encoder" / "seed_003")
    made.save(copied / "encoder" / "seed_003")  # as one may copy it there
    with pytest.raises(InputError, match="seed_003 is a classifier, and not the encoder of the r"):
        assert jaxssl.open_study(copied).encoders
    with pytest.raises(InputError, match="seed_003 is a classifier, and not the encoder of the r"):
        jaxssl.study(data, encoder=copied, seeds=SEED + 1, progress=False)


def test_a_classifier_is_cloned_with_what_its_encoder_is(data, fitted, bundle):
    kept = clone(SSLClassifier(encoder=bundle)).encoder
    assert kept.params is not None
    assert not hasattr(clone(SSLClassifier(encoder=fitted)).encoder, "bundle_")
    made = SSLClassifier(encoder=SSLEncoder(config=SMALL)).set_params(encoder__n_prototypes=4)
    assert cross_val_score(made, data, data.obs["class"], cv=2).mean() > 0.8
    assert made.fit(data).encoder_.bundle_.config.method.n_prototypes == (4,)
    assert not hasattr(made.encoder, "bundle_")


def test_fine_tuning_options_are_the_classifiers_own(data, bundle):
    made = SSLClassifier(encoder=bundle, config={"finetune.n_steps": 7}).fit(data)
    assert made.bundle_.config.finetune.n_steps == 7
    whole = Config()
    whole.finetune = dataclasses.replace(whole.finetune, n_steps=8, transfer_layers=1)
    made = SSLClassifier(encoder=bundle, config=whole).fit(data)
    assert made.bundle_.config.finetune.n_steps == 8
    assert made.bundle_.config.encoder.hidden == (8,)
    with pytest.raises(InputError, match=r"`pretrain\.n_steps` is an option of the encoder"):
        SSLClassifier(encoder=bundle, config={"pretrain.n_steps": 7}).fit(data)


def test_a_training_that_diverged_is_not_used(data, bundle):
    lost = {"status": "diverged", "cause": "why", "fix": "what to do"}
    bundle = dataclasses.replace(bundle, provenance=bundle.provenance | lost)
    with pytest.raises(InputError, match="diverged"):
        SSLEncoder.from_bundle(bundle).transform(data)
    with pytest.raises(InputError, match="diverged"):
        SSLClassifier(encoder=bundle).fit(data)
