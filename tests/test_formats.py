"""Every format holds the same matrix, and what cannot be used is refused by name."""

import gzip
from inspect import signature
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from anndata import AnnData

from jaxssl.data.expression import read, write_h5ad
from jaxssl.data.formats.matrix import Collector, Scratch
from jaxssl.data.import_options import ImportOptions
from jaxssl.types import InputError

SAMPLES = [f"TCGA-A1-{i:04d}-01" for i in range(12)]
GENES = ["GAPDH", "TP53", "EGFR", "MYC", "KRAS"]


@pytest.fixture
def frame() -> pd.DataFrame:
    values = np.random.default_rng(0).uniform(0, 15, (12, 5)).astype(np.float32).round(3)
    return pd.DataFrame(values, index=SAMPLES, columns=GENES)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    table = pd.DataFrame({"id": SAMPLES[::-1], "tissue": ["liver", "lung", "NA"] * 4})
    table["patient"] = table["id"].str[:12]
    table.to_csv(tmp_path / "labels.csv", index=False)
    return tmp_path / "labels.csv"


def write(frame: pd.DataFrame, path: Path) -> Path:
    name = path.name
    if name.endswith(".parquet"):
        frame.to_parquet(path)
    elif name.endswith(".npz"):
        ids = {
            "sample_ids": np.array(frame.index, str),
            "feature_ids": np.array(frame.columns, str),
        }
        np.savez(path, X=frame.to_numpy(), **ids)
    elif path.suffix in (".h5ad", ".zarr"):
        x = scipy.sparse.csr_matrix(frame.to_numpy()) if "sparse" in name else frame.to_numpy()
        bare = pd.DataFrame(index=frame.index), pd.DataFrame(index=frame.columns)
        adata = AnnData(x, obs=bare[0], var=bare[1])
        version = 2 if "old" in name else 3
        if path.suffix == ".h5ad":
            adata.write_h5ad(path)
            return path
        options = anndata.settings.override(zarr_write_format=version, auto_shard_zarr_v3=False)
        with options, pytest.warns(UserWarning, match=r"(?i)zarr"):  # of what will be the default
            adata.write_zarr(path)
    else:
        frame.to_csv(path, sep="\t" if ".tsv" in name else ",")
    return path


def refusal(path: Path, **options) -> str:
    with pytest.raises(InputError) as caught:
        read(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        *("x.csv", "x.csv.gz", "x.tsv", "x.tsv.gz", "x.parquet", "x.npz", "x.h5ad", "sparse.h5ad"),
        *("x.zarr", "sparse.zarr", "old.zarr"),
    ],
)
def test_every_format_reads_the_same_matrix(frame, tmp_path, name):
    adata = read(write(frame, tmp_path / name))
    assert adata.X.dtype == np.float32
    np.testing.assert_array_equal(adata.X, frame.to_numpy())
    assert list(adata.obs_names) == SAMPLES
    assert list(adata.var_names) == GENES


@pytest.mark.parametrize("name", ["x.csv", "x.tsv.gz", "x.parquet"])
def test_genes_in_rows_read_as_the_transpose(frame, tmp_path, name):
    adata = read(write(frame.T, tmp_path / name))
    np.testing.assert_array_equal(adata.X, frame.to_numpy())
    assert adata.uns["jaxssl"]["orientation"] == "genes_in_rows"


def test_blocks_of_rows_join_to_one_matrix(frame, tmp_path, monkeypatch):
    monkeypatch.setattr("jaxssl.data.formats.delimited._CHUNK", 50)
    monkeypatch.setattr("jaxssl.data.formats.matrix.BLOCK", 20)
    monkeypatch.setattr("jaxssl.data.sample_major.BLOCK", 20)
    for in_memory in (30, 1000):
        monkeypatch.setattr("jaxssl.data.formats.matrix.IN_MEMORY", in_memory)
        for table in (frame, frame.T):
            for name in ("x.csv", "x.parquet"):
                adata = read(write(table, tmp_path / name))
                np.testing.assert_array_equal(adata.X, frame.to_numpy())
                assert list(adata.obs_names) == SAMPLES


def test_rows_of_several_tables_wait_their_turn_on_disk(frame, monkeypatch):
    monkeypatch.setattr("jaxssl.data.formats.matrix.IN_MEMORY", 10)
    monkeypatch.setattr("jaxssl.data.formats.matrix.BLOCK", 25)
    x = frame.to_numpy()
    with Scratch() as scratch:
        collectors = [Collector(5, scratch) for _ in range(2)]
        for start in range(0, 12, 3):
            for sign, collector in zip((1, -1), collectors, strict=True):
                collector.append(sign * x[start : start + 3])
        stored = [collector.finish() for collector in collectors]
        np.testing.assert_array_equal(stored[0][:], x)
        np.testing.assert_array_equal(stored[1][:], -x)


