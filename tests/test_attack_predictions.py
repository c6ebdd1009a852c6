"""Attacks on predictions: the same whatever form the data have, or refused."""

import json
import warnings

import anndata
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from attacks import study, synthetic, tiny, values
from scipy.sparse import csc_matrix, csr_matrix
from verbs import launch

import jaxssl
from jaxssl.data.expression import write_h5ad
from jaxssl.types import InputError

pytestmark = [pytest.mark.usefixtures("standard_promotion"), pytest.mark.filterwarnings("ignore")]


def predicted(saved, adata):
    table = jaxssl.predict(saved / "classifier", adata)
    return table.set_index("sample_id")[[c for c in table if c.startswith("p_")]]


SHUFFLED = np.random.default_rng(0).permutation(60)
FORMS = {
    "float64": lambda a: AnnData(a.X.astype(np.float64), a.obs, a.var, uns=a.uns),
    "csr": lambda a: AnnData(csr_matrix(a.X), a.obs, a.var, uns=a.uns),
    "csc": lambda a: AnnData(csc_matrix(a.X), a.obs, a.var, uns=a.uns),
    "Fortran": lambda a: AnnData(np.asfortranarray(a.X), a.obs, a.var, uns=a.uns),
    "shuffled": lambda a: a[:, SHUFFLED].copy(),
    "view": lambda a: a[:, SHUFFLED],
    "int obs": lambda a: AnnData(a.X, a.obs.assign(n=1, f=2.5), a.var, uns=a.uns),
    "no record": lambda a: AnnData(a.X, a.obs, a.var),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_form_of_a_matrix_changes_no_prediction(form, saved):
    found = predicted(saved, FORMS[form](synthetic()))
    pd.testing.assert_frame_equal(found, predicted(saved, synthetic()), atol=1e-6)


@pytest.mark.parametrize("rows", [[7], [7, 8], [199, 0, 50], list(range(17))])
def test_a_sample_is_predicted_as_among_many(rows, saved):
    found, every = predicted(saved, synthetic()[rows].copy()), predicted(saved, synthetic())
    pd.testing.assert_frame_equal(found, every.iloc[rows], atol=1e-6)


@pytest.mark.parametrize("backed", [False, True])
def test_a_file_is_predicted_as_the_data_in_memory(backed, saved, tmp_path):
    synthetic().write_h5ad(tmp_path / "data.h5ad")
    path = tmp_path / "data.h5ad"
    given = anndata.read_h5ad(path, backed="r") if backed else path
    pd.testing.assert_frame_equal(predicted(saved, given), predicted(saved, synthetic()), atol=1e-6)


@pytest.mark.parametrize("form", ["a.csv", "a.tsv.gz", "a.parquet", "turned.csv", "one.csv"])
def test_a_table_is_predicted_as_the_matrix(form, saved, tmp_path):
    adata = synthetic()[[5]].copy() if form == "one.csv" else synthetic()
    frame = pd.DataFrame(adata.X, adata.obs_names, adata.var_names)
    path, is_turned = tmp_path / form, form == "turned.csv"
    frame = frame.T if is_turned else frame
    if form.endswith("parquet"):
        frame.to_parquet(path)
    else:
        frame.to_csv(path, sep="\t" if "tsv" in form else ",")
    orientation = "genes_in_rows" if is_turned else "samples_in_rows"
    read = jaxssl.read(path, orientation=orientation, scale="log2")
    pd.testing.assert_frame_equal(
        predicted(saved, read), predicted(saved, adata), atol=1e-5, check_names=False
    )


def test_verb_function_and_estimator_predict_the_same(fitted, saved, tmp_path):
    write_h5ad(synthetic(), tmp_path / "data.h5ad")
    flags = [f"--classifier={saved / 'classifier'}", f"--data={tmp_path / 'data.h5ad'}"]
    launch("predict", *flags, f"--out={tmp_path / 'p.csv'}")
    by_verb = pd.read_csv(tmp_path / "p.csv").set_index("sample_id").filter(regex="^p_")
    expected = predicted(saved, synthetic())
    np.testing.assert_allclose(by_verb, expected, atol=1e-6)
    np.testing.assert_allclose(fitted[1].predict_proba(synthetic()), expected, atol=1e-6)
    loaded = jaxssl.SSLClassifier.load(saved / "classifier")
    np.testing.assert_allclose(loaded.predict_proba(synthetic()), expected, atol=1e-6)
    frame = pd.DataFrame(synthetic().X, synthetic().obs_names, synthetic().var_names)
    np.testing.assert_allclose(loaded.predict_proba(frame), expected, atol=1e-6)


def test_an_embedding_is_the_same_by_each_way(fitted, saved):
    expected = fitted[0].transform(synthetic())
    np.testing.assert_allclose(
        jaxssl.embed(saved / "encoder", synthetic()).obsm["X_jaxssl"], expected
    )
    one = jaxssl.embed(saved / "encoder", synthetic()[7:8].copy()).obsm["X_jaxssl"]
    np.testing.assert_allclose(one, expected[7:8], atol=1e-5)


RENAMED = {
    "case": str.upper,
    "space": lambda name: f"{name} ",
    "version": lambda name: f"{name}.3",
    "prefix": lambda name: f"x_{name}",
}


@pytest.mark.parametrize("how", RENAMED)
def test_genes_under_other_names_are_the_same_or_refused(how, saved):
    adata, expected = synthetic(), predicted(saved, synthetic())
    adata.var_names = [RENAMED[how](name) for name in adata.var_names]
    try:
        found = predicted(saved, adata)
    except InputError as error:
        assert "genes are missing" in str(error)  # noqa: PT017
    else:
        pd.testing.assert_frame_equal(found, expected, atol=1e-6)


@pytest.mark.parametrize("n", [4, 10])
def test_genes_that_are_missing_are_told(n, saved):
    with pytest.warns(UserWarning, match=f"{n} of the encoder's 60 genes are missing"):
        jaxssl.predict(saved / "classifier", synthetic()[:, n:].copy())


def test_more_genes_than_allowed_are_refused(saved):
    with pytest.raises(InputError, match="max_missing"):
        jaxssl.predict(saved / "classifier", synthetic()[:, 30:].copy())


def test_predict_does_not_drop_a_gene_that_stands_twice_silently(saved):
    adata = synthetic()
    adata.var_names = [*adata.var_names[:-1], adata.var_names[0]]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            jaxssl.predict(saved / "classifier", adata)
        except InputError as error:
            told.append(error)
    assert any("gene_00000" in str(getattr(note, "message", note)) for note in told)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_refused_by_name(value, saved):
    adata = synthetic()
    adata.X[5, 7] = value
    with pytest.raises(InputError, match="sample_00005, gene gene_00007"):
        jaxssl.predict(saved / "classifier", adata)


@pytest.mark.parametrize("record", [True, False])
@pytest.mark.parametrize("scale", ["linear", "counts"])
@pytest.mark.parametrize("verb", ["predict", "embed", "finetune", "estimator"])
def test_linear_values_are_refused_by_an_encoder_of_log2(
    verb, scale, record, fitted, saved, tmp_path
):
    adata = synthetic()
    adata.X = 2**adata.X if scale == "linear" else np.rint(2**adata.X)
    adata.uns = {"jaxssl": {"scale": scale}} if record else {}
    calls = {
        "predict": lambda: jaxssl.predict(saved / "classifier", adata),
        "embed": lambda: jaxssl.embed(saved / "encoder", adata),
        "finetune": lambda: jaxssl.finetune(
            saved / "encoder", adata, label="class", out=tmp_path / "clf", progress=False
        ),
        "estimator": lambda: fitted[1].predict(adata),
    }
    with pytest.raises(InputError, match=f"{scale} scale"):
        calls[verb]()
    assert not (tmp_path / "clf").exists()


def test_samples_that_stand_twice_are_predicted_twice_alike(saved):
    adata = anndata.concat([synthetic(), synthetic()])
    adata.obs_names_make_unique()
    found = predicted(saved, adata).to_numpy()
    np.testing.assert_allclose(found[:200], found[200:], atol=1e-6)


def test_minus_one_in_the_labels_of_an_annotated_matrix():
    """No label to the estimator: a study says so, or does the same."""
    adata = synthetic()
    codes = pd.factorize(adata.obs["class"])[0]
    adata.obs["code"] = np.where(np.arange(200) % 5 == 0, -1, codes)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        result = study(adata, tiny((1.0,), 2), ["majority", "pca_logreg"], label="code")
    is_told = any("-1" in str(note.message) for note in told)
    assert is_told or list(result.summary["classes"]) == ["0", "1", "2", "3"]


def test_labels_of_numbers_are_the_same_classes_as_their_text():
    adata = synthetic()
    adata.obs["number"] = pd.factorize(adata.obs["class"])[0]
    adata.obs["text"] = adata.obs["number"].astype(str)
    adata.obs["category"] = pd.Categorical(adata.obs["text"], [*"43210", "unused"])
    found = [
        study(adata, tiny((1.0,), 2), ["majority", "pca_logreg"], label=name)
        for name in ("number", "text", "category")
    ]
    assert found[0].summary["classes"] == found[1].summary["classes"] == found[2].summary["classes"]
    np.testing.assert_array_equal(values(found[0]), values(found[1]))
    np.testing.assert_array_equal(values(found[0]), values(found[2]))


@pytest.mark.parametrize("form", ["csr", "float64", "Fortran"])
def test_the_form_of_a_matrix_changes_no_study(form, whole):
    found = study(FORMS[form](synthetic()))
    np.testing.assert_allclose(values(found), values(whole), atol=1e-5)


def test_columns_in_another_order_change_no_classical_score(whole):
    found = study(synthetic()[:, SHUFFLED].copy(), arms=["majority", "pca_logreg", "knn"])
    expected = values(whole).drop("scratch", level="arm")
    accuracy = values(found).xs("accuracy", level="metric")
    np.testing.assert_allclose(accuracy, expected.xs("accuracy", level="metric"), atol=0.04)


def test_what_a_study_records_of_the_split_are_all_samples_once(whole):
    assert sorted(whole.samples["sample_id"]) == sorted(synthetic().obs_names)
    counts = whole.samples["part"].value_counts()
    summary = json.loads((whole.folders[0] / "summary.json").read_text())
    assert counts["test"] == summary["n_test"]
    assert counts["train"] == summary["n_train"]
