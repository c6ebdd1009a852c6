"""Which column names the rows, what a map makes of the names, and what has no value at all."""

import numpy as np
import pandas as pd
import pytest
import r_files
from miniatures import GENES, GSM, SYMBOLS
from traps import COUNTS, agree, counts, notes_of, refusal, write

from jaxssl.data.expression import read
from jaxssl.data.inspect import inspect


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("corner", ["", "X", "Unnamed: 0", "index"])
def test_numbers_of_rows_are_no_names_of_genes(tmp_path, corner, start):
    frame = pd.DataFrame(COUNTS.T, pd.RangeIndex(start, start + 8), GSM)
    frame.insert(0, "gene_id", GENES)
    frame.insert(1, "gene_name", SYMBOLS)
    frame.to_csv(tmp_path / "x.csv", index_label=corner)
    adata = agree(tmp_path / "x.csv")
    np.testing.assert_array_equal(adata.X, COUNTS)
    assert list(adata.var_names) == GENES
    assert list(adata.var) == ["gene_name"]
    named = read(tmp_path / "x.csv", id_column="gene_name")
    assert list(named.var_names) == SYMBOLS
    assert "correct `id_column`" in refusal(tmp_path / "x.csv", id_column="gene")


@pytest.mark.parametrize("studies", [1, 2])
def test_samples_are_named_by_their_own_ids_not_by_those_of_their_studies(tmp_path, studies):
    frame = pd.DataFrame(COUNTS, columns=GENES)
    frame.insert(0, "Study ID", [f"study_{i % studies}" for i in range(6)])
    frame.insert(1, "Sample ID", [f"TCGA-A1-A00{i}-01" for i in range(6)])
    frame.to_csv(tmp_path / "x.tsv", sep="\t", index=False)
    adata = agree(tmp_path / "x.tsv")
    assert list(adata.obs_names) == [*frame["Sample ID"]]
    assert list(adata.obs["Study ID"]) == [*frame["Study ID"]]
    np.testing.assert_array_equal(adata.X, COUNTS)


@pytest.mark.parametrize("numbers", [[1, 2, 5, 9, 11, 12, 20, 33], [20, 5, 9, 1, 2, 33, 12, 11]])
@pytest.mark.parametrize("name", ["gene_id", "nm"])
def test_numbers_of_rows_that_were_filtered_or_sorted_are_no_names_of_genes(
    tmp_path, numbers, name
):
    frame = pd.DataFrame(COUNTS.T, numbers, GSM)
    frame.insert(0, name, GENES)
    frame.to_csv(tmp_path / "x.csv")
    adata = agree(tmp_path / "x.csv")
    assert list(adata.var_names) == GENES
    np.testing.assert_array_equal(adata.X, COUNTS)
    assert f"rows are named by column {name}" in notes_of(adata)


def test_a_frame_of_r_without_a_corner_that_was_filtered_is_read(tmp_path):
    frame = pd.DataFrame(COUNTS.T, [1, 2, 5, 9, 11, 12, 20, 33], GSM)
    frame.insert(0, "gene_id", GENES)
    text = frame.to_csv(sep="\t").removeprefix("\t")
    adata = agree(write(tmp_path / "x.tsv", text))
    assert list(adata.var_names) == GENES
    np.testing.assert_array_equal(adata.X, COUNTS)


def test_ids_of_entrez_without_a_name_above_stay_the_names_of_genes(tmp_path):
    entrez = ["7105", "64102", "8813", "57147", "55732", "2268", "3075", "100130426"]
    frame = pd.DataFrame(COUNTS.T, entrez, GSM)
    frame.insert(0, "symbol", SYMBOLS)
    frame.to_csv(tmp_path / "x.csv")
    assert list(agree(tmp_path / "x.csv").var_names) == entrez


def test_numbers_that_name_the_rows_of_a_frame_of_r_are_taken_or_told_to_be_passed_over(tmp_path):
    columns = {"symbol": r_files.strings(SYMBOLS)}
    columns |= {s: r_files.numbers(row) for s, row in zip(GSM, COUNTS.tolist(), strict=True)}
    entrez = [7105, 64102, 8813, 57147, 55732, 2268, 3075, 100130426]
    path = r_files.rds(tmp_path / "a.rds", r_files.frame(columns, entrez))
    adata = agree(path)
    assert (list(adata.var_names), list(adata.var)) == ([*map(str, entrez)], ["symbol"])
    np.testing.assert_array_equal(adata.X, COUNTS)
    path = r_files.rds(tmp_path / "b.rds", r_files.frame(columns, [1, 2, 5, 9, 11, 12, 20, 33]))
    adata = agree(path)
    assert list(adata.var_names) == SYMBOLS
    assert "rows are named by column symbol, as the first, '', numbers the rows" in notes_of(adata)


