"""What stands around a table, or inside its numbers, shifts no value: read right, or said."""

import gzip

import numpy as np
import pandas as pd
import pytest
from miniatures import GENES, GSM, genes_in_rows, series_matrix, values
from traps import agree, matrix, refusal, table, write

from jaxssl.data.annotation import read_annotation
from jaxssl.data.expression import read
from jaxssl.data.inspect import inspect
from jaxssl.types import InputError

TEXT = genes_in_rows("gene_id", GSM, GENES, values())


def said(path, **options) -> str:
    """What `read` refuses a file with; `inspect` says the same."""
    message = refusal(path, **options)
    with pytest.raises(InputError) as caught:
        inspect(path)
    assert str(caught.value) == message
    return message


def is_whole(path, **options) -> bool:
    adata = read(path, **options)
    assert list(adata.obs_names) == GSM
    assert list(adata.var_names) == GENES
    return np.array_equal(adata.X, values())


@pytest.mark.parametrize("delimiter", "\t,;")
@pytest.mark.parametrize("n_header", [0, 1, 2])
@pytest.mark.parametrize("n_rows", [0, 1, 2])
@pytest.mark.parametrize("corner", ["gene_id", "", "Gene Symbol", "ID_REF"])
def test_delimiters_at_the_ends_of_rows_or_header_are_passed_over(
    tmp_path, delimiter, n_header, n_rows, corner
):
    header, *rows = TEXT.replace("gene_id", corner, 1).splitlines()
    lines = [header + n_header * "\t", *(row + n_rows * "\t" for row in rows)]
    path = write(tmp_path / "x.txt", "\n".join(lines).replace("\t", delimiter) + "\n")
    assert is_whole(path)
    assert any("more than the header: passed over" in n for n in inspect(path).notes) == bool(
        n_rows
    )


def test_an_empty_last_cell_beside_one_more_is_a_missing_value(tmp_path):
    lines = [f"{line}\t" for line in TEXT.splitlines()]
    lines[3] = lines[3].rstrip("\t").rsplit("\t", 1)[0] + "\t\t"
    adata = read(write(tmp_path / "x.tsv", "\n".join(lines)), impute="zero")
    expected = values()
    expected[-1, 2] = 0
    np.testing.assert_array_equal(adata.X, expected)


def test_quoted_empty_cells_at_the_ends_are_passed_over(tmp_path):
    lines = [",".join(f'"{c}"' for c in [*line.split("\t"), ""]) for line in TEXT.splitlines()]
    assert is_whole(write(tmp_path / "x.csv", "\n".join(lines) + "\n"))


def test_rows_of_delimiters_alone_are_none(tmp_path):
    text = TEXT.replace("\t", ",") + ("," * len(GSM) + "\n") * 3
    assert is_whole(write(tmp_path / "x.csv", text))


def test_a_value_below_no_name_is_refused_however_far_down(tmp_path):
    lines = [f"{line}\t" for line in TEXT.splitlines()]
    lines += [line.replace("ENSG", "ENSX") for line in lines[1:]] * 40
    lines[-1] += "7.5"
    assert "line 329 has 8 fields, the header 7" in refusal(
        write(tmp_path / "x.tsv", "\n".join(lines) + "\n")
    )


def test_a_delimiter_more_in_rows_below_names_of_samples_alone_is_asked_about(tmp_path):
    header, *rows = TEXT.splitlines()
    of_r = header.split("\t", 1)[1]
    path = write(tmp_path / "x.tsv", "\n".join([of_r, *rows]) + "\n")
    assert is_whole(path), "as R writes it"
    cut = [row.rsplit("\t", 1)[0] + "\t" for row in rows]
    path = write(tmp_path / "cut.tsv", "\n".join([of_r, *cut]) + "\n")
    assert "ends with an empty cell more than the header, whose first name is 'GSM" in said(path)
    followed = write(tmp_path / "followed.tsv", "\n".join([f"id\t{of_r}", *cut]) + "\n")
    adata = read(followed)
    np.testing.assert_array_equal(adata.X, values()[:-1])
    assert f"1 samples without any value left out: {GSM[-1]}" in adata.uns["jaxssl"]["notes"]


def test_a_header_that_is_a_name_short_is_mended_at_its_end(tmp_path):
    short = TEXT.replace(f"\t{GSM[-1]}\n", "\n", 1)
    message = said(write(tmp_path / "x.tsv", short))
    assert "name or remove the last column" in message
    assert is_whole(write(tmp_path / "x.tsv", short.replace("\n", f"\t{GSM[-1]}\n", 1)))


@pytest.mark.parametrize(
    "title",
    [
        "Supplementary Table 2. Normalised counts",
        "Table S1, log2 of counts; all genes",
        '"Table S1, log2 of counts"',
        "Title\n\nA second line",
    ],
)
@pytest.mark.parametrize("delimiter", "\t,;")
@pytest.mark.parametrize("is_padded", [False, True])
def test_a_title_above_the_header_is_named_and_its_removal_mends_the_file(
    tmp_path, title, delimiter, is_padded
):
    if delimiter in title and '"' not in title:
        pytest.skip("a title of several cells")
    padding = delimiter * 6 if is_padded else ""
    above = "".join(f"{line}{padding if line else line}\n" for line in title.split("\n"))
    body = TEXT.replace("\t", delimiter)
    message = said(write(tmp_path / "x.txt", above + body))
    assert "has a title above its header" in message
    assert "remove what stands above the row that starts with 'gene_id'" in message
    assert is_whole(write(tmp_path / "x.txt", body))