def test_format_is_told_by_content_not_by_name(frame, tmp_path):
    path = write(frame, tmp_path / "x.parquet").rename(tmp_path / "x.csv")
    adata = read(path)
    np.testing.assert_array_equal(adata.X, frame.to_numpy())
    assert "named x.csv but holds parquet" in adata.uns["jaxssl"]["notes"]


def test_header_of_r_without_corner_is_understood(frame, tmp_path):
    text = frame.to_csv(sep="\t").lstrip("\t")
    (tmp_path / "x.txt").write_text(text)
    np.testing.assert_array_equal(read(tmp_path / "x.txt").X, frame.to_numpy())


def test_labels_join_by_id_whatever_their_order(frame, labels, tmp_path):
    path = write(frame, tmp_path / "x.csv")
    adata = read(path, labels=labels, label="tissue", group="patient")
    assert list(adata.obs["tissue"]) == ["", "lung", "liver"] * 4
    assert list(adata.obs["patient"]) == [i[:12] for i in SAMPLES]
    facts = adata.uns["jaxssl"]
    assert (facts["label"], facts["group"], facts["scale"]) == ("tissue", "patient", "log2")
    assert facts["n_labelled"] == 8


def test_label_columns_inside_the_matrix_file_are_taken_out(frame, tmp_path):
    frame.insert(2, "tissue", ["a", "b"] * 6)
    for name in ("x.csv", "x.parquet"):
        adata = read(write(frame, tmp_path / name), label="tissue")
        assert list(adata.var_names) == GENES
        assert list(adata.obs["tissue"]) == ["a", "b"] * 6


def test_prepared_file_keeps_its_columns_and_scale(frame, labels, tmp_path):
    path = write(frame, tmp_path / "x.csv")
    adata = read(path, labels=labels, label="tissue", scale="log2")
    write_h5ad(adata, tmp_path / "x.h5ad")
    again = read(tmp_path / "x.h5ad")
    assert (again.uns["jaxssl"]["label"], again.uns["jaxssl"]["scale"]) == ("tissue", "log2")
    stored = anndata.read_h5ad(tmp_path / "x.h5ad")
    pd.testing.assert_frame_equal(stored.obs, adata.obs)
    np.testing.assert_array_equal(stored.X, adata.X)


def test_sparse_values_come_into_memory_dense(frame, tmp_path):
    stored = read(write(frame, tmp_path / "sparse.h5ad"))
    assert stored.X.flags.c_contiguous
    np.testing.assert_array_equal(stored.X, frame.to_numpy())
    (tmp_path / "text.h5ad").write_text("no HDF5")
    with pytest.raises(InputError, match=r"text\.h5ad holds 1 lines of text"):
        read(tmp_path / "text.h5ad")


def test_interrupted_write_leaves_nothing(frame, tmp_path):
    adata = read(write(frame, tmp_path / "x.npz"))
    adata.uns["unwritable"] = object()
    with pytest.raises(Exception, match=r"unwritable|method"):
        write_h5ad(adata, tmp_path / "out.h5ad")
    assert {path.name for path in tmp_path.iterdir()} == {"x.npz"}


def test_small_classes_become_unlabelled_on_request(frame, tmp_path):
    frame.insert(0, "tissue", ["a"] * 6 + ["b"] * 4 + ["c"] * 2)
    adata = read(write(frame, tmp_path / "x.csv"), label="tissue", min_class_size=3)
    assert list(adata.obs["tissue"]) == ["a"] * 6 + ["b"] * 4 + [""] * 2
    assert "c 2" in adata.uns["jaxssl"]["notes"]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("mean", lambda a, b: (a + b) / 2), ("max", np.maximum), ("first", lambda a, b: a)],
)
def test_duplicate_genes_follow_the_policy(frame, tmp_path, policy, expected):
    first, last = frame["GAPDH"].to_numpy(), frame["KRAS"].to_numpy()
    frame.columns = [*GENES[:4], "GAPDH"]
    adata = read(write(frame, tmp_path / "x.csv"), duplicates=policy)
    assert list(adata.var_names) == GENES[:4]
    np.testing.assert_allclose(adata.X[:, 0], expected(first, last), rtol=1e-6)
    np.testing.assert_array_equal(adata.X[:, 1:], frame.to_numpy()[:, 1:4])


def test_missing_values_follow_the_policy(frame, tmp_path):
    frame.iloc[3, 1] = np.nan
    path = write(frame, tmp_path / "x.csv")
    mean = read(path, impute="mean").X[3, 1]
    np.testing.assert_allclose(mean, frame["TP53"].mean(), rtol=1e-6)
    assert read(path, impute="zero").X[3, 1] == 0
    assert "TP53" not in read(path, impute="drop_genes").var_names
    message = refusal(path)
    assert "1.67% of the values are missing" in message
    assert "TP53" in message


