"""What is neither a gene nor a sample comes out as text or not at all, with a word."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from miniatures import GENES, GSM, SYMBOLS, genes_in_rows, values
from traps import COUNTS, agree, counts, notes_of, refusal, row, write

from jaxssl.data.companions import AMONG_GENES, AMONG_SAMPLES, facts_beside, is_nameless, kinds_of
from jaxssl.data.expression import read
from jaxssl.data.inspect import inspect
from jaxssl.data.symbols import human_symbols


@pytest.mark.parametrize(
    "names",
    [
        ["__no_feature", "__ambiguous", "__too_low_aQual", "__not_aligned"],
        ["__alignment_not_unique"],
        ["no_feature", "ambiguous", "too_low_aQual", "not_aligned", "alignment_not_unique"],
        ["N_unmapped", "N_multimapping", "N_noFeature", "N_ambiguous"],
        ["Unassigned_NoFeatures", "Unassigned_Ambiguity", "Unassigned_MultiMapping", "Assigned"],
        ["X__no_feature", "_ambiguous_readpair_position", "_empty", "*"],
        ["Total", "sum", "Mean", "Library.size", "total reads", "Median", "SD"],
    ],
)
def test_counters_and_totals_are_no_genes(tmp_path, names):
    path = counts(tmp_path, [row(name, range(10**6, 10**6 + 6)) for name in names])
    adata = agree(path)
    assert list(adata.var_names) == GENES
    np.testing.assert_array_equal(adata.X, COUNTS)
    assert all(name in notes_of(adata) for name in names[:6])


@pytest.mark.parametrize("scale", ["counts", "log2"])
def test_counters_of_a_transposed_table_are_no_genes(tmp_path, scale):
    frame = pd.DataFrame(values(scale), GSM, GENES)
    frame.assign(__no_feature=17.25, total=20).to_csv(tmp_path / "x.csv")
    adata = agree(tmp_path / "x.csv")
    np.testing.assert_array_equal(adata.X, values(scale))


def test_names_that_are_none_are_counted_and_not_merged(tmp_path):
    names = ["NA", "---", "?", "?|?", "", "nan", "NA.1", "#N/A", "-", "NaN"]
    path = counts(tmp_path, [row(name) for name in names], genes=SYMBOLS)
    for options in ({}, {"duplicates": "mean"}):
        adata = agree(path, **options)
        assert list(adata.var_names) == SYMBOLS
        assert "10 genes without a name left out: NA, ---, ?" in notes_of(adata)


def test_a_gene_without_symbol_that_has_an_entrez_id_is_one(tmp_path):
    names = ["?|100130426", "?|100133144", "A1BG|1", "TP53|7157", "EGFR|1956", "---|2064"]
    names += [f"G{i}|{i}" for i in range(len(GENES) - len(names))]
    adata = agree(counts(tmp_path, [row("?")], genes=names))
    assert list(adata.var_names) == names
    assert "1 genes without a name left out: ?" in notes_of(adata)


def test_no_symbol_of_man_or_mouse_is_taken_for_something_else():
    symbols = sorted(human_symbols())
    for names in (symbols, [name.capitalize() for name in symbols]):
        assert not any(kinds_of(names, AMONG_GENES))
        assert not facts_beside(names)
    assert not any(map(is_nameless, symbols))


def test_spike_ins_stay_and_names_unlike_the_others_are_told(tmp_path):
    adata = agree(counts(tmp_path, [row("ERCC-00002"), row("hamd_level")]))
    assert adata.n_vars == 10
    assert "1 spike-ins are kept as genes: ERCC-00002" in notes_of(adata)
    assert "1 names are unlike those of the other genes: hamd_level" in notes_of(adata)


@pytest.mark.parametrize("name", ["condition", "Group", "class", "batch", "sex", "age", "OS.time"])
@pytest.mark.parametrize(
    "cells", [["a", "b", "b", "a", "NA", "b"], [1, 2, 2, 1, "", 2], ["0.5", 1, 2, 3, 4, 5]]
)
def test_a_row_about_the_samples_becomes_a_column_about_them(tmp_path, name, cells):
    adata = agree(counts(tmp_path, [row(name, cells)]))
    np.testing.assert_array_equal(adata.X, COUNTS)
    expected = ["" if cell == "NA" else str(cell) for cell in cells]
    told = ["" if cell == "NA" else cell for cell in adata.obs[name]]
    assert told == expected
    labelled = read(counts(tmp_path, [row(name, cells)]), label=name)
    assert labelled.uns["jaxssl"]["n_labelled"] == sum(map(bool, expected))


def test_rows_of_codes_and_of_words_below_the_header_are_about_the_samples(tmp_path):
    header, *rows = genes_in_rows("gene_id", GSM, GENES, COUNTS).splitlines()
    lines = [header, row("Batch", "112233"), row("Tissue", "ababab"), row("Age"), *rows]
    adata = agree(write(tmp_path / "x.tsv", "\n".join(lines) + "\n"))
    np.testing.assert_array_equal(adata.X, COUNTS)
    assert list(adata.obs["Batch"]) == list("112233")
    assert list(adata.obs["Tissue"]) == list("ababab")
    assert list(adata.obs["Age"]) == [str(i) for i in range(50, 56)]


def test_codes_in_the_last_row_are_no_gene(tmp_path):
    adata = agree(counts(tmp_path, [row("Condition", "121212"), row("vital_status", "101010")]))
    assert list(adata.obs["vital_status"]) == list("101010")
    np.testing.assert_array_equal(adata.X, COUNTS)


def test_a_sample_that_is_empty_but_for_its_label_is_no_row_of_text(tmp_path):
    lines = ["sample,group," + ",".join(GENES), f"{GSM[0]},a" + "," * 8]
    lines += [f"{s},b," + ",".join(map(str, x)) for s, x in zip(GSM[1:], COUNTS[1:], strict=True)]
    adata = agree(write(tmp_path / "x.csv", "\n".join(lines) + "\n"))
    assert list(adata.obs_names) == GSM[1:]
    assert f"1 samples without any value left out: {GSM[0]}" in notes_of(adata)


CLINICAL = [
    *("os_time", "OS", "event", "vital_status", "RIN", "age", "purity", "batch", "grade"),
    *("survival", "OS.time", "PFI", "days_to_death", "futime", "fustat", "Age at diagnosis"),
    *("tumor_stage", "gender", "BMI", "class", "label", "status", "overall survival (months)"),
]


@pytest.mark.parametrize("form", ["csv", "tsv", "parquet", "npz", "h5ad"])
def test_outcomes_and_covariates_are_no_genes(tmp_path, form):
    frame = pd.DataFrame(values(), GSM, SYMBOLS)
    for i, name in enumerate(CLINICAL):
        frame.insert(i // 2, name, [i, i + 1, i, i + 2, i, i])
    path = tmp_path / f"x.{form}"
    if form == "npz":
        np.savez(path, X=frame.to_numpy(), sample_ids=GSM, feature_ids=list(frame))
    elif form == "h5ad":
        import anndata

        anndata.AnnData(frame.astype("f4")).write_h5ad(path)
    elif form == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, sep="," if form == "csv" else "\t", index_label="patient")
    adata = agree(path, orientation="samples_in_rows")
    assert list(adata.var_names) == SYMBOLS
    np.testing.assert_array_equal(adata.X, values())
    assert set(adata.obs) == set(CLINICAL)
    assert list(adata.obs["fustat"]) == [str(14 + i) for i in (0, 1, 0, 2, 0, 0)]


def test_a_table_of_numbers_about_samples_is_no_expression(tmp_path):
    frame = pd.DataFrame({"age": range(6), "event": [0, 1] * 3, "RIN": 7.5}, GSM)
    frame.to_csv(tmp_path / "x.csv")
    assert inspect(tmp_path / "x.csv").kind == "samples"
    message = refusal(tmp_path / "x.csv", orientation="samples_in_rows")
    assert "are facts about the samples; pass it as `labels`" in message
    np.savez(tmp_path / "x.npz", X=frame, sample_ids=GSM, feature_ids=list(frame))
    message = refusal(tmp_path / "x.npz")
    assert "holds no gene: age, event, RIN are facts about the samples; pass it as" in message


BESIDE = {
    "Chr": "chr1;chr1", "Start": "11;20", "End": "90", "Strand": "+", "Length": 900,
    "entrez": 100130426, "hgnc_id": 11858, "gene_length": 1500, "GC content": 0.41,
    "gene_biotype": "protein_coding", "description": "x, y", "gene_name": "T", "%GC": 41.5,
    "baseMean": 17.5, "log2FoldChange": -1.5, "lfcSE": 0.5, "stat": 2, "pvalue": 0.01, "padj": 0.5,
}  # fmt: skip


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_columns_about_the_genes_are_kept_beside_to_the_digit(tmp_path, first, form):
    frame = pd.DataFrame(COUNTS.T.astype(int), GENES, GSM)
    for i, (name, value) in enumerate(BESIDE.items()):
        frame.insert(i if first else len(frame.columns), name, value)
    path = tmp_path / f"x.{form}"
    frame.rename_axis("gene_id").reset_index().to_csv(path, index=False) if form == "csv" else (
        frame.to_parquet(path)
    )
    adata = agree(path)
    np.testing.assert_array_equal(adata.X, COUNTS)
    assert list(adata.var["entrez"]) == ["100130426"] * 8
    assert set(adata.var) == set(BESIDE)


def test_results_of_a_comparison_alone_are_no_expression(tmp_path):
    frame = pd.DataFrame({"baseMean": 17.5, "log2FoldChange": 1.0, "padj": 0.5}, GENES)
    frame.to_csv(tmp_path / "x.csv")
    assert "holds results of a comparison" in refusal(tmp_path / "x.csv")


def test_a_total_is_one_where_it_adds_up(tmp_path):
    frame = pd.DataFrame(COUNTS.T, GENES, GSM)
    frame.assign(Total=frame.sum(axis=1), mean=frame.mean(axis=1)).to_csv(tmp_path / "x.csv")
    assert list(agree(tmp_path / "x.csv").obs_names) == GSM
    frame.assign(Total=frame.mean(axis=1).round()).to_csv(tmp_path / "rna.csv")
    assert list(agree(tmp_path / "rna.csv").obs_names) == [*GSM, "Total"]


ROWS = ("__no_feature", "N_unmapped", "NA", "---", "?|", "total", "condition", "age", "Unassigned")
COLUMNS = ("Length", "Chr", "entrez", "padj", "GC content", "description")


@settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    rows=st.lists(st.tuples(st.sampled_from(ROWS), st.integers(0, 8)), max_size=4),
    columns=st.lists(
        st.tuples(st.sampled_from(COLUMNS), st.integers(0, 6)), max_size=3, unique_by=lambda c: c[0]
    ),
    measure=st.sampled_from(["", " Detection Pval", "_norm", ".Detection"]),
    is_turned=st.booleans(),
)
def test_any_decoration_leaves_genes_and_samples_as_they_are(
    tmp_path, rows, columns, measure, is_turned
):
    frame = pd.DataFrame(COUNTS.T.astype(int).astype(object), GENES, GSM)
    if measure:
        for sample in GSM:
            frame.insert(list(frame).index(sample) + 1, sample + measure, 0.5)
    for name, place in columns:
        frame.insert(place, name, 7)
    for name, place in rows:
        above, below = frame.iloc[:place], frame.iloc[place:]
        extra = pd.DataFrame([[3] * frame.shape[1]], [name], list(frame))
        frame = pd.concat([above, extra, below])
    frame = frame.T if is_turned else frame
    frame.to_csv(tmp_path / "x.csv")
    adata = agree(tmp_path / "x.csv")
    assert list(adata.var_names) == GENES
    assert list(adata.obs_names) == GSM
    np.testing.assert_array_equal(adata.X, COUNTS)
    lost = [n for n, _ in rows if kinds_of([n], AMONG_GENES)[0] != "sample"]
    lost += [n for n, _ in columns if not AMONG_SAMPLES[kinds_of([n], AMONG_SAMPLES)[0]].is_kept]
    assert all(name in notes_of(adata) for name in lost)
