"""What a file or a table may have that is read wrong by those who do not expect it."""

from pathlib import Path

import anndata
import h5py
import miniatures
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from miniatures import BARCODES, GENES, GSM, genes_in_rows, values

from jaxssl.data.annotation import read_annotation
from jaxssl.data.cancer_status import cancer_of
from jaxssl.data.expression import read_expression
from jaxssl.data.samples import read_samples
from jaxssl.types import InputError


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    return miniatures.write(path, text, encoding)


def refusal(path, **options) -> str:
    with pytest.raises(InputError) as caught:
        read_expression(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def matrix(folder: Path, corner: str = "gene_id") -> Path:
    return write(folder / "x.tsv", genes_in_rows(corner, GSM, GENES, values()))


def table(folder: Path, text: str, name: str = "labels.tsv") -> Path:
    return write(folder / name, text)


def test_a_quote_that_is_not_closed_spoils_no_other_row(tmp_path):
    notes = ['"5 prime', "a", '3" end', "b", "c", "d"]
    rows = [f"{g}\t{n}\t{v}" for g, n, v in zip(GSM, notes, "uvwxyz", strict=True)]
    labels = table(tmp_path, "\n".join(["id\tnote\tlabel", *rows]) + "\n")
    adata = read_expression(matrix(tmp_path), labels=labels, label_column="label")
    assert list(adata.obs["label"]) == list("uvwxyz")
    assert list(adata.obs["note"])[:3] == ['"5 prime', "a", '3" end']


@pytest.mark.parametrize(
    "corner", ["GeneID", "gene_symbol", "Hugo_Symbol", "Composite Element REF", "sample", "", "ID"]
)
def test_a_header_that_lacks_a_name_is_refused_unless_it_is_rs(tmp_path, corner):
    text = genes_in_rows(corner, GSM, GENES, values())
    short = text.replace(f"\t{GSM[-1]}\n", "\n", 1)
    message = refusal(write(tmp_path / "short.tsv", short))
    assert "names in its header" in message
    of_r = text.removeprefix(f"{corner}\t")
    adata = read_expression(write(tmp_path / "r.tsv", of_r))
    assert list(adata.obs_names) == GSM
    np.testing.assert_array_equal(adata.X, values())
    trailing = text.replace("\n", "\t\n").replace("\t\n", "\n", 1)
    assert "names in its header" in refusal(write(tmp_path / "trailing.tsv", trailing))


def test_numbers_beside_expression_are_asked_about(tmp_path):
    lines = genes_in_rows("gene_id", GSM, GENES, values("counts")).split("\n")
    cells = ["Length", *(str(900 + i) for i in range(8))]
    text = "\n".join(
        line.replace("\t", f"\t{cell}\t", 1) for line, cell in zip(lines, cells, strict=False)
    )
    path = write(tmp_path / "featureCounts.tsv", text + "\n")
    assert "pass --text_columns=Length" in refusal(path)
    adata = read_expression(path, text_columns=["Length"])
    np.testing.assert_array_equal(adata.X, values("counts"))
    assert list(adata.var["Length"]) == cells[1:]


def test_a_missing_last_cell_is_a_missing_value(tmp_path):
    text = genes_in_rows("gene_id", GSM, GENES, values())
    cut = text[: text.rstrip("\n").rindex("\t") + 1]
    for end in ("\n", ""):
        adata = read_expression(write(tmp_path / "x.tsv", cut + end), impute="zero")
        expected = values()
        expected[-1, -1] = 0
        np.testing.assert_array_equal(adata.X, expected)


def test_quotes_around_every_field_and_commas_inside_change_nothing(tmp_path):
    text = genes_in_rows("gene_id", GSM, ["A,1", *GENES[1:]], values())
    quoted = "\n".join(
        ",".join(f'"{cell}"' for cell in line.split("\t")) for line in text.splitlines()
    )
    for encoding in ("utf-8", "utf-8-sig", "latin-1"):
        path = write(tmp_path / "x.csv", quoted + "\n", encoding)
        adata = read_expression(path, orientation="genes_in_rows")
        np.testing.assert_array_equal(adata.X, values())
        assert adata.var_names[0] == "A,1"


def test_two_columns_that_could_be_the_ids_are_asked_about(tmp_path):
    frame = pd.DataFrame(values()[:4], index=list("1234"), columns=GENES)
    frame.to_csv(tmp_path / "x.csv")
    labels = table(tmp_path, "row,id,label\n1,4,D\n2,3,C\n3,2,B\n4,1,A\n", "labels.csv")
    options = {"labels": labels, "label_column": "label"}
    assert "columns row and id" in refusal(tmp_path / "x.csv", **options)
    adata = read_expression(tmp_path / "x.csv", sample_column="id", **options)
    assert list(adata.obs["label"]) == list("ABCD")


def test_donors_of_mixed_projects_are_told_apart(tmp_path):
    names = ["GTEX-S4Q7-0003-SM-3NM8M", "GTEX-S4Q7-1126-SM-4AD5A", *BARCODES[:2],
             "TARGET-20-PANLIZ-09", "TARGET-20-PANLIZ-04"]  # fmt: skip
    path = write(tmp_path / "x.tsv", genes_in_rows("sample", names, GENES, values()))
    adata = read_expression(path)
    assert list(adata.obs["donor_by_name"]) == [
        *["GTEX-S4Q7"] * 2, *["TCGA-A1-A0SB"] * 2, *["TARGET-20-PANLIZ"] * 2,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("disease", "status"),
    [
        ("acute myeloid leukemia with normal karyotype", "cancer"),
        ("breast cancer, control", "cancer"),
        ("normal-like breast carcinoma", "cancer"),
        ("Hodgkin disease", "cancer"),
        ("meningioma", "cancer"),
        ("carcinoid", "cancer"),
        ("polycythemia vera", "cancer"),
        ("leukopenia", "not_cancer"),
        ("adrenoleukodystrophy", "not_cancer"),
        ("non-tumor", "not_cancer"),
        ("adjacent non-tumorous tissue", "not_cancer"),
        ("cancer free", "not_cancer"),
        ("Healthy control donor", "not_cancer"),
        ("normal", "not_cancer"),
        ("tumor necrosis factor receptor associated periodic syndrome", "not_cancer"),
        ("type 2 diabetes", "not_cancer"),
        ("benign breast tumor", ""),
        ("not known", ""),
        ("--", ""),
    ],
)
def test_cancer_is_what_the_disease_says(disease, status):
    assert cancer_of(disease) == status


def test_a_later_table_that_is_silent_erases_nothing(tmp_path):
    first = table(tmp_path, "id\tlabel\n" + "".join(f"{g}\ta\n" for g in GSM))
    second = table(tmp_path, "id\tlabel\n" + "".join(f"{g}\tb\n" for g in GSM[:3]), "second.tsv")
    adata = read_expression(matrix(tmp_path), labels=[first, second], label_column="label")
    assert list(adata.obs["label"]) == ["b"] * 3 + ["a"] * 3
    assert f"only in the data: {GSM[3]}" in adata.uns["jaxssl"]["notes"]


def test_values_missing_from_genes_that_the_map_drops_are_no_matter(tmp_path):
    path = matrix(tmp_path)
    lines = path.read_text().split("\n")
    lines[8] = lines[8].replace("\t", "\tNA\t", 1).rsplit("\t", 1)[0]
    lines[7] = lines[7].replace("\t", "\t-inf\t", 1).rsplit("\t", 1)[0]
    path.write_text("\n".join(lines))
    kept = table(tmp_path, "id\tsymbol\n" + "".join(f"{g}\tX{i}\n" for i, g in
                                                  enumerate(GENES[:5])))  # fmt: skip
    adata = read_expression(path, gene_map=kept)
    np.testing.assert_array_equal(adata.X, values()[:, :5])
    lines[5] = lines[5].replace("\t", "\tNA\t", 1).rsplit("\t", 1)[0]
    path.write_text("\n".join(lines))
    assert "gene X4" in refusal(path, gene_map=kept)


def test_two_files_and_a_map_with_a_symbol_twice(tmp_path):
    first = matrix(tmp_path)
    others = [f"GSM{900 + i}" for i in range(6)]
    second = write(tmp_path / "y.tsv", genes_in_rows("gene_id", others, GENES, values()))
    symbols = ["A", "A", "B", "C", "D", "", "E /// F", "G"]
    gpl = table(tmp_path, "id\tsymbol\n" + "".join(f"{g}\t{s}\n" for g, s in
                                                 zip(GENES, symbols, strict=True)))  # fmt: skip
    adata = read_expression([first, second], gene_map=gpl, duplicates="max")
    x = values()
    expected = np.column_stack([np.maximum(x[:, 0], x[:, 1]), x[:, 2:5], x[:, 7]])
    np.testing.assert_array_equal(adata.X, np.tile(expected, (2, 1)))
    assert list(adata.var_names) == list("ABCDG")


def h5ad(path: Path, x=None) -> Path:
    adata = anndata.AnnData(values() if x is None else x)
    adata.obs_names, adata.var_names = GSM, GENES
    adata.write_h5ad(path, compression="gzip")
    return path


@pytest.mark.filterwarnings("ignore")
def test_hdf5_that_is_damaged_inside_or_of_another_kind_is_refused(tmp_path):
    path = h5ad(tmp_path / "chunk.h5ad", np.random.default_rng(0).random((6, 8)).astype("f4"))
    with h5py.File(path) as file:
        chunk = file["X"].id.get_chunk_info(0)
    data = bytearray(path.read_bytes())
    data[chunk.byte_offset + 4 : chunk.byte_offset + 40] = b"\0" * 36
    path.write_bytes(data)
    assert "is damaged" in refusal(path)
    for name, change in {
        "obs": lambda file: file.__delitem__("obs"),
        "array": lambda file: (file.__delitem__("obs"), file.create_dataset("obs", data=[1, 2])),
    }.items():
        other = h5ad(tmp_path / f"{name}.h5ad")
        with h5py.File(other, "r+") as file:
            change(file)
        refusal(other)
    scalar = h5ad(tmp_path / "uns.h5ad")
    with h5py.File(scalar, "r+") as file:
        file["uns"]["jaxssl"] = 3
    assert read_expression(scalar).shape == (6, 8)


def test_archs4_of_other_kinds_is_named_or_read(tmp_path):
    path = miniatures.archs4(tmp_path)
    with h5py.File(path, "r+") as file:
        x = file["data/expression"][:] + 0.25
        del file["data/expression"]
        file["data/expression"] = x
    adata = read_expression(path, duplicates="first")
    assert adata.uns["jaxssl"]["scale"] == "linear"
    with h5py.File(path, "r+") as file:
        file["meta/samples/singlecellprobability"][...] = 1
    assert "every sample is a single cell" in refusal(path)
    with h5py.File(path, "r+") as file:
        file.move("meta/genes", "meta/transcripts")
    assert "transcripts" in refusal(path)


@pytest.mark.parametrize("form", ["csc", "csr"])
def test_sparse_matrices_go_by_way_of_disk(tmp_path, monkeypatch, form):
    monkeypatch.setattr("jaxssl.data.formats.matrix.IN_MEMORY", 10)
    monkeypatch.setattr("jaxssl.data.formats.h5ad.BLOCK", 12)
    sparse = getattr(scipy.sparse, f"{form}_matrix")(values("counts"))
    adata = read_expression(h5ad(tmp_path / "x.h5ad", sparse))
    np.testing.assert_array_equal(adata.X, values("counts"))


def test_parquet_without_numbers_or_with_a_name_twice_is_refused(tmp_path):
    pd.DataFrame({"id": GSM}).to_parquet(tmp_path / "ids.parquet")
    assert "no column of numbers" in refusal(tmp_path / "ids.parquet")


@pytest.mark.parametrize("name", ["pandas.csv", "r.tsv", "index.parquet"])
def test_ids_without_a_heading_are_kept(tmp_path, name):
    frame = pd.DataFrame({"label": list("aabbcc")}, index=GSM)
    path = tmp_path / name
    if name == "r.tsv":
        path.write_text("label\n" + "".join(f"{g}\t{v}\n" for g, v in frame["label"].items()))
    elif name == "index.parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path)
    adata = read_expression(matrix(tmp_path), labels=path, label_column="label")
    assert list(adata.obs["label"]) == list("aabbcc")


def test_tables_of_platforms_begin_below_any_number_of_comments(tmp_path):
    above = "^PLATFORM = GPL570\n" + "".join(f"!Platform_sample_id = GSM{i}\n" for i in range(9000))
    rows = "".join(f"{100 + i}_at\tS{i}\n" for i in range(8))
    soft = (
        f"{above}#ID = probe\n!platform_table_begin\nID\tGene Symbol\n{rows}!platform_table_end\n"
    )
    found = read_annotation(write(tmp_path / "GPL570.soft", soft))
    assert list(found.columns) == ["ID", "Gene Symbol"]
    assert list(found["ID"]) == [f"{100 + i}_at" for i in range(8)]
    adf = "Array Design Name\tX\n\n[main]\nComposite Element Name\tSymbol\n" + rows
    assert list(read_annotation(write(tmp_path / "x.adf.txt", adf))["Symbol"])[:2] == ["S0", "S1"]
    cbio = "#Patient\tAge\n#id\tyears\n#STRING\tNUMBER\n#1\t1\nPATIENT_ID\tAGE\np1\t60\n"
    assert list(read_annotation(write(tmp_path / "c.txt", cbio)).columns) == ["PATIENT_ID", "AGE"]


def test_names_that_anndata_keeps_for_itself_are_changed(tmp_path):
    labels = table(
        tmp_path, "id\t_index\ta\ta\ta (2)\n" + "".join(f"{g}\t1\t2\t3\t4\n" for g in GSM)
    )
    assert list(read_samples(labels).columns) == ["id", "index", "a", "a (2)", "a (2) (2)"]


def test_label_column_of_the_file_is_found_beside_a_table(tmp_path):
    frame = pd.DataFrame(values(), index=GSM, columns=GENES)
    frame.insert(0, "tissue", list("aabbcc"))
    frame.to_csv(tmp_path / "x.csv")
    groups = table(tmp_path, "id\tpatient\n" + "".join(f"{g}\tp\n" for g in GSM))
    adata = read_expression(
        tmp_path / "x.csv", labels=groups, label_column="tissue", group_column="patient"
    )
    assert list(adata.obs["tissue"]) == list("aabbcc")


def test_a_ragged_row_is_named_not_taken_for_another_delimiter(tmp_path):
    path = write(tmp_path / "x.csv", "id,a,b\ns1\ns2,1,2\ns3,1,2\n")
    assert "line 2 has 1 fields, the header 3" in refusal(path, orientation="samples_in_rows")
    labels = table(tmp_path, "id,label\nGSM100,a,b,c\n", "labels.csv")
    assert "line 2 has 4 fields" in refusal(matrix(tmp_path), labels=labels)


def test_gct_of_one_tissue_numbers_its_rows(tmp_path):
    path = miniatures.gtex(tmp_path)
    import gzip

    lines = gzip.decompress(path.read_bytes()).decode().split("\n")
    lines[2:] = [f"{'id' if i == 0 else i}\t{line}" if line else line for i, line in
                 enumerate(lines[2:])]  # fmt: skip
    adata = read_expression(write(tmp_path / "gene_tpm_lung.gct", "\n".join(lines)))
    assert list(adata.var_names) == GENES
    np.testing.assert_array_equal(adata.X, values("linear"))


def test_messages_name_flags_that_exist(tmp_path):
    path, labels = miniatures.recount3(tmp_path), miniatures.recount3_qc(tmp_path)
    assert "(--read_length)" in refusal(path, labels=labels, read_length="length")
    assert "above 0" in refusal(path, read_length="inf")
    assert "(--gene_column)" in refusal(
        miniatures.xena_gdc(tmp_path), gene_map=miniatures.probemap(tmp_path), gene_column="sym"
    )
    assert "(--sample_column)" in refusal(matrix(tmp_path), labels=labels, sample_column="x")


def test_a_mistyped_column_is_found_before_the_matrix_is_read(tmp_path, monkeypatch):
    path, labels = matrix(tmp_path), miniatures.gpl(tmp_path)
    monkeypatch.setattr("jaxssl.data.expression.read_part", None)
    for options in (
        {"labels": labels, "label_column": "tisue"},
        {"labels": labels, "sample_column": "sampel"},
        {"gene_map": labels, "gene_column": "symbol"},
        {"label_column": "tissue"},
    ):
        assert "there is no" in refusal(path, **options)


@pytest.mark.parametrize("chunks", [(1, 6), (8, 1), (2, 3), None])
@pytest.mark.parametrize("block", [1, 9, 1000])
def test_genes_by_samples_on_disk_are_turned_whatever_is_stored_together(
    tmp_path, monkeypatch, chunks, block
):
    monkeypatch.setattr("jaxssl.data.sample_major.BLOCK", block)
    path = miniatures.archs4(tmp_path)
    with h5py.File(path, "r+") as file:
        del file["data/expression"]
        file.create_dataset("data/expression", data=values("counts").T, chunks=chunks)
        file["meta/genes/symbol"][7] = "LAST"
    adata = read_expression(path)
    np.testing.assert_array_equal(adata.X, np.delete(values("counts"), 3, axis=0))
