"""Matrices of public sources that were once read wrong hold what their files say.

Each folder of `cases` is one: what the file says is found anew by `written`, and by hand.
"""

import pytest
from cases import ENSEMBL, S3, S12, as_written, holds, written
from traps import agree, notes_of, refusal, write

from jaxssl.data.expression import read
from jaxssl.data.inspect import inspect


def test_line_breaks_in_the_metadata_of_a_series_matrix_are_its_own(cases):
    path = cases / "01-geo-newline-in-sample-metadata/GSE999001_series_matrix.txt"
    samples, genes = (
        [f"GSM900{i}" for i in range(1, 5)],
        ["1007_s_at", "1053_at", "117_at", "121_at"],
    )
    adata = as_written(path, samples, genes, 8.75, label="tissue")
    assert adata.X[0, 0] == 5
    assert list(adata.obs["tissue"]) == ["liver", "lung"] * 2
    assert inspect(path).columns["tissue"]["classes"] == {"liver": 2, "lung": 2}


def test_p_values_of_detection_are_no_samples(cases):
    folder = cases / "09-geo-illumina-detection-pval"
    probes = [f"ILMN_134329{i}" for i in range(6)]
    adata = as_written(folder / "GSE999001_non-normalized.txt", S3, probes, 104.9)
    assert "columns left out: 3 Detection Pval" in notes_of(adata)
    adata = agree(folder / "GSE999001_b.txt")
    named = [f"{sample}.AVG_Signal" for sample in S3[:2]]
    x = written(folder / "GSE999001_b.txt", named, probes)
    holds(adata, S3[:2], probes, x, 138.1)
    assert "AVG_Signal of each sample is taken; columns left out: 2" in notes_of(adata)


@pytest.mark.parametrize(
    ("file", "codes"), [("m.tsv", ["tumor", "normal", "normal"]), ("d.tsv", ["1", "2", "2"])]
)
def test_a_row_of_conditions_is_no_gene(cases, file, codes):
    path = cases / "104-condition-row-below-header" / file
    adata = as_written(path, S3, ENSEMBL, 152)
    assert list(adata.obs["condition"]) == codes
    assert "condition" in notes_of(adata)


def test_columns_about_genes_are_no_samples_wherever_they_stand(cases):
    folder = cases / "105-geofetch2r-irregular-extra-columns"
    beside = {"chromosome": "X", "start": "501", "end": "590", "strand": "+"}
    beside["gene_biotype"] = "protein_coding"
    for options in ({}, {"text_columns": list(beside)}):
        adata = read(folder / "m.txt", **options)
        holds(adata, S3, ENSEMBL, written(folder / "m.txt", S3, ENSEMBL), 7)
        assert dict(adata.var.iloc[-1]) == beside
    adata = as_written(folder / "n.txt", S3, ENSEMBL, 7)
    assert list(adata.var["entrez"]) == [str(n) for n in range(7105, 7111)]
    assert set(adata.var["description"]) == {"x, y"}
    assert "kept as text about the rows: description, entrez" in notes_of(adata)


def test_mouse_symbols_are_genes_and_knockouts_samples(cases):
    path, design = (cases / "107-mouse-symbols-wt-ko" / f for f in ("counts.csv", "design.csv"))
    samples = ["WT1", "WT2", "WT3", "KO1", "KO2", "KO3"]
    genes = (
        "Tspan6 Tnmd Dpm1 Scyl3 Fgr Cfh Gclc Nfya 0610007P14Rik Actb Gapdh Trp53 Cdkn1a Myc Egfr"
    )
    genes = [*genes.split(), "Kras"]
    as_written(path, samples, genes, 255, ",")
    adata = read(path, labels=design, label="genotype")
    holds(adata, samples, genes, written(path, samples, genes, ","), 255)
    assert list(adata.obs["genotype"]) == ["WT"] * 3 + ["KO"] * 3


@pytest.mark.parametrize(
    ("file", "counters"),
    [
        (
            "11-htseq-special-rows-merged/counts.tsv",
            "__no_feature, __ambiguous, __too_low_aQual, __not_aligned, __alignment_not_unique",
        ),
        (
            "13-star-merged-N-rows/star_counts.tsv",
            "N_unmapped, N_multimapping, N_noFeature, N_ambiguous",
        ),
    ],
)
def test_counters_of_reads_outside_genes_are_no_genes(cases, file, counters):
    adata = as_written(cases / file, S3, ENSEMBL, 45)
    assert f"counters of reads outside genes left out: {counters}" in notes_of(adata)


def test_counts_without_a_header_keep_their_first_gene(cases):
    adata = agree(cases / "15-htseq-single-no-header/S1.htseq.counts")
    holds(adata, ["S1"], ENSEMBL, [[100, 110, 120, 130, 140, 150]], 150)
    assert "left out: __no_feature" in notes_of(adata)


