"""Sheets of Excel and OpenDocument have the values that text has, and say what is wrong."""

import datetime
import gzip
import zipfile

import numpy as np
import openpyxl
import pytest
from small_matrix import GENES, ROWS, SAMPLES, TEXT, VALUES, check, refusal
from workbooks import WRITERS, ods, xls, xlsx

from jaxssl import inspect, read
from jaxssl.data.formats.head import read_head
from jaxssl.types import InputError

MARCH, SEPTEMBER = datetime.datetime(2024, 3, 1), datetime.datetime(2024, 9, 7)
every_kind = pytest.mark.parametrize("kind", WRITERS)


@every_kind
def test_a_sheet_is_read_as_text_is(tmp_path, kind):
    write = WRITERS[kind]
    adata = check(write(tmp_path / f"a.{kind}", Sheet1=ROWS, Sheet2=[]))
    assert "format tsv (Excel)" in adata.uns["jaxssl"]["notes"]
    shifted = [[], *([None, *row] for row in ROWS)]
    check(write(tmp_path / f"b.{kind}", Sheet1=shifted))
    path = write(tmp_path / f"c.{kind}", readme=[["of", "whom"]], counts=ROWS)
    said = refusal(path)
    assert "has 2 sheets: readme, counts; say which with `sheet=readme`" in said
    check(path, sheet="counts")
    assert "has no sheet 'x': it has readme, counts; correct `sheet`" in refusal(path, sheet="x")
    (tmp_path / "d.csv").write_text(TEXT)
    assert "drop `sheet`" in refusal(tmp_path / "d.csv", sheet="x")


@every_kind
def test_cells_of_any_kind_are_written_as_text_has_them(tmp_path, kind):
    error = "" if kind == "ods" else "#N/A"
    rows = [
        ["gene", "S1", "S2", "S3"],
        ["TP53", 0.1 + 0.2, "1.5", 12345678901],
        ["MYC", True, MARCH, 3.0e-7],
        ["FGR", error, None, "a \n b"],
    ]
    lines = read_head(WRITERS[kind](tmp_path / f"a.{kind}", s=rows)).lines
    numbers = [float(cell) for cell in lines[1].split("\t")[1:]]
    np.testing.assert_allclose(numbers, [0.3, 1.5, 12345678901], rtol=1e-15)
    assert lines[1].split("\t")[2:] == ["1.5", "12345678901"]
    assert lines[2].split("\t") == ["MYC", "TRUE", "2024-03-01", "3e-07"]
    assert lines[3].split("\t") == ["FGR", "", "", "a b"]


@every_kind
def test_names_that_excel_took_for_dates_and_numbers_are_written_as_it_shows_them(tmp_path, kind):
    names = [MARCH, SEPTEMBER, 2.31e13, "FGR"]
    rows = [ROWS[0], *([n, *row] for n, row in zip(names, VALUES, strict=True))]
    path = WRITERS[kind](tmp_path / f"a.{kind}", s=rows)
    firsts = [line.split("\t")[0] for line in read_head(path).lines]
    assert firsts[:5] == ["gene", "1-Mar", "7-Sep", "2.31E+13", "FGR"]


@pytest.mark.parametrize("kind", ["xlsx", "xls"])
def test_errors_of_formulas_are_no_values_no_names_and_no_labels(tmp_path, kind):
    rows = [list(row) for row in ROWS]
    rows[1][2] = "#DIV/0!"
    rows.append(["#NAME?", 1.0, 2.0, 3.0])
    path = WRITERS[kind](tmp_path / f"a.{kind}", s=rows)
    labels = [["sample", "tissue"], *zip(SAMPLES, ("#N/A", "x", "y"), strict=True)]
    table = WRITERS[kind](tmp_path / f"l.{kind}", s=labels)
    adata = read(path, impute="zero", labels=table, label="tissue")
    np.testing.assert_array_equal(adata.X, np.array(VALUES, np.float32).T)  # that value was 0
    assert list(adata.var_names) == GENES
    assert list(adata.obs["tissue"]) == ["", "x", "y"]
    rows[0][2] = "#REF!"
    path = WRITERS[kind](tmp_path / f"b.{kind}", s=rows)
    with pytest.raises(InputError, match=r"have no id \(first: number 2 of 3\); name or remove"):
        read(path, impute="zero")


def test_a_sheet_of_labels_and_text_columns_of_excel_are_read(tmp_path):
    rows = [["sample", "tissue"], *([s, t] for s, t in zip(SAMPLES, "xyx", strict=True))]
    labels = xlsx(tmp_path / "labels.xlsx", s=rows)
    beside = [[row[0], "chr1" if i else "where", *row[1:]] for i, row in enumerate(ROWS)]
    path = xlsx(tmp_path / "a.xlsx", s=beside)
    adata = check(path, labels=labels, label="tissue", text_columns=["where"])
    assert list(adata.obs["tissue"]) == ["x", "y", "x"]
    assert inspect(labels).kind == "samples"


def test_hidden_sheets_are_read_only_when_named_and_merged_titles_are_one_cell(tmp_path):
    path = xlsx(tmp_path / "a.xlsx", shown=[["Counts of 2024"], *ROWS], hidden=[["x", 1]])
    book = openpyxl.load_workbook(path)
    book["hidden"].sheet_state = "hidden"
    book["shown"].merge_cells("A1:D1")
    book.save(path)
    lines = read_head(path).lines
    assert lines[:2] == ["Counts of 2024", "\t".join(ROWS[0])]
    assert read_head(path, "hidden").lines[:1] == ["x\t1"]


