"""Values that are no numbers of float32 are refused by sample and gene, whatever holds them."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy.sparse import csc_matrix, csr_matrix

import jaxssl
from jaxssl.config import Config
from jaxssl.data.expression import read
from jaxssl.data.task import make_task
from jaxssl.types import InputError

SAMPLES, GENES = [f"S{i}" for i in range(12)], [f"TP{i}" for i in range(8)]
X = np.random.default_rng(0).random((12, 8)) * 100
FIRST = "first: sample S3, gene TP4"


def with_large(value):
    x = X.copy()
    x[3, 4] = value
    return x


def adata_of(x):
    obs = pd.DataFrame({"kind": ["a", "b", "c"] * 4}, index=SAMPLES)
    record = {"scale": "linear", "label": "kind"}
    return AnnData(x, obs=obs, var=pd.DataFrame(index=GENES), uns={"jaxssl": record})


@pytest.mark.parametrize("value", [1e300, -1e300, 3.5e38])
@pytest.mark.parametrize("form", ["csv", "quoted", "parquet", "npz", "dense", "csr", "csc"])
def test_a_value_beyond_float32_is_refused_on_import(tmp_path, form, value):
    x, path = with_large(value), tmp_path / "x"
    frame = pd.DataFrame(x, SAMPLES, GENES)
    if form in ("csv", "quoted"):
        frame.to_csv(path, quoting=int(form == "quoted"))
    elif form == "parquet":
        frame.to_parquet(path)
    elif form == "npz":
        np.savez(tmp_path / "x.npz", X=x, sample_ids=SAMPLES, feature_ids=GENES)
        path = tmp_path / "x.npz"
    else:
        make = {"dense": np.asarray, "csr": csr_matrix, "csc": csc_matrix}[form]
        adata_of(make(x)).write_h5ad(path)
    with pytest.raises(InputError, match=rf"beyond float32 \({FIRST}\)"):
        read(path, scale="linear", orientation="samples_in_rows")


@pytest.mark.parametrize("value", [1e300, -1e300, 3.5e38])
@pytest.mark.parametrize("make", [np.asarray, csr_matrix, csc_matrix])
def test_a_value_beyond_float32_is_refused_in_an_anndata(make, value):
    adata = adata_of(make(with_large(value)))
    for use in (lambda: make_task(adata, Config()), lambda: jaxssl.SSLEncoder().fit(adata)):
        with pytest.raises(InputError, match=FIRST):
            use()


@pytest.mark.parametrize("value", [1e300, -1e300, np.nan, -np.inf])
def test_a_value_that_is_none_is_refused_in_a_table(value):
    frame = pd.DataFrame(with_large(value), SAMPLES, GENES)
    with pytest.raises(InputError, match=FIRST):
        jaxssl.SSLEncoder().fit(frame)
    with pytest.raises(InputError, match="first: sample 3, gene 4"):
        jaxssl.SSLEncoder().fit(frame.to_numpy())


@pytest.mark.parametrize("kind", [object, np.complex128, "datetime64[s]", "U9"])
def test_what_is_no_number_is_refused_in_an_anndata(kind):
    adata = adata_of(X)
    adata.layers["other"] = X.astype(int).astype(kind)
    adata = AnnData(adata.layers["other"], obs=adata.obs, var=adata.var, uns=adata.uns)
    with pytest.raises(InputError, match="the expression values are of type"):
        make_task(adata, Config())


@pytest.mark.parametrize(
    ("column", "held"),
    [
        (["1.5"] * 12, "string"),
        (pd.Categorical(["1"] * 12), "categorical"),
        (pd.to_datetime(["2020"] * 12), "datetime64"),
        (pd.to_timedelta([1] * 12), "timedelta64"),
        ([1, "1"] * 6, "mixed-integer"),
        ([1j] * 12, "complex"),
    ],
)
def test_a_column_that_holds_no_numbers_is_refused_by_name(column, held):
    frame = pd.DataFrame(X, SAMPLES, GENES).assign(TP1=column)
    with pytest.raises(InputError, match=f"column TP1 holds {held}; convert it"):
        jaxssl.SSLEncoder().fit(frame)


def test_an_array_of_dates_is_refused():
    with pytest.raises(InputError, match="the array holds datetime64"):
        jaxssl.SSLEncoder().fit(X.astype("datetime64[s]"))