def test_refusals_name_the_finding_and_the_flag(frame, labels, tmp_path):
    text = frame.astype(object)
    text.iloc[3, 1] = "high"
    message = refusal(write(text, tmp_path / "text.csv"))
    assert SAMPLES[3] in message
    assert "column TP53 is 'high'" in message
    twice = frame.set_axis([*GENES[:4], "GAPDH"], axis=1)
    assert "`duplicates=" in refusal(write(twice, tmp_path / "genes.csv"))
    twice = frame.set_axis([*SAMPLES[:11], SAMPLES[0]])
    assert SAMPLES[0] in refusal(write(twice, tmp_path / "samples.tsv"))
    infinite = frame.replace(frame.iloc[2, 2], -np.inf)
    assert "infinite" in refusal(write(infinite, tmp_path / "inf.parquet"))
    path = write(frame, tmp_path / "x.csv")
    assert "did you mean tissue" in refusal(path, labels=labels, label="tisue")
    assert "`scale=banana`" in refusal(path, scale="banana")
    assert "`scale=log2`" in refusal(write(frame * 100, tmp_path / "l.csv"), scale="log2")


def test_ambiguous_orientation_and_scale_are_asked_for(frame, tmp_path):
    plain = frame.set_axis([f"row{i}" for i in range(12)]).set_axis(list("abcde"), axis=1)
    path = write(plain, tmp_path / "x.csv")
    assert "`orientation=genes_in_rows` or" in refusal(path)
    assert read(path, orientation="genes_in_rows").shape == (5, 12)
    path = write(frame * 3, tmp_path / "scale.csv")
    assert "pass `scale=counts`, linear or log2" in refusal(path)
    path = write(frame - 7.5, tmp_path / "scale.csv")
    assert "standardised" in refusal(path)


def test_wells_of_a_plate_are_not_taken_for_gene_symbols(frame, tmp_path):
    wells = frame.set_axis([f"{row}{i}" for row in "ABC" for i in range(4)])
    path = write(wells.set_axis(list("12345"), axis=1), tmp_path / "x.csv")
    assert "`orientation=" in refusal(path)
    adata = read(write(wells.set_axis(GENES, axis=1), tmp_path / "y.csv"))
    assert list(adata.var_names) == GENES


def test_transposed_npz_is_refused(frame, tmp_path):
    assert "transposed" in refusal(write(frame.T, tmp_path / "x.npz"))


def test_labels_that_match_nothing_show_both_sides(frame, labels, tmp_path):
    other = frame.set_axis([f"GSM{i}" for i in range(12)])
    message = refusal(write(other, tmp_path / "x.csv"), labels=labels, label="tissue")
    assert message.startswith("only 0 of 12 samples")
    assert "GSM0, GSM1, GSM2, GSM3, GSM4, ... (12)" in message
    assert SAMPLES[11] in message
    dotted = frame.set_axis([i.replace("-", ".") for i in SAMPLES])
    path = write(dotted, tmp_path / "x.csv")
    joined = read(path, labels=labels, label="tissue")
    assert list(joined.obs["tissue"]) == ["", "lung", "liver"] * 4


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html></html>\n", "web page"),
        (b"hello\nworld\n", "has no columns"),
        (b"\x00\x01\x02" * 99, "binary"),
        (b"\x89HDF\r\n\x1a\n broken", "damaged HDF5"),
        (b"PK\x03\x04 broken", "damaged zip"),
        (b"PAR1 broken", "damaged parquet"),
        (b"!mine\nid\ta\nb\t1\n", "comment"),
        (b"id,a,b\ns1,1,2\ns2,1,2,3\n", "line 3"),
        (gzip.compress(b"id,a,b\n" + b"s1,1,2\n" * 999, mtime=0)[:40], "ends early"),
        ("id,a\ns,1\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path, content, finding):
    (tmp_path / "x.csv").write_bytes(content)
    assert finding in refusal(tmp_path / "x.csv", orientation="samples_in_rows")


def test_npz_with_other_arrays_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", counts=np.ones(3))
    assert "holds counts" in refusal(tmp_path / "a.npz")
    ids = {"sample_ids": np.array(["a", "b"]), "feature_ids": np.array(["c"])}
    np.savez(tmp_path / "b.npz", X=np.ones((1, 2)), **ids)
    assert "shape (1, 2)" in refusal(tmp_path / "b.npz")


@pytest.mark.parametrize(
    ("name", "shape", "scale"),
    [
        ("tcga_brca_909", (1218, 909), "log2"),
        ("gtex_v8_1000", (3797, 1000), "log2"),
        ("breast_u133_er", (503, 966), "log2"),
        ("tcga_rare_fulltranscriptome", (364, 56537), "counts"),
    ],
)
def test_real_sets_read_with_the_scale_their_readme_states(data_dir, name, shape, scale):
    folder = data_dir / name
    adata = read(folder / "expression.npz", labels=folder / "labels.csv")
    assert adata.shape == shape
    assert adata.uns["jaxssl"]["scale"] == scale


def test_the_options_of_read_are_those_of_the_import():
    given = signature(read).parameters
    assert {n: p.default for n, p in given.items() if n != "path"} == vars(ImportOptions())
