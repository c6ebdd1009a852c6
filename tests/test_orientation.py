"""Genes never become samples, nor samples genes, without a word."""

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from traps import refusal

import jaxssl
from jaxssl.data.formats.matrix import RawTable, by_name
from jaxssl.data.genes import id_type
from jaxssl.data.orientation import detect_orientation
from jaxssl.data.symbols import human_symbols, is_symbol
from jaxssl.types import InputError

HUMAN = ["TSPAN6", "TNMD", "DPM1", "SCYL3", "FGR", "CFH", "GCLC", "NFYA", "ACTB", "GAPDH"]
MOUSE = ["Tspan6", "Tnmd", "Dpm1", "Scyl3", "Fgr", "Cfh", "Gclc", "0610007P14Rik", "Actb", "Trp53"]
ENTREZ = ["7157", "1956", "3845", "150465", "672", "675", "4609", "7105", "2", "9"]
ENSEMBL = [f"ENSG00000000{i}3" for i in range(10, 20)]
LINES = ["MCF7", "A549", "HCT116", "K562", "HEPG2", "HT29", "U2OS", "PC3"]
KNOCKOUTS = ["WT1", "WT2", "WT3", "KO1", "KO2", "KO3"]
GENE_KINDS = {
    "human": HUMAN,
    "mouse": MOUSE,
    "fish": [name.lower() for name in HUMAN],
    "Ensembl": ENSEMBL,
    "versions": [f"{gene}.{i + 1}" for i, gene in enumerate(ENSEMBL)],
    "lifted": [f"{gene}.{i + 1}_{i + 3}" for i, gene in enumerate(ENSEMBL)],
    "mouse Ensembl": [gene.replace("ENSG", "ENSMUSG") for gene in ENSEMBL],
    "transcripts": [gene.replace("ENSG", "ENST") + ".2" for gene in ENSEMBL],
    "Ensembl|symbol": [f"{a}|{b}" for a, b in zip(ENSEMBL, HUMAN, strict=True)],
    "symbol_Ensembl": [f"{b}_{a}" for a, b in zip(ENSEMBL, HUMAN, strict=True)],
    "symbol|Entrez": [f"{a}|{b}" for a, b in zip(HUMAN, ENTREZ, strict=True)],
    "symbol (Entrez)": [f"{a} ({b})" for a, b in zip(HUMAN, ENTREZ, strict=True)],
    "probe sets": [f"{1007 + i}{'_s' * (i % 2)}_at" for i in range(8)],
    "Illumina": [f"ILMN_17{i}2" for i in range(10, 20)],
    "miRNA": [f"hsa-miR-{i}-5p" for i in range(20, 28)],
    "mouse miRNA": [f"mmu-let-7{i}" for i in "abcdefgi"],
    "CpG": [f"cg0000{i}29" for i in range(10, 20)],
    "RefSeq": [f"NM_00{i}46.2" for i in range(10, 20)],
    "fly": [f"FBgn00{i}460" for i in range(10, 20)],
    "rice": [f"LOC_Os{i:02d}g10{i}0" for i in range(10, 20)],
    "tomato": [f"Solyc{i:02d}g0050{i}.2" for i in range(10, 20)],
    "wheat": [f"TraesCS1A02G0{i}000" for i in range(100, 110)],
    "malaria": [f"PF3D7_0{i}100" for i in range(100, 110)],
    "SomaScan": [f"seq.{i}28.{i - 90}" for i in range(100, 110)],
    "Olink": [f"OID2{i}1" for i in range(100, 110)],
}
SAMPLE_KINDS = {
    "knockouts": KNOCKOUTS,
    "cell lines": LINES,
    "patients": ["P1-T", "P2-T", "P3-T", "P1-N", "P2-N"],
    "numbers": ["1001", "1002", "1003", "17", "18"],
    "S": [f"S{i}" for i in range(1, 9)],
    "wells": [f"{row}{i}" for row in "ABC" for i in range(1, 4)],
    "sorted cells": ["CD4", "CD8", "CD14", "CD19", "CD34", "NK"],
    "CA": [f"CA{i}" for i in range(1, 10)],
    "TCGA": [f"TCGA-A1-000{i}-01A" for i in range(5)],
    "dotted": [f"TCGA.A1.000{i}.01A" for i in range(5)],
    "GEO": [f"GSM{i}_a.CEL.gz" for i in range(100, 106)],
    "words": ["tumor_1", "tumor_2", "normal_1", "normal_2"],
    "stages": ["WT", "KO", "MAX", "MIN", "REST"],
}
OF_GENES = ["gene", "Gene", "gene_id", "Entrez_Gene_Id", "Hugo_Symbol", "Ensembl_ID", "ID_REF"]
OF_GENES += [
    "GeneSymbol",
    "Geneid",
    "probe",
    "PROBE_ID",
    "target_id",
    "miRNA_ID",
    "#gene",
    "symbol",
]
OF_SAMPLES = ["samples", "sample_id", "SampleID", "patient", "patient_id", "cell_line", "SAMPID"]
OF_NEITHER = ["", "sample", "id", "ID", "Unnamed: 0", "index", "name", "X"]


