"""What a file or a table may have that is read wrong by those who do not expect it."""

import h5py
import miniatures
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from miniatures import BARCODES, GENES, GSM, genes_in_rows, values
from traps import h5ad, matrix, refusal, samples_in_rows, table, write

from jaxssl.data.expression import read
from jaxssl.data.inspect import inspect


@pytest.mark.parametrize(
    "corner", ["GeneID", "gene_symbol", "Hugo_Symbol", "Composite Element REF", "sample", "", "ID"]
)
def test_a_header_that_lacks_a_name_is_refused_unless_it_is_rs(tmp_path, corner):
    text = genes_in_rows(corner, GSM, GENES, values())
    short = text.replace(f"\t{GSM[-1]}\n", "\n", 1)
    message = refusal(write(tmp_path / "short.tsv", short))
    assert "names in its header" in message
    of_r = text.removeprefix(f"{corner}\t")
    adata = read(write(tmp_path / "r.tsv", of_r))
    assert list(adata.obs_names) == GSM
    np.testing.assert_array_equal(adata.X, values())


def test_logarithms_called_counts_are_refused_and_called_linear_warned_of(tmp_path):
    path = write(tmp_path / "x.tsv", genes_in_rows("gene", GSM, GENES, values()))
    assert "not integers: as logarithms are" in refusal(path, scale="counts")
    with pytest.warns(UserWarning, match="look like logarithms"):
        read(path, scale="linear")


def test_a_path_that_leads_nowhere_names_its_neighbours(tmp_path):
    write(tmp_path / "expression.tsv", "")
    assert "did you mean expression.tsv?" in refusal(tmp_path / "expresion.tsv")
    assert "nor does its folder" in refusal(tmp_path / "folder" / "x.tsv")


def test_numbers_beside_expression_are_kept_as_text(tmp_path):
    lines = genes_in_rows("gene_id", GSM, GENES, values("counts")).split("\n")
    cells = ["Length", *(str(900 + i) for i in range(8))]
    text = "\n".join(
        line.replace("\t", f"\t{cell}\t", 1) for line, cell in zip(lines, cells, strict=False)
    )
    path = write(tmp_path / "featureCounts.tsv", text + "\n")
    adata = read(path)
    assert "kept as text about the rows: Length" in adata.uns["jaxssl"]["notes"]
    np.testing.assert_array_equal(adata.X, values("counts"))
    assert list(adata.var["Length"]) == cells[1:]


def test_a_missing_last_cell_is_a_missing_value(tmp_path):
    text = genes_in_rows("gene_id", GSM, GENES, values())
    cut = text[: text.rstrip("\n").rindex("\t") + 1]
    for end in ("\n", ""):
        adata = read(write(tmp_path / "x.tsv", cut + end), impute="zero")
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
        adata = read(path, orientation="genes_in_rows")
        np.testing.assert_array_equal(adata.X, values())
        assert adata.var_names[0] == "A,1"


def test_quotes_of_a_name_are_read_alike_from_every_form(tmp_path):
    names = ['q"x', '"q"', "it's", '""', *GENES[4:]]
    frame = pd.DataFrame(values().T, names, GSM)
    frame.to_csv(tmp_path / "x.csv")
    frame.to_csv(tmp_path / "x.tsv", sep="\t")
    frame.to_parquet(tmp_path / "x.parquet")
    for form in ("csv", "tsv", "parquet"):
        adata = read(tmp_path / f"x.{form}", orientation="genes_in_rows", scale="log2")
        assert list(adata.var_names) == names


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
    assert read(scalar).shape == (6, 8)


def test_archs4_of_other_kinds_is_named_or_read(tmp_path):
    path = miniatures.archs4(tmp_path)
    with h5py.File(path, "r+") as file:
        x = file["data/expression"][:] + 0.25
        del file["data/expression"]
        file["data/expression"] = x
    adata = read(path, duplicates="first")
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
    monkeypatch.setattr("jaxssl.data.formats.arrays.BLOCK", 12)
    sparse = getattr(scipy.sparse, f"{form}_matrix")(values("counts"))
    adata = read(h5ad(tmp_path / "x.h5ad", sparse))
    np.testing.assert_array_equal(adata.X, values("counts"))


