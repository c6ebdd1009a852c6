"""Measures of the clinic beside genes are no genes: by name, or by values where genes have them."""

import numpy as np
import pandas as pd
import pytest
from miniatures import GENES, GSM
from traps import agree, notes_of

from jaxssl.data.clinical import DECORATED, is_measure
from jaxssl.data.companions import AMONG_GENES, kinds_of
from jaxssl.data.expression import read
from jaxssl.data.symbols import human_symbols

SYMBOLS = sorted(human_symbols())[::900]
X = np.random.default_rng(1).gamma(4, 2, (6, len(SYMBOLS)))
KNOWN = {"psa": [0.3, 4.1, 80, 6.2, 12, ""], "Ki67": [5, 20, 15, 40, 30, 10],
         "Ki-67": [5, 20, 15, 40, 30, 10], "LDH": [180, 210, 400, 320, 250, 199],
         "CA-125": [35, 12.5, 300, 41, 20, 18], "HbA1c": [5.4, 6.1, 7.9, 5.2, 5.8, 6.6],
         "CRP": [4, 8, 15, 3, 90, 11], "CEA": [1.2, 3.4, 5.5, 2.1, 0.9, 7]}  # fmt: skip


def table(folder, x=X, form="csv", **measures):
    """Samples in rows, with measures among the genes."""
    frame = pd.DataFrame(x, GSM, SYMBOLS).round(4)
    for place, (name, cells) in enumerate(measures.items()):
        frame.insert(3 * place, name, pd.to_numeric(pd.Series(cells, GSM)))
    path = folder / f"x.{form}"
    if form == "csv":
        frame.to_csv(path, index_label="sample")
    else:
        np.savez(path, X=frame.to_numpy(), sample_ids=GSM, feature_ids=[*map(str, frame)])
    return path


@pytest.mark.parametrize("form", ["csv", "npz"])
def test_measures_beside_symbols_are_facts_by_values_of_another_kind(tmp_path, form):
    adata = agree(table(tmp_path, form=form, **KNOWN), scale="log2")
    assert list(adata.var_names) == SYMBOLS
    np.testing.assert_array_equal(adata.X, np.round(X, 4).astype(np.float32))
    for name, cells in KNOWN.items():
        assert list(adata.obs[name]) == [str(cell) for cell in cells]
    assert "facts about the samples kept as text: psa, Ki67, Ki-67, LDH, CA-125" in notes_of(adata)


def test_a_measure_beside_counts_is_one_by_its_fractions(tmp_path):
    counts = np.rint(X * 100)
    adata = agree(table(tmp_path, counts, HbA1c=KNOWN["HbA1c"]))
    assert list(adata.var_names) == SYMBOLS
    assert adata.uns["jaxssl"]["scale"] == "counts"


def test_a_measure_that_may_be_a_gene_stays_with_a_word_and_the_flag_makes_it_text(tmp_path):
    path = table(tmp_path, PSA=X[:, 0].round(4) + 0.1, CRP=[4, 8, 15, 3, 9, 11])
    adata = agree(path, scale="log2")
    assert {"PSA", "CRP"} <= set(adata.var_names)
    said = "may be measures of the samples: PSA, CRP; `text_columns=PSA,CRP` keeps what is none"
    assert said in notes_of(adata)
    told = read(path, scale="log2", text_columns=["PSA", "CRP"])
    assert list(told.var_names) == SYMBOLS
    assert list(told.obs["CRP"]) == ["4", "8", "15", "3", "9", "11"]


@pytest.mark.parametrize("form", ["csv", "npz"])
def test_any_other_name_that_is_no_symbol_is_a_fact_where_its_values_are_of_another_kind(
    tmp_path, form
):
    facts = {"hamd17": [21, 18, 25, 9, 14, 30], "pCR": [0, 1, 1, 0, 1, 0],
             "LTFU": [32.0, 37.3, 19.9, 80.1, 9.6, 44.2]}  # fmt: skip
    adata = agree(table(tmp_path, 0.8 * X, form, **facts, GENE9=X[:, 1] / 2))
    assert list(adata.obs["pCR"]) == [*"011010"]
    assert adata.uns["jaxssl"]["scale"] == "log2"  # by the genes, not by months
    assert set(adata.var_names) == {*SYMBOLS, "GENE9"}


def test_outcomes_beside_counts_are_facts_or_told(tmp_path):
    counts = np.rint(X * 100) + 5
    facts = {"pCR": [0, 1, 1, 0, 1, 0], "mutations": [70, 91, 326, 120, 80, 77]}
    adata = agree(table(tmp_path, counts, **facts))
    assert list(adata.obs["pCR"]) == [*"011010"]
    assert "may be measures of the samples: mutations; `text_columns=mutations`" in notes_of(adata)


def test_fractions_of_cells_are_facts(tmp_path):
    shares = np.random.default_rng(2).random((6, 2)).round(4)
    adata = agree(
        table(tmp_path, 0.8 * X + 1, **{"T cells CD8": shares[:, 0], "Monocytes": shares[:, 1]})
    )
    assert list(adata.var_names) == SYMBOLS
    assert adata.obs["Monocytes"].astype(float).tolist() == pytest.approx(shares[:, 1])


