import bz2
import gzip
import io
import lzma
import zipfile

import h5py
import numpy as np
import pandas as pd
import pytest
import r_files
from small_matrix import GENES, ROWS, SAMPLES, TEXT, VALUES, check, refusal
from workbooks import xlsx


def zipped(path, **files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "."), text)
    return path


PACKED = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("ending", PACKED)
def test_a_packed_text_is_read_as_it_is_unpacked(tmp_path, ending):
    path = tmp_path / f"counts.csv.{ending}"
    path.write_bytes(PACKED[ending](TEXT.encode()))
    assert "format csv (" in check(path).uns["jaxssl"]["notes"]
    path.write_bytes(path.read_bytes()[:-12])
    assert "ends early or is damaged" in refusal(path)


def test_a_zip_of_one_text_is_read_without_what_systems_add(tmp_path):
    path = tmp_path / "counts.zip"
    zipped(path, counts__csv=TEXT, **{"__MACOSX/__DS_Store": "x"})
    assert "format csv (zip)" in check(path).uns["jaxssl"]["notes"]


def test_matrices_of_r_are_read_by_their_names(tmp_path):
    whole = r_files.matrix(VALUES, GENES, SAMPLES)
    check(r_files.rds(tmp_path / "a.rds", whole))
    path = r_files.rds(tmp_path / "b.rds", whole)
    path.write_bytes(gzip.compress(path.read_bytes()))
    check(path)
    check(r_files.rds(tmp_path / "c.rds", r_files.matrix(VALUES, GENES, SAMPLES, 13)))
    check(r_files.rds(tmp_path / "d.rds", r_files.sparse(VALUES, GENES, SAMPLES)))
    turned = r_files.matrix(list(zip(*VALUES, strict=True)), SAMPLES, GENES)
    check(r_files.rds(tmp_path / "e.rds", turned))
    nameless = r_files.rds(tmp_path / "f.rds", r_files.matrix(VALUES, GENES, None))
    assert "has no names of its columns; give them in R by dimnames()" in refusal(nameless)


@pytest.mark.parametrize("is_named", [True, False])
def test_data_frames_of_r_are_read_as_tables(tmp_path, is_named):
    columns = {s: r_files.numbers([row[i] for row in VALUES]) for i, s in enumerate(SAMPLES)}
    if not is_named:
        columns = {"gene": r_files.strings(GENES), **columns}
    check(r_files.rds(tmp_path / "a.rds", r_files.frame(columns, GENES if is_named else 4)))


def test_an_object_of_rdata_is_named_by_layer(tmp_path):
    whole = r_files.matrix(VALUES, GENES, SAMPLES)
    one = r_files.rdata(tmp_path / "a.RData", {"counts": whole, "x": r_files.numbers([1])})
    check(one)
    path = r_files.rdata(tmp_path / "b.RData", {"counts": whole, "tpm": whole})
    said = refusal(path)
    assert "holds 2 tables: counts, tpm; say which with `layer=counts`" in said
    check(path, layer="counts")
    assert "has no matrix 'x': it has counts, tpm" in refusal(path, layer="x")


def test_objects_of_r_without_a_matrix_are_named_with_the_line_that_converts_them(tmp_path):
    path = r_files.rds(tmp_path / "a.rds", r_files.of_class("DESeqDataSet", {}))
    said = refusal(path)
    assert (
        "holds DESeqDataSet: no matrix and no data frame of R; in R: x <- readRDS('a.rds'); "
        in said
    )
    assert "DESeq2::counts(x)" in said
    (tmp_path / "b.rds").write_bytes(gzip.compress(b"X\n\0\0\0\3\0\4\3"))
    assert "is a file of R that is damaged" in refusal(tmp_path / "b.rds")


@pytest.mark.parametrize("extra", ["excel", "r"])
def test_a_missing_extra_is_named(tmp_path, monkeypatch, extra):
    path = xlsx(tmp_path / "a.xlsx", s=ROWS)
    if extra == "r":
        path = r_files.rds(tmp_path / "a.rds", r_files.matrix(VALUES, GENES, SAMPLES))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert f"not installed; pip install 'jaxssl[{extra}]'" in refusal(path)


def pickled():
    file = io.BytesIO()
    pd.to_pickle(pd.DataFrame({"a": [1]}), file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (b"\xd0\xcf\x11\xe0" + bytes(600), "is a damaged workbook"),
        (b"\x0b\x0e\x0a\x0c" + bytes(9), "of R's qs, which is not read; in R: write.csv("),
        (b"\x93NUMPY\1\0", "an array without names, which is not read; save it with them"),
        (b"ARROW1\0\0", "of feather"),
        (pickled(), "pandas.read_pickle('x')"),
        (b"(\xb5/\xfd" + bytes(9), "packed by zstd, which is not read; unpack it: zstd -d 'x'"),
        (gzip.compress(b"BAM\1" + bytes(9), mtime=0), "of aligned reads"),
        (b"7z\xbc\xaf'\x1c", "an archive of 7-Zip"),
    ],
)
def test_what_is_not_read_is_named_with_the_way_to_convert_it(tmp_path, content, finding):
    (tmp_path / "x").write_bytes(content)
    assert finding in refusal(tmp_path / "x")


@pytest.mark.parametrize("inside", ["xl/workbook.bin", "Index/Document.iwa"])
def test_other_workbooks_are_named(tmp_path, inside):
    path = zipped(tmp_path / "x.zip", **{inside: "<x/>", "other": "x"})
    assert "which is not read; save it as xlsx or csv" in refusal(path)


def test_loom_is_named_with_the_line_that_converts_it(tmp_path):
    with h5py.File(tmp_path / "x.loom", "w") as file:
        file["matrix"] = np.zeros((2, 2))
        file.create_group("row_attrs")
    assert "is a loom file, which is not read; in Python: anndata" in refusal(tmp_path / "x.loom")
