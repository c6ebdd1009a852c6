"""Inspection tells what is there, and its advice works."""

import gzip
import json
import re
import shlex
from dataclasses import fields
from pathlib import Path

import miniatures
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from jaxssl.data.columns import possible_groups
from jaxssl.data.expression import read
from jaxssl.data.inspect import FileReport, inspect
from launch.inspect import next_command

GENES = [f"ENSG{i:011d}.2" for i in range(30)]
SAMPLES = [f"GSM{i}" for i in range(24)]


def write_pair(folder):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.uniform(0, 14, (30, 24)).round(2), index=GENES, columns=SAMPLES)
    frame.iloc[4] = 3.0
    frame.iloc[7, 2] = np.nan
    frame.iloc[8, 3] = 0.0
    frame.to_csv(folder / "x.tsv.gz", sep="\t")
    table = pd.DataFrame({"run": SAMPLES, "tissue": ["a", "b", "c"] * 8})
    table["patient"] = [f"p{i // 2}" for i in range(24)]
    table.to_csv(folder / "labels.csv", index=False)
    return folder / "x.tsv.gz", folder / "labels.csv"


def test_findings_count_what_was_planted(tmp_path):
    facts = inspect(*write_pair(tmp_path))
    assert (facts.n_samples, facts.n_genes) == (24, 30)
    assert facts.orientation == "genes_in_rows"
    assert facts.gene_id_type == "Ensembl gene"
    assert facts.scale == "log2"
    assert facts.n_constant_genes == 1
    assert facts.missing_share == 1 / 720
    assert facts.n_genes_with_missing == 1
    assert facts.columns["tissue"]["classes"] == {"a": 8, "b": 8, "c": 8}
    assert facts.columns["patient"] == {"role": "group", "n_labelled": 24, "n_groups": 12}
    assert FileReport(**json.loads(json.dumps(facts.to_dict()))) == facts
    assert "problem      0.14% of the values are missing" in str(facts)


def test_proposed_command_reads_the_file(tmp_path):
    words = shlex.split(next_command(inspect(*write_pair(tmp_path))))
    flags = dict(word[2:].split("=", 1) for word in words if word.startswith("--"))
    assert flags.pop("out") == "x.h5ad"
    adata = read(words[-1], **flags)
    assert adata.uns["jaxssl"]["label"] == "tissue"
    assert adata.uns["jaxssl"]["group"] == "patient"


def flags_of(command):
    words = shlex.split(command)
    flags = dict(word[2:].split("=", 1) for word in words if word.startswith("--"))
    return words[-1], {k: v.split(",") if k == "text_columns" else v for k, v in flags.items()}


def test_proposed_command_keeps_text_beside_a_rule_and_the_layer_that_was_looked_at(tmp_path):
    x = np.random.default_rng(0).uniform(0, 14, (24, 30)).round(2)
    frame = pd.DataFrame(x, index=SAMPLES, columns=GENES)
    told = {"disease": ["normal", "glioma"] * 12, "note": "as it came"}
    frame.assign(**told).to_csv(tmp_path / "x.csv")
    path, flags = flags_of(next_command(inspect(tmp_path / "x.csv")))
    del flags["out"]
    assert flags == {"label_rule": "cancer", "text_columns": ["note"]}
    assert set(read(path, **flags).obs["cancer"]) == {"not_cancer", "cancer"}
    counts = np.rint(2**x)
    adata = AnnData(frame, layers={"counts": counts})
    adata.write_h5ad(tmp_path / "x.h5ad")
    path, flags = flags_of(next_command(inspect(tmp_path / "x.h5ad", layer="counts")))
    np.testing.assert_array_equal(read(path, layer=flags["layer"]).X, counts)


def test_columns_that_may_hold_groups_are_those_of_patients(tmp_path):
    _, labels = write_pair(tmp_path)
    assert possible_groups(pd.read_csv(labels, dtype=str)) == ["patient"]