@pytest.mark.parametrize("is_turned", [True, False])
def test_symbols_beside_ids_are_genes_by_their_values(tmp_path, is_turned):
    ids = [f"ENSSSCG{i:011d}" for i in range(40)]
    symbols = ["EGFR", "IL6", "ALB", "CRP", "B2M", "CD4"]
    x = np.random.default_rng(3).gamma(4, 2, (6, 46)).round(4)
    frame = pd.DataFrame(x, GSM, [*ids, *symbols])
    (frame.T if is_turned else frame).to_csv(tmp_path / "x.csv")
    adata = agree(tmp_path / "x.csv", scale="log2")
    assert list(adata.var_names) == [*ids, *symbols]
    np.testing.assert_array_equal(adata.X, x.astype(np.float32))


def test_genes_of_the_fly_differ_by_small_letters(tmp_path):
    genes = ["w", "sd", "Sd", "nan", "Race", "wg", "hh", "dpp", "ptc", "ftz", "eve", "osk"]
    frame = pd.DataFrame(X.T[: len(genes)].round(4), genes, GSM)
    frame.to_csv(tmp_path / "x.csv", index_label="gene_symbol")
    assert list(agree(tmp_path / "x.csv", scale="log2").var_names) == genes


def test_genes_called_as_measures_are_genes(tmp_path):
    path = table(tmp_path, CRP=X[:, 0].round(4) + 0.1, AFP=X[:, 2].round(4))
    adata = agree(path, scale="log2")
    assert adata.n_vars == len(SYMBOLS) + 2
    assert "CRP" not in notes_of(adata)


@pytest.mark.parametrize("is_turned", [True, False])
def test_measures_beside_ids_are_facts_whatever_their_values(tmp_path, is_turned):
    frame = pd.DataFrame(X[:, :8], GSM, GENES).round(4).assign(PSA=0.1234, CRP=7)
    (frame.T if is_turned else frame).to_csv(tmp_path / "x.csv")
    adata = agree(tmp_path / "x.csv", scale="log2")
    assert list(adata.var_names) == GENES
    assert list(adata.obs["CRP"]) == ["7"] * 6


FORMS = {
    "SomaScan": "seq.{0}.3", "UniProt": "P{0}", "UniProt isoform": "Q{0}-2", "Olink": "OID{0}",
    "rice": "LOC_Os01g{0}", "tomato": "Solyc01g0{0}.2", "malaria": "PF3D7_01{0}",
    "a genome of one's own": "DN{0}_c0_g1",
}  # fmt: skip


@pytest.mark.parametrize("is_turned", [True, False])
@pytest.mark.parametrize("form", FORMS)
def test_outcomes_beside_proteins_and_genes_without_symbols_are_facts(tmp_path, form, is_turned):
    genes = [FORMS[form].format(10_000 + 7 * i) for i in range(30)]
    frame = pd.DataFrame(np.tile(X[:, :6], 5) / 2 + 0.01, GSM, genes).round(4)
    facts = {"relapse12m": [0, 1, 1, 0, 1, 0], "CDAI": [50, 220, 390, 81, 145, 260]}
    facts |= {"visit": [1, 2, 3, 3, 2, 1]}
    for name, cells in facts.items():
        frame.insert(2, name, cells)
    (frame.T if is_turned else frame).to_csv(tmp_path / "x.csv")
    lies = "genes_in_rows" if is_turned else "samples_in_rows"
    adata = read(tmp_path / "x.csv", orientation=lies)
    assert list(adata.var_names) == genes
    assert adata.uns["jaxssl"]["scale"] == "log2"
    assert {name: [*map(int, adata.obs[name])] for name in facts} == facts
    assert "3 facts about the samples kept as text: visit, CDAI, relapse12m" in notes_of(adata)


def test_measures_in_rows_among_symbols_are_facts_by_their_values(tmp_path):
    frame = pd.DataFrame(X.T.round(4), SYMBOLS, GSM)
    frame.loc["LDH"] = KNOWN["LDH"]
    frame.to_csv(tmp_path / "x.csv", index_label="gene")
    adata = agree(tmp_path / "x.csv", scale="log2")
    assert list(adata.obs["LDH"]) == [str(cell) for cell in KNOWN["LDH"]]
    assert list(adata.var_names) == SYMBOLS


def test_measures_with_units_or_times_are_facts_by_their_names():
    names = ["PSA (ng/mL)", "Ki67_percent", "ki-67 index", "serum_CRP", "LDH_U/L", "preop_CEA",
             "baseline PSA", "Ki67 (%)", "HGB g/dL", "CA15-3 (U/ml)"]  # fmt: skip
    assert set(kinds_of(names, AMONG_GENES)) == {"sample"}, DECORATED
    assert all(map(is_measure, ["PSA", "Ki 67", "ki-67", "CA15.3", "hs-CRP", "HbA1c"]))
