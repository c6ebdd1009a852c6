"""Data that stay on disk: the same rows, the same encoders and the same embedding as in memory."""

import shutil
from pathlib import Path
from typing import Any

import anndata
import h5py
import jax
import numpy as np
import pytest
import scipy.sparse

import jaxssl
from jaxssl.config import Config, NormalizeConfig, with_method, with_options
from jaxssl.data import near
from jaxssl.data.axes import principal_axes
from jaxssl.data.backed import Backed, open_backed, pick, select
from jaxssl.data.expression import prepare, read_backed
from jaxssl.data.frames import fit_frame, to_frame
from jaxssl.data.groups import find_near, find_twins
from jaxssl.data.normalize import fit_normalizer, log2_expression, normalize
from jaxssl.data.scale import values_of
from jaxssl.data.synthetic import make_synthetic
from jaxssl.engine import hosts
from jaxssl.studies import data as studies_data
from jaxssl.types import InputError
from launch.benchmark.kills import differences

pytestmark = pytest.mark.usefixtures("standard_promotion")

RNG = np.random.default_rng(0)
X = RNG.normal(7, 2, (300, 80)).astype(np.float32)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch):
    """Several blocks, the last of them short, in whatever is read."""
    monkeypatch.setattr("jaxssl.data.backed.BLOCK", 64)


def options(backed: str = "auto", n_steps: int = 20) -> Config:
    """Options of a short run."""
    config = Config()
    config.pretrain.n_steps, config.data.backed = n_steps, backed
    return config


