"""What a table of samples or of genes may have that is read wrong by those who do not expect it."""

import miniatures
import numpy as np
import pandas as pd
import pytest
from miniatures import BARCODES, GENES, GSM, genes_in_rows, values
from traps import matrix, refusal, samples_in_rows, table, write

from jaxssl.data.annotation import read_annotation
from jaxssl.data.cancer_status import cancer_of, derive
from jaxssl.data.expression import read
from jaxssl.data.inspect import inspect


def test_a_quote_that_is_not_closed_spoils_no_other_row(tmp_path):
    notes = ['"5 prime', "a", '3" end', "b", "c", "d"]
    rows = [f"{g}\t{n}\t{v}" for g, n, v in zip(GSM, notes, "uvwxyz", strict=True)]
    labels = table(tmp_path, "\n".join(["id\tnote\tlabel", *rows]) + "\n")
    adata = read(matrix(tmp_path), labels=labels, label="label")
    assert list(adata.obs["label"]) == list("uvwxyz")
    assert list(adata.obs["note"])[:3] == ['"5 prime', "a", '3" end']


def test_two_columns_that_could_be_the_ids_are_asked_about(tmp_path):
    frame = pd.DataFrame(values()[:4], index=list("1234"), columns=GENES)
    frame.to_csv(tmp_path / "x.csv")
    labels = table(tmp_path, "row,id,label\n1,4,D\n2,3,C\n3,2,B\n4,1,A\n", "labels.csv")
    options = {"labels": labels, "label": "label"}
    assert "columns row and id" in refusal(tmp_path / "x.csv", **options)
    adata = read(tmp_path / "x.csv", sample_column="id", **options)
    assert list(adata.obs["label"]) == list("ABCD")
    misspelt = table(tmp_path, "row,id,label\n1,4,D\n2,3,C\n3,2,B\n4,l,A\n", "misspelt.csv")
    message = refusal(tmp_path / "x.csv", labels=misspelt, label="label")
    assert "columns row and id" in message, "though only one of them names every sample"


@pytest.mark.parametrize("name", ["NA", "nan", "null", "N/A"])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_sample_that_is_called_like_nothing_finds_its_label(tmp_path, name, form):
    frame = pd.DataFrame(values()[:4], index=[name, *"234"], columns=GENES)
    frame.to_csv(tmp_path / "x.csv")
    labels = pd.DataFrame({"id": [name, *"234"], "label": [*"ABC", name], "note": "NA"})
    path = tmp_path / f"labels.{form}"
    labels.to_csv(path, index=False) if form == "csv" else labels.to_parquet(path)
    adata = read(tmp_path / "x.csv", labels=path, label="label")
    assert list(adata.obs["label"]) == ["A", "B", "C", ""]  # a label of that name is still none
    assert set(adata.obs["note"]) == {""}


def test_donors_of_mixed_projects_are_told_apart(tmp_path):
    names = ["GTEX-S4Q7-0003-SM-3NM8M", "GTEX-S4Q7-1126-SM-4AD5A", *BARCODES[:2],
             "TARGET-20-PANLIZ-09", "K-562-SM-2D7VW"]  # fmt: skip
    path = write(tmp_path / "x.tsv", genes_in_rows("sample", names, GENES, values()))
    adata = read(path)
    assert list(adata.obs["donor_by_name"]) == [
        *["GTEX-S4Q7"] * 2, *["TCGA-A1-A0SB"] * 2, "TARGET-20-PANLIZ", "K-562",
    ]  # fmt: skip


def test_a_rule_replaces_no_value_that_the_samples_have(tmp_path):
    diseases = ["normal", "breast cancer", "asthma", "not stated", "glioma", "normal"]
    rows = [f"{g}\t{d}" for g, d in zip(GSM, diseases, strict=True)]
    by_hand = ["", "cancer", "not_cancer", "", "cancer", "not_cancer"]
    more = [f"{row}\t{c}" for row, c in zip(rows, by_hand, strict=True)]
    labels = table(tmp_path, "\n".join(["id\tdisease\tcancer", *more]) + "\n", "by_hand.tsv")
    message = refusal(matrix(tmp_path), labels=labels, label_rule="cancer")
    assert "have one that differs in 1 (first: '', by the rule 'not_cancer')" in message
    assert inspect(matrix(tmp_path), labels=labels).rules == {}
    plain = table(tmp_path, "\n".join(["id\tdisease", *rows]) + "\n", "plain.tsv")
    made = read(matrix(tmp_path), labels=plain, label_rule="cancer")
    assert list(made.obs["cancer"]) == ["not_cancer", *by_hand[1:]]
    assert inspect(matrix(tmp_path), labels=plain).rules == {
        "cancer": {"not_cancer": 3, "cancer": 2}
    }


