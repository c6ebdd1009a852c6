"""Ids, labels and containers that were once read wrong are read or refused as the files say.

As in `test_import_cases`, each folder of `cases` is one.
"""

import bz2
import lzma
import tarfile
import zipfile

import h5py
import numpy as np
import pandas as pd
import pytest
from cases import ENSEMBL, S3, S12, SYMBOLS, as_written, holds, written
from traps import agree, notes_of, refusal, write

from jaxssl.data.expression import read
from jaxssl.data.inspect import inspect
from jaxssl.types import InputError


def both_refuse(path):
    """What `read` says, and so does `inspect`."""
    with pytest.raises(InputError) as caught:
        inspect(path)
    assert refusal(path) == str(caught.value)
    return str(caught.value)


def test_samples_whose_dashes_r_made_dots_find_their_labels(cases):
    path, table = (cases / "27-gtex-dots-vs-dashes" / name for name in ("m.csv", "attr.txt"))
    ends = ["1117F.0226.SM.5GZZ7", "1117F.0426.SM.5EGHI", "111CU.0126.SM.5GZWZ"]
    samples = [f"GTEX.{end}" for end in ends]
    as_written(path, samples, SYMBOLS, 152, ",")
    adata = read(path, labels=table, label="SMTS")
    holds(adata, samples, SYMBOLS, written(path, samples, SYMBOLS, ","), 152)
    assert list(adata.obs["SMTS"]) == ["Adipose", "Muscle", "Muscle"]
    rule = "3 of 3 samples found in column SAMPID of the labels, by their ids with R's dots"
    assert rule in notes_of(adata)
    assert inspect(path, table).join.startswith(rule)


def test_what_stands_above_the_header_is_named_and_goes(cases, tmp_path):
    path = cases / "46-title-line-above/m.csv"
    said = "has a title above its header: 'Supplementary Table 2. Normalised counts'; remove what"
    assert f"{said} stands above the row that starts with 'gene'" in both_refuse(path)
    text = path.read_text()
    followed = write(tmp_path / "m.csv", text[text.index("gene") :])
    as_written(followed, S3, ENSEMBL, 152, ",")


def test_thousands_separators_are_named_and_go(cases, tmp_path):
    path = cases / "47-thousands-separators/m.csv"
    said = "thousands separators, such as 1,234; write numbers without thousands separators"
    assert said in both_refuse(path)
    bare = pd.read_csv(path, index_col=0, thousands=",")
    bare.to_csv(tmp_path / "m.csv")
    holds(agree(tmp_path / "m.csv"), S3, [*bare.index], [[1234, 12], [2345, 1000], [3456, 5]], 5)


def test_spellings_of_no_label_are_no_classes(cases):
    path, table = (cases / "68-label-na-spellings" / name for name in ("m.csv", "l.tsv"))
    adata = read(path, labels=table, label="stage")
    holds(adata, S12, SYMBOLS, written(path, S12, SYMBOLS, ","), 161)
    told = {"S1": "I", "S2": "II", "S9": "not reported", "S11": "Unknown"}
    assert {s: label for s, label in adata.obs["stage"].items() if label} == told
    assert "`rename_classes=not reported=,Unknown=` blanks them" in notes_of(adata)
    blanked = read(path, labels=table, label="stage", rename_classes=["not reported=", "Unknown="])
    assert {s for s, label in blanked.obs["stage"].items() if label} == {"S1", "S2"}


def test_labels_of_h5ad_are_those_of_text(cases):
    path = cases / "70-h5ad-label-nan-text-and-blanks/a.h5ad"
    samples = S12[:6]
    with h5py.File(path) as file:
        x = file["X"][:]
    adata = agree(path, label="group")
    holds(adata, samples, ENSEMBL, x, 43)
    assert list(adata.obs["group"]) == ["Tumor", "Tumor", "", "", "normal", "tumor"]
    assert "'Tumor' 2 and 'tumor' 1; `rename_classes=tumor=Tumor` merges them" in notes_of(adata)
    merged = read(path, label="group", rename_classes=["tumor=Tumor"])
    assert list(merged.obs["group"]) == ["Tumor", "Tumor", "", "", "normal", "Tumor"]