def test_measures_of_one_sample_are_no_samples(cases):
    path = cases / "17-rsem-genes-results/S1.genes.results"
    for options, column, last in ({}, "expected_count", 205.5), ({"layer": "TPM"}, "TPM", 17.5):
        adata = read(path, **options)
        holds(adata, ["S1"], ENSEMBL, written(path, [column], ENSEMBL), last)
    note = "column expected_count of 1 file; others by `layer`: TPM, FPKM"
    assert note in notes_of(read(path))
    assert note in inspect(path).notes
    path = cases / "77-gdc-old-folders/mir/a1/x.mirbase21.mirnas.quantification.txt"
    genes = ["hsa-let-7a-1", "hsa-let-7a-2", "hsa-mir-21"]
    for given in (path, path.parents[1]):
        adata = agree(given)
        holds(adata, ["x"], genes, written(path, ["read_count"], genes), 90000)
        assert "others by `layer`: reads_per_million_miRNA_mapped" in notes_of(adata)
    mapped = read(path, text_columns=["cross-mapped"]).var["cross-mapped"]
    assert list(mapped) == ["N", "Y", "N"]


def test_a_folder_of_htseq_files_is_one_matrix(cases):
    adata = agree(cases / "77-gdc-old-folders/gdc")
    x = [[100, 110, 120, 130, 140, 150], [90, 101, 112, 123, 134, 145]]
    holds(adata, ["x", "y"], ENSEMBL, x, 145)
    assert "samples are called by their files: x, y" in notes_of(adata)


def test_entrez_numbers_in_the_first_column_are_genes(cases):
    genes = ["7157", "1956", "3845", "150465", "672", "675"]
    path = cases / "23-cbioportal-entrez-only/data_mrna_seq_v2_rsem.txt"
    as_written(path, ["P1-T", "P2-T", "P3-T"], genes, 300.5)


def test_the_second_header_of_firehose_is_passed_over(cases):
    path = cases / "24-gdac-two-header-rows/BRCA.rnaseqv2.data.txt"
    genes = ["?|100130426", "?|100133144", "A1BG|1", "TP53|7157", "SLC35E2|728661", "SLC35E2|9906"]
    samples = [f"TCGA-A1-A0S{end}" for end in ("B-01A-11R-A144-07", "D-01A-11R-A115-07")]
    adata = as_written(path, [*samples, "TCGA-A1-A0SE-11A-11R-A084-07"], genes, 220)
    assert adata.X[0, 3] == 1000.5
    assert "second row of headings passed over: normalized_count" in notes_of(adata)


def test_ids_that_excel_made_numbers_are_named(cases):
    genes = ["2.31E+13", "6.10E+06", "TSPAN6", "DPM1", "FGR", "SCYL3"]
    adata = as_written(cases / "34-excel-scientific-ids/m.csv", S12, genes, 161, ",")
    assert "2 gene ids are dates or numbers that Excel made of symbols: 2.31E+13" in notes_of(adata)


def test_a_tab_at_the_end_of_every_row_shifts_nothing(cases):
    note = "every row ends with an empty cell more than the header: passed over"
    for file in ("44-trailing-tab/m.txt", "44-trailing-tab/n.txt"):
        assert note in notes_of(as_written(cases / file, S3, ENSEMBL, 7))
    folder = cases / "127-trailing-tab-advice-followed"
    adata = as_written(folder / "n.txt", S3, ENSEMBL, 7)
    assert (note in notes_of(adata), adata.X[0, 0], adata.X[1, 5]) == (True, 100, 26)
    assert "cannot tell the scale" in refusal(folder / "followed.txt", impute="mean")
    for of_a_shift in ("without any value left out: S3", "kept as text about the rows: gene"):
        assert of_a_shift in notes_of(read(folder / "followed.txt", scale="counts"))


def test_ids_in_the_last_column_of_recount2_name_sums_of_coverage(cases, tmp_path):
    path, runs = cases / "51-recount2-gene-id-last/counts_gene.tsv.gz", ["SRR1", "SRR2", "SRR3"]
    said = refusal(path)
    assert "holds sums of base-pair coverage, not counts" in said
    assert "`read_length=avg_read_length`, or `read_length=BASES`" in said
    x = written(path, runs, ENSEMBL, ids=-1)
    for options, lengths in (
        ({"read_length": "1"}, [1, 1, 1]),
        ({"read_length": "50"}, [50, 50, 50]),
        (
            {
                "read_length": "avg_read_length",
                "labels": write(
                    tmp_path / "SRP1.tsv", "run\tavg_read_length\nSRR3\t20\nSRR1\t50\nSRR2\t100\n"
                ),
            },
            [50, 100, 20],
        ),
    ):
        expected = x / [[n] for n in lengths]
        holds(read(path, **options), runs, ENSEMBL, expected.astype("f4"), 3005 / lengths[-1])


def test_gct_of_both_versions_keeps_descriptions_out_of_the_values(cases):
    folder = cases / "76-gct-1.3-and-ccle-1.2"
    adata = as_written(folder / "a.gct", S3, ["1007_s_at", "1053_at"], 6.5)
    assert list(adata.var["symbol"]) == ["DDR1", "RFC2"]
    assert list(adata.obs["tissue"]) == ["lung", "skin", "skin"]
    lines = ["22RV1_PROSTATE", "KASUMI2_HAEMATOPOIETIC_AND_LYMPHOID_TISSUE"]
    genes = ["ENSG00000223972.4", "ENSG00000227232.4", "ENSG00000243485.2"]
    adata = as_written(folder / "ccle.gct", lines, genes, 0)
    assert (adata.var["gene_name"].iloc[1], adata.X[0, 1]) == ("WASH7P", 80.5)
    adata = as_written(folder / "quoted.gct", S3[:2], ["TP53", "EGFR"], 0)
    assert list(adata.var["gene_name"]) == ['na, or "none"', ""]