def test_a_cell_line_is_one_group_whatever_its_study():
    lines, studies = ["MCF-7", "MCF-7", "", "not available"], ["S1", "S2", "S1", "S2"]
    obs = pd.DataFrame({"disease": "breast cancer", "cell line": lines, "study": studies})
    made, _ = derive(obs)
    assert list(made["group"]) == ["MCF-7", "MCF-7", "S1", "S2"]


def test_a_column_that_is_misspelt_is_proposed_whatever_its_case(tmp_path):
    labels = table(tmp_path, "\n".join(["id\tpam50", *(f"{g}\ta" for g in GSM)]) + "\n")
    message = refusal(matrix(tmp_path), labels=labels, label="PAM50")
    assert "did you mean pam50?" in message


@pytest.mark.parametrize(
    ("disease", "status"),
    [
        ("acute myeloid leukemia with normal karyotype", "cancer"),
        ("breast cancer, control", "cancer"),
        ("normal-like breast carcinoma", "cancer"),
        ("Hodgkin disease", "cancer"),
        ("meningioma", "cancer"),
        ("carcinoid", "cancer"),
        ("polycythemia vera", "cancer"),
        ("leukopenia", "not_cancer"),
        ("adrenoleukodystrophy", "not_cancer"),
        ("non-tumor", "not_cancer"),
        ("biopsy (status not stated)", ""),
        ("breast cancer, HER2 status unknown", "cancer"),
        ("breast cancer, family history of cancer", "cancer"),
        ("invasive breast carcinoma, no evidence of lymph node malignancy", "cancer"),
        ("history of breast cancer", "not_cancer"),
        ("NSCLC", ""),
        ("NORMAL", "not_cancer"),
        ("adjacent non-tumorous tissue", "not_cancer"),
        ("cancer free", "not_cancer"),
        ("Healthy control donor", "not_cancer"),
        ("normal", "not_cancer"),
        ("tumor necrosis factor receptor associated periodic syndrome", "not_cancer"),
        ("type 2 diabetes", "not_cancer"),
        ("benign breast tumor", ""),
        ("not known", ""),
        ("--", ""),
    ],
)
def test_cancer_is_what_the_disease_says(disease, status):
    assert cancer_of(disease) == status


def test_a_later_table_that_is_silent_erases_nothing(tmp_path):
    first = table(tmp_path, "id\tlabel\n" + "".join(f"{g}\ta\n" for g in GSM))
    second = table(tmp_path, "id\tlabel\n" + "".join(f"{g}\tb\n" for g in GSM[:3]), "second.tsv")
    adata = read(matrix(tmp_path), labels=[first, second], label="label")
    assert list(adata.obs["label"]) == ["b"] * 3 + ["a"] * 3
    assert f"only in the data: {GSM[3]}" in adata.uns["jaxssl"]["notes"]


def test_values_missing_from_genes_that_the_map_drops_are_no_matter(tmp_path):
    path = matrix(tmp_path)
    lines = path.read_text().split("\n")
    lines[8] = lines[8].replace("\t", "\tNA\t", 1).rsplit("\t", 1)[0]
    lines[7] = lines[7].replace("\t", "\t-inf\t", 1).rsplit("\t", 1)[0]
    path.write_text("\n".join(lines))
    kept = table(tmp_path, "id\tsymbol\n" + "".join(f"{g}\tX{i}\n" for i, g in
                                                  enumerate(GENES[:5])))  # fmt: skip
    adata = read(path, gene_map=kept)
    np.testing.assert_array_equal(adata.X, values()[:, :5])
    lines[5] = lines[5].replace("\t", "\tNA\t", 1).rsplit("\t", 1)[0]
    path.write_text("\n".join(lines))
    assert "gene X4" in refusal(path, gene_map=kept)


