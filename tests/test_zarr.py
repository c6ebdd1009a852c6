"""Zarr stores of AnnData: what is absent is not taken for zeros in silence."""

from dataclasses import replace
from pathlib import Path

import anndata
import h5py
import numpy as np
import pytest
import scipy.sparse
import zarr
from anndata import AnnData

from jaxssl.config import DataConfig
from jaxssl.data.expression import prepare, read
from jaxssl.studies.data import read_data
from jaxssl.studies.progress import Hooks
from jaxssl.types import InputError

X = np.random.default_rng(0).uniform(1, 9, (6, 4)).astype(np.float32)


def store(path: Path, x=X) -> Path:
    adata = AnnData(x)
    adata.obs_names = [f"s{i}" for i in range(len(X))]
    adata.var_names = ["GAPDH", "TP53", "EGFR", "MYC"]
    adata.obs["tissue"] = ["liver", "lung"] * 3
    adata.layers["double"] = 2 * X
    adata.raw = adata
    adata.X = 1.5 * x
    options = anndata.settings.override(zarr_write_format=3, auto_shard_zarr_v3=False)
    with options, pytest.warns(UserWarning, match="Zarr format 3"):  # consolidated metadata
        adata.write_zarr(path, chunks=(2, 4))
    return path


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read(path, scale="log2")
    return str(caught.value)


@pytest.mark.parametrize(("layer", "times"), [("", 1.5), ("double", 2), ("raw", 1)])
def test_each_matrix_of_a_store_is_read(tmp_path: Path, layer: str, times: float):
    prepare(store(tmp_path / "x.zarr"), tmp_path / "x.h5ad", layer=layer, scale="log2")
    adata = read(tmp_path / "x.h5ad")
    np.testing.assert_array_equal(adata.X, times * X)
    assert list(adata.obs["tissue"]) == ["liver", "lung"] * 3


def test_chunks_that_are_absent_are_told(tmp_path: Path):
    path = store(tmp_path / "x.zarr")
    (path / "X/c/1/0").unlink()
    assert (
        "1 of 3 chunks are absent, which stands for 0.0; where" in read(path).uns["jaxssl"]["notes"]
    )
    (path / "obs/tissue/codes/c/0").unlink()
    notes = read(path).uns["jaxssl"]["notes"]
    assert "of obs/tissue/codes, 1 of 1 chunks are absent, which stands for 0; where" in notes


@pytest.mark.parametrize("part", ["data", "indices", "indptr"])
def test_a_sparse_matrix_of_which_something_is_absent_is_refused(tmp_path: Path, part: str):
    path = store(tmp_path / "sparse.zarr", scipy.sparse.csr_matrix(X))
    (path / f"X/{part}/c/0").unlink()
    assert refusal(path).endswith("where the store was not copied whole, copy it again")


@pytest.mark.parametrize("make", [scipy.sparse.csr_matrix, scipy.sparse.csc_matrix])
@pytest.mark.parametrize(("part", "value"), [("indices", -1), ("indices", 99), ("indptr", 99)])
def test_positions_outside_a_sparse_matrix_are_refused(tmp_path: Path, make, part, value):
    path = tmp_path / "x.h5ad"
    AnnData(make(X)).write_h5ad(path)
    with h5py.File(path, "r+") as stored:
        stored[f"X/{part}"][2] = value
    assert "the sparse matrix of 6 x 4 has positions outside it; write it again" in refusal(path)


def test_a_store_that_memory_does_not_hold_is_to_be_imported(tmp_path: Path):
    path = store(tmp_path / "x.zarr")
    options = DataConfig(path=str(path), backed="always")
    with pytest.raises(InputError, match=r"x\.zarr \(0\.0 GB\).*; import it once by `prep"):
        read_data(options, Hooks(), may_stay=True)
    adata = read_data(replace(options, backed="auto"), Hooks(), may_stay=True)
    np.testing.assert_array_equal(adata.X, 1.5 * X)


def test_what_is_no_store_of_samples_is_named(tmp_path: Path):
    zarr.open_group(tmp_path / "other.zarr", mode="w").create_group("images")
    assert "is zarr with images inside; expected an AnnData" in refusal(tmp_path / "other.zarr")
    path = store(tmp_path / "x.zarr")
    (path / "zarr.json").write_text("{")
    assert "x.zarr is a damaged zarr store" in refusal(path)
    (tmp_path / "cut.h5ad").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(99))
    for damaged in (path, tmp_path / "cut.h5ad"):
        with pytest.raises(InputError, match="is a damaged"):
            read_data(DataConfig(path=str(damaged)), Hooks(), may_stay=True)