def on_disk(x: np.ndarray) -> Backed:
    """An array as if it were not in memory."""
    return Backed(lambda rows: x[rows], x.shape)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as `prepare` writes it."""
    folder = tmp_path_factory.mktemp("data")
    adata = make_synthetic(n_samples=240, n_genes=120)
    adata.write_h5ad(folder / "raw.h5ad")
    roles = {"label": "class", "group": "donor", "batch": "batch"}
    prepare(folder / "raw.h5ad", folder / "data.h5ad", **roles)
    return folder / "data.h5ad"


@pytest.mark.parametrize(
    "rows",
    [slice(3, 90), slice(5, 5), np.array([4, 5, 6, 2, 2, 200]), X[:, 0] > 7, slice(None), 7],
    ids=["slice", "none", "positions", "mask", "all", "one"],
)
def test_rows_on_disk_are_those_in_memory(prepared: Path, rows: object):
    x = np.asarray(anndata.read_h5ad(prepared).X)
    rows = rows[: len(x)] if isinstance(rows, np.ndarray) and rows.dtype == bool else rows
    np.testing.assert_array_equal(open_backed(prepared)[rows], x[rows])


def test_rows_and_columns_are_chosen_before_they_are_read():
    rows, columns = np.array([9, 2, 5]), np.array([7, 0])
    backed = pick(select(on_disk(X), rows), columns).map(
        lambda block, at: block + np.float32(at)[:, None]
    )
    np.testing.assert_array_equal(backed[1:], X[rows][:, columns][1:] + np.float32([[1], [2]]))
    assert backed.shape == (3, 2)


def test_what_takes_all_in_memory_says_how_much():
    with pytest.raises(InputError, match=r"4\.0 GB; leave it out, or pass `data.backed=never`"):
        np.asarray(Backed(lambda rows: X[rows], (100_000, 10_000)))


@pytest.mark.parametrize("size", [1_000, 10_000_000], ids=["cut", "grown"])
def test_a_file_that_changes_is_refused(prepared: Path, tmp_path: Path, size: int):
    path = tmp_path / "data.h5ad"
    path.write_bytes(prepared.read_bytes())
    rows = open_backed(path)
    with path.open("r+b") as file:
        file.truncate(size)
    with pytest.raises(InputError, match="changed while it was read"):
        rows[:2]


@pytest.mark.parametrize("form", ["gzip", "sparse"])
def test_a_packed_file_is_copied_once_beside_it(tmp_path: Path, form: str):
    path, adata = tmp_path / "packed.h5ad", make_synthetic()
    if form == "sparse":
        adata.X = scipy.sparse.csr_matrix(np.round(adata.X, 1))
    adata.write_h5ad(path, compression="gzip" if form == "gzip" else None)
    told: list[str] = []
    words: dict[str, Any] = {"seeds": 1, "label": "class", "group": "donor"}
    words["progress"] = lambda event: told.append(event.text)
    ours, again, theirs = (
        jaxssl.pretrain(path, out=tmp_path / out, config=options(backed), **words)
        for out, backed in (("ours", "always"), ("again", "always"), ("theirs", "never"))
    )
    assert sum("packed.rows.h5ad does, and is made once, 0.0 GB" in text for text in told) == 1
    assert sum("the copy of packed.h5ad" in text for text in told) == 1
    for mine in (ours, again):
        jax.tree.map(
            np.testing.assert_array_equal,
            mine.encoders[0].normalizer.mean,
            theirs.encoders[0].normalizer.mean,
        )


def test_a_copy_is_that_of_the_file_as_it_is_and_no_file_of_the_user(tmp_path: Path):
    path, copy = tmp_path / "packed.h5ad", tmp_path / "packed.rows.h5ad"
    words: dict[str, Any] = {"seeds": 1, "label": "class", "config": options("always")}
    adata = make_synthetic()
    adata.write_h5ad(path, compression="gzip")
    jaxssl.pretrain(path, out=tmp_path / "before", **words)
    adata.X = adata.X + 1
    adata.write_h5ad(path, compression="gzip")
    after = jaxssl.pretrain(path, out=tmp_path / "after", **words).encoders[0].normalizer
    memory = words | {"config": options("never")}
    expected = jaxssl.pretrain(path, out=tmp_path / "memory", **memory).encoders[0].normalizer
    np.testing.assert_array_equal(after.mean, expected.mean)
    assert {file.name for file in tmp_path.glob("*.*")} == {path.name, copy.name}
    whole = copy.read_bytes()
    copy.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="is no whole copy that jaxssl made"):
        jaxssl.pretrain(path, out=tmp_path / "other", **words)
    adata[:200].copy().write_h5ad(copy)  # newer, and of the user
    with pytest.raises(
        InputError, match=r"packed\.rows\.h5ad is no whole copy that jaxssl made.*move it"
    ):
        jaxssl.pretrain(path, out=tmp_path / "other", **words)


def test_a_copy_for_which_the_disk_has_no_room_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "packed.h5ad"
    make_synthetic().write_h5ad(path, compression="gzip")
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    words = {"out": tmp_path / "out", "label": "class", "config": options("always")}
    with pytest.raises(InputError, match=r"row by row takes 0\.0 GB, and .* has 0\.0 GB free"):
        jaxssl.pretrain(path, **words)
    with pytest.raises(InputError, match=r"whole\.h5ad takes"):
        jaxssl.prepare(path, tmp_path / "whole.h5ad")
    assert [file.name for file in tmp_path.iterdir()] == ["packed.h5ad"]


def test_a_file_of_which_genes_have_to_go_is_refused(tmp_path: Path):
    adata = make_synthetic()
    adata.var_names = ["gene 0", "gene 0", *adata.var_names[2:]]
    adata.write_h5ad(tmp_path / "twice.h5ad")
    with pytest.raises(InputError, match="gene 0"):
        read_backed(tmp_path / "twice.h5ad")


def test_a_file_that_is_replaced_between_two_splits_is_refused(prepared: Path, tmp_path: Path):
    path = tmp_path / "data.h5ad"
    path.write_bytes(prepared.read_bytes())
    adata = read_backed(path)
    assert values_of(adata).shape == adata.shape
    path.write_bytes(prepared.read_bytes() + b" ")
    with pytest.raises(InputError, match="changed while it was used"):
        values_of(adata)


def test_columns_of_rows_on_disk_are_not_taken_by_chance():
    with pytest.raises(InputError, match="in memory"):
        on_disk(X)[:, 3]


def test_values_below_0_on_a_linear_scale_are_those_of_an_import(tmp_path: Path):
    x = np.exp2(X) - 20
    adata = anndata.AnnData(x, uns={"jaxssl": {"scale": "linear"}})
    adata.write_h5ad(tmp_path / "linear.h5ad")
    ours = values_of(read_backed(tmp_path / "linear.h5ad", scale="linear"))
    np.testing.assert_array_equal(ours[:], jaxssl.read(tmp_path / "linear.h5ad", scale="linear").X)


def test_a_file_with_gaps_is_to_be_imported(tmp_path: Path):
    adata = make_synthetic()
    adata.X[0, 0] = np.nan
    adata.write_h5ad(tmp_path / "gaps.h5ad")
    with h5py.File(tmp_path / "gaps.h5ad") as file:
        assert file["X"].chunks is None
    with pytest.raises(InputError, match="missing"):
        jaxssl.pretrain(
            tmp_path / "gaps.h5ad", out=tmp_path / "out", label="class", config=options("always")
        )


@pytest.mark.parametrize("frame", ["training", "cohort", "rank", "rank_cohort"])
def test_the_map_of_rows_on_disk_is_that_of_an_array(frame: str):
    cohorts = np.repeat(["one", "other"], 150)
    options = NormalizeConfig(frame=frame, n_components=12)
    names = [f"gene {i}" for i in range(X.shape[1])]
    ours, theirs = (
        fit_normalizer(x, names, options, cohorts=cohorts) for x in (on_disk(X), X.copy())
    )
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4),
        (ours.mean, ours.scale, ours.lower, ours.upper),
        (theirs.mean, theirs.scale, theirs.lower, theirs.upper),
    )
    of_ours = normalize(ours, on_disk(X), cohorts=cohorts)
    np.testing.assert_allclose(of_ours, normalize(ours, X, cohorts=cohorts), atol=1e-5)
    np.testing.assert_allclose(
        np.abs(of_ours), np.abs(normalize(theirs, X, cohorts=cohorts)), atol=1e-3
    )


@pytest.mark.parametrize("name", ["cohort", "rank_cohort"])
def test_a_new_cohort_on_disk_has_the_frame_that_it_has_in_memory(name: str):
    known, new = np.repeat(["one", "other"], 100), np.repeat(["other", "new"], 50)
    _, frame = fit_frame(X[:200], name, known)
    ours, theirs = to_frame(frame, on_disk(X[200:]), new), to_frame(frame, X[200:], new)
    np.testing.assert_allclose(ours[:], theirs, atol=1e-6)


@pytest.mark.parametrize("scale", ["log2", "linear", "counts"])
def test_rows_on_disk_come_in_logarithms(scale: str):
    counts = np.exp2(X).round()
    np.testing.assert_array_equal(
        log2_expression(on_disk(counts), scale)[:], log2_expression(counts, scale)
    )


def with_twins(n: int = 400, n_genes: int = 200) -> np.ndarray:
    """Profiles of ten classes, some of which stand there twice, with little noise."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(10, n_genes))[rng.integers(10, size=n)] + 0.7 * rng.normal(
        size=(n, n_genes)
    )
    x[rng.permutation(n)[:20]] = x[rng.permutation(n)[:20]]
    return (x + 0.02 * rng.normal(size=x.shape)).astype(np.float32)


