"""The estimators: scikit-learn's contract, every kind of input, the same numbers as a study."""

import dataclasses
import doctest
import shutil

import jax
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData, read_h5ad
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
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
from jaxssl.estimators import classifier, encoder
from jaxssl.estimators.labels import encode, is_labelled
from jaxssl.estimators.options import make_config, seed_of
from jaxssl.evaluation.classifier import fit_classifier, predict
from jaxssl.methods import METHODS
from jaxssl.methods.augment import AugmentConfig
from jaxssl.runs.output import Output
from jaxssl.studies.job import Job
from jaxssl.studies.study import run_pretraining
from jaxssl.types import InputError

pytestmark = [
    pytest.mark.usefixtures("standard_promotion"),
    pytest.mark.filterwarnings("ignore:.*not healthy:UserWarning"),
    pytest.mark.filterwarnings("ignore:the array looks like:UserWarning"),
    pytest.mark.filterwarnings("ignore:the test part holds:UserWarning"),
    pytest.mark.filterwarnings("ignore:invalid value encountered in cast"),  # of infinite labels
]

SMALL = {"encoder.hidden": (8,), "finetune.transfer_layers": 1, "pretrain.n_steps": 20}
SEED = 3


@parametrize_with_checks([SSLEncoder(config=SMALL), SSLClassifier(config=SMALL)])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


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


def test_arrays_frames_and_anndata_give_the_same_numbers(data, task, fitted):
    rows = task.split.train
    frame = data.to_df()
    expected = fitted.transform(data)
    same = SSLEncoder(config=SMALL, random_state=SEED)
    sparse = AnnData(csr_array(data.X), obs=data.obs, var=data.var, uns=data.uns)
    for train, new in [(frame.iloc[rows], frame), (data.X[rows], data.X), (sparse[rows], sparse)]:
        np.testing.assert_array_equal(same.fit(train).transform(new), expected)
    assert same.n_features_in_ == 40
    np.testing.assert_array_equal(same.feature_names_in_, data.var_names)
    assert list(same.get_feature_names_out()[:2]) == ["sslencoder0", "sslencoder1"]
    frame_out = clone(same).set_output(transform="pandas").fit(frame).transform(frame)
    assert list(frame_out.index) == list(frame.index)


def test_genes_are_matched_by_name(data, fitted):
    expected = fitted.transform(data)
    order = np.random.default_rng(0).permutation(40)
    np.testing.assert_array_equal(fitted.transform(data[:, order]), expected)
    frame = data.to_df().iloc[:, order].assign(another=1.0)
    np.testing.assert_array_equal(fitted.transform(frame), expected)
    again = data[[0, 0, 1]].to_df()  # samples drawn with replacement
    np.testing.assert_allclose(fitted.transform(again), expected[[0, 0, 1]], atol=1e-5)
    with pytest.warns(UserWarning, match="4 of the encoder's 40 genes are missing"):
        assert np.isfinite(fitted.transform(data[:, 4:])).all()
    with pytest.raises(InputError, match="20 of the encoder's 40 genes are missing"):
        fitted.transform(data[:, 20:])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        np.testing.assert_array_equal(fitted.transform(data.X), expected)


def test_counts_are_known_by_record_by_look_or_by_word(data):
    counts = np.round(2.0 ** np.asarray(data.X)).astype(np.float32)
    frame = pd.DataFrame(counts, data.obs_names, data.var_names)
    recorded = AnnData(frame, uns={"jaxssl": {"scale": "counts"}})
    given = {"auto": [recorded, frame], "counts": [counts, AnnData(frame)]}
    fits = [SSLEncoder(config=SMALL, scale=s).fit(x) for s in given for x in given[s]]
    assert {fit.bundle_.normalizer.expression_scale for fit in fits} == {"counts"}
    expected = fits[0].transform(recorded)
    np.testing.assert_array_equal(fits[2].transform(counts), expected)
    with pytest.raises(InputError, match="encoder was trained on counts"):
        fits[0].transform(data)
    with pytest.warns(UserWarning, match="looks like counts.*pass `scale=counts`"):
        taken = SSLEncoder(config=SMALL).fit(counts)
    assert taken.bundle_.normalizer.expression_scale == "log2"


