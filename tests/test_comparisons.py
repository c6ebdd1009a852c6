"""Columns that compare groups or sum them up are no samples; samples that are called alike are."""

import numpy as np
import pandas as pd
import pytest
from miniatures import GENES
from traps import agree, notes_of, write

from jaxssl.data.expression import read
from jaxssl.data.inspect import inspect

SAMPLES = [f"S{i}" for i in range(1, 5)]


def agreed(folder, columns, corner="gene"):
    """Samples of a table with these columns, in which each holds its place; `inspect` agrees."""
    lines = [",".join([corner, *columns])]
    lines += [",".join([gene, *(f"{i}.5" for i in range(len(columns)))]) for gene in GENES]
    path = write(folder / "x.csv", "\n".join(lines) + "\n")
    adata, report = read(path, scale="log2"), inspect(path)
    assert (report.n_samples, report.n_genes) == adata.shape
    assert set(report.notes) <= set(adata.uns["jaxssl"]["notes"].splitlines())
    places = [columns.index(name) + 0.5 for name in adata.obs_names]
    assert adata.to_df().iloc[:, 0].tolist() == places
    return list(adata.obs_names)


@pytest.mark.parametrize(
    "more",
    [
        ["WT_mean", "KO_mean", "WT_sd", "KO_sd", "FC", "log2(KO/WT)", "t-test p-value"],
        ["avg_WT", "KO Avg (log2)", "KO Standard Deviation", "Fold Change", "FDR P-val", "p"],
        ["p-value(KO vs. WT)", "Ratio(KO vs. WT)", "LSMean(KO)", "F(group)", "SS(Error)"],
        ["p ([KO] vs [WT])", "FCAbsolute ([KO] vs [WT])", "Log FC ([KO] vs [WT])"],
        ["KO_vs_WT_log2FoldChange", "KO_vs_WT_padj", "KOvsWT.logFC", "padj.KO.vs.WT"],
        ["log2(S4/S1)", "Qvalue(S4/S1)", "Log2Ratio(S4/S1)"],
        ["mean_WT", "meanKO", "KOavg", "Median.KO", "sd_KO", "sdKO"],
        ["S4/S1", "S4_vs_S1", "S4vsS1", "S4 vs. S1", "-log10(p)", "neglog10padj"],
    ],
    ids=["excel", "tac", "partek", "genespring", "deseq2", "bgi", "means", "sides"],
)
def test_results_beside_samples_are_none(tmp_path, more):
    assert agreed(tmp_path, [*SAMPLES, *more]) == SAMPLES


@pytest.mark.parametrize(
    "samples",
    [
        ["FC_1", "FC_2", "TC_1", "TC_2"],  # frontal and temporal cortex
        ["WT_LD", "WT_SD", "KO_LD", "KO_SD"],  # long and short days
        ["WT_mean", "KO_mean"],
        ["T1 vs ref log2 ratio", "T2 vs ref log2 ratio"],
        ["TCGA-VS-A8Q8-01", "TCGA-VS-A8Q9-01", "TCGA-FC-A4JI-01"],
        ["F(1)", "F(2)", "M(1)"],
        ["mean_WT", "meanKO"],
        ["KO/WT", "KO2/WT", "HET/WT"],
        ["Apc fl/fl 1", "Apc fl/fl 2", "Apc wt/fl"],
    ],
    ids=[
        *("cortex", "days", "means", "two colours", "barcodes", "female", "joined", "ratios"),
        "alleles",
    ],
)
def test_samples_that_are_called_as_results_stay(tmp_path, samples):
    assert agreed(tmp_path, samples) == samples


