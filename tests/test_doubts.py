"""Labels reach the samples that they are of, or what may be wrong with them is asked or told."""

import anndata
import numpy as np
import pandas as pd
import pytest
from miniatures import GENES, SYMBOLS, genes_in_rows, values
from traps import refusal, table, write

from jaxssl.data.expression import read
from jaxssl.data.inspect import inspect

STATUS = ["case", "ctrl"] * 3
KINDS = ["KO"] * 3 + ["WT"] * 3
ORDER = ["2", "6", "5", "1", "3", "4"]
WELLS = ["B3", "B2", "A3", "A2", "B1", "A1"]
TUMOURS = [f"TCGA-A1-A00{i}-01A" for i in range(4)]
NORMALS = [f"TCGA-A1-A00{i}-11A" for i in range(2)]


def files(folder, samples, header, *columns):
    """A matrix of six samples, and a table with these columns."""
    x = write(folder / "x.tsv", genes_in_rows("gene", samples, GENES, values()))
    rows = ["\t".join(row) for row in zip(*columns, strict=True)]
    return x, table(folder, "\n".join(["\t".join(header), *rows]) + "\n")


@pytest.mark.parametrize(
    ("samples", "name", "ids", "place", "keys"),
    [
        ([*"123456"], "id", [f"PT-00{i}" for i in range(1, 7)], "run_order", ORDER),
        ([*"123456"], "id", [f"PT-{c}" for c in "uvwxyz"], "run_order", ORDER),
        (sorted(WELLS), "mouse", ["A-1", "A-2", "A-3", "B-1", "B-2", "B-3"], "well", WELLS),
        (sorted(WELLS), "mouse id", [f"m{c}" for c in "uvwxyz"], "well", WELLS),
    ],
)
def test_an_order_or_a_well_is_no_id_where_another_column_may_be(
    tmp_path, samples, name, ids, place, keys
):
    x, labels = files(tmp_path, samples, [name, place, "status"], ids, keys, STATUS)
    message = refusal(x, labels=labels, label="status")
    assert f"column {place} of the labels knows the samples, and ids of {name}, such as" in message
    assert f"pass `sample_column={place}` if that is right" in message
    assert message.startswith(inspect(x, labels).join.split(";")[0])
    adata = read(x, labels=labels, label="status", sample_column=place)
    told = dict(zip(keys, STATUS, strict=True))
    assert [*adata.obs["status"]] == [told[sample] for sample in samples]
    x, labels = files(tmp_path, samples, [name, place, "status"], samples, keys, STATUS)
    adata = read(x, labels=labels, label="status", sample_column=name)
    assert [*adata.obs["status"]] == STATUS


@pytest.mark.parametrize("place", ["cage", "age"])
def test_numbers_with_an_x_of_r_are_no_more_ids_than_without(tmp_path, place):
    animals = [f"m0{i}" for i in range(1, 7)]
    x, labels = files(
        tmp_path,
        [f"X{i}" for i in range(1, 7)],
        ["animal", place, "status"],
        animals,
        ORDER,
        STATUS,
    )
    message = refusal(x, labels=labels, label="status")
    assert f"column {place} of the labels knows the samples, and ids of animal, such as" in message
    adata = read(x, labels=labels, label="status", sample_column=place)
    assert [*adata.obs["status"]] == [STATUS[ORDER.index(i)] for i in "123456"]


@pytest.mark.parametrize("more", [{"animal_id": [f"A{c}" for c in "uvwxyz"]}, {}])
def test_numbers_of_rows_are_ids_only_where_they_are_those_of_all_samples(tmp_path, more):
    labels = tmp_path / "labels.csv"
    pd.DataFrame({**more, "status": STATUS}).to_csv(labels)
    x = write(tmp_path / "x.tsv", genes_in_rows("gene", [*"123456"], GENES, values()))
    message = refusal(x, labels=labels, label="status")
    assert "pass `sample_column=index` if" in message
    adata = read(x, labels=labels, label="status", sample_column="index")
    assert [*adata.obs["status"]] == [*STATUS[1:], ""]
    x = write(tmp_path / "y.tsv", genes_in_rows("gene", [*"501234"], GENES, values()))
    adata = read(x, labels=labels, label="status")
    assert [*adata.obs["status"]] == [STATUS[int(i)] for i in "501234"]


@pytest.mark.parametrize("more", [{}, {"id": [3, 1, 0, 2, 5, 4]}])
def test_labels_whose_ids_the_file_gives_to_other_samples_are_asked_about(tmp_path, more):
    names, labels = [f"{c}{i}" for c in ("WT", "KO") for i in range(3)], tmp_path / "labels.csv"
    pd.DataFrame({**more, "sample": sorted(names), "kind": ["KO"] * 3 + ["WT"] * 3}).to_csv(
        labels, index=not more
    )
    adata = anndata.AnnData(values("counts"), pd.DataFrame({"sample": names}, [*"012345"]))
    adata.var_names = GENES
    adata.write_h5ad(tmp_path / "x.h5ad")
    message = refusal(tmp_path / "x.h5ad", labels=labels, label="kind")
    assert "of the labels makes sample 0 the sample KO" in message
    assert "the file has WT0 in its sample; pass `sample_column=" in message
    assert message.startswith(inspect(tmp_path / "x.h5ad", labels).join.split(";")[0])
    column, at = ("id", more["id"]) if more else ("index", [*range(6)])
    taken = read(tmp_path / "x.h5ad", labels=labels, label="kind", sample_column=column)
    assert [*taken.obs["kind"]] == [KINDS[at.index(i)] for i in range(6)]
    adata.obs_names = adata.obs["sample"].tolist()
    adata.write_h5ad(tmp_path / "x.h5ad")
    named = read(tmp_path / "x.h5ad", labels=labels, label="kind")
    assert [*named.obs["kind"]] == ["WT"] * 3 + ["KO"] * 3


