"""Numbers with a comma for the point, as German tables have them, are read or asked about."""

import numpy as np
import pandas as pd
import pytest
from miniatures import GENES, GSM, SYMBOLS, values
from traps import agree, notes_of, refusal, write

from jaxssl.data.expression import read
from jaxssl.data.inspect import inspect

FRAME = pd.DataFrame(values().T + 0.25, index=GENES, columns=GSM).rename_axis("Gen")


@pytest.mark.parametrize("delimiter", ";\t")
@pytest.mark.parametrize("form", ["{:.2f}", "{:.3f}", "{:.4e}", "{:g}"])
def test_decimal_commas_are_read_as_points(tmp_path, delimiter, form):
    texts = FRAME.map(lambda value: form.format(value).replace(".", ","))
    texts.iloc[0, 0] = "0,125"
    texts.to_csv(tmp_path / "x.csv", sep=delimiter)
    adata = agree(tmp_path / "x.csv")
    as_points = texts.map(lambda text: float(text.replace(",", "."))).T
    np.testing.assert_array_equal(adata.X, as_points.astype(np.float32))
    assert (list(adata.obs_names), list(adata.var_names)) == (GSM, GENES)
    assert "commas inside of numbers part decimals" in notes_of(adata)


def test_decimal_commas_of_samples_in_rows_stand_beside_text(tmp_path):
    frame = FRAME.T.assign(Alter=range(40, 46), Gruppe=["Tumor", "Normal"] * 3, Note="a,b; 1,5")
    frame.rename_axis("Probe").to_csv(tmp_path / "x.csv", sep=";", decimal=",", encoding="cp1252")
    assert inspect(tmp_path / "x.csv").kind == "expression"
    adata = read(tmp_path / "x.csv", label="Gruppe", text_columns=["Alter", "Note"])
    np.testing.assert_allclose(adata.X, FRAME.T, rtol=1e-6)
    assert list(adata.obs["Gruppe"]) == ["Tumor", "Normal"] * 3
    assert set(adata.obs["Note"]) == {"a,b; 1,5"}


def test_a_comma_that_may_part_thousands_is_asked_about_beside_semicolons_too(tmp_path):
    texts = FRAME.map(lambda value: f"{1 + value:.3f}".replace(".", ","))
    texts.to_csv(tmp_path / "x.csv", sep=";")
    assert "may part thousands or decimals" in refusal(tmp_path / "x.csv")
    texts.iloc[3, 2] = "12.5"
    texts.to_csv(tmp_path / "x.csv", sep=";")
    assert "comma" in refusal(tmp_path / "x.csv")


@pytest.mark.parametrize("number", ["1.234", "1.234,5"])
def test_a_point_among_decimal_commas_is_no_decimals(tmp_path, number):
    rows = "".join(f"ENSG{i:011d};{i},5;8,25\n" for i in range(300))
    path = write(tmp_path / "x.csv", f"gene_id;S1;S2\n{rows}ENSG00000000999;5;{number}\n")
    said = f"column S2 is {number!r}; write numbers without thousands separators"
    assert said in refusal(path)


def test_probes_of_a_german_table_are_samples_where_its_rows_are_called_gen(tmp_path):
    names = [f"Probe{i}" for i in range(1, 7)]
    frame = FRAME.set_axis(SYMBOLS).rename_axis("Gen").set_axis(names, axis=1)
    frame.to_csv(tmp_path / "x.csv", sep=";", decimal=",")
    table = pd.DataFrame({"Probe": names, "Gruppe": ["Tumor", "Normal"] * 3})
    table.to_csv(tmp_path / "l.csv", sep=";", index=False)
    adata = read(tmp_path / "x.csv", labels=tmp_path / "l.csv", label="Gruppe")
    assert (list(adata.obs_names), list(adata.obs["Gruppe"])) == (names, [*table["Gruppe"]])
    np.testing.assert_allclose(adata.X, FRAME.T, rtol=1e-6)