def found(rows, columns, corner="", known=None):
    raw = RawTable("csv", np.empty(0), by_name(rows), by_name(columns), corner=corner)
    return detect_orientation(raw, known)[0]


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.data())
def test_any_table_lies_as_it_is_read_or_is_asked_about(data):
    genes = data.draw(st.sampled_from([*GENE_KINDS.values(), ENTREZ, [f"{e}.0" for e in ENTREZ]]))
    samples = data.draw(st.sampled_from([*SAMPLE_KINDS.values()]))
    genes = genes[: data.draw(st.integers(2, len(genes)))]
    samples = samples[: data.draw(st.integers(1, len(samples)))]
    are_rows = data.draw(st.booleans())
    corner = data.draw(st.sampled_from([*(OF_GENES if are_rows else OF_SAMPLES), *OF_NEITHER]))
    known = np.array(samples, object) if data.draw(st.booleans()) else None
    if are_rows:
        assert found(genes, samples, corner, known) in ("genes_in_rows", "")
    else:
        assert found(samples, genes, corner, known) in ("samples_in_rows", "")


@pytest.mark.parametrize("kind", GENE_KINDS)
@pytest.mark.parametrize("of_samples", ["knockouts", "cell lines", "patients", "numbers", "TCGA"])
def test_every_kind_of_gene_is_told_from_samples_without_a_corner(kind, of_samples):
    genes, samples = GENE_KINDS[kind], SAMPLE_KINDS[of_samples]
    assert found(genes, samples) == "genes_in_rows"
    assert found(samples, genes, "sample") == "samples_in_rows"
    assert found(genes, samples, "sample") == "genes_in_rows"  # as Xena has it


@pytest.mark.parametrize("corner", [*OF_GENES, *OF_SAMPLES])
def test_the_name_in_the_corner_decides_where_ids_say_nothing(corner):
    expected = "genes_in_rows" if corner in OF_GENES else "samples_in_rows"
    assert found(ENTREZ, LINES, corner) == expected
    assert found(LINES, ENTREZ, corner) == expected
    assert found(["a", "b"], ["c", "d"], corner) == expected


def test_a_corner_that_contradicts_the_ids_is_asked_about_unless_both_sides_do():
    assert found(LINES, HUMAN, "gene") == ""  # transposed in Excel, which leaves the corner
    assert found(SAMPLE_KINDS["TCGA"], HUMAN, "gene") == "samples_in_rows"


@pytest.mark.parametrize("n_symbols", [1, 2, 3])
def test_three_symbols_do_not_decide(n_symbols):
    assert found(HUMAN[:n_symbols], ["a1", "b2", "c3", "d4"]) == ""
    assert found(["a1", "b2", "c3", "d4"], HUMAN[:n_symbols]) == ""
    assert found(["a1", "b2", "c3", "d4"], HUMAN[:n_symbols], "sample") == "samples_in_rows"


def test_row_numbers_in_a_table_of_labels_say_nothing_of_the_rows():
    numbers = np.array([str(i) for i in range(6)], object)
    assert found(numbers, ["S1", "S2", "S3"], known=numbers) == ""
    assert found([f"x{i}" for i in range(6)], ["S1", "S2"], known=np.array(["S1", "S2"])) != ""


def test_cells_as_many_as_genes_are_asked_about():
    cells, genes = [f"c{i}" for i in range(20_000)], [f"v{i}" for i in range(2000)]
    assert found(cells, genes) == found(genes, cells) == ""
    assert found(cells, [*LINES]) == "genes_in_rows"


def test_symbols_are_those_of_the_nomenclature():
    assert {"TP53", "ABCA1", "ABCA12", "ACE", "ACE2", "HLA-A", "MT-CO1"} <= human_symbols()
    assert not {"ABCA", "ABCA11", "MCF7", "#", "", "."} & human_symbols()
    assert all(map(is_symbol, ["C1orf112", "LINC00115", "A2M-AS1", "RP11-34P13.7", "Gm1992"]))
    assert all(map(is_symbol, ["5S_rRNA", "5_8S_rRNA", "snoU13", "RNase_MRP", "uc_338"]))
    ids = np.array(["ENSG00000167393.17", "ENSGR0000167393.16", "ENSGR0000182378.10"], object)
    assert id_type(ids) == "Ensembl gene"


