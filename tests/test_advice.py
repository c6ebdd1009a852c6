"""Refusals of rows of text and of labels without header: what they advise is right."""

import numpy as np
import pandas as pd
import pytest
from traps import refusal, write

from jaxssl import inspect, read
from launch.inspect import next_command

SAMPLES = ["S1", "S2", "S3", "S4"]
CLASSES = ["ill", "well", "ill", "well"]
GENES = [f"ENSG{i:011d}" for i in range(150)]
X = np.arange(600).reshape(4, 150) / 4


def lines():
    rows = [",".join([g, *map(str, column)]) for g, column in zip(GENES, X.T, strict=True)]
    return [",".join(["gene", *SAMPLES]), *rows]


def matrix(folder):
    return write(folder / "x.csv", "\n".join(lines()) + "\n")


@pytest.mark.parametrize("place", [20, 140, 151])
@pytest.mark.parametrize("first", ["ill", "NA"])
def test_a_row_of_words_is_said_to_be_about_the_columns(tmp_path, place, first):
    text = lines()
    text.insert(place, ",".join(["condition", first, *CLASSES[1:]]))
    message = refusal(write(tmp_path / "y.csv", "\n".join(text) + "\n"))
    assert "row condition holds words, such as" in message
    assert "move it to just below the header" in message
    assert "text_columns" not in message
    text.insert(1, text.pop(place))
    adata = read(write(tmp_path / "y.csv", "\n".join(text) + "\n"), label="condition")
    np.testing.assert_array_equal(adata.X, X)
    assert list(adata.obs["condition"]) == ["" if first == "NA" else first, *CLASSES[1:]]
    del text[1]
    np.testing.assert_array_equal(read(write(tmp_path / "y.csv", "\n".join(text))).X, X)


def test_a_header_far_down_is_called_one(tmp_path):
    text = lines()
    text.insert(120, text[0])
    message = refusal(write(tmp_path / "y.csv", "\n".join(text) + "\n"))
    assert f"repeats its header below row {GENES[118]}; remove that line" in message


def test_a_word_by_itself_is_still_a_word_in_its_column(tmp_path):
    text = lines()
    text[130] = text[130].replace(",32.25,", ",high,")
    message = refusal(write(tmp_path / "y.csv", "\n".join(text) + "\n"))
    assert f"row {GENES[129]}, column S1 is 'high'" in message
    assert "`text_columns=S1` if the column is no expression" in message


@pytest.mark.parametrize(
    "called",
    [
        SAMPLES,
        ["1", "2", "3", "4"],
        [f"TCGA-A{i}-A0S{i}-01A-11R-A115-07" for i in range(4)],
        [f"X{i}.a" for i in range(4)],
    ],
)
def test_labels_without_a_header_lose_no_sample(tmp_path, called):
    frame = pd.DataFrame(X.T, GENES, called).rename_axis("gene")
    frame.to_csv(tmp_path / "x.csv")
    ids = [name[:15].replace("X", "").replace("0.a", "0-a") for name in called]
    ids = [name.replace(".a", "-a") for name in ids]
    rows = "".join(f"{i},{c}\n" for i, c in zip(ids, CLASSES, strict=True))
    labels = write(tmp_path / "labels.csv", rows)
    message = refusal(tmp_path / "x.csv", labels=labels, label="ill", min_match=0.1)
    assert "the labels seem to have no header: their first line" in message
    assert "labels" in inspect(tmp_path / "x.csv", labels).join
    write(labels, "sample,label\n" + rows)
    adata = read(tmp_path / "x.csv", labels=labels, label="label")
    assert list(adata.obs["label"]) == CLASSES


def test_a_table_numbered_by_pandas_is_not_without_header(tmp_path):
    pd.DataFrame(X.T, GENES, ["1", "2", "3", "4"]).rename_axis("gene").to_csv(tmp_path / "x.csv")
    table = pd.DataFrame({1: ["1", "2", "3", "4"], "class": CLASSES})
    table.to_csv(tmp_path / "labels.csv", index=False)
    adata = read(tmp_path / "x.csv", labels=tmp_path / "labels.csv", label="class",
                 orientation="genes_in_rows")  # fmt: skip
    assert list(adata.obs["class"]) == CLASSES


def test_labels_that_do_not_join_are_not_proposed(tmp_path):
    labels = write(tmp_path / "labels.csv", "sample,tissue\nA,x\nB,y\nC,x\n")
    report = inspect(matrix(tmp_path), labels)
    assert "the labels do not match the samples" in report.problems
    assert (report.options["labels"], report.options["label"]) == ("TABLE", "COLUMN")
    assert "labels.csv" not in next_command(report)
    right = write(tmp_path / "right.csv", "sample,tissue\nS1,x\nS2,y\nS3,x\nS4,y\n")
    assert inspect(tmp_path / "x.csv", right).options["labels"] == str(right)