@pytest.mark.parametrize(
    ("columns", "samples"),
    [
        ([f"{s}_{m}" for s in SAMPLES for m in ("raw", "norm")], SAMPLES),
        ([f"[{s}]({m})" for s in SAMPLES for m in ("raw", "normalized")], None),
        ([f"{m}-{s}" for s in SAMPLES for m in ("MIN_Signal", "AVG_Signal", "NARRAYS")], SAMPLES),
        (["Positive Flag %", "% Samples above Threshold", *SAMPLES], SAMPLES),
        (["GWEIGHT", *SAMPLES], SAMPLES),
    ],
    ids=["raw", "genespring", "beadstudio", "nsolver", "pcl"],
)
def test_each_sample_is_one_column(tmp_path, columns, samples):
    lines = [",".join(["gene", *columns])]
    lines += [",".join([gene, *(f"{i}.5" for i in range(len(columns)))]) for gene in GENES]
    path = write(tmp_path / "x.csv", "\n".join(lines) + "\n")
    adata = read(path, scale="log2")
    assert list(adata.obs_names) == (samples or [f"[{s}]" for s in SAMPLES])
    assert inspect(path).n_samples == len(SAMPLES)


def test_clusters_and_coordinates_of_cells_are_no_genes(tmp_path):
    facts = ["seurat_clusters", "leiden", "UMAP_1", "n_genes_by_counts", "RNA_snn_res.0.8"]
    lines = [",".join(["cell", *facts, *GENES])]
    lines += [f"AAACCTGAGAAACC{c}-1,1,2,3,4,5{',6' * len(GENES)}" for c in "ACGT"]
    adata = read(write(tmp_path / "x.csv", "\n".join(lines) + "\n"), scale="counts")
    assert list(adata.var_names) == GENES
    assert set(facts) <= set(adata.obs)


def test_a_total_beside_normalised_values_is_the_sum_of_the_others(tmp_path):
    columns = ["read_count", "total", "S1", "S2", "S1(norm)", "S2(norm)"]  # of miRDeep2
    lines = ["\t".join(["#miRNA", *columns])]
    lines += [f"hsa-miR-{i}\t50\t50\t20\t30\t0.4\t0.6" for i in range(9)]
    adata = read(write(tmp_path / "x.tsv", "\n".join(lines) + "\n"), scale="counts")
    assert adata.to_df().iloc[:, 0].to_dict() == {"S1": 20, "S2": 30}


def test_samples_below_merged_cells_are_named_not_merged(tmp_path):
    lines = ["gene,WT,,KO,", *(f"{gene},1.5,2.5,3.5,4.5" for gene in GENES)]
    report = inspect(write(tmp_path / "x.csv", "\n".join(lines) + "\n"))
    assert "duplicate_samples" not in report.options
    assert report.notes == ["2 samples have no id, as below merged cells: name each in the file"]


def profiles(n_genes=60):
    """Two groups of three samples that are alike, as samples are; log2."""
    rng = np.random.default_rng(3)
    x = rng.gamma(2, 3, (n_genes, 1)) + rng.normal(0, 0.3, (n_genes, 6))
    names = [f"{group}_{i}" for group in ("WT", "KO") for i in (1, 2, 3)]
    frame = pd.DataFrame(x.clip(0), [f"ENSG{i:011d}" for i in range(n_genes)], names)
    return frame.round(3).rename_axis("gene")


@pytest.mark.parametrize("name", ["FC", "ratio", "KO/CTRL", "KO-WT", "KO_WT", "Ratio KO/WT", "T"])
@pytest.mark.parametrize("is_log", [True, False])
def test_a_result_is_told_by_values_that_no_sample_has(tmp_path, name, is_log):
    frame = profiles()
    change = frame.iloc[:, 3:].mean(axis=1) - frame.iloc[:, :3].mean(axis=1)
    frame.assign(**{name: change if is_log else 2**change}).to_csv(tmp_path / "x.csv")
    adata = agree(tmp_path / "x.csv")
    np.testing.assert_array_equal(adata.to_df().T, frame.to_numpy(np.float32))
    assert f"1 results of a comparison left out: {name}" in notes_of(adata)


@pytest.mark.parametrize("name", ["FC", "T", "KO-WT", "diff"])
def test_a_sample_is_told_by_values_that_samples_have(tmp_path, name):
    frame = profiles()
    frame[name] = frame["WT_1"] + np.tile([0.1, 0.2], 30)
    frame.assign(padj=0.5).to_csv(tmp_path / "x.csv")
    adata = agree(tmp_path / "x.csv")
    assert list(adata.obs_names) == list(frame)
    assert name not in notes_of(adata)


