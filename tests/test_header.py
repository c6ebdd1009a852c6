"""A first line that is data is never taken for names, nor names for data."""

import gzip

import numpy as np
import pytest
from traps import refusal, write

import jaxssl
from jaxssl import read
from jaxssl.types import InputError

ENSEMBL = [f"ENSG000000000{i}.1{i}" for i in range(10, 16)]
SYMBOLS = ["TSPAN6", "TNMD", "DPM1", "SCYL3", "FGR", "CFH"]
X = np.arange(18, dtype=np.float32).reshape(6, 3) * 7 + 100


def lines(ids, n_columns=3, mark="\t"):
    return "".join(
        mark.join([name, *(f"{v:g}" for v in row)]) + "\n"
        for name, row in zip(ids, X[:, :n_columns], strict=True)
    )


@pytest.mark.parametrize(
    ("name", "ids", "mark"),
    [
        ("S1.htseq.counts", ENSEMBL, "\t"),
        ("S1.txt.gz", ENSEMBL, "\t"),
        ("S1.csv", SYMBOLS, ","),
        ("S1.counts.txt", SYMBOLS, " "),
        ("S1.tab", [f"ENSMUSG000000000{i}" for i in range(10, 16)], "\t"),
        ("S1", [f"hsa-miR-{i}-5p" for i in range(10, 16)], "\t"),
        ("S1.cnt", ["Tspan6", "Tnmd", "Dpm1", "Scyl3", "Fgr", "0610007P14Rik"], "\t"),
        ("S1.tsv", [f"{s}|{i}" for i, s in enumerate(SYMBOLS, 7105)], "\t"),
    ],
)
def test_counts_of_a_sample_without_a_header_keep_their_first_gene(tmp_path, name, ids, mark):
    text = lines(ids, 1, mark).encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    adata = jaxssl.read(path)
    assert list(adata.obs_names) == ["S1"]
    assert list(adata.var_names) == ids
    np.testing.assert_array_equal(adata.X, X[:, :1].T)
    note = "no header: the values are of one sample, called S1 after the file"
    assert note in adata.uns["jaxssl"]["notes"]
    report = jaxssl.inspect(path)
    assert (report.n_samples, report.n_genes, report.sample_examples) == (1, 6, ["S1"])
    assert note in report.notes


def test_files_of_a_sample_each_are_called_after_themselves(tmp_path):
    paths = [tmp_path / f"S{i}.counts" for i in (1, 2)]
    for i, path in enumerate(paths):
        path.write_text("".join(f"{g}\t{v:g}\n" for g, v in zip(ENSEMBL, X[:, i], strict=True)))
    adata = jaxssl.read(paths)
    assert list(adata.obs_names) == ["S1", "S2"]
    np.testing.assert_array_equal(adata.X, X[:, :2].T)


@pytest.mark.parametrize(
    "ids",
    [
        ENSEMBL,
        SYMBOLS,
        ["7157", "1956", "3845", "150465", "672", "675"],
        ["b0001", "b0002", "b0003", "b0004", "b0005", "b0006"],
    ],
)
def test_a_matrix_without_a_header_is_refused_and_read_by_the_flag(tmp_path, ids):
    (tmp_path / "m.txt").write_text(lines(ids))
    for call in (jaxssl.read, jaxssl.inspect):
        with pytest.raises(InputError) as caught:
            call(tmp_path / "m.txt")
        assert "seems to have no header: its first line, '" + ids[0] in str(caught.value)
        assert "pass `no_header` if it is data" in str(caught.value)
    orientation = "auto" if ids in (ENSEMBL, SYMBOLS) else "genes_in_rows"
    if orientation != "auto":
        assert "pass `orientation=genes_in_rows`" in refusal(tmp_path / "m.txt", no_header=True)
    adata = jaxssl.read(tmp_path / "m.txt", no_header=True, orientation=orientation)
    assert list(adata.obs_names) == ["m_1", "m_2", "m_3"]
    assert set(adata.var_names) <= set(ids)
    assert ids[0] in adata.var_names or ids[0].startswith("N_")
    np.testing.assert_array_equal(np.asarray(adata.X)[:, -2:], X.T[:, -2:])
    report = jaxssl.inspect(tmp_path / "m.txt", no_header=True)
    assert report.options["no_header"] is True
    assert report.orientation == ("genes_in_rows" if orientation == "auto" else "")