def test_a_column_of_few_labels_is_proposed_before_what_the_names_of_samples_tell(tmp_path):
    names = [f"TCGA-A1-A{i:03d}-{'01' if i % 2 else '11'}A" for i in range(24)]
    values = np.random.default_rng(0).uniform(0, 14, (24, 30))
    pd.DataFrame(values, names, GENES).to_csv(tmp_path / "x.csv")
    rare = ["i", "i", "ii", "ii", "iii", "iv", *[""] * 18]  # fewer than two a class
    table = pd.DataFrame({"id": names, "stage": [*"aaabbc", *[""] * 18], "other": rare})
    table.to_csv(tmp_path / "labels.csv", index=False)
    facts = inspect(tmp_path / "x.csv", tmp_path / "labels.csv")
    assert facts.options["label"] == "stage"
    assert list(facts.columns) == ["stage", "donor_by_name", "tcga_sample_type"]
    assert inspect(tmp_path / "x.csv").options["label"] == "tcga_sample_type"


def test_table_of_samples_is_told_from_a_matrix(tmp_path):
    _, labels = write_pair(tmp_path)
    facts = inspect(labels)
    assert facts.kind == "samples"
    assert facts.n_samples == 24
    assert "tissue: 3 classes, 24 labelled (a 8, b 8, c 8)" in str(facts)


def test_few_samples_beside_many_annotations_of_their_genes_are_expression(tmp_path):
    told = ["KEGG_Pathway", "GO_Component", "GO_Function", "NR_annotation", "Swissprot"]
    frame = pd.DataFrame({f"WT_{i}": np.arange(30) * 9 + i for i in range(3)}, index=GENES)
    frame.assign(**{name: f"a {name}" for name in told}).to_csv(
        tmp_path / "x.tsv", sep="\t", index_label="gene_id"
    )
    report = inspect(tmp_path / "x.tsv")
    assert (report.kind, report.n_samples, report.n_genes) == ("expression", 3, 30)
    assert report.options["text_columns"] == told
    adata = read(tmp_path / "x.tsv", text_columns=told)
    assert list(adata.var) == told
    np.testing.assert_array_equal(adata.X, frame.T)


def test_unclear_files_are_described_not_refused(tmp_path):
    frame = pd.DataFrame(np.eye(4) * 30.5, index=list("abcd"), columns=list("wxyw"))
    frame.to_csv(tmp_path / "x.csv")
    facts = inspect(tmp_path / "x.csv")
    assert facts.orientation == ""
    assert facts.scale == ""
    assert {"orientation", "scale"} <= {k for k, v in facts.options.items() if v == "WHICH"}


def test_real_set_is_described_as_its_readme_has_it(data_dir):
    folder = data_dir / "tcga_mirna_pancan"
    facts = inspect(folder / "expression.npz", folder / "labels.csv")
    assert facts.gene_id_type == "miRNA"
    assert facts.n_constant_genes == 16
    assert len(facts.columns["label20"]["classes"]) == 20
    assert facts.columns["label20"]["n_labelled"] == 9388


def test_what_stops_an_import_stands_under_problems_with_its_flag(tmp_path):
    facts = inspect(miniatures.recount3(tmp_path))
    assert (facts.scale, facts.scale_reason) == ("coverage", "as the format has it")
    assert facts.options["read_length"] == "star.average_mapped_length"
    frame = pd.DataFrame(miniatures.values(), index=["s", "s", *"abcd"], columns=miniatures.GENES)
    frame.iloc[0, 0] = np.inf
    frame.to_csv(tmp_path / "x.csv")
    table = tmp_path / "labels.csv"
    table.write_text("id,site\nx,u\ny,v\n")
    facts = inspect(tmp_path / "x.csv", table)
    assert facts.options["duplicate_samples"] == "first"
    assert not {"orientation", "scale", "impute", "duplicates"} & set(facts.options)
    assert [problem.partition(":")[0] for problem in facts.problems] == [
        "1 sample ids occur more than once",
        "1 values are infinite",
        "the labels do not match the samples",
    ]
    assert "labels       only 0 of 6 samples" in str(facts)