def test_an_embedding_is_written_into_the_data(data, fitted):
    adata = data.copy()
    assert fitted.embed(adata) is adata
    np.testing.assert_array_equal(adata.obsm["X_jaxssl"], fitted.transform(data))
    assert set(adata.obs["prototype"]) <= {str(i) for i in range(100)}
    without = SSLEncoder("simclr", config=SMALL).fit(data).embed(data.copy())
    assert "prototype" not in without.obs


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


@pytest.mark.parametrize("nothing", [None, np.nan, "", -1])
def test_samples_without_a_label_join_the_pretraining(data, nothing):
    y = data.obs["class"].str[-1].astype(int).astype(object).to_numpy()
    if nothing == "":
        y = y.astype(str).astype(object)
    y[30:] = nothing
    made = SSLClassifier(config=SMALL).fit(data, y)
    provenance = made.bundle_.provenance
    assert (provenance["n_train"], provenance["n_labelled"]) == (90, 30)
    assert len(made.classes_) == 3
    assert made.score(data, y) == made.score(data[:30], y[:30])


def test_labels_of_an_anndata_stand_in_a_column(data):
    named = SSLClassifier(config=SMALL, label="superclass").fit(data)
    assert set(named.predict(data)) <= set(data.obs["superclass"])
    assert named.score(data) > 0.9
    with pytest.raises(InputError, match=r"no column 'tissue'.*superclass"):
        SSLClassifier(label="tissue").fit(data)
    with pytest.raises(InputError, match="requires y to be passed"):
        SSLClassifier().fit(AnnData(data.X))


def test_minus_one_is_a_class_only_where_two_remain_no_other_way():
    assert is_labelled(np.array([-1, 1, -1])).all()
    assert is_labelled(np.array([-1, 0, 1])).tolist() == [False, True, True]
    assert is_labelled(np.array([-1, 0]), classes=np.array([0, 1])).tolist() == [False, True]
    assert is_labelled(np.array([-1, 1]), classes=np.array([-1, 1])).all()
    classes, codes = encode(np.array(["b", "", "a", None], object))
    assert classes.tolist() == ["a", "b"]
    assert codes.tolist() == [1, -1, 0, -1]
    with pytest.raises(InputError, match="the labels hold no class"):
        encode(np.array([None, None], object))
    with pytest.raises(ValueError, match="continuous"):
        encode(np.array([0.5, 1.5, np.nan]))


@pytest.mark.parametrize("of", [int, float, object, "Int64", bool])
def test_a_score_takes_labels_by_value_whatever_their_type(data, fitted, of):
    codes = pd.factorize(data.obs["class"])[0] % 2
    made = SSLClassifier(encoder=fitted, config={"finetune.n_steps": 5}).fit(data, codes)
    table, expected = data.to_df(), made.score(data, codes)
    y = [value if i % 2 else float(value) for i, value in enumerate(codes)]
    assert made.score(table, pd.Series(y, table.index).astype(of)) == expected
    missing = pd.Series(codes, table.index).astype("Int64").mask(np.arange(len(y)) < 9)
    assert made.score(table, missing) == made.score(table[9:], codes[9:])


@pytest.mark.parametrize("weights", [[1.0], "none", [0.0] * 600, [np.nan] * 600, [-1.0] * 600])
def test_weights_of_a_score_that_are_none_are_refused(data, fitted, weights):
    codes = pd.factorize(data.obs["class"])[0]
    made = SSLClassifier(encoder=fitted, config={"finetune.n_steps": 5}).fit(data, codes)
    wrong = weights if len(weights) < 9 else weights[: len(codes)]
    with pytest.raises(InputError, match=f"`sample_weight` holds no weights of {len(codes)}"):
        made.score(data, codes, sample_weight=wrong)


def test_a_missing_value_of_a_nullable_column_is_named(data, fitted):
    table = data.to_df().astype("Float64")
    np.testing.assert_array_equal(fitted.transform(table), fitted.transform(data))
    table.iloc[2, 1] = pd.NA
    for use in (fitted.transform, SSLEncoder().fit):
        with pytest.raises(InputError, match=rf"sample {table.index[2]}, gene {table.columns[1]}"):
            use(table)