def test_what_values_leave_in_doubt_is_told_and_can_be_kept_as_text(tmp_path):
    frame = profiles().sub(profiles().mean(axis=1), axis=0).round(3)  # samples are not alike
    frame["FC"] = frame["KO_1"][::-1].to_numpy()
    frame.to_csv(tmp_path / "x.csv")
    adata = agree(tmp_path / "x.csv", scale="log_ratio")
    assert adata.n_obs == 7
    said = "may be results of a comparison: FC; `text_columns=FC` keeps what is none as text"
    assert said in notes_of(adata)
    told = read(tmp_path / "x.csv", scale="log_ratio", text_columns=["FC"])
    assert list(told.obs_names) == list(frame)[:6]
    assert told.var["FC"].astype(float).tolist() == frame["FC"].tolist()


def test_vs_in_a_barcode_compares_nothing(tmp_path):
    frame = profiles().sub(profiles().mean(axis=1), axis=0).round(3)  # samples are not alike
    frame["TCGA-VS-A8EB-01"] = frame["KO_1"][::-1].to_numpy()
    frame.to_csv(tmp_path / "x.csv")
    adata = agree(tmp_path / "x.csv", scale="log_ratio")
    assert adata.n_obs == 7
    assert "results of a comparison" not in notes_of(adata)


@pytest.mark.parametrize(
    "names",
    [
        ["P1", "P1_norm", "P2", "P2_norm", "P3", "P3_norm"],
        ["A", "A_FLAG", "B", "B_FLAG", "C", "C_FLAG"],
        ["Ctrl", "Ctrl_RAW", "LPS", "LPS_RAW", "IFN", "IFN_RAW"],
        ["HUVEC_1", "HUVEC_2", "SMC_1", "SMC_2", "HUVEC/SMC_1", "LVS_A"],
        ["LD", "SD", "LD_cold", "SD_cold", "LD_hot", "SD_hot"],
        ["start", "mid", "end", "target", "control", "group"],
    ],
    ids=["normal", "tagged", "cells", "cultures", "days", "times"],
)
@pytest.mark.parametrize("is_turned", [True, False])
def test_samples_called_as_measures_and_facts_stay_by_their_values(tmp_path, names, is_turned):
    frame = profiles().set_axis(names, axis=1)
    (frame if is_turned else frame.T.rename_axis("sample")).to_csv(tmp_path / "x.csv")
    adata = agree(tmp_path / "x.csv")
    assert list(adata.obs_names) == names
    np.testing.assert_array_equal(adata.to_df().T, frame.to_numpy(np.float32))


def test_columns_of_numbers_that_no_sample_has_are_text_about_the_genes(tmp_path):
    rng, frame = np.random.default_rng(4), profiles()
    more = {"se_b": rng.random(60), "hedges_g": rng.normal(0, 1, 60), "tau": rng.random(60)}
    more |= {"cds_length": rng.integers(300, 9000, 60), "idx": np.arange(60)}
    frame.assign(**more).round(3).to_csv(tmp_path / "x.csv")
    adata = agree(tmp_path / "x.csv")
    assert list(adata.obs_names) == list(frame)
    assert adata.uns["jaxssl"]["scale"] == "log2"
    assert set(adata.var) == set(more)
    assert adata.var["idx"].astype(int).tolist() == list(range(60))


def test_means_and_extremes_of_others_are_no_samples(tmp_path):
    frame = profiles()
    wt = frame.iloc[:, :3]
    frame.assign(WT=wt.mean(axis=1).round(4), min_WT=wt.min(axis=1), max_WT=wt.max(axis=1)).to_csv(
        tmp_path / "x.csv"
    )
    adata = agree(tmp_path / "x.csv")
    assert list(adata.obs_names) == list(frame)
    assert "3 statistics over groups of samples left out: WT, min_WT, max_WT" in notes_of(adata)