@pytest.mark.parametrize(
    ("n_genes", "n_samples", "advice"), [(20, 10, "drop_genes"), (20, 1, "mean"), (60, 10, "mean")]
)
def test_genes_that_a_batch_lacks_are_proposed_to_be_dropped(tmp_path, n_genes, n_samples, advice):
    rng = np.random.default_rng(0)
    x = rng.normal(8, 2, (100, 30)).round(3)
    x[:n_genes, :n_samples] = np.nan
    genes = [f"ENSG{i:011d}" for i in range(3, 103)]
    frame = pd.DataFrame(x, genes, [f"GSM{i}" for i in range(1000, 1030)])
    frame.to_csv(tmp_path / "x.csv", index_label="gene")
    options = inspect(tmp_path / "x.csv").options
    assert options["impute"] == advice
    kept = read(tmp_path / "x.csv", impute=options["impute"])
    assert kept.n_vars == (80 if advice == "drop_genes" else 100)


def test_samples_that_the_import_leaves_out_are_not_counted(tmp_path):
    facts = inspect(miniatures.archs4(tmp_path))
    assert (facts.n_samples, facts.n_genes, facts.scale) == (5, 8, "counts")


def test_rules_that_the_labels_allow_are_proposed_with_their_classes(tmp_path):
    path, labels = miniatures.xena_toil(tmp_path), miniatures.xena_survival(tmp_path)
    assert "`label_rule=tcga20`: 4 classes (BRCA 2, normal 1, SKCM 1, LAML 1)" in str(
        inspect(path, labels)
    )


def test_a_rule_that_gives_one_class_is_no_question(tmp_path):
    path, labels = miniatures.xena_toil(tmp_path), miniatures.xena_survival(tmp_path)
    rows = labels.read_text().splitlines()
    labels.write_text("\n".join([rows[0], rows[1], rows[3]]) + "\n")  # both are BRCA tumours
    alone = pd.read_csv(path, sep="\t", index_col=0).iloc[:, [0, 2]]
    alone.to_csv(tmp_path / "x.tsv", sep="\t")
    assert inspect(tmp_path / "x.tsv", labels).rules == {}


def test_of_a_long_text_the_start_is_judged_unless_all_is_wanted(tmp_path, monkeypatch):
    monkeypatch.setattr("jaxssl.data.inspect._LIMIT", 600)
    monkeypatch.setattr("jaxssl.data.formats.delimited._CHUNK", 200)
    path, _ = write_pair(tmp_path)
    text = tmp_path / "x.tsv"
    text.write_bytes(gzip.decompress(path.read_bytes()))
    cut, whole = inspect(text), inspect(text, whole=True)
    assert cut.n_genes < whole.n_genes == 30
    assert f"the first {600 / text.stat().st_size:.0%} of" in str(cut)
    assert "pass `whole`" not in str(whole)


def test_parquet_of_samples_is_told_from_a_matrix(tmp_path):
    table = pd.DataFrame({"id": SAMPLES, "tissue": ["a", "b"] * 12})
    table.to_parquet(tmp_path / "labels.parquet")
    assert inspect(tmp_path / "labels.parquet").kind == "samples"


def test_every_field_of_the_json_is_documented():
    page = (Path(__file__).parents[1] / "docs" / "inspect_json.md").read_text()
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    documented = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(documented) == sorted([*(f.name for f in fields(FileReport)), "next"])


@pytest.mark.parametrize(("name", "is_proposed"), [("group", False), ("patient group", True)])
def test_treatments_within_a_class_are_not_proposed_as_groups(tmp_path, name, is_proposed):
    samples = [f"S{i}" for i in range(24)]
    frame = pd.DataFrame(np.arange(720).reshape(30, 24), GENES, samples)
    frame.rename_axis("gene").to_csv(tmp_path / "x.csv")
    table = pd.DataFrame({"sample": samples, "disease": ["AD"] * 12 + ["CT"] * 12})
    table[name] = [f"{kind}_{'mf'[i // 6 % 2]}" for i, kind in enumerate(table["disease"])]
    table.to_csv(tmp_path / "labels.csv", index=False)
    options = inspect(tmp_path / "x.csv", tmp_path / "labels.csv").options
    assert (options["label"], options.get("group")) == ("disease", name if is_proposed else None)
    table[name] = [f"g{i % 6}" for i in range(24)]  # litters: each in both classes
    table.to_csv(tmp_path / "labels.csv", index=False)
    assert inspect(tmp_path / "x.csv", tmp_path / "labels.csv").options["group"] == name
