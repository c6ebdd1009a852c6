"""An import that cannot be right is refused by what was found, with what would mend it."""

import miniatures
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from miniatures import GENES, GSM, genes_in_rows, values
from traps import edited, matrix, refusal, samples_in_rows, table, write

from jaxssl.data.annotation import read_annotation
from jaxssl.data.expression import read
from jaxssl.data.formats.matrix import RawTable, by_name
from jaxssl.data.orientation import detect_orientation
from jaxssl.types import InputError


def labels_of(folder, cells, name="label"):
    return table(folder, f"id\t{name}\n" + "".join(map("{}\t{}\n".format, GSM, cells)))


def without_samples(folder):
    x, none = np.empty((0, 8), np.float32), pd.DataFrame(index=pd.Index([], dtype=object))
    AnnData(x, var=pd.DataFrame(index=GENES), obs=none).write_h5ad(folder / "none.h5ad")
    return folder / "none.h5ad"


def no_label(path):
    with pytest.raises(InputError) as caught:
        read_annotation(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("options", "finding"),
    [
        ({"duplicate_samples": "last"}, "`duplicate_samples=last` is unknown; use error, first"),
        ({"read_length": "76"}, "`read_length` is for coverage sums of recount"),
        ({"text_columns": GSM}, "no column of numbers"),
        ({"scale": "counts"}, "`scale=counts` contradicts the data"),
    ],
)
def test_an_option_that_the_file_excludes_is_named(tmp_path, options, finding):
    write(tmp_path / "x.tsv", genes_in_rows("gene_id", GSM, GENES, values() - 4))
    assert finding in refusal(tmp_path / "x.tsv", **options)


def test_what_is_no_file_of_expression_is_named(tmp_path):
    assert "no expression file is given" in refusal([])
    assert "absent.csv does not exist" in refusal(tmp_path / "absent.csv")
    assert "folder without files of samples that are known" in refusal(tmp_path)
    assert "holds no values" in refusal(without_samples(tmp_path))
    np.savez(tmp_path / "x.npz", X=np.array([[None]]), sample_ids=["a"], feature_ids=["b"])
    assert "without pickled objects" in refusal(tmp_path / "x.npz")


def test_a_rule_without_its_column_names_it(tmp_path):
    assert "needs a column of cancer types" in refusal(
        miniatures.xena_gdc(tmp_path), label_rule="tcga20"
    )


def test_labels_that_leave_no_class_are_refused(tmp_path):
    path, options = matrix(tmp_path), {"label": "label"}
    few = labels_of(tmp_path, list("aabbcc"))
    assert "lower it" in refusal(path, labels=few, min_class_size=3, **options)
    none = labels_of(tmp_path, ["NA"] * 6)
    assert "empty for every sample" in refusal(path, labels=none, **options)


def test_tables_of_samples_that_are_none_are_refused(tmp_path):
    np.savez(tmp_path / "x.npz", X=values())
    assert "holds npz; expected a csv" in no_label(tmp_path / "x.npz")
    (tmp_path / "x.parquet").write_bytes(b"PAR1 broken")
    assert "cannot be read as a table" in no_label(tmp_path / "x.parquet")
    assert "0 lines of text" in no_label(table(tmp_path, "# a comment\n\n# another\n"))
    assert "a header and no rows" in no_label(table(tmp_path, "id\tlabel\n!platform_table_end\n"))
    assert "one too many" in no_label(table(tmp_path, "id,a,b,c\nx,1\ny,2\n", "long.csv"))
    twice = labels_of(tmp_path, list("abcdef"))
    twice.write_text(twice.read_text() + f"{GSM[0]}\tz\n")
    assert f"different rows in the labels (first: {GSM[0]})" in refusal(
        matrix(tmp_path), labels=twice
    )