def test_normals_stay_beside_tumours_of_whom_one_has_none_and_where_a_value_is_missing(tmp_path):
    rng = np.random.default_rng(0)
    names = ["P1", "P2", "P3", "P5", "P1_norm", "P2_norm", "P3_norm", "P4_norm"]
    genes = [f"ENSG{i:011d}" for i in range(1, 41)]
    level = rng.uniform(2, 12, size=(40, 1))
    frame = pd.DataFrame(level + rng.normal(size=(40, 8)), genes, names).clip(0.1).round(3)
    frame.to_csv(tmp_path / "x.csv", index_label="gene")
    assert list(agree(tmp_path / "x.csv").obs_names) == names
    frame.iloc[3, 1] = np.nan
    frame.to_csv(tmp_path / "y.csv", index_label="gene")
    assert list(agree(tmp_path / "y.csv", impute="mean").obs_names) == names


def test_a_total_and_a_spread_are_such_where_a_value_is_missing(tmp_path):
    rng = np.random.default_rng(0)
    genes = [f"ENSG{i:011d}" for i in range(1, 41)]
    x = rng.uniform(2, 12, size=(40, 1)) + rng.normal(size=(40, 4))
    frame = pd.DataFrame(x.clip(0.1).round(3), genes, ["A1", "A2", "B1", "B2"])
    whole = frame.assign(total=frame.sum(axis=1), mean=frame.mean(axis=1), SD=frame.std(axis=1))
    whole.iloc[3, 1] = np.nan
    whole.to_csv(tmp_path / "x.csv", index_label="gene")
    assert list(agree(tmp_path / "x.csv", impute="mean").obs_names) == list(frame)


@pytest.mark.parametrize("gaps", ["in every row", "an empty sample", "both"])
def test_what_is_no_sample_is_told_where_no_gene_has_all_values(tmp_path, gaps):
    frame, rng = profiles(), np.random.default_rng(5)
    names = list(frame)
    if gaps != "an empty sample":
        frame = frame.mask(np.arange(60)[:, None] % 6 == np.arange(6))
    wt, ko = frame.iloc[:, :3], frame.iloc[:, 3:]
    more = {"WT": wt.mean(axis=1).round(4), "KO": ko.mean(axis=1), "max_KO": ko.max(axis=1)}
    more |= {"SD": frame.std(axis=1), "tau": rng.random(60)}
    if gaps != "in every row":
        frame.insert(3, "WT_4", np.nan)
    frame.assign(**more).to_csv(tmp_path / "x.csv")
    adata = agree(tmp_path / "x.csv", impute="mean")
    assert list(adata.obs_names) == names
    assert adata.uns["jaxssl"]["scale"] == "log2"
    there = frame[names].notna().to_numpy().T
    np.testing.assert_array_equal(adata.X[there], frame[names].to_numpy("f4").T[there])
    assert "statistics over groups of samples left out: WT, KO, max_KO" in notes_of(adata)
    assert "columns unlike the samples kept as text: tau" in notes_of(adata)
    frame.assign(total=frame.sum(axis=1), SD=more["SD"]).to_csv(tmp_path / "y.csv")
    assert list(agree(tmp_path / "y.csv", impute="mean").obs_names) == names


def test_a_doubt_is_told_and_samples_stay_where_no_gene_has_all_values(tmp_path):
    frame = profiles()
    gaps = np.arange(60)[:, None] % 7 == np.arange(7)
    frame["T"] = frame["WT_1"] + np.tile([0.1, 0.2], 30)
    frame.mask(gaps).to_csv(tmp_path / "x.csv")
    adata = agree(tmp_path / "x.csv", impute="mean")
    assert list(adata.obs_names) == list(frame)
    assert "taken for samples" not in notes_of(adata)
    frame.assign(T=np.random.default_rng(5).random(60)).rename(columns={"T": "tau"}).mask(
        gaps
    ).to_csv(tmp_path / "y.csv")
    said = "may be results of a comparison: tau; `text_columns=tau` keeps what is none as text"
    assert said in notes_of(agree(tmp_path / "y.csv", impute="mean"))