def test_tables_of_two_cohorts_are_stacked(tmp_path):
    rows = [f"{g}\t{'ab'[i % 2]}\t{70 + i}\n" for i, g in enumerate(GSM)]
    cohorts = [
        table(tmp_path, "id\tlabel\tlength\n" + "".join(rows[half::2]), f"{half}.tsv")
        for half in (0, 1)
    ]
    adata = read(matrix(tmp_path), labels=cohorts, label="label", min_match=0.9)
    assert list(adata.obs["label"]) == ["a", "b"] * 3
    assert (
        inspect(matrix(tmp_path), cohorts).join == "6 of 6 samples found in column id of the labels"
    )


def test_two_files_and_a_map_with_a_symbol_twice(tmp_path):
    first = matrix(tmp_path)
    others = [f"GSM{900 + i}" for i in range(6)]
    second = write(tmp_path / "y.tsv", genes_in_rows("gene_id", others, GENES, values()))
    symbols = ["A", "A", "B", "C", "D", "", "E /// F", "G"]
    gpl = table(tmp_path, "id\tsymbol\n" + "".join(f"{g}\t{s}\n" for g, s in
                                                 zip(GENES, symbols, strict=True)))  # fmt: skip
    adata = read([first, second], gene_map=gpl, duplicates="max")
    x = values()
    expected = np.column_stack([np.maximum(x[:, 0], x[:, 1]), x[:, 2:5], x[:, 7]])
    np.testing.assert_array_equal(adata.X, np.tile(expected, (2, 1)))
    assert list(adata.var_names) == list("ABCDG")


@pytest.mark.parametrize("name", ["pandas.csv", "r.tsv", "index.parquet"])
def test_ids_without_a_heading_are_kept(tmp_path, name):
    frame = pd.DataFrame({"label": list("aabbcc")}, index=GSM)
    path = tmp_path / name
    if name == "r.tsv":
        path.write_text("label\n" + "".join(f"{g}\t{v}\n" for g, v in frame["label"].items()))
    elif name == "index.parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path)
    adata = read(matrix(tmp_path), labels=path, label="label")
    assert list(adata.obs["label"]) == list("aabbcc")


def test_tables_of_platforms_begin_below_any_number_of_comments(tmp_path):
    above = "^PLATFORM = GPL570\n" + "".join(f"!Platform_sample_id = GSM{i}\n" for i in range(9000))
    rows = "".join(f"{100 + i}_at\tS{i}\n" for i in range(8))
    soft = (
        f"{above}#ID = probe\n!platform_table_begin\nID\tGene Symbol\n{rows}!platform_table_end\n"
    )
    found = read_annotation(write(tmp_path / "GPL570.soft", soft))
    assert list(found.columns) == ["ID", "Gene Symbol"]
    assert list(found["ID"]) == [f"{100 + i}_at" for i in range(8)]
    adf = "Array Design Name\tX\n\n[main]\nComposite Element Name\tSymbol\n" + rows
    assert list(read_annotation(write(tmp_path / "x.adf.txt", adf))["Symbol"])[:2] == ["S0", "S1"]
    cbio = "#Patient\tAge\n#id\tyears\n#STRING\tNUMBER\n#1\t1\nPATIENT_ID\tAGE\np1\t60\n"
    assert list(read_annotation(write(tmp_path / "c.txt", cbio)).columns) == ["PATIENT_ID", "AGE"]


def test_names_that_anndata_keeps_for_itself_are_changed(tmp_path):
    labels = table(
        tmp_path, "id\t_index\ta\ta\ta (2)\n" + "".join(f"{g}\t1\t2\t3\t4\n" for g in GSM)
    )
    assert list(read_annotation(labels).columns) == ["id", "index", "a", "a (2)", "a (2) (2)"]


def test_label_column_of_the_file_is_found_beside_a_table(tmp_path):
    frame = pd.DataFrame(values(), index=GSM, columns=GENES)
    frame.insert(0, "tissue", list("aabbcc"))
    frame.to_csv(tmp_path / "x.csv")
    groups = table(tmp_path, "id\tpatient\n" + "".join(f"{g}\tp\n" for g in GSM))
    adata = read(tmp_path / "x.csv", labels=groups, label="tissue", group="patient")
    assert list(adata.obs["tissue"]) == list("aabbcc")