def test_twins_on_disk_are_those_in_memory():
    x, batches = with_twins(), np.repeat(["one", "other"], 200)
    expected = find_twins(x.copy(), batches)
    assert 5 < len(expected) < 60
    np.testing.assert_array_equal(find_twins(on_disk(x), batches), expected)
    ours, theirs = find_near(on_disk(x)), find_near(x.copy())
    np.testing.assert_array_equal(ours.pairs, theirs.pairs)


def test_few_axes_miss_no_pair(monkeypatch: pytest.MonkeyPatch):
    x = with_twins()
    x -= x.mean(axis=0)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    expected = np.argwhere(np.triu(x @ x.T, k=1) > 0.9)
    monkeypatch.setattr(near, "N_AXES", 2)
    monkeypatch.setattr(near, "COMPARED", 4_000)
    np.testing.assert_array_equal(near.similar_pairs(on_disk(x), 0.9), expected)


def test_axes_by_passes_are_those_of_the_covariance(monkeypatch: pytest.MonkeyPatch):
    deviation = np.r_[np.linspace(9, 3, 12), np.full(188, 1.0)]
    z = (np.random.default_rng(2).normal(size=(500, 200)) * deviation).astype(np.float32)
    exact, exact_sd = principal_axes(z, 12)
    monkeypatch.setattr("jaxssl.data.axes.EXACT_SIDE", 100)
    axes, sd = principal_axes(on_disk(z), 12)
    np.testing.assert_allclose(sd, exact_sd, rtol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(exact.T @ axes, axis=0), 1, atol=0.01)
    again, _ = principal_axes(z, 12)
    np.testing.assert_array_equal(axes, again)