@pytest.mark.parametrize(
    ("file", "unpack", "last"),
    [
        ("counts.zip", lambda path: zipfile.ZipFile(path).read("counts.csv"), 151),
        ("counts.csv.bz2", lambda path: bz2.decompress(path.read_bytes()), 150),
        ("counts.csv.xz", lambda path: lzma.decompress(path.read_bytes()), 1),
    ],
)
def test_a_packed_text_is_the_text_inside(cases, tmp_path, file, unpack, last):
    path = cases / "72-containers" / file
    inside = write(tmp_path / "inside.csv", unpack(path).decode())
    frame = pd.read_csv(inside, index_col=0)
    scale = {"scale": "counts"} if last == 1 else {}
    adata = agree(path, **scale)
    holds(adata, [*frame], [*frame.index], frame.to_numpy().T, last)


@pytest.mark.parametrize(
    ("file", "finding", "advice"),
    [
        ("a.xlsx", "is a damaged workbook", "save it again, or save the sheet as csv"),
        ("gdc_download.tar.gz", "is an archive without files of samples that are known: of the GDC",
         "unpack it"),
        ("data.rds", "is a file of R that is damaged", "in R: x <- readRDS('data.rds'); write.csv"),
        ("data.RData", "is a file of R that is damaged", "in R: x <- get(load('data.RData')"),
        ("old.xls", "is a damaged workbook", "save it again, or save the sheet as csv"),
    ],
)  # fmt: skip
def test_what_a_container_is_and_how_to_open_it_is_said(cases, file, finding, advice):
    said = both_refuse(cases / "72-containers" / file)
    assert f"{file} {finding}" in said
    assert advice in said.partition("; ")[2]