def test_what_is_asked_is_answered_by_the_flag_it_names(tmp_path):
    frame = pd.DataFrame([[1.0, 2], [3, 400]], index=LINES[:2], columns=HUMAN[:2])
    frame.to_csv(tmp_path / "x.csv", index_label="gene")
    message = refusal(tmp_path / "x.csv")
    assert "the first column is called 'gene', yet column ids are gene symbols" in message
    assert "pass `orientation=genes_in_rows` or `orientation=samples_in_rows`" in message
    adata = jaxssl.read(tmp_path / "x.csv", orientation="samples_in_rows")
    assert list(adata.obs_names) == LINES[:2]
    with pytest.raises(InputError):
        jaxssl.read(tmp_path / "x.csv", orientation="columns")


def test_numbers_of_rows_do_not_become_genes_without_a_word(tmp_path):
    pd.DataFrame(np.arange(12).reshape(4, 3) * 50, columns=list("abc")).to_csv(tmp_path / "x.csv")
    adata = jaxssl.read(tmp_path / "x.csv", orientation="genes_in_rows")
    told = "as told by `orientation`; the genes have no names but numbers, 0 to 3"
    assert told in adata.uns["jaxssl"]["notes"]


SYMBOLS = sorted(name for name in human_symbols() if name.isupper())[::400][:60]
SCATTERED = [str(18 + 673 * i) for i in range(60)]
TAGS = [f"PA{i:04d}" for i in range(1, 61)]
ACCESSIONS = [f"P0{i}637" for i in range(10, 70)]
CYTOKINES = ["CTRL", "EGF", "IL6", "TNF", "IFNG", "IL4", "IL13", "TGFB1", "IL10", "CSF2"]
REPLICATES = ["WT_LB_1", "WT_LB_2", "lasR_LB_1", "lasR_LB_2"]
RESPONDERS = ["NR_1", "NR_2", "NR_3", "R_1", "R_2"]
NUMBERED = [f"WT ({i})" for i in range(1, 4)]
ANALYTES = ["IL-6", "TNF-a", "IFN-g", "MCP-1", "GM-CSF", "VEGF-A", "CRP-hs", "TNF-b"]
PATIENTS = [f"P{i:02d}" for i in range(1, 13)]
TISSUES = [f"{tissue}|{i}" for tissue in ("leaf", "root") for i in (1, 2, 3)]
ADIPOSE = [f"10{i}_at" for i in range(1, 7)]
STEM = [f"{i}_st" for i in range(1, 7)]
PASSAGES = [f"A_0{i}_P1{j}" for i in (1, 2, 3) for j in (0, 2)]


@pytest.mark.parametrize(
    ("rows", "columns", "corner"),
    [
        (SYMBOLS, NUMBERED, "Gene"),
        ([f"ENSG{i:011d}" for i in range(60)], NUMBERED, "gene_id"),
        (["TAGGAGGCGATACCACGAAAAT", "AGTTATTGCAATTCCACTCTCC"], REPLICATES, "sequence"),
        ([f"hsa_circ_{i:07d}" for i in range(60)], CYTOKINES, "circRNA_ID"),
        (SYMBOLS, RESPONDERS, "Gene"),
        (SCATTERED, REPLICATES, "Array_Address_Id"),
        (SCATTERED, REPLICATES, "Mouse Entrez ID"),
        ([f"LOC_Os01g1{i:03d}0" for i in range(60)], TISSUES, ""),
        *((SCATTERED, names, "GeneID") for names in (TISSUES, ADIPOSE, STEM, PASSAGES)),
    ],
)
def test_names_that_only_look_like_those_of_the_other_side_turn_no_table(rows, columns, corner):
    assert found(rows, columns, corner) == "genes_in_rows"