def test_a_title_above_one_sample_or_a_table_of_samples_is_named(tmp_path):
    lines = ["gene_id\tS1", *(f"{gene}\t{i}.5" for i, gene in enumerate(GENES))]
    path = write(tmp_path / "x.tsv", "\n".join(["Counts of S1", *lines]) + "\n")
    assert "has a title above its header: 'Counts of S1'" in said(path)
    path = write(tmp_path / "r.tsv", "\n".join(["S1", *lines[1:]]) + "\n")
    assert read(path).obs_names.tolist() == ["S1"], "R's header of one sample"
    labels = table(
        tmp_path, "Clinical data\nid\tlabel\tage\n" + "".join(f"{g}\ta\t1\n" for g in GSM)
    )
    assert "has a title above its header" in refusal(matrix(tmp_path), labels=labels)


def marked(write_number) -> str:
    x = values().T * 1000
    rows = [[gene, *map(write_number, row)] for gene, row in zip(GENES, x, strict=True)]
    return "".join("\t".join(row) + "\n" for row in [["gene_id", *GSM], *rows])


@pytest.mark.parametrize(
    ("write_number", "finding"),
    [
        (lambda v: f"{v / 5.45:,.0f}", "thousands separators"),
        (lambda v: f"{v:,.2f}", "thousands separators"),
        (lambda v: f"{v:,.0f}".replace(",", " "), "thousands separators"),
        (lambda v: f"{v:,.0f}".replace(",", "\u00a0"), "thousands separators"),
        (lambda v: f"{v:,.0f}".replace(",", "'"), "thousands separators"),
        (lambda v: f"{1 + v / 1e5:.3f}".replace(".", ","), "may part thousands or decimals"),
    ],
)
def test_marks_inside_numbers_are_called_what_they_are(tmp_path, write_number, finding):
    path = write(tmp_path / "x.tsv", marked(write_number))
    assert finding in said(path)


def test_whole_numbers_about_samples_say_nothing_of_points_of_genes(tmp_path):
    x = np.random.default_rng(0).uniform(2, 14, (6, 8)).round(3)
    frame = pd.DataFrame(x, GSM, GENES)
    for name in ("age", "kps", "survival_days"):
        frame.insert(0, name, [31, 472, 56, 7, 618, 99])
    frame.rename_axis("sample").to_csv(tmp_path / "x.csv")
    adata = agree(tmp_path / "x.csv")
    assert list(adata.var_names) == GENES
    np.testing.assert_allclose(adata.X, x, rtol=1e-6)
    texts = pd.DataFrame(np.where(x < 6, x.round(), x), GSM, GENES).map("{:g}".format)
    texts.rename_axis("sample").to_csv(tmp_path / "x.csv")  # as of thousands
    assert "it may part thousands or decimals" in refusal(tmp_path / "x.csv")


@pytest.mark.parametrize("number", ["1,234", "12,345,678", "1 234", "1'234"])
def test_a_mark_far_down_is_named_without_a_flag_that_hides_it(tmp_path, number):
    rows = "".join(f"ENSG{i:011d}\t{'7' * (1 + i % 3)}\t8\n" for i in range(300))
    path = write(tmp_path / "x.tsv", f"gene_id\tS1\tS2\n{rows}ENSG00000000999\t5\t{number}\n")
    assert f"column S2 is {number!r}; write numbers without thousands" in refusal(path)


def broken(path):
    """The lines about samples of a series matrix with breaks inside of quoted cells."""
    text = gzip.decompress(path.read_bytes()).decode()
    where = text.index("!Sample_title")
    cells = "\t".join('"probe group: X\n  and Y\n"' for _ in range(6))
    more = f'!Series_summary\t"one\n!two\n\nthree"\n!Sample_data_processing\t{cells}\n'
    return write(path, text[:where] + more + text[where:])


def test_breaks_inside_cells_of_a_series_matrix_are_part_of_them(tmp_path):
    plain = read(series_matrix(tmp_path), impute="zero")
    path = broken(series_matrix(tmp_path))
    adata = read(path, impute="zero")
    np.testing.assert_array_equal(adata.X, plain.X)
    pd.testing.assert_frame_equal(adata.obs, plain.obs)
    assert read_annotation(path).shape == read_annotation(series_matrix(tmp_path)).shape


def test_a_break_inside_a_characteristic_is_a_blank_and_an_open_quote_ends_with_its_line(tmp_path):
    path = series_matrix(tmp_path)
    text = gzip.decompress(path.read_bytes()).decode()
    where = text.index("!series_matrix_table_begin")
    cells = "\t".join(f'"batch: run\n{i}"' for i in range(6))
    more = f'!Sample_characteristics_ch1\t{cells}\n!Series_comment\t"5 prime\n'
    adata = read(write(path, text[:where] + more + text[where:]), impute="zero")
    assert list(adata.obs["batch"]) == [f"run {i}" for i in range(6)]


def test_what_is_no_table_is_called_what_it_is(tmp_path):
    (tmp_path / "x.tsv").write_bytes(TEXT.encode("utf-16-le"))
    assert "is UTF-16 text; save it as UTF-8" in said(tmp_path / "x.tsv")
    soft = "^DATABASE = GeoMiame\n!Database_name = x\n^SAMPLE = GSM1\n#ID_REF = \n"
    message = said(write(tmp_path / "GSE1_family.soft", soft))
    assert "has no table of values, as series of RNA-seq do" in message
    page = "<head><title>Moved</title></head>\n<body>a,b</body>\n"
    assert "is a web page" in said(write(tmp_path / "x.csv", page))
