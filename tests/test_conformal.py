"""Temperatures against oracles; sets that hold the true class as often as theory says."""

import dataclasses
import doctest
import json
import warnings

import jax
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import stats
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from verbs import launch

import jaxssl
from jaxssl import SSLClassifier, SSLEncoder
from jaxssl.data.expression import write_h5ad
from jaxssl.data.synthetic import make_synthetic
from jaxssl.engine.bundle import load_bundle, save_bundle
from jaxssl.estimators.options import make_config
from jaxssl.evaluation import calibration, conformal
from jaxssl.evaluation.calibration import (
    MIN_LABELS,
    calibrate,
    fit_temperature,
    nonconformity,
    sentence,
    with_temperature,
)
from jaxssl.evaluation.classifier import cross_validate, fit_classifier, logits, with_calibration
from jaxssl.evaluation.conformal import (
    by_cohort,
    in_words,
    least_labels,
    limits_of,
    prediction_sets,
    score_limits,
    told,
    warn_of_other,
)
from jaxssl.types import Calibration, InputError

pytestmark = pytest.mark.filterwarnings("ignore:.*(not healthy|collapsed):UserWarning")
SMALL = {"encoder.hidden": (16, 8), "finetune.transfer_layers": 2, "pretrain.n_steps": 20}


def drawn(n, n_classes=3, temperature=1.0, seed=0):
    """Logits, and classes drawn by their probabilities at a temperature."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(scale=3, size=(n, n_classes))
    gumbel = rng.gumbel(size=scores.shape)
    return scores, (scores / temperature + gumbel).argmax(axis=1)


def kept(scores, codes, is_held_out=True):
    return Calibration(np.float32(scores), np.int32(codes), 1.0, is_held_out)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_by_which_labels_were_drawn_is_found(temperature):
    assert fit_temperature(*drawn(20_000, temperature=temperature)) == pytest.approx(
        temperature, rel=0.05
    )


def test_the_temperature_is_scipys_optimum_of_the_log_loss_with_one_label_more():
    scores, codes = drawn(60, temperature=2.5)

    def loss(log_t):
        log_p = log_softmax(scores / np.exp(log_t), axis=1)
        own, any_class = log_p[np.arange(60), codes], log_p.mean(axis=1)
        return -(60 * own + any_class).sum() / 61

    best = minimize(loss, [0.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-12})
    assert np.log(fit_temperature(scores, codes)) == pytest.approx(best.x[0], abs=1e-4)


def test_of_many_labels_it_is_the_temperature_of_scikit_learn():
    calibration = pytest.importorskip("sklearn.calibration", minversion=None)
    theirs = getattr(calibration, "_TemperatureScaling", None)
    if theirs is None:
        pytest.skip("scikit-learn before 1.8 has none")
    scores, codes = drawn(5000, temperature=1.7)
    assert fit_temperature(scores, codes) == pytest.approx(
        1 / theirs().fit(scores, codes).beta_, rel=2e-3
    )


def test_labels_without_an_error_make_nothing_certain():
    codes = np.arange(30) % 3
    scores = 50.0 * np.eye(3)[codes]
    confidence = with_temperature(scores, fit_temperature(scores, codes)).max(axis=1)
    # the rule of succession: 30 right of 31, and the last of any of three classes
    np.testing.assert_allclose(confidence, (30 + 1 / 3) / 31, atol=1e-4)


@pytest.mark.parametrize("temperature", [0.1, 0.7, 4.0])
def test_a_temperature_changes_no_class_that_is_named(temperature):
    scores, _ = drawn(500)
    np.testing.assert_array_equal(
        with_temperature(scores, temperature).argmax(axis=1), scores.argmax(axis=1)
    )
    np.testing.assert_allclose(with_temperature(scores, 1.0), softmax(scores, axis=1), rtol=1e-5)


def test_of_few_labels_no_temperature_is_fitted_and_a_sentence_says_so():
    scores, codes = drawn(MIN_LABELS, temperature=4.0)
    assert calibrate(scores, codes).temperature > 1
    few = calibrate(scores[:-1], codes[:-1])
    assert few.temperature == 1
    assert "19 validation labels are too few for a temperature (at least 20)" in sentence(few)
    assert calibrate(scores[:0], codes[:0]) is None
    assert "keeps none" in sentence(None)


def test_scores_that_are_no_numbers_are_left_out():
    scores, codes = drawn(30)
    scores[3] = np.nan
    assert len(calibrate(scores, codes).codes) == 29


@pytest.mark.parametrize(("coverage", "n"), [(0.9, 9), (0.9, 50), (0.8, 4), (0.95, 33)])
def test_coverage_on_exchangeable_data_is_that_of_theory(coverage, n):
    """Of scores without ties, a set holds the class of a new sample with k / (n + 1) exactly."""
    rng, repeats = np.random.default_rng(n), 4000
    rank = int(np.ceil(round((n + 1) * coverage, 9)))
    held = 0
    for scores in rng.normal(size=(repeats, n + 1)).astype(np.float32):
        limits = score_limits(kept(scores[:n], np.zeros(n)), 1, coverage)
        held += scores[n] <= limits[0]
    expected = rank / (n + 1)
    assert coverage <= expected <= coverage + 1 / (n + 1) + 1e-12
    assert stats.binomtest(int(held), repeats, expected).pvalue > 1e-3


def test_every_class_is_covered_although_the_classifier_neglects_one():
    scores, codes = drawn(6000, n_classes=3)
    scores[:, 2] -= 4  # the third is hardly ever named
    of = nonconformity(scores)
    own, new = np.arange(6000) < 3000, np.arange(6000) >= 3000
    limits = score_limits(kept(of[own, codes[own]], codes[own]), 3, 0.9)
    sets = prediction_sets(of[new], limits)
    for code in range(3):
        rows = codes[new] == code
        assert sets[rows, code].mean() == pytest.approx(0.9, abs=0.03)
    assert (scores[new].argmax(axis=1) == codes[new])[codes[new] == 2].mean() < 0.3


def test_sets_grow_with_the_coverage_and_none_is_empty():
    scores, codes = drawn(400)
    of = nonconformity(scores)
    calibration = kept(of[:200, :][np.arange(200), codes[:200]], codes[:200])
    before = np.zeros((200, 3), bool)
    for coverage in (0.05, 0.3, 0.6, 0.8, 0.9, 0.95, 0.98):
        sets = prediction_sets(of[200:], score_limits(calibration, 3, coverage))
        assert (sets | ~before).all()
        assert sets[np.arange(200), scores[200:].argmax(axis=1)].all()
        before = sets
    assert before.sum() > 200


def test_a_class_with_too_few_labels_or_none_is_in_every_set_and_named():
    calibration = kept(np.linspace(0, 1, 17), [0] * 9 + [1] * 8)
    assert least_labels(0.9) == 9
    with pytest.warns(UserWarning, match=r"takes 9 validation labels.*b \(8\), c \(0\): which are"):
        limits = limits_of(calibration, ["a", "b", "c"], 0.9)
    assert np.isfinite(limits).tolist() == [True, False, False]
    sets = prediction_sets(np.full((4, 3), 99, np.float32), limits)
    assert sets[:, 1:].all()
    with pytest.warns(UserWarning, match="all classes are in every set"):
        limits_of(calibration, ["a", "b", "c"], 0.95)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        limits_of(calibration, ["a", "b"], 0.85)


@pytest.mark.parametrize("coverage", [0.0, 1.0, -0.1, 9.0, 90.0, float("nan")])
def test_a_coverage_outside_0_and_1_is_refused(coverage):
    with pytest.raises(InputError, match="is out of its range; choose a number that lies in"):
        limits_of(kept(np.ones(9), np.zeros(9)), ["a"], coverage)


def test_what_is_promised_is_said_and_of_another_cohort_nothing():
    calibration, sets = kept(np.ones(9), np.zeros(9)), np.ones((4, 2), bool)
    own = told(sets, calibration, 0.9, is_other=False)
    assert "promised: at least 0.9 of the samples of every class" in own
    assert "of any other, nothing" in own
    assert told(sets, calibration, 0.9, is_other=True).endswith("promised: nothing")
    with pytest.warns(UserWarning, match="no coverage here, as the samples are of another cohort"):
        warn_of_other(calibration, is_other=True)
    warn_of_other(calibration, is_other=False)  # a warning would be an error
    validated = dataclasses.replace(calibration, is_held_out=False)
    assert "nothing exact is promised by cross-validated labels" in told(
        sets, validated, 0.9, is_other=False
    )


def test_cohorts_are_measured_apart_with_exact_intervals():
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4], [0.5, 0.5]])
    codes, cohorts = np.array([0, 1, 1, 0, -1]), np.array(["x", "x", "y", "y", "y"])
    sets = np.array([[1, 0], [1, 1], [0, 1], [0, 1], [1, 1]], bool)
    table = by_cohort(p, codes, cohorts, sets).set_index("cohort")
    assert table["n"].tolist() == [2, 2]
    assert table["accuracy"].tolist() == [0.5, 1.0]
    assert table["coverage"].tolist() == [1.0, 0.5]
    assert table["least_coverage"].tolist() == [1.0, 0.0]
    assert table["set_size"].tolist() == [1.5, 1.0]
    # Clopper and Pearson: of 2 out of 2, the lower end has q² = 0.025
    assert table.loc["x", "coverage_low"] == pytest.approx(np.sqrt(0.025))
    assert table.loc["x", "coverage_high"] == 1
    assert "coverage" not in by_cohort(p, codes, cohorts)


def test_sets_in_words_name_the_best_class_first():
    scores = np.float32([[2, 0.1, 0.3], [0.2, 5, 9]])
    sets = np.array([[1, 1, 1], [1, 0, 0]], bool)
    assert in_words(["a", "b", "c"], sets, scores) == ["b | c | a", "a"]


@pytest.mark.parametrize("module", [calibration, conformal])
def test_examples_of_the_docstrings_run(module):
    result = doctest.testmod(module)
    assert result.attempted > 1
    assert not result.failed


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
    config = SMALL | {"encoder.hidden": (64, 32), "finetune.learning_rate": 2e-3}  # by heart
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
