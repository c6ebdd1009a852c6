import bz2
import datetime
import gzip
import io
import lzma
import zipfile

import h5py
import numpy as np
import openpyxl
import pandas as pd
import pytest
import r_files

from jaxssl import inspect, read
from jaxssl.types import InputError

GENES = ["TSPAN6", "TNMD", "DPM1", "SCYL3"]
SAMPLES = ["TCGA-A1-A0SB-01", "TCGA-A1-A0SD-01", "TCGA-B6-A0I1-06"]
VALUES = [[100.0, 0.0, 7.0], [12.0, 3.0, 5.0], [1.0, 2.0, 900.0], [4.0, 5.0, 6.0]]
ROWS = [["gene", *SAMPLES], *([g, *row] for g, row in zip(GENES, VALUES, strict=True))]
TEXT = "\n".join(",".join(f"{cell}" for cell in row) for row in ROWS) + "\n"


def zipped(path, **files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "."), text)
    return path


def workbook(path, **sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def check(path, **options):
    """What is read is what was written, and `inspect` proposes options that work."""
    adata = read(path, **options)
    assert list(adata.obs_names) == SAMPLES
    assert list(adata.var_names) == GENES
    np.testing.assert_array_equal(adata.X, np.array(VALUES, np.float32).T)
    given = {name: options[name] for name in ("layer", "sheet") if name in options}
    proposed = inspect(path, **given)
    asked = {k: v for k, v in proposed.options.items() if k not in ("labels", "label")}
    np.testing.assert_array_equal(read(path, **asked).X, adata.X)
    return adata


def refusal(path, **options):
    with pytest.raises(InputError) as error:
        read(path, **options)
    with pytest.raises(InputError, match=r".") as seen:
        inspect(path, **options)
    assert str(seen.value) == str(error.value)
    return str(error.value)


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


def test_a_sheet_of_excel_is_read_as_text_is(tmp_path):
    check(workbook(tmp_path / "a.xlsx", Sheet1=ROWS, Sheet2=[]))
    shifted = [[], *([None, *row] for row in ROWS)]
    check(workbook(tmp_path / "b.xlsx", Sheet1=shifted))
    path = workbook(tmp_path / "c.xlsx", readme=[["of", "whom"]], counts=ROWS)
    said = refusal(path)
    assert "has 2 sheets: readme, counts; say which with `sheet=readme`" in said
    check(path, sheet="counts")
    assert "has no sheet 'x': it has readme, counts" in refusal(path, sheet="x")
    (tmp_path / "d.csv").write_text(TEXT)
    assert "drop `sheet`" in refusal(tmp_path / "d.csv", sheet="x")


def test_a_sheet_of_labels_and_text_columns_of_excel_are_read(tmp_path):
    rows = [["sample", "tissue"], *([s, t] for s, t in zip(SAMPLES, "xyx", strict=True))]
    labels = workbook(tmp_path / "labels.xlsx", s=rows)
    beside = [[row[0], "chr1" if i else "where", *row[1:]] for i, row in enumerate(ROWS)]
    path = workbook(tmp_path / "a.xlsx", s=beside)
    adata = check(path, labels=labels, label="tissue", text_columns=["where"])
    assert list(adata.obs["tissue"]) == ["x", "y", "x"]
    assert inspect(labels).kind == "samples"


def test_names_that_excel_took_for_dates_and_numbers_are_written_as_it_shows_them(tmp_path):
    names = [datetime.datetime(2024, 3, 1), datetime.datetime(2024, 9, 7), 2.31e13, "FGR"]
    rows = [ROWS[0], *([n, *row] for n, row in zip(names, VALUES, strict=True))]
    path = workbook(tmp_path / "a.xlsx", s=rows)
    from jaxssl.data.formats.head import read_head

    firsts = [line.split("\t")[0] for line in read_head(path).lines]
    assert firsts[:5] == ["gene", "1-Mar", "7-Sep", "2.31E+13", "FGR"]


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


@pytest.mark.parametrize("extra", ["openpyxl", "rdata"])
def test_a_missing_extra_is_named(tmp_path, monkeypatch, extra):
    path = workbook(tmp_path / "a.xlsx", s=ROWS)
    name = "excel"
    if extra == "rdata":
        path, name = r_files.rds(tmp_path / "a.rds", r_files.matrix(VALUES, GENES, SAMPLES)), "r"
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert f"not installed; pip install 'jaxssl[{name}]'" in refusal(path)


def pickled():
    file = io.BytesIO()
    pd.to_pickle(pd.DataFrame({"a": [1]}), file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (b"\xd0\xcf\x11\xe0" + bytes(600), "workbook of old Excel, or one with a password"),
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


@pytest.mark.parametrize("inside", ["xl/workbook.bin", "content.xml"])
def test_other_workbooks_are_named(tmp_path, inside):
    path = zipped(tmp_path / "x.zip", **{inside: "<x/>", "other": "x"})
    assert "which is not read; save it as xlsx or csv" in refusal(path)


def test_loom_and_zarr_are_named_with_the_line_that_converts_them(tmp_path):
    with h5py.File(tmp_path / "x.loom", "w") as file:
        file["matrix"] = np.zeros((2, 2))
        file.create_group("row_attrs")
    assert "is a loom file, which is not read; in Python: anndata" in refusal(tmp_path / "x.loom")
    (tmp_path / "x.zarr").mkdir()
    (tmp_path / "x.zarr/.zgroup").write_text("{}")
    assert "is a zarr store, which is not read; in Python: anndata" in refusal(tmp_path / "x.zarr")