def test_axes_by_passes_end_where_all_genes_are_spanned(monkeypatch: pytest.MonkeyPatch):
    z = np.random.default_rng(3).normal(size=(60, 40)).astype(np.float32)
    _, exact = principal_axes(z, 15)
    monkeypatch.setattr("jaxssl.data.axes.EXACT_SIDE", 10)
    monkeypatch.setattr("jaxssl.data.axes.RESIDUAL", 0.0)
    _, sd = principal_axes(z, 15)
    np.testing.assert_allclose(sd, exact, rtol=1e-4)


def test_an_encoder_of_data_on_disk_is_that_of_the_same_in_memory(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # sums over several blocks are rounded otherwise, and training makes that larger
    monkeypatch.setattr("jaxssl.data.backed.BLOCK", 1024)
    made = [
        jaxssl.pretrain(prepared, out=tmp_path / backed, seeds=1, config=options(backed))
        for backed in ("always", "never")
    ]
    ours, theirs = (result.encoders[0] for result in made)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), ours.params, theirs.params
    )
    np.testing.assert_allclose(ours.normalizer.rotation, theirs.normalizer.rotation, atol=1e-5)


@pytest.mark.parametrize(
    ("method", "batches"), [("swav", "mixed"), ("moco", "mixed"), ("vicreg", "by_cohort")]
)
def test_steps_on_genes_that_are_read_in_time_are_those_in_memory(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, batches: str
):
    monkeypatch.setattr("jaxssl.engine.streaming.AT_ONCE", 2 * 4 * 64 * 80 * 10)
    changes = {"normalize.input": "genes", "pretrain.batch_size": 64, "pretrain.batches": batches}
    words = {"seeds": 2, "batch": "batch", "method": method}
    ours, theirs = (
        jaxssl.pretrain(
            prepared,
            out=tmp_path / backed,
            config=with_options(options(backed), changes),
            **words,
        )
        for backed in ("always", "never")
    )
    differing = differences(tmp_path / "always", tmp_path / "never")
    assert differing == ["encoder/seed_000", "encoder/seed_001"], "where the data were, alone"
    assert ours.encoders.keys() == theirs.encoders.keys() == {0, 1}


@pytest.mark.parametrize(
    ("method", "changes", "found"),
    [
        ("deepcluster", {}, "deepcluster looks at all samples before an epoch, and these stay"),
        ("scarf", {}, "the views of scarf are made of other samples, too, and these stay"),
        ("swav", {"augment.neighbour_share": 0.5}, "the views of swav are made of other samples"),
    ],
)
def test_what_looks_at_all_samples_is_refused_on_disk(
    prepared: Path, tmp_path: Path, method: str, changes: dict, found: str
):
    asked = with_options(options("always"), {"normalize.input": "genes"})
    asked = with_options(with_method(asked, method), changes)
    with pytest.raises(InputError, match=f"{found}.*`data.backed=never`"):
        jaxssl.pretrain(prepared, out=tmp_path / "out", seeds=1, config=asked)
    assert not (tmp_path / "out").exists()


def test_several_processes_refuse_genes_on_disk_before_they_write(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(hosts, "is_joined", lambda: True)
    asked = with_options(options("always"), {"normalize.input": "genes"})
    with pytest.raises(InputError, match=r"several processes take .*; start one, or .*=never"):
        jaxssl.pretrain(prepared, out=tmp_path / "out", seeds=1, config=asked)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("shift", ["refuse", "adapt"])
def test_an_embedding_of_data_on_disk_is_that_of_the_same_in_memory(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shift: str
):
    jaxssl.pretrain(prepared, out=tmp_path / "run", seeds=1, config=options())
    embedded = []
    for share in (0.0, 1.0):
        monkeypatch.setattr(studies_data, "LARGE_SHARE", share)
        adata = jaxssl.embed(tmp_path / "run", prepared, shift=shift, batch="batch")
        assert adata.isbacked == (share == 0)
        embedded.append(adata.obsm["X_jaxssl"])
    np.testing.assert_allclose(*embedded, atol=1e-5)


@pytest.mark.filterwarnings("ignore:36 test samples are few")
def test_a_comparison_on_disk_is_that_in_memory(prepared: Path, tmp_path: Path):
    arms = ["logreg", "centroid", "knn", "random_forest", "pool"]
    words = {"arms": arms, "shares": [1.0], "seeds": 1, "splits": 1}
    ours, theirs = (
        jaxssl.study(prepared, out=tmp_path / backed, **words, config=options(backed, 0)).results
        for backed in ("always", "never")
    )
    np.testing.assert_allclose(ours["value"], theirs["value"], atol=0.03)