def test_messages_name_flags_that_exist(tmp_path):
    path, labels = miniatures.recount3(tmp_path), miniatures.recount3_qc(tmp_path)
    assert "for `read_length`" in refusal(path, labels=labels, read_length="length")
    assert "above 0" in refusal(path, read_length="inf")
    assert "for `gene_column`" in refusal(
        miniatures.xena_gdc(tmp_path), gene_map=miniatures.probemap(tmp_path), gene_column="sym"
    )
    assert "for `sample_column`" in refusal(matrix(tmp_path), labels=labels, sample_column="x")


def test_a_mistyped_column_is_found_before_the_matrix_is_read(tmp_path, monkeypatch):
    path, labels = matrix(tmp_path), miniatures.gpl(tmp_path)
    monkeypatch.setattr("jaxssl.data.plan.read_part", None)
    for options in (
        {"labels": labels, "label": "tisue"},
        {"labels": labels, "sample_column": "sampel"},
        {"gene_map": labels, "gene_column": "symbol"},
        {"label": "tissue"},
    ):
        assert "there is no" in refusal(path, **options)


def test_labels_inside_the_file_are_no_gene_even_where_a_table_has_them_too(tmp_path):
    samples_in_rows(label=[0, 1] * 3).to_csv(tmp_path / "x.csv")
    labels = table(tmp_path, "sample\tlabel\n" + "".join(f"{g}\t{i % 2}\n" for i, g in
                                                      enumerate(GSM)))  # fmt: skip
    for options in ({"label": "label"}, {"label": "label", "labels": labels}):
        adata = read(tmp_path / "x.csv", **options)
        assert list(adata.var_names) == GENES
        assert list(adata.obs["label"]) == ["0", "1"] * 3
    assert list(read(tmp_path / "x.csv").var_names) == GENES
    assert "did you mean label?" in refusal(tmp_path / "x.csv", text_columns=["labl"])


def test_a_label_that_is_na_is_none_and_one_that_is_none_is_one(tmp_path):
    samples_in_rows(label=["a", "b", "NA"] * 2, drug=["None", "x"] * 3).to_csv(tmp_path / "x.csv")
    adata = read(tmp_path / "x.csv", label="label", text_columns=["drug"])
    assert list(adata.obs["label"]) == ["a", "b", ""] * 2
    assert list(adata.obs["drug"]) == ["None", "x"] * 3


def test_a_break_inside_a_cell_is_refused(tmp_path):
    text = "sample,note,label\n" + "".join(f"{g},n,a\n" for g in GSM[:5])
    labels = table(tmp_path, text + f'{GSM[5]},"x\ny",a\n', "labels.csv")
    assert "quote that is not closed" in refusal(matrix(tmp_path), labels=labels)


@pytest.mark.parametrize("header", ["sample\ttissue", "cancer_type\tage2", "tissue\tbatch_id"])
def test_tables_as_r_writes_them_are_read(tmp_path, header):
    cells = [("GSM1\tliver" if "sample" in header else "liver\tb")] * 6
    numbered = header + "\n" + "".join(f"{i + 1}\t{c}\n" for i, c in enumerate(cells))
    found = read_annotation(write(tmp_path / "r.tsv", numbered))
    assert list(found["index"]) == list("123456")
    quoted = (
        "\t".join(f'"{n}"' for n in header.split("\t"))
        + "\n"
        + "".join(
            f'"{g}"\t' + "\t".join(f'"{x}"' for x in c.split("\t")) + "\n"
            for g, c in zip(GSM, cells, strict=True)
        )
    )
    assert list(read_annotation(write(tmp_path / "q.tsv", quoted))["index"]) == GSM


def test_numbers_in_a_table_of_samples_are_not_taken_for_genes(tmp_path):
    numbered = [str(i + 1) for i in range(8)]
    path = write(tmp_path / "x.tsv", genes_in_rows("entrez", GSM, numbered, values()))
    labels = table(tmp_path, "sample\tstage\tgrade\n" + "".join(
        f"{g}\t{1 + i % 3}\t{1 + i % 2}\n" for i, g in enumerate(GSM)))  # fmt: skip
    adata = read(path, labels=labels, label="stage")
    assert list(adata.obs["stage"]) == ["1", "2", "3"] * 2
