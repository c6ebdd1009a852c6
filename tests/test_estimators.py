"""The estimators: scikit-learn's contract, every kind of input, the same numbers as a study."""

import dataclasses
import doctest

import jax
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from small_estimators import FITS, SMALL

import jaxssl
from jaxssl import SSLClassifier, SSLEncoder
from jaxssl.config import Config
from jaxssl.data.synthetic import make_synthetic
from jaxssl.data.task import make_task
from jaxssl.estimators import classifier, encoder
from jaxssl.estimators.options import make_config, seed_of
from jaxssl.methods import METHODS
from jaxssl.methods.augment import AugmentConfig
from jaxssl.types import InputError

pytestmark = FITS

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
def fitted(data, task):
    with jax.numpy_dtype_promotion("standard"):
        return SSLEncoder(config=SMALL, random_state=SEED).fit(data[task.split.train])


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
