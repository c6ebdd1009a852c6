"""The scale of expression values: told by their span and the file's name, or asked."""

import re

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from miniatures import GENES, GSM, genes_in_rows, values
from traps import refusal, write

from jaxssl import SSLEncoder, study
from jaxssl.data.expression import read
from jaxssl.data.extent import Range, range_of
from jaxssl.data.inspect import inspect
from jaxssl.data.sample_major import SampleMajor, survey
from jaxssl.data.scale import guess_scale, recorded_scale
from jaxssl.types import InputError


@pytest.mark.parametrize(
    ("x", "scale", "reason"),
    [
        ([np.nan, np.nan], "", "no value at all"),
        ([-1.0, 51.0], "", "too large for a logarithm, negative for a count"),
        ([0.0, 1.0], "", "shares, or scaled values"),
        ([0.0, 12.0], "", "small counts or rounded logarithms"),
        ([0.0, 25.5], "", "large for a logarithm, small for a linear scale"),
        ([-3.0, 4.5], "", "log ratios, or standardised values"),
        ([np.log2(0.001), 4.5], "log2", "the minimum is log2(0 + 0.001)"),
        ([-2.0, 4.5], "log2", "values from -2 to 4.5"),
        ([0.0, 50.5], "linear", "too large for a logarithm"),
        ([0.0, 51.0], "counts", "all integers"),
    ],
)
def test_the_span_of_values_tells_the_scale_or_why_not(x, scale, reason):
    found, why = guess_scale(survey(SampleMajor(np.array([x], np.float32), np.arange(1))).range)
    assert found == scale
    assert reason in why


@pytest.mark.parametrize("centred", [True, False])
def test_genes_about_0_are_told_in_memory_as_in_a_file(centred):
    logarithms = np.random.default_rng(0).gamma(2.0, 1.0, (60, 40)).astype(np.float32)
    x = logarithms - (logarithms.mean(axis=0) if centred else 0.5)
    of_file = survey(SampleMajor(x, np.arange(60))).range
    assert range_of(x) == of_file
    assert guess_scale(range_of(x))[0] == ("" if centred else "log2")


def test_standardised_values_in_memory_are_asked_about():
    x = np.random.default_rng(0).gamma(1.0, 1.0, (60, 40)).astype(np.float32)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    genes = [f"ENSG{i:011d}" for i in range(40)]
    with pytest.raises(InputError, match="log ratios, or standardised"):
        SSLEncoder().fit(pd.DataFrame(x, columns=genes))
    labels = pd.DataFrame({"class": ["a", "b"] * 30}, index=[f"s{i}" for i in range(60)])
    adata = AnnData(x, labels, pd.DataFrame(index=genes))
    with pytest.raises(InputError, match="log ratios, or standardised"):
        study(adata, label="class")
    adata.uns.setdefault("jaxssl", {})["scale"] = "log_ratio"
    assert recorded_scale(adata, x) == "log_ratio"


@pytest.mark.parametrize(
    ("called", "word"),
    [
        ("panel.fpkm.tsv", "no logarithms"),
        ("GTEx_gene_tpm.gct.gz", "no logarithms"),
        ("ct_values.csv", "cycles"),
        ("TCGA-BRCA.star_fpkm.tsv.gz", ""),
        ("log2_tpm.csv", ""),
        ("expression_direct.csv", ""),
        ("CT26_vs_CT.csv", ""),
        ("log2_ct_values.csv", ""),
    ],
)
def test_a_name_that_speaks_against_a_logarithm_is_heard(tmp_path, called, word):
    found, why = guess_scale(Range(0.5, 20.0, False), called)
    assert (found, word in why) == ("" if word else "log2", True)
    assert guess_scale(Range(0.5, 2000.0, False), called)[0] == "linear"
    text = genes_in_rows("gene_id", GSM, GENES, values())
    path = write(tmp_path / called.replace(".gct", ".tsv"), text)
    report = inspect(path)
    assert report.scale == found
    if word:
        assert "cannot tell the scale" in refusal(path)
        assert read(path, scale="log2").uns["jaxssl"]["scale"] == "log2"
    else:
        assert read(path).uns["jaxssl"]["scale"] == "log2"


@pytest.mark.parametrize(
    ("called", "scale"),
    [
        ("salmon.merged.gene_counts.tsv", "counts"),
        ("RSEM_expected_count.txt", "counts"),
        ("readcount.csv", "counts"),
        ("normalized_counts.tsv", "linear"),
        ("gene_counts_cpm.tsv", "linear"),
        ("TCGA-BRCA.htseq_counts.tsv", "counts"),
        ("country.tsv", "linear"),
    ],
)
def test_large_values_with_fractions_are_counts_where_the_file_is_called_so(called, scale):
    assert guess_scale(Range(0.0, 5000.5, False), called)[0] == scale
    assert guess_scale(Range(0.0, 20.5, False), called)[0] == "log2"


def test_whole_values_of_tpm_are_asked_about(tmp_path):
    text = genes_in_rows("gene_id", GSM, GENES, values("counts"))
    path = write(tmp_path / "GSE1_TPM_rounded.tsv", text)
    assert "says that they are no counts); pass `scale=linear` or counts" in refusal(path)
    assert read(path, scale="linear").uns["jaxssl"]["scale"] == "linear"
    assert inspect(path).options["scale"] == "WHICH"