@pytest.mark.parametrize("of", [[True, False, True, False], [2, 7, 7, 2]])
def test_classes_of_a_nullable_column_keep_their_type(of, data, fitted):
    y = pd.Series(np.resize(of, len(data)), data.obs_names).convert_dtypes()
    y.iloc[3] = pd.NA
    made = SSLClassifier(encoder=fitted).fit(data.to_df(), y)
    np.testing.assert_array_equal(made.classes_, np.unique(of), strict=True)
    assert made.bundle_.provenance["n_labelled"] == len(data) - 1


def test_an_encoder_sits_in_a_pipeline_and_is_chosen_by_a_grid(data):
    y = data.obs["class"]
    pipeline = make_pipeline(SSLEncoder(config=SMALL), LogisticRegression())
    grid = [{"sslencoder__n_prototypes": [4]}, {"sslencoder__method": ["denoising"]}]
    search = GridSearchCV(pipeline, grid, cv=2).fit(data.to_df(), y)
    assert len(search.cv_results_["params"]) == 2
    assert search.best_score_ > 0.8
    assert search.score(data, y) > 0.9


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "swaw"}, "unknown method 'swaw'; choose one of swav"),
        ({"config": {"pretrain.steps": 3}}, "there is no option 'pretrain.steps' for swav"),
        ({"config": {"n_steps": 3}}, "there is no option 'n_steps' for swav"),
        ({"method": "byol", "config": Config()}, "`config` is of the method swav"),
        ({"method": "byol", "n_prototypes": 3}, "byol has no prototypes"),
        ({"n_prototypes": 1}, "n_prototypes"),
        ({"random_state": -1}, "`random_state=-1` is out of range"),
        ({"scale": "log10"}, "`scale=log10`; choose one of auto, counts"),
    ],
)
def test_options_that_cannot_be_used_are_refused(data, options, message):
    with pytest.raises(InputError, match=message):
        SSLEncoder(**options).fit(data)


def test_data_that_cannot_be_used_are_refused(data, fitted):
    twice = data.to_df().iloc[:, [0, 0, 1]]
    with pytest.raises(InputError, match="1 genes occur twice"):
        SSLEncoder().fit(twice)
    hole = data.copy()
    hole.X[0, 0] = np.nan
    with pytest.raises(InputError, match="NaN"):
        fitted.transform(hole)
    ratios = pd.DataFrame(np.random.default_rng(0).normal(size=(9, 3)), columns=list("abc"))
    with pytest.raises(InputError, match="cannot tell the scale"):
        SSLEncoder().fit(ratios)
    with pytest.raises(InputError, match="`encoder` is of type int"):
        SSLClassifier(encoder=3).fit(data)
    with pytest.raises(NotFittedError):
        SSLEncoder().transform(data)


def test_a_training_that_diverged_is_not_used(data, bundle):
    lost = {"status": "diverged", "cause": "why", "fix": "what to do"}
    bundle = dataclasses.replace(bundle, provenance=bundle.provenance | lost)
    with pytest.raises(InputError, match="diverged"):
        SSLEncoder.from_bundle(bundle).transform(data)
    with pytest.raises(InputError, match="diverged"):
        SSLClassifier(encoder=bundle).fit(data)


def test_a_seed_is_an_int_or_drawn():
    assert seed_of(7) == seed_of(np.int64(7)) == 7
    assert seed_of(np.random.RandomState(1)) == seed_of(np.random.RandomState(1))
    assert 0 <= seed_of(None) < 2**31


@pytest.mark.parametrize("module", [encoder, classifier])
def test_examples_of_the_docstrings_run(module):
    assert jaxssl.SSLEncoder is SSLEncoder
    result = doctest.testmod(module)
    assert result.attempted > 3
    assert result.failed == 0


@pytest.mark.parametrize("method", METHODS)
def test_a_method_comes_with_its_own_views(method):
    config = make_config(method, None, {"pretrain.n_steps": 7})
    assert (config.method.name, config.pretrain.n_steps) == (method, 7)
    views = dataclasses.asdict(config.augment)
    assert views == dataclasses.asdict(AugmentConfig()) | dict(METHODS[method].views)