def test_the_values_that_formulas_came_to_are_read(tmp_path):
    path = xlsx(tmp_path / "a.xlsx", s=ROWS)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    assert b"<v>100</v>" in parts[sheet]
    parts[sheet] = parts[sheet].replace(b"<v>100</v>", b"<f>50*2</f><v>100</v>")
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    check(path)


@every_kind
def test_a_workbook_packed_by_gzip_is_read(tmp_path, kind):
    path = WRITERS[kind](tmp_path / "a", s=ROWS)
    packed = tmp_path / f"a.{kind}.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    check(packed)
    packed.write_bytes(packed.read_bytes()[:-12])
    assert "ends early or is damaged" in refusal(packed)


def test_a_workbook_with_a_password_is_named(tmp_path):
    advice = "is a workbook with a password; save it without one, or save the sheet as csv"
    path = xls(tmp_path / "a.xls", s=ROWS)
    content = path.read_bytes()
    assert content.count(b"\x5c\0\x70\0") == 1  # who wrote it; instead, how it is locked
    path.write_bytes(content.replace(b"\x5c\0\x70\0", b"\x2f\0\x70\0"))
    assert advice in refusal(path)
    locked = ods(tmp_path / "a.ods", manifest="<manifest:encryption-data/>", s=ROWS)
    assert advice in refusal(locked)


@every_kind
def test_a_damaged_workbook_is_named(tmp_path, kind):
    path = WRITERS[kind](tmp_path / f"a.{kind}", s=ROWS)
    path.write_bytes(path.read_bytes()[:600])
    assert "a damaged" in refusal(path)


def test_a_cell_far_from_all_others_is_named_not_filled_up_to(tmp_path):
    path = xlsx(tmp_path / "a.xlsx", s=ROWS)
    for far in ("XFD1048576", "ALM100000"):
        book = openpyxl.load_workbook(path)
        book.active[far] = "note"
        book.save(tmp_path / "b.xlsx")
        said = refusal(tmp_path / "b.xlsx")
        assert "has a sheet of more cells than fit in memory, or a cell far from the others" in said
    book.active[far] = None
    book.active["AAA2"] = None
    book.save(path)
    check(path)


@every_kind
@pytest.mark.parametrize("side", ["header", "first column"])
def test_samples_that_are_called_by_dates_keep_the_year(tmp_path, kind, side):
    dates = [datetime.datetime(year, month, 1) for year in (2019, 2020) for month in (3, 9)]
    x = np.arange(16.0).reshape(4, 4) + 0.5
    genes = ["TP53", "MYC", "FGR", "EGFR"]
    rows = [["gene", *dates], *([g, *row] for g, row in zip(genes, x.T.tolist(), strict=True))]
    if side != "header":
        rows = [["sample", *genes], *([d, *row] for d, row in zip(dates, x.tolist(), strict=True))]
    names = [f"{date:%Y-%m-%d}" for date in dates]
    labels = tmp_path / "labels.csv"
    labels.write_text(
        "sample,state\n" + "".join(f"{n},{c}\n" for n, c in zip(names, "abab", strict=True))
    )
    path = WRITERS[kind](tmp_path / f"a.{kind}", s=rows)
    adata = read(path, labels=labels, label="state", scale="log2")
    assert list(adata.obs_names) == names
    assert list(adata.obs["state"]) == [*"abab"]
    np.testing.assert_array_equal(adata.to_df()[genes], x)


def test_samples_that_are_called_by_hours_of_a_day_stay_apart(tmp_path):
    hours = [datetime.datetime(2019, 3, 1, hour) for hour in (0, 6, 12)]
    rows = [["gene", *hours], *([g, *row] for g, row in zip(GENES, VALUES, strict=True))]
    adata = read(xlsx(tmp_path / "a.xlsx", s=rows), orientation="genes_in_rows")
    assert list(adata.obs_names) == ["2019-03-01", "2019-03-01 06:00:00", "2019-03-01 12:00:00"]


def test_genes_that_are_sorted_as_dates_stay_symbols(tmp_path):
    dates = [datetime.datetime(2024, 9, day) for day in range(1, 13)]
    genes = [f"ENSG{i:011d}" for i in range(40)]
    rows = [["gene", "S1", "S2"], *([name, 1.5, 2.5] for name in (*dates, *genes))]
    firsts = [line.split("\t")[0] for line in read_head(xlsx(tmp_path / "a.xlsx", s=rows)).lines]
    assert firsts[1:13] == [f"{day}-Sep" for day in range(1, 13)]


def test_labels_with_two_rows_of_headings_are_refused_and_read_with_one(tmp_path):
    (tmp_path / "x.csv").write_text(TEXT)
    above = ["Patient", None, "Sample", None]
    rows = [["pid", "age", "sample id", "tissue"]]
    rows += [[f"P{i}", 50 + i, s, "ab"[i % 2]] for i, s in enumerate(SAMPLES)]
    labels = xlsx(tmp_path / "two.xlsx", s=[above, *rows])
    with pytest.raises(InputError, match="second row of headings: pid, age, sample id, tissue; re"):
        read(tmp_path / "x.csv", labels=labels, label="tissue")
    adata = read(tmp_path / "x.csv", labels=xlsx(tmp_path / "one.xlsx", s=rows), label="tissue")
    assert list(adata.obs["tissue"]) == ["ab"[i % 2] for i in range(len(SAMPLES))]
