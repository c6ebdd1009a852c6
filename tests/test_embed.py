"""An embedding is added to what a user has; all else stays as it was, bit by bit."""

import h5py
import jax
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import verbs
from anndata import AnnData, read_h5ad
from verbs import launch

import jaxssl
from jaxssl import SSLEncoder
from jaxssl.data.synthetic import make_synthetic
from jaxssl.types import InputError

pytestmark = pytest.mark.filterwarnings("ignore:.*not healthy:UserWarning")

SMALL = {"encoder.hidden": (16, 8, 8), "pretrain.n_steps": 20}


@pytest.fixture(scope="module")
def plain():
    return make_synthetic(n_samples=60, n_genes=30)


@pytest.fixture(scope="module")
def encoders(plain, tmp_path_factory):
    """Bundles of a method with prototypes, and of one without."""
    folder = tmp_path_factory.mktemp("encoders")
    for method in ("swav", "simclr"):
        with jax.numpy_dtype_promotion("standard"):
            SSLEncoder(method, config=SMALL).fit(plain).save(folder / method)
    return folder


@pytest.fixture
def rich(plain):
    """A data set as users have them: sparse, with numbers, categories, layers and raw."""
    adata = plain.copy()
    adata.X = scipy.sparse.csr_matrix(adata.X.astype(np.float64))
    n = adata.n_obs
    adata.obs["age"] = np.arange(n) + 0.5
    adata.obs["n_reads"] = np.arange(n, dtype=np.int64)
    adata.obs["smokes"] = np.arange(n) % 2 == 0
    adata.obs["stage"] = pd.Categorical(["II", "I"] * (n // 2), ["II", "I", "III"], ordered=True)
    adata.var["length"] = np.arange(adata.n_vars)
    adata.layers["counts"] = np.arange(adata.X.shape[0] * adata.n_vars).reshape(adata.shape)
    adata.obsm["X_umap"] = np.random.default_rng(0).normal(size=(n, 2))
    adata.varm["loadings"] = np.ones((adata.n_vars, 3), np.float32)
    adata.obsp["near"] = scipy.sparse.identity(n, format="csr")
    adata.uns["palette"] = {"colours": np.array(["red", "blue"]), "n": 3}
    adata.raw = adata.copy()
    return adata


def content(path):
    """Every array and attribute of an HDF5 file, by its name."""
    found = {}

    def kept(value):
        value = np.asarray(value)
        exact = value.tolist() if value.dtype.kind == "O" else value.tobytes()
        return exact, str(value.dtype), value.shape

    def note(name, item):
        found.update({f"{name}@{key}": kept(value) for key, value in item.attrs.items()})
        if isinstance(item, h5py.Dataset):
            found[name] = kept(item[()]), item.chunks, item.compression

    with h5py.File(path) as file:
        file.visititems(note)
    return found


def embed(encoder, data, out, *options, code=0):
    return launch(
        "embed", f"--encoder={encoder}", f"--data={data}", f"--out={out}", *options, code=code
    )


@pytest.mark.parametrize("out", ["x.h5ad", "new.h5ad"])
def test_an_h5ad_gets_the_embedding_and_all_else_is_bit_for_bit(out, rich, encoders, tmp_path):
    path = tmp_path / "x.h5ad"
    rich.write_h5ad(path, compression="gzip")
    before, bytes_before = content(path), path.read_bytes()
    embed(encoders / "swav", path, tmp_path / out, *["--overwrite"] * (out == "x.h5ad"))
    after = content(tmp_path / out)
    new = {name for name in after if after[name] != before.get(name)}
    ours = ("obsm/X_jaxssl", "obs/prototype", "obs@column-order")
    assert new
    assert all(name.startswith(ours) for name in new)
    assert not before.keys() - after.keys()
    if out != "x.h5ad":
        assert path.read_bytes() == bytes_before
    found = read_h5ad(tmp_path / out)
    expected = SSLEncoder.load(encoders / "swav").transform(
        make_synthetic(n_samples=60, n_genes=30)
    )
    np.testing.assert_allclose(found.obsm["X_jaxssl"], expected, atol=1e-4)
    assert list(found.obs.columns) == [*rich.obs.columns, "prototype"]
    assert found.obs["prototype"].astype(str).str.fullmatch(r"\d+").all()
    pd.testing.assert_series_equal(found.obs["stage"], rich.obs["stage"])


def test_in_memory_the_given_data_get_the_embedding_and_nothing_else(rich, encoders, tmp_path):
    before = rich.copy()
    assert jaxssl.embed(encoders / "swav", rich) is rich
    del rich.obsm["X_jaxssl"], rich.obs["prototype"]
    before.write_h5ad(tmp_path / "before.h5ad")
    rich.write_h5ad(tmp_path / "after.h5ad")
    assert content(tmp_path / "before.h5ad") == content(tmp_path / "after.h5ad")
    of_file = jaxssl.embed(encoders / "swav", tmp_path / "before.h5ad")
    of_disk = jaxssl.embed(encoders / "swav", read_h5ad(tmp_path / "before.h5ad", backed="r"))
    for found in (of_file, of_disk):
        assert found.obs["age"].dtype == np.float64
        assert "counts" in found.layers
        assert found.obsm["X_jaxssl"].shape == (60, 8)
    of_disk.file.close()


@pytest.mark.parametrize("kind", ["verb", "function", "estimator"])
def test_an_embedding_or_column_that_is_there_is_not_lost_without_a_word(
    kind, rich, encoders, tmp_path
):
    def run(adata, method="swav", *, overwrite=False):
        if kind == "function":
            return jaxssl.embed(encoders / method, adata, overwrite=overwrite)
        if kind == "estimator":
            return SSLEncoder.load(encoders / method).embed(adata, overwrite=overwrite)
        data, out = tmp_path / "data.h5ad", tmp_path / "out.h5ad"
        adata.write_h5ad(data)
        out.unlink(missing_ok=True)
        words = [f"--encoder={encoders / method}", f"--data={data}", f"--out={out}"]
        done = verbs.run("embed", *words, *["--overwrite"] * overwrite)
        if done.returncode == 2:
            raise InputError(done.stderr)
        return read_h5ad(out)

    embedded = run(rich)
    with pytest.raises(InputError, match=r"have an embedding already.*pass .*overwrite"):
        run(embedded)
    again = run(embedded, overwrite=True)
    assert "prototype" in again.obs
    assert "prototype" not in run(again, "simclr", overwrite=True).obs  # it was of another encoder
    theirs = rich.copy()
    theirs.obsm.pop("X_jaxssl", None)
    theirs.obs["prototype"] = "of user"
    with pytest.raises(InputError, match=r"a column 'prototype' of their own.*rename it"):
        run(theirs, overwrite=True)
    theirs.obs = theirs.obs.drop(columns="prototype").rename_axis("prototype")
    with pytest.raises(InputError, match=r"an index 'prototype' of their own.*rename it"):
        run(theirs, overwrite=True)


def test_another_file_is_embedded_as_it_is_read_and_never_replaced(plain, encoders, tmp_path):
    path, turned = tmp_path / "x.h5ad", tmp_path / "turned.h5ad"
    with path.open("wb") as file:  # of a name that misleads
        names = {"sample_ids": plain.obs_names, "feature_ids": plain.var_names}
        np.savez(file, X=plain.X, **{name: ids.to_numpy(str) for name, ids in names.items()})
    AnnData(plain.X.T, plain.var[[]], plain.obs[[]]).write_h5ad(turned)
    for file in (path, turned):
        before = file.read_bytes()
        error = embed(encoders / "swav", file, file, "--overwrite", code=2)
        found = ("is no .h5ad of samples x genes", "genes are missing", "seems transposed")
        assert any(words in error for words in found), error
        assert file.read_bytes() == before
    embed(encoders / "swav", path, tmp_path / "new.h5ad")
    assert read_h5ad(tmp_path / "new.h5ad").obsm["X_jaxssl"].shape == (60, 8)


def test_a_bundle_is_saved_anew_around_the_files_of_its_user(plain, encoders, tmp_path):
    encoder, folder = SSLEncoder.load(encoders / "swav"), tmp_path / "bundle"
    encoder.save(folder)
    names = ("notes.txt", "paper/draft.tex", "arrays/mine")
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    (folder / "MODEL_CARD.md").write_text("of the encoder before")
    encoder.save(folder)
    assert [(folder / name).read_text() for name in names] == [*names]
    assert not (folder / "MODEL_CARD.md").exists()
    np.testing.assert_array_equal(
        SSLEncoder.load(folder).transform(plain), encoder.transform(plain)
    )