@pytest.mark.parametrize(
    "header",
    ["gene\t1001\t1002\t17", "\t1\t2\t3", "Entrez_Gene_Id\t1\t2\t3", "1\t2\t3", "ID_REF\t7\t8\t9"],
)
def test_samples_that_are_called_by_numbers_are_no_data(tmp_path, header):
    (tmp_path / "x.txt").write_text(header + "\n" + lines(ENSEMBL))
    adata = jaxssl.read(tmp_path / "x.txt")
    assert list(adata.obs_names) == header.split("\t")[-3:]
    np.testing.assert_array_equal(adata.X, X.T)


def test_what_could_be_either_is_asked_about_and_both_answers_work(tmp_path):
    text = "Clone\t1\t2\t3\n" + lines(ENSEMBL)
    (tmp_path / "x.txt").write_text(text)
    assert "write what the rows are, such as gene, above them" in refusal(tmp_path / "x.txt")
    (tmp_path / "y.txt").write_text(text.replace("Clone", "gene"))
    assert list(jaxssl.read(tmp_path / "y.txt").obs_names) == ["1", "2", "3"]
    assert jaxssl.read(tmp_path / "x.txt", no_header=True).shape == (3, 7)


@pytest.mark.parametrize("orientation", ["auto", "samples_in_rows"])
def test_genes_in_columns_need_a_header(tmp_path, orientation):
    (tmp_path / "m.csv").write_text(lines([f"TCGA-A1-000{i}" for i in range(6)], mark=","))
    message = refusal(tmp_path / "m.csv", no_header=True, orientation=orientation)
    assert "genes in columns have no names without a header" in message
    text = "patient,TP53,KRAS,MYC\n" + (tmp_path / "m.csv").read_text()
    (tmp_path / "m.csv").write_text(text)
    assert jaxssl.read(tmp_path / "m.csv").shape == (6, 3)


def test_the_flag_is_refused_where_there_is_a_header_or_none_could_lack(tmp_path):
    (tmp_path / "x.tsv").write_text("gene\tS1\tS2\tS3\n" + lines(ENSEMBL))
    assert "names columns, such as 'S3'" in refusal(tmp_path / "x.tsv", no_header=True)
    jaxssl.read(tmp_path / "x.tsv").write_h5ad(tmp_path / "x.h5ad")
    assert "`no_header` is for csv and tsv" in refusal(tmp_path / "x.h5ad", no_header=True)


@pytest.mark.parametrize("names", [["P1"], ["1001", "1002", "17"]])
@pytest.mark.parametrize("below", ["", "condition,tumor,normal,normal\n"])
def test_a_header_behind_a_hash_is_no_comment(tmp_path, names, below):
    n = len(names)
    below = ",".join(below.split(",")[: n + 1]).rstrip("\n") + "\n" if below else ""
    header = ",".join(["#gene", *names]) + "\n"
    (tmp_path / "x.csv").write_text(header + below + lines(ENSEMBL, n, ","))
    adata = jaxssl.read(tmp_path / "x.csv")
    assert list(adata.obs_names) == names
    np.testing.assert_array_equal(adata.X, X[:, :n].T)
    (tmp_path / "y.csv").write_text("# genes, of mice\n" + header[1:] + lines(ENSEMBL, n, ","))
    assert list(jaxssl.read(tmp_path / "y.csv").obs_names) == names


@pytest.mark.parametrize("name", ["GSM12{}_a.CEL.gz", "cell_{}", "sample {}"])
def test_a_row_of_a_sample_is_no_header(tmp_path, name):
    (tmp_path / "m.csv").write_text(lines([name.format(i) for i in range(6)], mark=","))
    assert "seems to have no header: its first line" in refusal(tmp_path / "m.csv")


def test_a_title_above_a_sample_that_is_called_by_a_number_is_named(tmp_path):
    text = "ID,1001\n" + lines(ENSEMBL, 1, ",")
    (tmp_path / "x.csv").write_text("Table 2. Values\n" + text)
    assert "has a title above its header: 'Table 2. Values'" in refusal(tmp_path / "x.csv")
    (tmp_path / "x.csv").write_text(text)
    assert list(jaxssl.read(tmp_path / "x.csv").obs_names) == ["1001"]


def test_a_header_with_a_line_break_inside_is_named_and_read_without(tmp_path):
    rows = "".join(f'"ENSG{i:011d}",{i},{i + 1}\n' for i in range(9))
    path = write(tmp_path / "x.csv", f'"gene","WT_1\n(TPM)","WT_2\n(TPM)"\n{rows}')
    assert "a line break inside a name of its header, behind 'WT_1'; write" in refusal(path)
    path = write(tmp_path / "y.csv", f'"gene","WT_1 (TPM)","WT_2 (TPM)"\n{rows}')
    np.testing.assert_array_equal(read(path, scale="linear").X, [range(9), range(1, 10)])