def profiles_of(form):
    """Logarithms of 60 genes in 6 samples, in which something stands apart."""
    x = np.random.default_rng(1).uniform(1, 12, (60, 6)).round(3)
    if form == "unlogged":
        x[:, 5] = 2 ** x[:, 5]
    elif form == "logged":
        x[:, :5] = 2 ** x[:, :5]
    elif form:
        x[[3, 9, 9], [0, 1, 2]] = float(form)
    return pd.DataFrame(x, [f"ENSG{i:011d}" for i in range(60)], GSM).rename_axis("gene")


@pytest.mark.parametrize(
    ("form", "finding", "fix", "is_linear"),
    [
        ("unlogged", f"others [0-9.]+ at least .the fewer: {GSM[5]}", "bring all samples", True),
        ("logged", f"some reach [0-9.]+ at most, .*fewer: {GSM[5]}", "bring all samples", True),
        ("9999", "9999 stands alone", "leave the cells that hold 9999 empty", True),
        ("100", "100 stands alone", "leave the cells that hold 100 empty", True),
        ("-999", "-999 is no expression", "leave the cells that hold -999 empty", False),
    ],
)
def test_what_stands_apart_is_named_and_no_logarithm(tmp_path, form, finding, fix, is_linear):
    frame = profiles_of(form)
    frame.to_csv(tmp_path / "x.csv")
    report = inspect(tmp_path / "x.csv")
    assert (report.scale, re.search(finding, report.scale_reason) is not None) == ("", True)
    for scale in ("auto", "log2", "log_ratio"):
        said = refusal(tmp_path / "x.csv", scale=scale)
        assert re.search(f"{finding}.*{fix}", said)
        assert ("pass `scale=linear`" in said) == (is_linear and scale == "auto")
    if is_linear:
        assert read(tmp_path / "x.csv", scale="linear").uns["jaxssl"]["scale"] == "linear"
    with pytest.raises(InputError, match=f"{finding}.*{fix}"):
        recorded_scale(AnnData(frame.T.astype("f4")), frame.T.to_numpy(np.float32))
    if form.strip("-").isdigit():
        frame.replace(float(form), np.nan).to_csv(tmp_path / "x.csv")
        assert read(tmp_path / "x.csv", impute="mean").uns["jaxssl"]["scale"] == "log2"


def test_few_genes_and_whole_values_do_not_put_samples_on_two_scales(tmp_path):
    frame = profiles_of("unlogged")
    frame.iloc[:20].to_csv(tmp_path / "panel.csv")
    assert read(tmp_path / "panel.csv").uns["jaxssl"]["scale"] == "linear"
    frame.round().to_csv(tmp_path / "counts.csv")
    assert read(tmp_path / "counts.csv").uns["jaxssl"]["scale"] == "counts"


@pytest.mark.parametrize(
    ("called", "x", "fix"),
    [
        ("e.csv", [-3.0, 4.5], "pass `scale=log_ratio`, or `scale=log2` if they are logarithms"),
        ("e.csv", [0.0, 0.9], "pass `scale=counts`, linear or log2"),
        ("e.csv", [-3.0, 80.5], "correct the values"),
        ("Ct_values.csv", [16.5, 36.5], "write them as 40 - Ct, or -dCt, and pass `scale=log2`"),
        ("dCt.csv", [-1.5, 14.5], "write them as 40 - Ct, or -dCt, and pass `scale=log2`"),
    ],
)
def test_no_scale_that_the_values_exclude_is_advised(tmp_path, called, x, fix):
    frame = pd.DataFrame(np.linspace(*x, 48).reshape(8, 6), index=GENES, columns=GSM)
    frame.rename_axis("gene").to_csv(tmp_path / called)
    assert f"; {fix}" in refusal(tmp_path / called)
    for scale in re.findall(r"scale=(\w+)", fix):
        assert read(tmp_path / called, scale=scale).uns["jaxssl"]["scale"] == scale


def test_small_whole_values_are_counts_where_the_file_is_called_so(tmp_path):
    frame = pd.DataFrame(np.arange(48).reshape(8, 6) % 20, index=GENES, columns=GSM)
    for name, scale in (("smallRNA_counts.csv", "counts"), ("log2_counts.csv", "")):
        frame.rename_axis("gene").to_csv(tmp_path / name)
        assert inspect(tmp_path / name).scale == scale
    adata = read(tmp_path / "smallRNA_counts.csv")
    assert adata.uns["jaxssl"]["scale"] == "counts"
    np.testing.assert_array_equal(adata.X, frame.T)


def test_intensities_less_their_background_are_linear_and_none_below_0(tmp_path):
    x = 2 ** np.random.default_rng(0).uniform(4, 14, (8, 6)).astype(np.float32) - 60
    pd.DataFrame(x, index=GENES, columns=GSM).rename_axis("ID_REF").to_csv(tmp_path / "x.csv")
    assert x.min() < 0
    said = "pass `scale=linear` if a background was subtracted: values below 0 become 0"
    for scale in ("auto", "counts", "log2"):
        assert refusal(tmp_path / "x.csv", scale=scale).endswith(said)
    adata = read(tmp_path / "x.csv", scale="linear")
    np.testing.assert_allclose(adata.X, np.maximum(x.T, 0), rtol=1e-6)
    assert f"values below 0, from {x.min():.4g} on, become 0" in adata.uns["jaxssl"]["notes"]
    held = AnnData(x.T, var=pd.DataFrame(index=GENES), uns={"jaxssl": {"scale": "linear"}})
    with pytest.raises(InputError, match="set values below 0 to 0 if a background was subtracted"):
        recorded_scale(held, x.T)