def test_levels_of_an_index_of_pandas_are_kept_with_the_samples(tmp_path):
    pairs = [(donor, tissue) for donor in ("D1", "D2", "D3") for tissue in "TN"]
    index = pd.MultiIndex.from_tuples(pairs, names=["donor", "tissue"])
    path = tmp_path / "x.parquet"
    pd.DataFrame(COUNTS, index, GENES).to_parquet(path)
    assert "3 sample ids occur more than once (first: D1)" in refusal(path)
    options = inspect(path).options
    assert {name: options[name] for name in ("label", "group")} == {
        "label": "tissue",
        "group": "donor",
    }
    adata = read(path, **options)
    assert list(zip(adata.obs["donor"], adata.obs["tissue"], strict=True)) == pairs
    np.testing.assert_array_equal(adata.X, COUNTS)


def test_a_column_of_ids_is_for_tables_alone(tmp_path):
    np.savez(tmp_path / "x.npz", X=COUNTS, sample_ids=GSM, feature_ids=GENES)
    assert "`id_column` is for csv, tsv and parquet" in refusal(tmp_path / "x.npz", id_column="a")


def test_ids_in_the_last_column_leave_the_first_a_sample(tmp_path):
    frame = pd.DataFrame(COUNTS.T.astype(int), columns=GSM).assign(gene_id=GENES)
    frame.to_csv(tmp_path / "x.tsv", sep="\t", index=False)
    adata = agree(tmp_path / "x.tsv")
    assert list(adata.obs_names) == GSM
    np.testing.assert_array_equal(adata.X, COUNTS)


def test_two_columns_that_may_name_the_rows_are_asked_about_and_the_answer_works(tmp_path):
    frame = pd.DataFrame(COUNTS.T, columns=GSM)
    frame.insert(0, "symbol", SYMBOLS)
    frame.insert(1, "probe_id", list("abcdefgh"))
    frame.to_csv(tmp_path / "x.csv")
    assert "pass `id_column=symbol`, or the one that does" in refusal(tmp_path / "x.csv")
    assert list(read(tmp_path / "x.csv", id_column="symbol").var_names) == SYMBOLS


@pytest.mark.parametrize("impute", ["error", "mean", "zero", "drop_genes"])
def test_what_has_no_value_at_all_is_named_and_not_filled(tmp_path, impute):
    x = COUNTS.copy()
    x[4], x[:, 5] = np.nan, np.nan
    pd.DataFrame(x.T, GENES, GSM).to_csv(tmp_path / "x.csv")
    adata = agree(tmp_path / "x.csv", impute=impute)
    np.testing.assert_array_equal(adata.X, np.delete(np.delete(COUNTS, 4, 0), 5, 1))
    assert f"1 samples without any value left out: {GSM[4]}" in notes_of(adata)
    assert f"1 genes without any value left out: {GENES[5]}" in notes_of(adata)
    assert "impute" not in inspect(tmp_path / "x.csv").options


ASSIGNED = "NM_1 // TP53 // tumor protein p53 // 17p13.1 // 7157 /// ENST1 // TP53 // x // y // z"


@pytest.mark.parametrize(
    ("cell", "name"),
    [("RFC2", "RFC2"), ("---", ""), ("NA", ""), ("", ""), ("-", ""), ("DDR1 /// MIR4640", ""),
     (ASSIGNED, "TP53"), ("--- // --- // x // y // z", ""), ("A;B", ""), (" UBA7 ", "UBA7")],
)  # fmt: skip
def test_a_map_gives_one_symbol_or_none(tmp_path, cell, name):
    rows = [f'"{g}","{s}"' for g, s in zip(GENES[1:], SYMBOLS[1:], strict=True)]
    lines = ['"Probe Set ID","Gene Symbol"', f'"{GENES[0]}","{cell}"', *rows, '"---","WRONG"']
    table = write(tmp_path / "map.csv", "#%netaffx\n" + "\n".join(lines) + "\n")
    adata = read(counts(tmp_path), gene_map=table)
    assert list(adata.var_names) == [*filter(None, [name]), *SYMBOLS[1:]]