def test_an_empty_file_of_the_gdc_is_refused_unpacked_too(cases, tmp_path):
    with tarfile.open(cases / "72-containers/gdc_download.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    assert "holds 0 lines of text; expected a header" in both_refuse(next(tmp_path.rglob("*.tsv")))


def test_a_transposed_table_of_samples_is_named_and_turned(cases, tmp_path):
    folder = cases / "80-clinical-table-transposed"
    path, table = folder / "m.tsv", folder / "BRCA.clin.merged.picked.txt"
    samples = [f"TCGA-A1-A0S{end}-01" for end in "BDE"]
    said = refusal(path, labels=table, label="pathologic_stage")
    assert "the table is transposed, its samples (such as tcga-a1-a0sb, in lower case)" in said
    assert '.read_csv(TABLE, sep="\\t", index_col=0).T.to_csv(NEW)' in said
    assert "3 of 3 samples stand in the header of the labels" in inspect(path, table).join
    pd.read_csv(table, sep="\t", index_col=0).T.to_csv(tmp_path / "new.csv")  # the advice
    adata = read(path, labels=tmp_path / "new.csv", label="pathologic_stage")
    holds(adata, samples, SYMBOLS, written(path, samples, SYMBOLS), 152)
    assert list(adata.obs["pathologic_stage"]) == ["stage i", "stage ii", "stage ii"]


def test_samples_in_rows_keep_their_classes_apart_from_genes(cases):
    folder = cases / "82-kaggle-samples-in-rows-class-inside"
    samples, genes = ([f"{kind}_{i}" for i in range(6)] for kind in ("sample", "gene"))
    x = written(folder / "data.csv", genes, samples, ",").T
    holds(agree(folder / "data.csv"), samples, genes, x, 7.125)
    adata = read(folder / "data.csv", labels=folder / "labels.csv", label="Class")
    holds(adata, samples, genes, x, 7.125)
    assert list(adata.obs["Class"]) == ["BRCA", "KIRC", "BRCA", "KIRC", "PRAD", "PRAD"]
    samples = [str(n) for n in range(834, 840)]
    adata = agree(folder / "one.csv", label="type")
    holds(adata, samples, SYMBOLS, written(folder / "one.csv", SYMBOLS, samples, ",").T, 11.125)
    assert list(adata.obs["type"]) == ["basal", "HER", "basal", "HER", "luminal", "luminal"]


def test_numbers_about_patients_are_no_genes(cases):
    path, samples = cases / "83-numeric-clinical-columns-inside/m.csv", [f"P{i}" for i in range(6)]
    adata = agree(path)
    holds(adata, samples, SYMBOLS, written(path, SYMBOLS, samples, ",").T, 11.125)
    assert "facts about the samples kept as text: os_time, event, RIN" in notes_of(adata)
    assert dict(adata.obs.iloc[-1]) == {"age": "65", "os_time": "305", "event": "1", "RIN": "7.5"}


def test_files_of_other_gencode_versions_share_their_genes(cases):
    a, b = (cases / "84-two-files-other-gencode-versions" / f"{name}.tsv" for name in "ab")
    stems = [gene.partition(".")[0] for gene in ENSEMBL]
    later = [f"{stem}.99" for stem in stems]
    x = np.vstack([written(a, S3, ENSEMBL), written(b, S12[3:6], later)])
    adata = read([a, b])
    holds(adata, S12[:6], stems, x, 152)
    assert "genes named without their Ensembl versions, in which the files" in notes_of(adata)


@pytest.mark.parametrize(
    ("file", "genes"),
    [
        (
            "86-quoted-commas-in-gene-ids",
            ["AKR1B1, isoform 2", "SEPT2", "HLA-A", 'A "quoted" name'],
        ),
        ("121-quotes-and-doubling-in-ids", [*ENSEMBL[:2], 'a "b" c', "3'-tRNA, x"]),
    ],
)
def test_commas_and_quotes_of_a_name_are_kept(cases, file, genes):
    path = cases / file / "m.csv"
    options = {"orientation": "genes_in_rows"}
    if file.startswith("121"):
        options |= {"labels": path.parent / "l.csv", "label": "group"}
    adata = read(path, **options)
    holds(adata, S3, genes, written(path, S3, genes, ","), 9.5)
    assert adata.X[0, 1] == 4.5
    if "label" in options:
        assert list(adata.obs["group"]) == ['the "old" one', "b", "b"]


def test_a_sample_without_values_is_left_out_and_not_filled(cases):
    path = cases / "91-all-nan-column/m.csv"
    for options in ({}, {"impute": "mean"}):
        adata = as_written(path, ["S1", "S3"], ENSEMBL, 12, ",", **options)
        assert "1 samples without any value left out: S2" in notes_of(adata)


def test_rows_without_a_symbol_are_left_out_and_counted(cases):
    genes = ["TSPAN6", "DPM1", "FGR", "EGFR", "TNMD", "CFH", "GCLC"]
    path = cases / "98-gene-called-NA/m.csv"
    for policy in ("error", "mean"):
        adata = as_written(path, S12, genes, 221, ",", duplicates=policy)
        assert "5 genes without a name left out: NA, ---, ?" in notes_of(adata)


@pytest.mark.parametrize("policy", ["error", "mean"])
def test_dashes_of_netaffx_are_no_symbol(cases, policy):
    folder = cases / "99-netaffx-dashes-in-gene-map"
    table = folder / "HG-U133_Plus_2.na36.annot.csv"
    samples, probes = ["GSM1", "GSM2", "GSM3"], ["1053_at", "1255_g_at", "1294_at"]
    adata = read(folder / "m.txt", gene_map=table, duplicates=policy)
    x = written(folder / "m.txt", samples, probes)
    holds(adata, samples, ["RFC2", "GUCA1A", "UBA7"], x, 10.5)
    assert "3 names of 6 ids; left out 0 unknown to it and 3 with none or" in notes_of(adata)


def test_numbers_of_rows_are_no_names_where_a_column_has_them(cases):
    path, samples = cases / "113-pandas-index-12-samples/m.csv", [f"S{i}" for i in range(12)]
    x = written(path, samples, ENSEMBL, ",", ids=1)
    told = {"text_columns": ["gene_id", "gene_name"], "orientation": "genes_in_rows"}
    for adata in (agree(path), read(path, **told)):
        holds(adata, samples, ENSEMBL, x, 116)
        assert "rows are named by column gene_id, as the first, '', numbers" in notes_of(adata)
        assert list(adata.var["gene_name"]) == SYMBOLS


@pytest.mark.parametrize("name", ["d", "d/matrix.mtx"])
def test_a_sparse_matrix_is_read_with_the_lists_beside_it(cases, name):
    adata = agree(cases / "122-mtx-triplet-folder" / name)
    holds(adata, ["S1", "S2"], ["ENSG1", "ENSG2", "ENSG3"], [[5, 7, 0], [0, 0, 9]], 9)
    assert list(adata.var["gene_name"]) == ["A", "B", "C"]


def test_lifted_versions_are_genes_beside_cell_lines(cases):
    path = cases / "125-lift37-ids-by-cell-lines/a.tsv"
    lines = ["MCF7", "A549", "HCT116", "K562", "HEPG2", "HT29", "U2OS", "PC3"]
    ends = ["003.15_6", "005.6_5", "419.13_7", "457.14_9", "460.17_8", "938.13_9"]
    as_written(path, lines, [f"ENSG00000000{end}" for end in ends], 157)
