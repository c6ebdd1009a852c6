"""Samples of another laboratory as users meet them: refused, warned of, or adapted."""

import dataclasses

import jax
import numpy as np
import pandas as pd
import pytest
from laboratories import other_laboratory
from verbs import launch

import jaxssl
from jaxssl import SSLEncoder
from jaxssl.data.arrival import judge, receive
from jaxssl.data.synthetic import make_synthetic
from jaxssl.engine.bundle import load_bundle, save_bundle
from jaxssl.evaluation.predictions import counted, doubt_of_one_class
from jaxssl.types import InputError

pytestmark = pytest.mark.filterwarnings("ignore:.*not healthy:UserWarning")

SMALL = {"encoder.hidden": (16, 8), "finetune.transfer_layers": 2, "pretrain.n_steps": 20}


@pytest.fixture(scope="module")
def encoder():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return SSLEncoder(config=SMALL).fit(make_synthetic(n_samples=240, n_genes=60))


def test_a_bundle_keeps_what_it_knows_of_its_cohort(encoder, tmp_path):
    save_bundle(tmp_path / "b", encoder.bundle_)
    loaded = load_bundle(tmp_path / "b").reference
    for name, kept in vars(encoder.bundle_.reference).items():
        np.testing.assert_array_equal(vars(loaded)[name], kept)
    save_bundle(tmp_path / "old", dataclasses.replace(encoder.bundle_, reference=None))
    assert load_bundle(tmp_path / "old").reference is None


def test_python_and_estimators_refuse_warn_and_adapt(encoder, tmp_path, numerics):
    data = make_synthetic(n_samples=240, n_genes=60)
    moved = data.copy()
    moved.X = other_laboratory(data.X, 0)
    moved.obs_names = [f"other{i}" for i in range(240)]
    classifier = jaxssl.SSLClassifier(encoder, label="class", config={"finetune.n_steps": 5})
    classifier.fit(data).save(tmp_path / "clf")
    for use in (encoder.transform, classifier.predict, encoder.embed):
        with pytest.raises(InputError, match=r"240 samples lie too far from.*`shift=adapt`"):
            use(moved.copy())
    with pytest.raises(InputError, match="it takes "):
        jaxssl.predict(tmp_path / "clf", moved)
    with pytest.warns(UserWarning, match="too far from the classifier's"):
        warned = jaxssl.predict(tmp_path / "clf", moved, shift="warn")
    adapted = jaxssl.predict(tmp_path / "clf", moved, shift="adapt")
    data.obs_names = moved.obs_names
    own = jaxssl.predict(tmp_path / "clf", data)
    truth = data.obs["class"].to_numpy()
    right = [(table["predicted"] == truth).mean() for table in (own, adapted, warned)]
    assert right[1] > right[0] - 0.05
    assert right[2] < right[1]
    probabilities = own.filter(regex="^p_")
    np.testing.assert_array_equal(own["max_probability"], probabilities.max(axis=1))
    assert own["out_of_distribution"].between(0, 1).all()
    assert (warned["out_of_distribution"] == 1).mean() > 0.9
    assert adapted["out_of_distribution"].median() < 0.9
    other = jaxssl.SSLClassifier(encoder, label="class", shift="adapt")
    np.testing.assert_allclose(
        other.fit(moved).bundle_.normalizer.mean, moved.X.mean(axis=0), rtol=1e-5
    )
    with pytest.raises(InputError, match=r"`shift=ignore` is unknown; choose one of refuse, warn"):
        jaxssl.predict(tmp_path / "clf", data, shift="ignore")


def test_an_encoder_that_keeps_nothing_says_so(encoder, tmp_path):
    bundle = dataclasses.replace(encoder.bundle_, reference=None)
    data = make_synthetic(n_samples=240, n_genes=60)
    arrival = receive(data, bundle.normalizer, bundle.reference)
    assert "none can be told" in arrival.sentence
    assert np.isnan(arrival.outlying).all()
    judge(arrival, "refuse", "the encoder's")


def test_verbs_refuse_before_they_write_and_name_the_flags(encoder, tmp_path):
    moved = make_synthetic(n_samples=240, n_genes=60)
    moved.X = other_laboratory(moved.X, 0)
    moved.obs_names = [f"other{i}" for i in range(240)]
    moved.write_h5ad(tmp_path / "moved.h5ad")
    encoder.save(tmp_path / "encoder")
    words = [f"--encoder={tmp_path / 'encoder'}", f"--data={tmp_path / 'moved.h5ad'}"]
    for verb, out in (("embed", "e.h5ad"), ("finetune", "clf")):
        told = launch(verb, *words, f"--out={tmp_path / out}", code=2)
        assert "pass --shift=adapt to standardise" in told
        assert not (tmp_path / out).exists()
    launch("finetune", *words, f"--out={tmp_path / 'clf'}", "--shift=adapt", "--label=class")
    words = [f"--classifier={tmp_path / 'clf'}", words[1], f"--out={tmp_path / 'p.csv'}"]
    told = launch("predict", *words)  # its own cohort by now
    assert "shift: " in told
    assert len(pd.read_csv(tmp_path / "p.csv")) == 240


def test_a_file_of_one_class_is_warned_of_though_nothing_has_shifted(encoder, numerics):
    data = make_synthetic(n_samples=240, n_genes=60)
    classifier = jaxssl.SSLClassifier(encoder, label="class", config={"finetune.n_steps": 5})
    bundle = classifier.fit(data).bundle_
    assert sum(bundle.provenance["class_counts"]) == bundle.provenance["n_labelled"]
    named = classifier.predict(data)
    largest = pd.Series(named).value_counts().index[0]
    new = data[named == largest].copy()
    new.obs_names = [f"new{i}" for i in range(new.n_obs)]
    for use in (classifier.predict, lambda d: jaxssl.predict(bundle, d, shift="warn")):
        with pytest.warns(UserWarning, match=f"samples are taken for {largest}"):
            use(new)


def test_classes_are_counted_in_a_line():
    assert counted(np.array(["normal"] * 76)) == "all 76 samples for normal"
    assert counted(np.array(["a", "b", "a"])) == "2 samples for a, 1 for b"
    assert counted(np.array(list("aabcdefg"))).endswith(", 2 for others")


def test_one_class_for_all_is_doubted_where_chance_does_not_explain_it():
    classes = ["a", "b"]
    all_b = np.array(["b"] * 40)
    assert "all 40 samples of X are taken for b, which 25%" in doubt_of_one_class(
        all_b, classes, [75, 25], " of X"
    )
    assert not doubt_of_one_class(all_b, classes, [2, 98]), "nearly all of the training"
    assert not doubt_of_one_class(all_b[:9], classes, [75, 25]), "few"
    assert not doubt_of_one_class(all_b, classes, [8, 92]), "0.92 ** 40 is above 0.01"
    assert doubt_of_one_class(np.array(["b"] * 60), classes, [8, 92])
    assert not doubt_of_one_class(np.array(["b"] * 39 + ["a"]), classes)