def test_a_table_that_says_otherwise_than_another_or_the_file_is_told(tmp_path):
    samples = [f"S{i}" for i in range(6)]
    x, first = files(tmp_path, samples, ["sample", "group"], samples, [*"aaabbb"])
    plates = "\n".join(
        ["sample\tgroup\tplate", *(f"{s}\tp{i % 2}\t1" for i, s in enumerate(samples))]
    )
    second = table(tmp_path, f"{plates}\n", "plates.tsv")
    adata = read(x, labels=[first, second], label="group")
    line = "the labels replace other values in group of 6 samples: group of S0 was a, is p0"
    assert line in adata.uns["jaxssl"]["notes"].split("\n")
    assert line in inspect(x, [first, second]).join
    assert [*adata.obs["group"]] == ["p0", "p1"] * 3
    inside = pd.DataFrame(values(), samples, SYMBOLS).rename_axis("sample")
    inside.insert(0, "group", [*"aaabbb"])
    inside.to_csv(tmp_path / "y.csv")
    assert line in read(tmp_path / "y.csv", labels=second, label="group").uns["jaxssl"]["notes"]
    assert "replace" not in read(x, labels=[first, first], label="group").uns["jaxssl"]["notes"]


@pytest.mark.parametrize("name", ["sample", "patient", "patient_id", "id"])
def test_a_column_called_after_ids_is_that_of_the_samples(tmp_path, name):
    plates = [f"P-{i}" for i in ORDER]
    x, labels = files(tmp_path, [*"123456"], ["status", "box", name], STATUS, plates, ORDER)
    adata = read(x, labels=labels, label="status")
    assert [*adata.obs["status"]] == [STATUS[ORDER.index(sample)] for sample in "123456"]


def test_normals_that_get_the_labels_of_a_tumour_are_told_and_left_out_as_told(tmp_path):
    samples, kinds = [*TUMOURS, *NORMALS], ["LumA", "LumB", "LumA", "LumB"]
    patients = [name[:12] for name in TUMOURS]
    x, labels = files(tmp_path, samples, ["patient", "PAM50"], patients, kinds)
    adata = read(x, labels=labels, label="PAM50")
    assert [*adata.obs["PAM50"]] == [*kinds, "LumA", "LumB"]
    line = (
        "2 of these are normal by their barcodes (types 10 to 19) and get the labels of their "
        "patients: write TCGA-A1-A000-01 for TCGA-A1-A000 in the labels to leave them without"
    )
    assert line in adata.uns["jaxssl"]["notes"]
    assert line in inspect(x, labels).join
    x, labels = files(tmp_path, samples, ["patient", "PAM50"], [f"{p}-01" for p in patients], kinds)
    adata = read(x, labels=labels, label="PAM50")
    assert [*adata.obs["PAM50"]] == [*kinds, "", ""]
    assert "normal by their barcodes" not in adata.uns["jaxssl"]["notes"]


@pytest.mark.parametrize("word", ["null", "NA"])
@pytest.mark.parametrize("n_classes", [1, 2])
def test_words_for_no_value_among_the_labels_are_counted(tmp_path, word, n_classes):
    kinds = ["wt", word, ["wt", "mut"][n_classes - 1], word, "wt", ["wt", "mut"][n_classes - 1]]
    samples = [f"S{i}" for i in range(6)]
    x, labels = files(tmp_path, samples, ["sample", "p53"], samples, kinds)
    adata = read(x, labels=labels, label="p53")
    line = (
        f"labels of p53 taken as missing: '{word}' 2; a class of that name is to be written "
        "otherwise"
    )
    assert line in adata.uns["jaxssl"]["notes"].split("\n")
    assert line in inspect(x, labels).notes
    assert [*adata.obs["p53"]] == [kind.replace(word, "") for kind in kinds]


def test_two_different_rows_of_a_sample_in_two_cases_are_refused(tmp_path):
    samples = [f"S{i}" for i in range(6)]
    x, labels = files(tmp_path, samples, ["sample", "cell"], [*samples, "s1"], [*"ababab", "a"])
    message = refusal(x, labels=labels, label="cell")
    assert "two rows of the labels, 's1' and 'S1' in column sample, are of the sample S1" in message
    assert message.endswith("leave one row a sample")
    x, labels = files(tmp_path, samples, ["sample", "cell"], [*samples, "s1"], [*"ababab", "b"])
    np.testing.assert_array_equal(read(x, labels=labels, label="cell").obs["cell"], [*"ababab"])
    samples[0] = "s1"  # a sample of its own
    x, labels = files(tmp_path, samples, ["sample", "cell"], samples, [*"ababab"])
    np.testing.assert_array_equal(read(x, labels=labels, label="cell").obs["cell"], [*"ababab"])