def test_parquet_without_numbers_or_with_a_name_twice_is_refused(tmp_path):
    pd.DataFrame({"id": GSM}).to_parquet(tmp_path / "ids.parquet")
    assert "no column of numbers" in refusal(tmp_path / "ids.parquet")


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
    adata = read(write(tmp_path / "gene_tpm_lung.gct", "\n".join(lines)))
    assert list(adata.var_names) == GENES
    np.testing.assert_array_equal(adata.X, values("linear"))


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
    adata = read(path)
    np.testing.assert_array_equal(adata.X, np.delete(values("counts"), 3, axis=0))


def test_a_file_without_ids_is_refused(tmp_path):
    frame = samples_in_rows()
    frame.to_csv(tmp_path / "counts.csv", index=False)
    assert "names of the rows are expected" in refusal(tmp_path / "counts.csv")
    (frame / 7).to_csv(tmp_path / "measured.csv", index=False)
    assert "names of the rows are expected" in refusal(tmp_path / "measured.csv")
    frame.insert(0, "diagnosis", list("aabbcc"))
    frame.reset_index(names="sample").iloc[:, [1, 0, *range(2, 10)]].to_parquet(
        tmp_path / "x.parquet", index=False
    )
    adata = read(tmp_path / "x.parquet", label="diagnosis")
    assert list(adata.obs_names) == GSM
    assert list(adata.obs["diagnosis"]) == list("aabbcc")


def test_thousands_separators_are_refused(tmp_path):
    plain = "".join(f"{g},1.5,2.5\n" for g in GENES[1:])
    path = write(tmp_path / "x.csv", f'gene_id,GSM1,GSM2\n{plain}{GENES[0]},"1,234",5\n')
    assert "thousands separators" in refusal(path)


def test_cbioportal_and_feature_counts_are_read_with_what_stands_beside(tmp_path):
    text = genes_in_rows("Hugo_Symbol", BARCODES, GENES, values())
    lines = [line.replace("\t", f"\t{i if i else 'Entrez_Gene_Id'}\t", 1) for i, line in
             enumerate(text.rstrip("\n").split("\n"))]  # fmt: skip
    lines[1] = lines[1].replace(GENES[0], "", 1)
    path = write(tmp_path / "data_mrna.txt", "\n".join(lines) + "\n")
    adata = read(path)
    assert list(adata.var["Entrez_Gene_Id"]) == [str(i) for i in range(2, 9)]
    np.testing.assert_array_equal(adata.X, values()[:, 1:])
    assert "1 genes without a name left out" in adata.uns["jaxssl"]["notes"]
    text = genes_in_rows("Geneid", GSM, GENES, values("counts"))
    lines = ["# Program:featureCounts v2"] + [
        line.replace("\t", "\tChr\tStart\tEnd\tStrand\tLength\t" if i == 0 else "\tchr1;chr1\t1;5"
                     "\t2;9\t+;+\t900\t", 1)
        for i, line in enumerate(text.rstrip("\n").split("\n"))
    ]  # fmt: skip
    path = write(tmp_path / "counts.txt", "\n".join(lines) + "\n")
    assert "text_columns" not in inspect(path).options
    adata = read(path)
    assert list(adata.var) == ["Chr", "Start", "End", "Strand", "Length"]
    np.testing.assert_array_equal(adata.X, values("counts"))


def test_what_is_no_gene_is_kept_as_text_from_npz_too(tmp_path):
    names = np.array(["age", *GENES[1:]])
    x = values()
    x[:, 0] = [50, 61.5, 70, np.nan, 40, 33]
    np.savez(tmp_path / "x.npz", X=x, sample_ids=np.array(GSM), feature_ids=names)
    adata = read(tmp_path / "x.npz")
    assert list(adata.var_names) == GENES[1:]
    np.testing.assert_array_equal(adata.X, values()[:, 1:])
    assert list(adata.obs["age"]) == ["50", "61.5", "70", "", "40", "33"]
