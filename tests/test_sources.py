"""Files as the portals write them: values, ids, labels and messages, traps included."""

from pathlib import Path

import miniatures
import numpy as np
import pytest
from miniatures import BARCODES, CANCERS, CLASSES, GENES, GSM, SYMBOLS, values, write

from jaxssl.data.expression import read
from jaxssl.data.inspect import inspect
from jaxssl.types import InputError


def refusal(path, **options) -> str:
    with pytest.raises(InputError) as caught:
        read(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def facts(adata) -> dict:
    return adata.uns["jaxssl"]


def test_toil_of_xena_is_log2_of_tpm_and_a_thousandth(tmp_path):
    labels = miniatures.xena_toil_phenotype(tmp_path)
    adata = read(miniatures.xena_toil(tmp_path), labels=labels, label_rule="tcga20")
    expected = np.log2(values("linear") + 0.001).round(4)
    np.testing.assert_allclose(adata.X, expected, rtol=1e-6)
    assert adata.X.min() == pytest.approx(-9.9658, abs=1e-4)
    assert (list(adata.obs_names), list(adata.var_names)) == (BARCODES, GENES)
    assert "log2(0 + 0.001)" in facts(adata)["notes"]
    assert list(adata.obs["tcga20"]) == CLASSES
    assert adata.obs["detailed_category"].iloc[0] == "café"
    assert (facts(adata)["label"], facts(adata)["group"]) == ("tcga20", "donor_by_name")
    assert adata.obs["donor_by_name"].iloc[1] == "TCGA-A1-A0SB"
    assert adata.obs["tcga_sample_type"].iloc[1] == "solid tissue normal"


def test_pan_cancer_of_xena_has_symbols_twice_and_missing_values(tmp_path):
    path, labels = miniatures.xena_pancan(tmp_path), miniatures.xena_survival(tmp_path)
    assert "`impute=" in refusal(path)
    assert "CFH" in refusal(path, impute="mean")
    adata = read(path, impute="mean", duplicates="max", labels=labels,
                            label="cancer type abbreviation")  # fmt: skip
    x = values()
    x[1, 2] = np.delete(x[:, 2], 1).mean()
    np.testing.assert_allclose(adata.X[:, :6], x[:, :6], rtol=1e-6)
    np.testing.assert_array_equal(adata.X[:, 6], np.maximum(x[:, 6], x[:, 7]))
    assert list(adata.var_names) == SYMBOLS[:7]
    assert list(adata.obs["cancer type abbreviation"]) == CANCERS


def test_gdc_hub_of_xena_has_vials_and_its_probemap_names_genes(tmp_path):
    path, labels = miniatures.xena_gdc(tmp_path), miniatures.xena_gdc_phenotype(tmp_path)
    adata = read(path, labels=labels, label_rule="tcga20",
                            gene_map=miniatures.probemap(tmp_path))  # fmt: skip
    np.testing.assert_array_equal(adata.X, values()[:, :7])
    assert list(adata.var_names) == SYMBOLS[:7]
    assert "left out 1 unknown" in facts(adata)["notes"]  # the copy on Y
    assert list(adata.obs["tcga20"]) == CLASSES


def test_survival_table_meets_vials_by_the_sample(tmp_path):
    path, labels = miniatures.xena_gdc(tmp_path), miniatures.xena_survival(tmp_path)
    adata = read(path, labels=labels, label="cancer type abbreviation")
    assert list(adata.obs["cancer type abbreviation"]) == CANCERS
    assert "by the sample of their TCGA barcodes" in facts(adata)["notes"]


def test_vials_of_one_sample_take_the_first_row(tmp_path):
    path, labels = miniatures.xena_toil(tmp_path), miniatures.xena_gdc_phenotype(tmp_path)
    adata = read(path, labels=labels, label="project_id")
    assert list(adata.obs["project_id"]) == [f"TCGA-{c}" for c in CANCERS]
    assert "(1 have several rows; the first counts)" in facts(adata)["notes"]


@pytest.mark.parametrize(
    ("layer", "kind"), [("", "counts"), ("unstranded", "counts"), ("tpm_unstranded", "linear")]
)
def test_folder_of_the_gdc_is_one_matrix_named_by_the_sample_sheet(tmp_path, layer, kind):
    adata = read(miniatures.gdc_folder(tmp_path), layer=layer, label_rule="tcga20",
                            labels=miniatures.gdc_sample_sheet(tmp_path))  # fmt: skip
    np.testing.assert_array_equal(adata.X, values(kind))
    assert facts(adata)["scale"] == kind
    assert list(adata.obs_names) == [f"{b}A" for b in BARCODES]
    assert list(adata.var_names) == GENES
    assert list(adata.var["gene_name"]) == SYMBOLS
    assert list(adata.obs["tcga20"]) == CLASSES


def test_one_file_of_the_gdc_is_one_sample(tmp_path):
    file = min(miniatures.gdc_folder(tmp_path).rglob("*counts.tsv"), key=lambda file: file.name)
    adata = read(file)
    np.testing.assert_array_equal(adata.X, values("counts")[:1])
    assert "tpm_unstranded" in refusal(file, layer="tpm")


def test_folder_of_the_gdc_refuses_another_gene_model(tmp_path):
    folder = miniatures.gdc_folder(tmp_path)
    file = sorted(folder.rglob("*counts.tsv"))[2]
    file.write_text(file.read_text().replace(GENES[3], "ENSG00000999999.1"))
    assert "different genes" in refusal(folder)


def test_the_studys_classes_are_those_of_the_real_set(data_dir):
    """`label20` was made for the set by its own rule (its README); the rule here makes the same."""
    folder = data_dir / "tcga_mirna_pancan"
    adata = read(folder / "expression.npz", labels=folder / "labels.csv", label_rule="tcga20")
    assert (adata.obs["tcga20"] == adata.obs["label20"]).all()
    assert (adata.obs["donor_by_name"] == adata.obs["patient_id"]).all()
    assert facts(adata)["n_labelled"] == 9388


def test_two_files_of_one_sample_are_named(tmp_path):
    sheet = miniatures.gdc_sample_sheet(tmp_path)
    sheet.write_text(sheet.read_text().replace(f"{BARCODES[2]}A", f"{BARCODES[0]}A"))
    folder = miniatures.gdc_folder(tmp_path)
    message = refusal(folder, labels=sheet)
    assert f"first: {BARCODES[0]}A" in message
    assert "`duplicate_samples=first`" in message
    adata = read(folder, labels=sheet, duplicate_samples="first")
    np.testing.assert_array_equal(adata.X, np.delete(values("counts"), 2, axis=0))
    sheet.write_text(sheet.read_text().replace(f"{BARCODES[1]}A", f"{BARCODES[1]}A, X"))
    assert "is of 2 samples" in refusal(folder, labels=sheet)


def test_coverage_of_recount3_becomes_counts_by_read_length_only(tmp_path):
    path, labels = miniatures.recount3(tmp_path), miniatures.recount3_qc(tmp_path)
    message = refusal(path)
    assert "base-pair coverage, not counts" in message
    assert "`read_length=star.average_mapped_length`" in message
    adata = read(path, labels=labels, read_length="star.average_mapped_length")
    np.testing.assert_allclose(adata.X, values("counts"), rtol=1e-6)
    assert facts(adata)["scale"] == "counts"
    assert "48 to 100 bases" in facts(adata)["notes"]
    assert list(adata.var_names) == GENES
    barcodes = miniatures.xena_survival(tmp_path)
    both = barcodes.read_text().replace("sample\t", "external_id\t")
    for i, barcode in enumerate(BARCODES):
        both = both.replace(f"{barcode}\t", f"u{i}\t")
    barcodes.write_text(both)
    joined = read(path, labels=[labels, barcodes], label_rule="tcga20",
                             read_length="star.average_mapped_length")  # fmt: skip
    assert list(joined.obs["tcga20"]) == CLASSES
    by_hand = read(path, read_length="50")
    np.testing.assert_allclose(by_hand.X[2], values("counts")[2] * 2, rtol=1e-6)
    assert "did you mean" in refusal(path, labels=labels, read_length="star.average_maped_length")
    assert "is no such" in refusal(miniatures.xena_toil(tmp_path), read_length="50")


def test_archs4_is_read_by_samples_without_single_cells(tmp_path):
    path = miniatures.archs4(tmp_path)
    adata = read(path, duplicates="mean", group="series_id")
    kept = [0, 1, 2, 4, 5]
    x = values("counts")[kept]
    np.testing.assert_array_equal(adata.X[:, :6], x[:, :6])
    np.testing.assert_array_equal(adata.X[:, 6], (x[:, 6] + x[:, 7]) / 2)
    assert list(adata.obs_names) == [GSM[i] for i in kept]
    assert list(adata.obs["series_id"]) == ["GSE1", "GSE1", "GSE2", "GSE4", "GSE4"]
    assert facts(adata)["scale"] == "counts"
    assert "1 of 6 samples left out: single cells" in facts(adata)["notes"]


def test_series_matrix_keeps_characteristics_by_their_keys(tmp_path):
    path = miniatures.series_matrix(tmp_path)
    assert "missing (first: sample GSM105" in refusal(path)
    adata = read(path, impute="drop_genes", label="tissue")
    np.testing.assert_array_equal(adata.X, np.delete(values(), 4, axis=1))
    assert list(adata.obs["tissue"]) == ["liver"] * 3 + ["lung"] * 3
    assert list(adata.obs["age"]) == ["50", "50", "", "61", "61", "61"]
    assert list(adata.obs["title"]) == [f"s {i}" for i in range(6)]
    assert list(adata.obs_names) == GSM
    assert list(adata.var_names) == [f"{100 + i}_at" for i in (0, 1, 2, 3, 5, 6, 7)]


def test_empty_series_matrix_says_where_the_counts_are(tmp_path):
    path = miniatures.series_matrix(tmp_path, is_empty=True)
    message = refusal(path)
    assert "empty table" in message
    assert "GSE1_counts.txt.gz" in message
    frame = values("counts")
    text = miniatures.genes_in_rows("gene", GSM, GENES, frame)
    counts = miniatures.write(tmp_path / "GSE1_counts.txt.gz", text)
    adata = read(counts, labels=path, label="tissue")
    assert list(adata.obs["tissue"]) == ["liver"] * 3 + ["lung"] * 3


def test_platform_table_renames_probe_sets_and_leaves_out_those_of_two_genes(tmp_path):
    path, table = miniatures.series_matrix(tmp_path), miniatures.gpl(tmp_path)
    adata = read(path, impute="mean", gene_map=table)
    assert list(adata.var_names) == [*SYMBOLS[:5], "FGR"]
    np.testing.assert_array_equal(adata.X[:, 5], values()[:, 7])
    assert "left out 0 unknown to it and 2 with none or several" in facts(adata)["notes"]
    assert "knows 0 of 8" in refusal(miniatures.xena_toil(tmp_path), gene_map=table)


def test_array_express_joins_the_sdrf_by_name_and_derives_cancer(tmp_path):
    path, labels = miniatures.array_express(tmp_path), miniatures.sdrf(tmp_path)
    adata = read(path, labels=labels, label_rule="cancer")
    np.testing.assert_array_equal(adata.X, values())
    assert list(adata.obs_names) == [f"array {i}.CEL" for i in range(6)]
    assert list(adata.obs["cancer"]) == ["cancer", "not_cancer", "", "not_cancer", "", "cancer"]
    assert list(adata.obs["material"]) == ["patient"] * 5 + ["cell line"]
    assert list(adata.obs["group"]) == ["p0", "p0", "p1", "p1", "p2", "p2"]
    assert list(adata.obs["Protocol REF (2)"]) == ["P2"] * 6
    assert "second row of headings passed over: RMA" in facts(adata)["notes"]
    assert "`label_rule=cancer`: column cancer is not_cancer where" in facts(adata)["notes"]


def test_gct_of_gtex_is_held_to_its_dimensions(tmp_path):
    path, labels = miniatures.gtex(tmp_path), miniatures.gtex_attributes(tmp_path)
    adata = read(path, labels=labels, label="SMTS", group="donor_by_name")
    np.testing.assert_array_equal(adata.X, values("linear"))
    assert list(adata.var["gene_name"]) == SYMBOLS
    assert list(adata.obs["SMTS"]) == ["Blood", "Brain"] * 3
    assert list(adata.obs["donor_by_name"]) == [f"GTEX-111{i // 2}" for i in range(6)]
    assert facts(adata)["scale"] == "linear"
    import gzip

    text = gzip.decompress(path.read_bytes()).decode().split("\n")
    cut = miniatures.write(tmp_path / "cut.gct", "\n".join(text[:-2]) + "\n")
    assert "states 8 x 6 values and holds 7 x 6" in refusal(cut)


def test_depmap_keeps_the_default_profile_of_each_model(tmp_path):
    path, labels = miniatures.depmap(tmp_path), miniatures.depmap_models(tmp_path)
    adata = read(path, labels=labels, label="OncotreeLineage")
    kept = [0, 1, 2, 4, 5]
    np.testing.assert_array_equal(adata.X, values()[kept])
    assert list(adata.obs_names) == [f"ACH-00000{i + 1}" for i in kept]
    assert list(adata.var_names) == [f"{s} ({100 + i})" for i, s in enumerate(SYMBOLS)]
    assert list(adata.obs["OncotreeLineage"]) == ["Lung", "Skin", "Lung", "Lung", "Skin"]
    assert "1 profiles that are not their model's default are left out" in facts(adata)["notes"]


def test_files_of_one_scale_are_joined_by_their_common_genes(tmp_path):
    first = miniatures.xena_gdc(tmp_path)
    text = miniatures.genes_in_rows("Ensembl_ID", GSM, GENES[:0:-1], values()[:, :0:-1])
    second = miniatures.write(tmp_path / "other.tsv", text)
    adata = read([first, second])
    np.testing.assert_array_equal(adata.X, np.tile(values()[:, 1:], (2, 1)))
    assert list(adata.var_names) == GENES[1:]
    assert list(adata.obs["file"]) == ["TCGA-BRCA.star_tpm.tsv.gz"] * 6 + ["other.tsv"] * 6
    assert "7 genes shared by 2 files" in facts(adata)["notes"]
    counts = miniatures.genes_in_rows("g", GSM, GENES, values("counts"))
    third = miniatures.write(tmp_path / "counts.tsv", counts)
    assert "is on the log2 scale, counts.tsv on counts" in refusal([first, third])
    assert "occur more than once" in refusal([first, first])
    few = miniatures.genes_in_rows("g", GSM, GENES[:3] + ["ENSG00000099999.1"] * 0, values()[:, :3])
    alike = few.replace("ENSG0000000000", "ENSG0000007000")
    assert "share 0 genes" in refusal([first, miniatures.write(tmp_path / "few.tsv", alike)])


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_byte_order_marks_and_quotes_change_nothing(tmp_path, end):
    text = miniatures.genes_in_rows("", GSM, GENES, values(), end)
    quoted = text.replace("GSM103", '"GSM103"').replace(GENES[2], f'"{GENES[2]}"')
    for encoding in ("utf-8", "utf-8-sig"):
        path = miniatures.write(tmp_path / "x.tsv", quoted, encoding)
        adata = read(path)
        np.testing.assert_array_equal(adata.X, values())
        assert (list(adata.obs_names), list(adata.var_names)) == (GSM, GENES)


def test_layer_and_raw_of_an_h5ad_are_chosen_by_name(tmp_path):
    import anndata
    import scipy.sparse

    adata = anndata.AnnData(values("linear"))
    adata.obs_names, adata.var_names = GSM, GENES
    adata.raw = adata.copy()
    adata.layers["counts"] = scipy.sparse.csr_matrix(values("counts"))
    adata.layers["columns"] = scipy.sparse.csc_matrix(values())
    adata = adata[:, :5].copy()
    path = tmp_path / "x.h5ad"
    adata.write_h5ad(path)
    np.testing.assert_array_equal(read(path).X, values("linear")[:, :5])
    np.testing.assert_array_equal(read(path, layer="raw").X, values("linear"))
    found = read(path, layer="counts")
    np.testing.assert_array_equal(found.X, values("counts")[:, :5])
    np.testing.assert_array_equal(read(path, layer="columns").X, values()[:, :5])
    assert "it has columns, counts, raw" in refusal(path, layer="count")
    assert "its format has none" in refusal(miniatures.gtex(tmp_path), layer="raw")


def test_text_that_ends_within_its_last_line_is_pointed_out(tmp_path):
    text = miniatures.genes_in_rows("", GSM, GENES, values())
    whole = miniatures.write(tmp_path / "x.tsv", text)
    assert "does not end" not in facts(read(whole))["notes"]
    cut = miniatures.write(Path(tmp_path / "y.tsv"), text[:-3])
    assert "the last line does not end" in facts(read(cut))["notes"]


def test_sums_of_recount2_become_counts_by_read_length_only(tmp_path):
    rows = [f"{100 * i}\t{50 * i}\tENSG0000000000{i}.{i}" for i in range(1, 5)]
    path = write(tmp_path / "counts_gene.tsv.gz", "\n".join(["SRR1\tDRR2\tgene_id", *rows]) + "\n")
    message = refusal(path)
    assert "base-pair coverage, not counts" in message
    assert "`labels=*.tsv` and `read_length=avg_read_length`" in message
    assert "`read_length=1` if they are counts" in message  # told by the layout alone
    assert inspect(path).options["read_length"] == "avg_read_length"
    table = "run\tavg_read_length\ttissue\nSRR1\t100\ta\nDRR2\t50\tb\n"
    labels = write(tmp_path / "SRP1.tsv", table)
    for length in ("avg_read_length", "50"):
        adata = read(path, labels=labels, read_length=length)
        first = [1, 2, 3, 4] if length != "50" else [2, 4, 6, 8]
        np.testing.assert_array_equal(adata.X, [first, [1, 2, 3, 4]])
    assert facts(adata)["scale"] == "counts"
    assert list(adata.obs_names) == ["SRR1", "DRR2"]
    assert list(adata.var_names) == [f"ENSG0000000000{i}.{i}" for i in range(1, 5)]