def test_empty_lines_and_a_numbered_index_are_passed_over(tmp_path):
    spaced = write(tmp_path / "x.tsv", matrix(tmp_path).read_text().replace("\n", "\n\n"))
    np.testing.assert_array_equal(read(spaced).X, values())
    frame = pd.DataFrame({"id": GSM, "label": list("aabbcc")})
    frame.to_parquet(tmp_path / "labels.parquet")
    labels = table(tmp_path, frame.to_csv(sep="\t", index=False).replace("\n", "\n\n"))
    for path in (tmp_path / "labels.parquet", labels):
        pd.testing.assert_frame_equal(
            read_annotation(path).set_index(frame.index), frame.astype(object)
        )


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (b"id,a,b\rs1,1,2\rs2,1,2\r", "by CR alone"),
        (b"id,a\rb,c\ns1,1,2\ns2,1,2\n", "is damaged in the line 'id,a"),
        (
            b"id,a,b\n" + b"s1,1,2\n" * 200 + b"s1,\r1,2\n",
            "characters that are no part of a table, near row s1",
        ),
    ],
)
def test_returns_that_end_no_line_are_refused(tmp_path, content, finding):
    (tmp_path / "x.csv").write_bytes(content)
    assert finding in refusal(tmp_path / "x.csv", orientation="samples_in_rows")


def test_a_header_behind_a_hash_is_read_as_the_header(tmp_path):
    path = write(tmp_path / "x.tsv", "#" + matrix(tmp_path).read_text())
    adata = read(path)
    assert list(adata.obs_names) == GSM
    np.testing.assert_array_equal(adata.X, values())


def test_latin_1_far_below_the_head_is_read_as_such(tmp_path):
    rows = "".join(f"{g}\tplain text of some length\n" for g in range(20_000))
    path = write(tmp_path / "x.tsv", f"id\tnote\n{rows}last\tcaf\xe9\n", "latin-1")
    assert read_annotation(path)["note"].iloc[-1] == "café"


def test_gene_maps_need_symbols_and_pass_over_rows_without_an_id(tmp_path):
    path = matrix(tmp_path)
    nameless = table(tmp_path, "id\tlength\n" + "".join(f"{g}\t9\n" for g in GENES))
    assert "has no column of symbols" in refusal(path, gene_map=nameless)
    gaps = table(tmp_path, "id\tsymbol\n" + "".join(f"{g}\tS{i}\n\tlost\n" for i, g in
                                                  enumerate(GENES)))  # fmt: skip
    assert list(read(path, gene_map=gaps).var_names) == [f"S{i}" for i in range(8)]


def test_read_lengths_need_a_table_that_knows_every_sample(tmp_path):
    path = miniatures.recount3(tmp_path)
    column = "star.average_mapped_length"
    assert "yet there is no `labels`" in refusal(path, read_length=column)
    labels = edited(miniatures.recount3_qc(tmp_path), "\t76\t", "\t\t")
    assert f"1 samples have no {column} (first: u3)" in refusal(
        path, labels=labels, read_length=column
    )


def orientation(rows, columns):
    return detect_orientation(RawTable("csv", np.empty(0), by_name(rows), by_name(columns)))[0]


def test_a_shape_that_only_one_reading_explains_tells_the_orientation():
    many, few = np.array([f"x{i}" for i in range(12_000)]), np.array([f"y{i}" for i in range(500)])
    assert orientation(many, few) == "genes_in_rows"
    assert orientation(few, many) == "samples_in_rows"
    assert orientation(many[:-1], few) == ""
    assert orientation(many, np.append(few, "z")) == ""


def test_samples_without_a_name_and_genes_that_all_have_gaps_are_refused(tmp_path):
    frame = samples_in_rows()
    frame.set_axis(["", *GSM[1:]]).to_csv(tmp_path / "x.csv")
    assert "1 samples of" in refusal(tmp_path / "x.csv")
    np.fill_diagonal(gaps := samples_in_rows().iloc[:, :6].to_numpy(copy=True), np.nan)
    pd.DataFrame(gaps, index=GSM, columns=GENES[:6]).to_csv(tmp_path / "gaps.csv")
    assert "no gene is left by `impute=drop_genes`" in refusal(
        tmp_path / "gaps.csv", impute="drop_genes"
    )
