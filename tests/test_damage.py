"""Symbols that Excel made dates or numbers of are named, and never merged."""

import numpy as np
import pytest

import jaxssl
from jaxssl.data.damage import damage, was

GENES = ["TSPAN6", "1-Mar", "DPM1", "1-Mar", "2-Sep", "FGR", "2.31E+13"]
X = np.arange(1, 22, dtype=float).reshape(7, 3) * 50


@pytest.mark.parametrize("policy", ["error", "mean", "first"])
def test_genes_that_excel_gave_one_name_are_left_out_and_the_others_named(tmp_path, policy):
    rows = [",".join([g, *map(str, v)]) for g, v in zip(GENES, X, strict=True)]
    (tmp_path / "m.csv").write_text("\n".join(["gene,S1,S2,S3", *rows]) + "\n")
    adata = jaxssl.read(tmp_path / "m.csv", duplicates=policy)
    assert list(adata.var_names) == ["TSPAN6", "DPM1", "2-Sep", "FGR", "2.31E+13"]
    np.testing.assert_array_equal(adata.X, X[[0, 2, 4, 5, 6]].T)
    expected = [
        "3 gene ids are dates or numbers that Excel made of symbols: 1-Mar was MARCHF1 (once "
        "MARCH1) or MTARC1 (once MARC1); 2-Sep was SEPTIN2 (once SEPT2); 2.31E+13 was a number "
        "with an E inside, such as RIKEN's 2310009E13Rik",
        "2 genes left out: Excel has made one name of several, never merged",
    ]
    report = jaxssl.inspect(tmp_path / "m.csv")
    assert [note for note in report.notes if "Excel" in note] == expected
    assert set(expected) <= set(adata.uns["jaxssl"]["notes"].split("\n"))
    assert (report.n_duplicate_genes, report.problems) == (0, [])


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("3-Mar", "MARCHF3"),
        ("03-MAR", "MARCHF3"),
        ("Mar-03", "MARCHF3"),
        ("3. Mrz", "MARCHF3"),
        ("2006-03-03", "MARCHF3"),
        ("2006-03-03 00:00:00", "MARCHF3"),
        ("3/3/2006", "MARCHF3"),
        ("1-Dec", "DELEC1"),
        ("9-Sep-06", "SEPTIN9"),
        ("10. Sep", "SEPTIN10"),
        ("4-Oct", "OCT4"),
        ("1.00E+05", "RIKEN"),
        ("6.10E+06", "RIKEN"),
        ("5E+20", "RIKEN"),
    ],
)
def test_every_way_to_write_a_date_is_known(name, symbol):
    assert symbol in was(name)


@pytest.mark.parametrize(
    "name",
    ["TP53", "MARCHF1", "SEPT2", "7157", "7157.0", "1007_s_at", "ERCC-00002", "H2-K1", "NOV"],
)
def test_other_ids_are_no_damage(name):
    assert was(name) == ""


WORM = ["set-2", "sep-1", "oct-1", "unc-54", "daf-2", "act-1", "mec-4"]


@pytest.mark.parametrize("genes", [WORM, ["Oct-4", "Bcl-2", "Akt", "Nrf-1"]])
def test_names_among_others_of_their_form_are_no_dates(tmp_path, genes):
    rows = [",".join([g, *map(str, v)]) for g, v in zip(genes, X, strict=False)]
    (tmp_path / "m.csv").write_text("\n".join(["gene,S1,S2,S3", *rows]) + "\n")
    assert list(jaxssl.read(tmp_path / "m.csv").var_names) == genes
    assert not [note for note in jaxssl.inspect(tmp_path / "m.csv").notes if "Excel" in note]


def test_dates_among_symbols_of_another_form_are_told():
    assert damage(np.array(["Sep-02", "TSPAN6", "let-7", "Mar-03", "DPM1"], object))


def test_two_genes_that_a_map_calls_by_one_date_are_left_out(tmp_path):
    ids = [f"{i}_at" for i in range(100, 107)]
    rows = [",".join([i, *map(str, v)]) for i, v in zip(ids, X, strict=True)]
    (tmp_path / "m.csv").write_text("\n".join(["ID_REF,S1,S2,S3", *rows]) + "\n")
    pairs = [f"{i},{g}" for i, g in zip(ids, GENES, strict=True)]
    (tmp_path / "map.csv").write_text("\n".join(["ID,Gene Symbol", *pairs]) + "\n")
    adata = jaxssl.read(tmp_path / "m.csv", gene_map=tmp_path / "map.csv", duplicates="mean")
    assert list(adata.var_names) == ["TSPAN6", "DPM1", "2-Sep", "FGR", "2.31E+13"]
    np.testing.assert_array_equal(adata.X, X[[0, 2, 4, 5, 6]].T)
    notes = adata.uns["jaxssl"]["notes"]
    assert "3 gene ids are dates or numbers that Excel made of symbols: 1-Mar was" in notes
    assert "2 genes left out: Excel has made one name of several, never merged" in notes
