"""Tables of a row a gene and sample, of several rows of names, of cells that are nearly numbers."""

import re

import numpy as np
import pandas as pd
import pytest
from miniatures import GENES
from traps import refusal, write

from jaxssl.data.expression import read
from jaxssl.data.inspect import inspect
from jaxssl.types import InputError

SAMPLES = [f"S{i}" for i in range(1, 7)]
WIDE = pd.DataFrame(
    np.arange(6 * len(GENES)).reshape(6, -1) / 4, index=SAMPLES, columns=pd.Index(GENES)
)


def long_table(folder, names, separator="\t"):
    """The values with a row a gene and sample, by the names of its columns."""
    of = {"gene": WIDE.columns, "sample": WIDE.index}
    first, second = of[names[0]], of[names[1]]
    cells = {(g, s): WIDE.loc[s, g] for g in WIDE.columns for s in WIDE.index}
    lines = [separator.join(names)]
    for a in first:
        for b in second:
            gene, sample = (a, b) if names[0] == "gene" else (b, a)
            lines.append(separator.join([a, b, str(cells[gene, sample])]))
    return write(folder / "long.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize("names", [["gene", "sample", "tpm"], ["sample", "gene", "tpm"]])
@pytest.mark.parametrize("separator", ["\t", ","])
def test_a_long_table_is_refused_with_the_line_that_spreads_it(tmp_path, names, separator):
    path = long_table(tmp_path, names, separator)
    with pytest.raises(InputError, match="is a long table, with a row for each") as refused:
        inspect(path)
    assert "long table" in refusal(path, text_columns=names[1:2])
    line = re.search(r"pandas\S*\(FILE.*\(NEW\)", str(refused.value))
    assert line
    new = tmp_path / "new.csv"
    eval(line.group(), {"pandas": pd, "FILE": path, "NEW": new})  # the advice, followed
    adata = read(new, scale="log2")
    np.testing.assert_array_equal(
        adata[SAMPLES, GENES].to_df().to_numpy(), WIDE.to_numpy(np.float32)
    )


def test_isoforms_of_genes_and_spots_printed_twice_are_no_long_table(tmp_path):
    lines = ["gene,kind," + ",".join(SAMPLES)]
    for i, gene in enumerate(GENES):
        kinds = ["coding", "decay"][: 1 + i % 2] * 2
        lines += [f"{gene},{kind}" + ",1.5" * 6 for kind in kinds]
    path = write(tmp_path / "x.csv", "\n".join(lines) + "\n")
    adata = read(path, text_columns=["kind"], duplicates="mean", scale="log2")
    assert adata.shape == (6, len(GENES))


@pytest.mark.parametrize(
    ("above", "group"),
    [
        (["group,A,A,A,B,B,B", "sample," + ",".join(SAMPLES), "gene,,,,,,"], "group"),
        ([",A,A,A,B,B,B", "," + ",".join(SAMPLES)], "row 1"),
        (["gene,A,,,B,,", "," + ",".join(SAMPLES)], "row 1"),
        (["group,A,,,B,,", "gene," + ",".join(SAMPLES)], "group"),
    ],
    ids=["pandas", "nameless", "merged", "merged above"],
)
def test_of_two_rows_of_names_those_that_differ_are_of_the_samples(tmp_path, above, group):
    rows = [f"{g}," + ",".join(map(str, WIDE[g])) for g in GENES]
    path = write(tmp_path / "x.csv", "\n".join([*above, *rows]) + "\n")
    report = inspect(path)
    assert report.options == {"label": group}
    adata = read(path, scale="log2", label=group)
    assert list(adata.obs_names) == SAMPLES
    assert list(adata.obs[group]) == list("AAABBB")
    np.testing.assert_array_equal(adata[:, GENES].to_df().to_numpy(), WIDE.to_numpy(np.float32))


def test_a_gene_without_values_is_no_row_of_names(tmp_path):
    rows = [f"{g}," + ",".join(map(str, WIDE[g])) for g in GENES[1:]]
    above = ["gene," + ",".join(SAMPLES), f"{GENES[0]},,,,,,"]
    path = write(tmp_path / "x.csv", "\n".join([*above, *rows]) + "\n")
    assert inspect(path).notes == [f"1 genes without any value left out: {GENES[0]}"]


@pytest.mark.parametrize("cell", ["5%", "<0.1", "'5.0", "5.0D+02", "=5", "1,2,3,4,5", "5.1*"])
def test_a_number_with_a_sign_is_named_and_loses_no_sample(tmp_path, cell):
    for n_cells in (1, len(GENES)):
        rows = [f"{g}\t{cell if i < n_cells else 1.5}" + "\t2.5" * 5 for i, g in enumerate(GENES)]
        path = write(tmp_path / "x.tsv", "\n".join(["gene\t" + "\t".join(SAMPLES), *rows]))
        said = f"{path} holds text: row {GENES[0]}, column S1 is {cell!r}; write it as a plain "
        said += "number, or leave it empty where none is known"
        assert refusal(path) == said
        with pytest.raises(InputError) as refused:
            inspect(path)
        assert str(refused.value) == said


@pytest.mark.parametrize("cell", ["ND", "Undetermined", "bdl"])
def test_inspect_takes_no_sample_for_text_by_one_cell(tmp_path, cell):
    rows = [f"{g}\t{cell if i == 2 else 1.5}" + "\t2.5" * 5 for i, g in enumerate(GENES)]
    path = write(tmp_path / "x.tsv", "\n".join(["gene\t" + "\t".join(SAMPLES), *rows]))
    with pytest.raises(InputError, match=f"row {GENES[2]}, column S1 is '{cell}'; correct it"):
        inspect(path)


def test_a_long_table_without_its_zeros_is_refused_and_spread_with_them(tmp_path):
    cells = [(g, s, (i + j) % 3) for i, g in enumerate(GENES) for j, s in enumerate(SAMPLES)]
    rows = "".join(f"{g}\t{s}\t{n}\n" for g, s, n in cells if n)
    path = write(tmp_path / "long.tsv", f"gene\tsample\tcount\n{rows}")
    with pytest.raises(
        InputError, match="a long table, with a row for each gene and sample"
    ) as said:
        inspect(path)
    assert refusal(path, text_columns=["sample"], duplicates="mean") == str(said.value)
    assert "with .fillna(0) before .to_csv if rows that are not there stand for 0" in said.value.fix
    spread = pd.read_csv(path, sep="\t").pivot(index="gene", columns="sample", values="count")
    spread.fillna(0).to_csv(tmp_path / "new.csv")
    frame = read(tmp_path / "new.csv", scale="counts").to_df()
    assert all(frame.loc[s, g] == n for g, s, n in cells if s in frame.index and g in frame)
    assert frame.to_numpy().sum() == sum(n for *_, n in cells)


@pytest.mark.parametrize("word", ["ND", "n.d.", "-", "Undetermined", "<LOD", "."])
@pytest.mark.parametrize("share", [0.1, 0.9])
def test_words_for_no_value_are_to_be_left_empty_and_lose_no_sample(tmp_path, word, share):
    x = np.random.default_rng(2).uniform(1, 9, (40, 4)).round(2).astype(object)
    x[: int(40 * share), 2] = word
    x[0, :3] = word
    rows = [f"ENSG{i:011d},{','.join(map(str, row))}" for i, row in enumerate(x)]
    text = "\n".join(["gene,S1,S2,S3,S4", *rows]) + "\n"
    path = write(tmp_path / "x.csv", text)
    with pytest.raises(InputError, match=r".") as said:
        inspect(path)
    assert f"column S1 is {word!r}; correct it, leave it empty if it stands for" in str(said.value)
    assert refusal(path) == str(said.value)
    path = write(tmp_path / "y.csv", text.replace(f",{word}", ","))
    expected = np.where(x == word, 0, x).astype(np.float32)
    np.testing.assert_array_equal(read(path, impute="zero", scale="log2").X, expected.T)


def test_a_fact_about_samples_with_a_word_for_no_value_is_kept_as_text(tmp_path):
    rows = [f"S{i},{grade},1.5,{i}.25" for i, grade in enumerate(["1", "2", "ND", "3"])]
    path = write(tmp_path / "x.csv", "\n".join(["sample,grade,TP53,MYC", *rows]) + "\n")
    adata = read(path, scale="log2", orientation="samples_in_rows")
    assert (list(adata.obs["grade"]), adata.shape) == (["1", "2", "ND", "3"], (4, 2))


def test_a_point_that_may_part_thousands_is_asked_about(tmp_path):
    counts = np.random.default_rng(4).lognormal(6, 2, (60, 3)).astype(int)
    counts[0] = [995, 3515, 12]

    def table(form, name="x.tsv"):
        rows = [f"G{i}\t" + "\t".join(map(form, row)) for i, row in enumerate(counts)]
        return write(tmp_path / name, "\n".join(["gene\tS1\tS2\tS3", *rows]) + "\n")

    path = table(lambda n: f"{n:,}".replace(",", "."))
    said = refusal(path)
    assert "whole and others with a point before three digits, such as 3.515: it may part" in said
    with pytest.raises(InputError, match=r"write 3515 or 3\.5150, whichever is meant"):
        inspect(path)
    np.testing.assert_array_equal(read(table(str)).X, counts.T)
    halves = table(lambda n: f"{n / 1000:.4f}" if n > 999 else str(n), "y.tsv")
    expected = np.where(counts > 999, counts / 1000, counts).astype(np.float32)
    np.testing.assert_array_equal(read(halves, scale="linear").X, expected.T)
    for i, form in enumerate(["{:.3f}", "{:.3g}"]):  # decimals of one length, or as they come
        plain = table(lambda n, form=form: form.format(n / 7), f"{i}.tsv")
        told = [[float(form.format(n / 7)) for n in row] for row in counts]
        np.testing.assert_array_equal(read(plain).X, np.array(told, np.float32).T)