def test_row_numbers_of_a_filtered_parquet_are_no_ids_beside_text(tmp_path):
    frame = pd.DataFrame(COUNTS.T, columns=GSM)
    frame.insert(0, "symbol", GENES)
    frame[frame.index % 3 != 1].to_parquet(tmp_path / "x.parquet")  # numbers of rows have gaps
    adata = agree(tmp_path / "x.parquet")
    kept = [i for i in range(len(GENES)) if i % 3 != 1]
    assert list(adata.var_names) == [GENES[i] for i in kept]
    assert list(adata.obs_names) == GSM
    np.testing.assert_array_equal(adata.X, COUNTS[:, kept])
    samples = pd.DataFrame(COUNTS, [1001, 1005, 1006, 1010, 1011, 1013], GENES)
    samples.assign(tissue=list("aabbcc")).to_parquet(tmp_path / "z.parquet")  # a fact is no id
    adata = read(tmp_path / "z.parquet", orientation="samples_in_rows")
    assert list(adata.obs_names) == [str(i) for i in samples.index]
    assert list(adata.obs["tissue"]) == list("aabbcc")
    entrez = frame.drop(columns="symbol").set_axis([7157 + 3 * i for i in range(len(GENES))])
    entrez.to_parquet(tmp_path / "y.parquet")  # without text they are all there is
    options = {"orientation": "genes_in_rows"}
    assert list(read(tmp_path / "y.parquet", **options).var_names)[:2] == ["7157", "7160"]


@pytest.mark.parametrize(
    "header",
    [
        ["Code Class", "Name", "Accession"],
        ["Class Name", "Probe Name", "Accession"],
        ["Analyte Type", "Probe Name", "NS Probe ID"],
    ],
)
def test_probes_of_nanostring_are_called_by_their_names_and_not_by_accessions(tmp_path, header):
    names = ["POS_A(128)", "NEG_A(0)", *SYMBOLS[2:]]
    classes = ["Positive", "Negative", *["Endogenous"] * 6]
    accessions = ["ERCC_00117.1", "ERCC_00096.1", *(f"NM_00{i}.2" for i in range(1000, 1006))]
    about = dict(zip(header, (classes, names, accessions), strict=True))
    frame = pd.DataFrame({**about, **dict(zip(GSM, COUNTS, strict=True))})
    frame.to_csv(tmp_path / "RawData.csv", index=False)
    assert "text_columns" not in inspect(tmp_path / "RawData.csv").options
    adata = agree(tmp_path / "RawData.csv")
    assert list(adata.var_names) == names
    np.testing.assert_array_equal(adata.X, COUNTS)


def test_calls_of_detection_are_left_out_without_being_asked_for(tmp_path):
    signals = pd.DataFrame(COUNTS.T + 0.5, [f"100{i}_at" for i in range(8)], GSM)
    parts = {}
    for name in GSM:
        parts |= {name: signals[name], f"{name}_Detection": [*"PAMPAPAP"]}
    frame = pd.DataFrame(parts).rename_axis("Probe Set Name")
    frame.to_csv(tmp_path / "pivot.txt", sep="\t")
    assert "text_columns" not in inspect(tmp_path / "pivot.txt").options
    adata = agree(tmp_path / "pivot.txt")
    np.testing.assert_array_equal(adata.X, COUNTS + 0.5)
    assert list(adata.obs_names) == GSM
    assert list(adata.var) == []
    assert "6 columns of detection calls left out" in notes_of(adata)
    kept = read(tmp_path / "pivot.txt", text_columns=[f"{GSM[0]}_Detection"])
    assert list(kept.var[f"{GSM[0]}_Detection"]) == [*"PAMPAPAP"]


def test_facts_about_probes_of_agilent_are_no_samples(tmp_path):
    frame = pd.DataFrame(COUNTS.T, [f"A_23_P{1000 + i}" for i in range(8)], GSM)
    frame.insert(0, "ControlType", 0)
    frame.insert(1, "ProbeUID", range(8))
    frame.insert(2, "SystematicName", [f"NM_{100000 + i}" for i in range(8)])
    frame.rename_axis("ProbeName").to_csv(tmp_path / "x.tsv", sep="\t")
    adata = agree(tmp_path / "x.tsv")
    assert list(adata.obs_names) == GSM
    assert list(adata.var) == ["ControlType", "ProbeUID", "SystematicName"]
    np.testing.assert_array_equal(adata.X, COUNTS)
