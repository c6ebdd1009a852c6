"""What is no label is none in every format, and classes that may be one or none are named."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from miniatures import GENES, GSM, values
from traps import matrix, refusal, samples_in_rows, table

from jaxssl.data.expression import read
from jaxssl.data.inspect import inspect

NONE = ["NA", "null", "#N/A", "nan", "", "[Not Available]", "'--", "--", "N/A", "<NA>", "  ", "n/a"]


def data_with(folder, form, cells):
    """Six samples with a label each, in a file of that format; and the options to read it."""
    frame = samples_in_rows(stage=cells)
    if form == "parquet":
        frame.to_parquet(folder / "x.parquet")
    elif form == "h5ad":
        obs = pd.DataFrame({"stage": pd.Categorical(cells)}, index=GSM)
        AnnData(values("counts"), obs, pd.DataFrame(index=GENES)).write_h5ad(folder / "x.h5ad")
    elif form in ("csv", "tsv"):
        frame.to_csv(folder / f"x.{form}", sep="," if form == "csv" else "\t")
    else:
        rows = "".join(f"{g}\t{cell}\n" for g, cell in zip(GSM, cells, strict=True))
        return matrix(folder), {"labels": table(folder, f"id\tstage\n{rows}")}
    return folder / f"x.{form}", {}


@pytest.mark.parametrize("form", ["csv", "tsv", "parquet", "h5ad", "labels"])
@pytest.mark.parametrize("start", [0, 4, 8])
def test_no_value_is_no_class_in_any_format(tmp_path, form, start):
    path, options = data_with(tmp_path, form, ["II", " III ", *NONE[start : start + 4]])
    adata = read(path, label="stage", **options)
    assert list(adata.obs["stage"]) == ["II", "III", "", "", "", ""]
    assert adata.uns["jaxssl"]["n_labelled"] == 2


@pytest.mark.parametrize("form", ["csv", "parquet", "h5ad", "labels"])
@pytest.mark.parametrize(
    ("cells", "found", "flag", "merged"),
    [
        (
            ["tumor", "tumor", "Tumor", "b", "b", "b"],
            "may be one: 'tumor' 2 and 'Tumor' 1",
            ["Tumor=tumor"],
            ["tumor"] * 3 + ["b"] * 3,
        ),
        (["1", "1", "1.0", "2", "2", "2"], "'1' 2 and '1.0' 1", ["1.0=1"], list("111222")),
        (
            ["stage  ii", "stage ii", "stage ii", "stage_ii", "b", "b"],
            "'stage ii' 2 and 'stage  ii' 1 and 'stage_ii' 1",
            ["stage  ii=stage ii", "stage_ii=stage ii"],
            ["stage ii"] * 4 + ["b"] * 2,
        ),
        (
            ["a", "a", "b", "b", "not reported", "Unknown"],
            "may be none: 'not reported' 1, 'Unknown' 1",
            ["not reported=", "Unknown="],
            ["a", "a", "b", "b", "", ""],
        ),
        (["a", "a, b", "A, b", "a, b", "c", "c"], "'A, b' 1", ["A, b=a, b"],
         ["a", "a, b", "a, b", "a, b", "c", "c"]),
    ],
)  # fmt: skip
def test_classes_that_may_be_one_or_none_are_told_with_the_flag_that_mends_them(
    tmp_path, form, cells, found, flag, merged
):
    path, options = data_with(tmp_path, form, cells)
    adata = read(path, label="stage", **options)
    assert list(adata.obs["stage"]) == cells, "nothing is changed that was not asked for"
    note = next(n for n in adata.uns["jaxssl"]["notes"].splitlines() if "may be" in n)
    assert found in note
    written = ",".join(f'"{pair}"' if "," in pair else pair for pair in flag)
    assert f"`rename_classes={written}`" in note
    mended = read(path, label="stage", rename_classes=flag, **options)
    assert list(mended.obs["stage"]) == merged
    assert "may be" not in mended.uns["jaxssl"]["notes"]


def test_inspect_tells_of_doubtful_classes(tmp_path):
    path, options = data_with(tmp_path, "labels", ["a", "a", "a", "A", "A", "A"])
    assert (
        "classes of stage that may be one: 'a' 3 and 'A' 3; `rename_classes=A=a` merges them"
        in (inspect(path, **options).problems)
    )


def test_classes_that_are_not_there_are_not_renamed(tmp_path):
    path, options = data_with(tmp_path, "labels", list("aabbcc"))
    for pair in ("x=a", "a", "=a"):
        message = refusal(path, label="stage", rename_classes=[pair], **options)
        assert "names no class; pass OLD=NEW, OLD one of a, b, c" in message
    assert "says nothing without a label" in refusal(path, rename_classes=["a=b"])
    np.testing.assert_array_equal(read(path).X, values())
