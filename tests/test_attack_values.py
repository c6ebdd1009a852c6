"""Attacks of kind 8: values and types are not what they are."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from attacks import AS_IS, CODES, GENES, SAMPLES, SMALL, SWEEP, X, named
from scipy.sparse import csc_matrix, csr_matrix
from verbs import launch, run

import jaxssl
from jaxssl.config import Config, with_options
from jaxssl.data.expression import write_h5ad
from jaxssl.data.scale import finite_values
from jaxssl.data.task import make_task
from jaxssl.runs import layout
from jaxssl.types import InputError

pytestmark = [pytest.mark.usefixtures("standard_promotion"), pytest.mark.filterwarnings("ignore")]


def classes_of(values):
    adata = named()
    adata.obs["x"] = values(pd.factorize(adata.obs["kind"], sort=True)[0])
    return make_task(adata, with_options(Config(), {"data.label": "x"})).classes


def separable():
    x = np.random.default_rng(0).random((40, 20)).astype(np.float32)
    x[np.arange(40), CODES] += 5
    return x


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (lambda c: c.astype(np.int64) + 2**53, [str(2**53 + i) for i in range(4)]),
        (lambda c: c.astype(np.uint64) + np.uint64(2**63), [str(2**63 + i) for i in range(4)]),
        (lambda c: c > 1, ["False", "True"]),
        (lambda c: pd.array(c > 1, dtype="boolean"), ["False", "True"]),
        (lambda c: pd.array([v or None for v in c], dtype="Int64"), ["1", "2", "3"]),
        (lambda c: pd.Categorical(c, categories=[9, 3, 2, 1, 0]), list("0123")),
        (lambda c: np.where(c == 0, np.nan, c), ["1.0", "2.0", "3.0"]),
        (
            lambda c: pd.array([f"k{v}" for v in c], dtype="string[pyarrow]"),
            ["k0", "k1", "k2", "k3"],
        ),
    ],
)
def test_a_label_column_of_any_type_has_the_classes_that_it_shows(values, classes):
    assert list(classes_of(values)) == classes


@pytest.mark.parametrize("pair", [(1, 1.0), (True, 1), (0, False), (0.0, -0.0)])
def test_labels_that_are_equal_are_not_made_two_classes(pair):
    def values(codes):
        mixed = np.array([*codes], object)
        mixed[codes == 1], mixed[codes == 2] = pair
        mixed[codes == 0] = 7
        return mixed

    with pytest.raises(InputError):
        classes_of(values)


def test_a_label_column_that_is_called_by_a_number_is_found():
    adata = named()
    adata.obs[1] = adata.obs["kind"].to_numpy()
    assert len(make_task(adata, with_options(Config(), {"data.label": "1"})).classes) == 4
    assert len(jaxssl.SSLClassifier(label="1", config=SMALL).fit(adata).classes_) == 4


@pytest.mark.parametrize("twice", ["kind", "other"])
def test_two_columns_of_one_name_are_refused(twice):
    adata = named(other="x")
    adata.obs = pd.concat([adata.obs, adata.obs[[twice]]], axis=1)
    with pytest.raises(InputError, match=twice):
        make_task(adata, Config())


def test_a_classifier_refuses_two_columns_of_one_name():
    adata = named()
    adata.obs = pd.concat([adata.obs, adata.obs], axis=1)
    with pytest.raises(InputError, match="kind"):
        jaxssl.SSLClassifier(label="kind", config=SMALL).fit(adata)


@pytest.mark.parametrize(
    "form",
    [
        "csv",
        "tsv",
        "semicolons",
        "bom",
        "crlf",
        "parquet",
        "npz",
        "dense",
        "f64",
        "csr",
        "csc",
        "explicit zeros",
        "unsorted",
        "twice csr",
        "twice csc",
    ],
)
def test_every_form_has_the_same_numbers(tmp_path, form):
    frame, path, rows = pd.DataFrame(X, SAMPLES, GENES), tmp_path / "x", csr_matrix(X)
    separators = {"csv": ",", "tsv": "\t", "semicolons": ";"}
    if form in separators:
        frame.to_csv(path, sep=separators[form])
    elif form in ("bom", "crlf"):
        text = frame.to_csv(lineterminator="\r\n" if form == "crlf" else "\n")
        path.write_bytes(text.encode("utf-8-sig" if form == "bom" else "utf-8"))
    elif form == "parquet":
        frame.to_parquet(path)
    elif form == "npz":
        path = tmp_path / "x.npz"
        np.savez(path, X=X, sample_ids=SAMPLES, feature_ids=GENES)
    else:
        x = {"dense": X, "f64": X.astype(float), "csr": rows, "csc": csc_matrix(X)}.get(form)
        if form == "explicit zeros":
            ends = np.r_[rows.indptr[:-1], len(rows.data) + 1]
            x = csr_matrix((np.r_[rows.data, 0], np.r_[rows.indices, 29], ends), shape=X.shape)
        elif form == "unsorted":
            x = rows.copy()
            for i in range(len(X)):
                part = slice(x.indptr[i], x.indptr[i + 1])
                x.indices[part], x.data[part] = x.indices[part][::-1], x.data[part][::-1]
            x.has_sorted_indices = False
        elif form.startswith("twice"):
            kind = {"twice csr": csr_matrix, "twice csc": csc_matrix}[form]
            one = kind(X)
            parts = np.repeat(one.data / 2, 2), np.repeat(one.indices, 2), one.indptr * 2
            x = kind(parts, shape=X.shape)
        obs, var = pd.DataFrame(index=SAMPLES), pd.DataFrame(index=GENES)
        AnnData(x, obs=obs, var=var).write_h5ad(path)
        np.testing.assert_array_equal(finite_values(AnnData(x, obs=obs, var=var)), X)
    jaxssl.prepare(path, tmp_path / "o.h5ad", **AS_IS)
    for adata in (jaxssl.read(path, **AS_IS), jaxssl.read(tmp_path / "o.h5ad")):
        assert list(adata.obs_names) == SAMPLES
        assert list(adata.var_names) == GENES
        np.testing.assert_array_equal(adata.X, X)


@pytest.mark.parametrize("use", ["encoder", "anndata", "labels"])
def test_what_is_masked_is_not_used(use):
    x = separable()
    masked = np.ma.masked_array(x, x > 5.5)
    y = np.ma.masked_array(CODES, CODES == 2)
    act = {
        "encoder": lambda: jaxssl.SSLEncoder(config=SMALL).fit(masked),
        "anndata": lambda: finite_values(AnnData(masked)),
        "labels": lambda: jaxssl.SSLClassifier(config=SMALL).fit(x, y),
    }[use]
    with pytest.raises(InputError, match="mask"):
        act()


@pytest.mark.parametrize("kind", ["sparse", "sparse frame", "matrix", "mixed names", "no name"])
def test_samples_of_another_kind_are_an_input_error(kind):
    x = separable()
    names = [f"g{i}" for i in range(19)]
    given = {
        "sparse": lambda: csr_matrix(x),
        "sparse frame": lambda: pd.DataFrame.sparse.from_spmatrix(csr_matrix(x)),
        "matrix": lambda: np.asmatrix(x),
        "mixed names": lambda: pd.DataFrame(x, columns=[*names, 1]),
        "no name": lambda: pd.DataFrame(x, columns=[*names, None]),
    }[kind]()
    with pytest.raises(InputError):
        jaxssl.SSLEncoder(config=SMALL).fit(given)


@pytest.mark.parametrize("kind", ["infinite", "huge", "decimal", "date", "line break"])
def test_labels_that_are_none_are_an_input_error(kind):
    from datetime import date
    from decimal import Decimal

    y = {
        "infinite": np.where(CODES == 2, np.inf, CODES.astype(float)),
        "huge": np.array([[2**70, 1, 2][c] for c in CODES], object),
        "decimal": np.array([Decimal(int(c)) for c in CODES], object),
        "date": np.array([date(2020, 1, 1 + int(c)) for c in CODES], object),
        "line break": np.array(["a\nb", "b", "c"])[CODES],
    }[kind]
    with pytest.raises(InputError):
        jaxssl.SSLClassifier(config=SMALL).fit(separable(), y)


@pytest.mark.parametrize("kind", ["uint64", "int64", "bool", "float", "text", "categorical"])
def test_labels_come_back_from_a_saved_classifier(tmp_path, kind):
    y = {
        "uint64": CODES.astype(np.uint64) + np.uint64(2**63),
        "int64": CODES + 2**53,
        "bool": CODES > 0,
        "float": CODES.astype(float),
        "text": np.array(["NA", "-1", "x "], object)[CODES],
        "categorical": pd.Categorical([f"k{c}" for c in CODES], categories=["z", "k2", "k1", "k0"]),
    }[kind]
    fitted = jaxssl.SSLClassifier(config=SMALL).fit(separable(), y)
    fitted.save(tmp_path / "c")
    again = jaxssl.SSLClassifier.load(tmp_path / "c")
    assert set(fitted.classes_) == set(np.asarray(y))
    np.testing.assert_array_equal(again.predict(separable()), fitted.predict(separable()))


@pytest.mark.parametrize("share", ["10%", "1e-5", "nan", "inf", "0", "-0.1", "1.0000001", "0.1;1"])
def test_a_share_that_is_none_is_one_sentence(tmp_path, share):
    write_h5ad(named(), tmp_path / "d.h5ad")
    source, out = f"--data={tmp_path / 'd.h5ad'}", f"--out={tmp_path / 'o'}"
    done = run("sweep", *SWEEP, source, out, f"--shares={share}")
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("error: ")


def test_shares_that_are_nearly_equal_stay_apart(tmp_path):
    shares = [1 / 3, 0.33333333, 0.1, 0.1 + 1e-9]
    write_h5ad(named(), tmp_path / "d.h5ad")
    source, out = f"--data={tmp_path / 'd.h5ad'}", f"--out={tmp_path / 'o'}"
    launch(
        *("sweep", *SWEEP, source, out, "--allow_leaks=twins"),
        f"--shares={','.join(map(repr, shares))}",
    )
    result = jaxssl.open_study(tmp_path / "o")
    assert sorted(set(result.results["share"])) == sorted(shares)
    for share in shares:
        assert result.predictions("pca_logreg", share).groupby("seed").size().nunique() == 1
    assert len(list((tmp_path / "o" / layout.PREDICTIONS).iterdir())) == 8


@pytest.mark.parametrize("value", [3e38, 1e-42, -0.0])
def test_an_extreme_value_in_one_cell_gives_finite_numbers(value):
    x = separable()
    x[3, 4] = value
    assert np.isfinite(jaxssl.SSLEncoder(config=SMALL).fit(x).transform(x)).all()
