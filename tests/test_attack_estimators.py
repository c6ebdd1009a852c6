"""Attacks of kind 7: messages of the estimators, and how scikit-learn calls them."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from attacks import FEW, is_refused
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

import jaxssl

pytestmark = [pytest.mark.usefixtures("numerics"), pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize(
    "samples",
    [
        lambda x: (row for row in x),
        lambda x: b"abc",
        lambda x: scipy.sparse.csr_matrix(x),
        lambda x: pd.Series(x[0]),
        lambda x: x[None],
        lambda x: x[:0],
        lambda x: x[:1],
        lambda x: np.full_like(x, np.nan),
        lambda x: np.ones_like(x),
        lambda x: {"a": x},
        lambda x: None,
    ],
)
def test_samples_of_another_kind_are_an_input_error_of_the_estimators(samples, data):
    x = samples(np.asarray(data.X))
    is_refused(lambda: jaxssl.SSLEncoder(config=FEW).fit(x))


@pytest.mark.parametrize(
    "labels",
    [
        lambda y: (value for value in y),
        lambda y: y[:5],
        lambda y: np.c_[y, y],
        lambda y: np.linspace(0, 1, 200),
        lambda y: ["a"] * 200,
        lambda y: [None] * 200,
        lambda y: "class",
        lambda y: {"a": 1},
    ],
)
def test_labels_of_another_kind_are_an_input_error_of_the_estimators(labels, data):
    y = labels(data.obs["class"].astype(str).to_numpy())
    is_refused(lambda: jaxssl.SSLClassifier(config=FEW).fit(np.asarray(data.X), y))


@pytest.mark.parametrize(
    "options",
    [
        *({"method": value} for value in ("SWAV", None, ["swav"])),
        *({"n_prototypes": value} for value in (-1, "10", 2.5, True, [], 1)),
        *({"scale": value} for value in ("ln", None, 3)),
        *({"random_state": value} for value in (-1, "x", 2**31, np.random.default_rng(0), True)),
        *({"config": value} for value in ({"pretrain": {"n_steps": 3}}, [("a", 1)], "demo", 3)),
        *({"config": {name: 3}} for name in ("data.label", "selftrain.n_steps", "run.seeds")),
        {"config": {**FEW, "pretrain.n_steps": "10"}},
    ],
)
def test_a_bad_parameter_is_refused_in_fit(options, data):
    encoder = jaxssl.SSLEncoder(config=FEW)
    encoder.set_params(**options)
    is_refused(lambda: encoder.fit(data))


def test_labels_by_id_in_another_order_than_the_samples_are_refused(data):
    y = data.obs["class"].astype(str)
    for x in (data, data.to_df()):
        classifier = jaxssl.SSLClassifier(config=FEW)
        is_refused(lambda c=classifier, x=x: c.fit(x, y[::-1]), "another order")
        assert len(classifier.fit(x, y.reset_index(drop=True)).classes_) == 4


def test_estimators_in_the_searches_of_scikit_learn(data):
    x, y = np.asarray(data.X), data.obs["class"].astype(str).to_numpy()
    classifier = jaxssl.SSLClassifier(config=FEW)
    pipe = make_pipeline(jaxssl.SSLEncoder(config=FEW), LogisticRegression()).fit(x, y)
    assert pipe.predict(x).shape == y.shape
    found = GridSearchCV(classifier, {"random_state": [0, 1]}, cv=2, error_score="raise").fit(x, y)
    assert found.best_params_["random_state"] in (0, 1)
    assert len(cross_val_score(classifier, data.to_df(), y, cv=2, error_score="raise")) == 2
    search = GridSearchCV(classifier, {"random_state": [-1]}, cv=2, error_score="raise")
    is_refused(lambda: search.fit(x, y), "random_state=-1")


def test_an_anndata_in_a_cross_validation_is_taken_or_refused(data):
    y = data.obs["class"].astype(str).to_numpy()
    classifier = jaxssl.SSLClassifier(config=FEW)
    assert len(cross_val_score(classifier, data, y, cv=2, error_score="raise")) == 2


def test_a_fitted_estimator_is_kept_by_pickle_and_unfitted_by_clone(data, place):
    encoder, x = jaxssl.SSLEncoder.load(place / "enc"), data.to_df()
    again = pickle.loads(pickle.dumps(encoder))
    assert np.array_equal(again.transform(x), encoder.transform(x))
    assert not hasattr(clone(encoder), "bundle_")


def test_predictions_of_what_is_no_data_are_one_sentence(data, place):
    classifier = jaxssl.SSLClassifier.load(place / "clf")
    is_refused(lambda: jaxssl.predict(classifier, data))
    is_refused(lambda: jaxssl.predict(place / "clf", data.to_df()))
    is_refused(lambda: jaxssl.finetune(classifier, data, out=place / "no"))
    is_refused(lambda: jaxssl.embed(jaxssl.open_study(place / "enc"), data.copy()))
    is_refused(lambda: classifier.predict(np.asarray(data.X)[:, :7]))
    is_refused(lambda: classifier.predict(data[:, :7]))
    is_refused(lambda: jaxssl.finetune(place / "enc", data, out=place / "no", options={"a": 1}))
    is_refused(lambda: jaxssl.finetune(place / "enc", data, out=place / "no", share=[0.1]))
    is_refused(lambda: jaxssl.finetune(place / "enc", data, out=place / "no", share="10%"))
    other = data.copy()
    other.var_names = [f"q{i}" for i in range(60)]
    is_refused(lambda: jaxssl.embed(place / "enc", other))
    assert not (place / "no").exists()