@pytest.mark.parametrize(
    ("rows", "columns", "corner"),
    [
        (SCATTERED, CYTOKINES, ""),
        (ACCESSIONS, CYTOKINES, ""),
        (TAGS, CYTOKINES, ""),
        (SCATTERED, RESPONDERS, ""),
        *(
            (TAGS, REPLICATES, corner)
            for corner in ("Sample ID", "Samples", "Cell line", "Library")
        ),
        (ANALYTES, PATIENTS, "Patient ID"),
        ([f"{name}_LIVER" for name in SYMBOLS], ["M0", "M1", "M2"], ""),
        (SYMBOLS, [f"L{i}" for i in range(30)], "perturbation"),
        (["TAGGAGGCGATACCACGAAAAT", "AGTTATTGCAATTCCACTCTCC"], REPLICATES, ""),
        *((SCATTERED, names, "") for names in (TISSUES, ADIPOSE, STEM, PASSAGES)),
        (["Ctrl_a", "Dox_a", "Rap_a"], ACCESSIONS, "Protein"),  # the corner before turning
        (REPLICATES, [f"Solyc01g00{i:03d}0.2" for i in range(60)], "gene_id"),
        (REPLICATES, SCATTERED, "GeneID"),
    ],
)
def test_thin_or_contradicting_evidence_is_asked_about_and_any_answer_taken(
    tmp_path, rows, columns, corner
):
    assert found(rows, columns, corner) == ""
    x = np.arange(len(rows) * len(columns)).reshape(len(rows), -1) * 3
    pd.DataFrame(x, index=rows, columns=columns).to_csv(tmp_path / "x.csv", index_label=corner)
    message = refusal(tmp_path / "x.csv")
    assert "pass `orientation=genes_in_rows` or `orientation=samples_in_rows`" in message
    across, down = (
        jaxssl.read(tmp_path / "x.csv", orientation=told, scale="counts")
        for told in ("genes_in_rows", "samples_in_rows")
    )
    assert [*across.obs_names] == [*down.var_names] == columns
    assert [*across.var_names] == [*down.obs_names] == rows
    np.testing.assert_array_equal(across.X.T, x)
    np.testing.assert_array_equal(down.X, x)


def test_ids_as_of_genes_beside_a_corner_of_samples_are_samples_where_columns_are_none():
    assert found(TAGS, ["lactate", "urea", "glucose"], "patient_id") == "samples_in_rows"
    assert found(TAGS, HUMAN, "patient_id") == "samples_in_rows"


def test_probe_sets_of_few_patients_are_genes_still():
    assert found(SCATTERED, ["1007_s_at", "1053_at", "117_at"], "patient_id") == "samples_in_rows"
    assert found(SCATTERED[:3], ["1007_s_at", "1053_at", "117_at"]) == "samples_in_rows"


def test_cells_called_by_their_markers_are_samples_beside_far_more_symbols():
    cells = ["CD4", "CD8A", "CD19", "CD14", "CD34", "NK cell", "Treg", "Neutrophil"]
    genes = sorted(filter(str.isupper, human_symbols()))[::37]
    assert found(genes, cells) == "genes_in_rows"
    assert found(cells, genes) == "samples_in_rows"
    assert found(genes[:100], cells) == "", "proteins of cells in which a gene was perturbed"


@pytest.mark.parametrize("genes", [SYMBOLS, ENSEMBL])
def test_ids_that_contradict_the_format_are_asked_about_and_the_answer_taken(tmp_path, genes):
    x = np.arange(len(genes) * 4, dtype="f4").reshape(-1, 4) * 3
    obs, var = pd.DataFrame(index=genes), pd.DataFrame(index=REPLICATES)
    anndata.AnnData(x, obs, var).write_h5ad(tmp_path / "x.h5ad")
    message = refusal(tmp_path / "x.h5ad")
    assert f"rows, yet row ids are {'gene symbols' if genes == SYMBOLS else 'of'}" in message
    assert "or pass `orientation=genes_in_rows`" in message
    adata = jaxssl.read(tmp_path / "x.h5ad", orientation="genes_in_rows")
    assert [*adata.var_names] == genes
    np.testing.assert_array_equal(adata.X, x.T)
    anndata.AnnData(x.T, var, obs).write_h5ad(tmp_path / "y.h5ad")
    assert [*jaxssl.read(tmp_path / "y.h5ad").obs_names] == REPLICATES


def test_one_kind_of_id_does_not_contradict_the_user_but_both_do(tmp_path):
    frame = pd.DataFrame([[1.0, 2], [3, 400]], index=["a", "b"], columns=ENSEMBL[:2])
    frame.to_csv(tmp_path / "x.csv")
    adata = jaxssl.read(tmp_path / "x.csv", orientation="genes_in_rows")
    assert [*adata.obs_names] == ENSEMBL[:2]
    though = "though column ids are of the kind Ensembl gene, such as ENSG00000000103"
    assert though in adata.uns["jaxssl"]["notes"]
    frame.set_axis(["GSM1", "GSM2"], axis=0).to_csv(tmp_path / "y.csv")
    message = refusal(tmp_path / "y.csv", orientation="genes_in_rows")
    assert "leave it out or pass `orientation=samples_in_rows`" in message
    assert [*jaxssl.read(tmp_path / "y.csv").obs_names] == ["GSM1", "GSM2"]
