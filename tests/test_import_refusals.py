"""An import that cannot be right is refused by what was found, with what would mend it."""

import gzip

import h5py
import miniatures
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from anndata import AnnData
from miniatures import GENES, GSM, genes_in_rows, values
from traps import h5ad, matrix, refusal, samples_in_rows, table, write

from jaxssl.data.annotation import read_annotation
from jaxssl.data.expression import read
from jaxssl.data.formats.matrix import RawTable, by_name
from jaxssl.data.orientation import detect_orientation
from jaxssl.types import InputError

SERIES = "!series_matrix_table_begin"


def labels_of(folder, cells, name="label"):
    return table(folder, f"id\t{name}\n" + "".join(map("{}\t{}\n".format, GSM, cells)))


def edited(path, old, new):
    """A text in which `old` is replaced, wherever it stands."""
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return write(path, text.decode().replace(old, new))


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
    ("old", "new", "finding"),
    [
        (SERIES, "!begin", "the line !series_matrix_table_begin is missing"),
        ("!series_matrix_table_end", "", "the line !series_matrix_table_end is missing"),
        (f'"ID_REF"\t"{GSM[0]}"', '"ID_REF"\t"GSM7"', "or in another order"),
        ('!Sample_title\t"s 0"', "!Sample_title", "5 values of !Sample_title for 6 samples"),
    ],
)
def test_a_series_matrix_that_was_cut_is_refused(tmp_path, old, new, finding):
    assert finding in refusal(edited(miniatures.series_matrix(tmp_path), old, new))


def test_a_series_matrix_without_accessions_joins_nothing(tmp_path):
    path = edited(miniatures.series_matrix(tmp_path), "!Sample_geo_accession", "!Sample_x")
    assert "no line !Sample_geo_accession to join by" in no_label(path)


def test_gct_of_another_version_or_head_is_refused(tmp_path):
    assert "is GCT 1.1" in refusal(edited(miniatures.gtex(tmp_path), "#1.2", "#1.1"))
    path = edited(miniatures.gtex(tmp_path), "Description", "Symbol")
    assert "start with Name and Description, here with Name, Symbol" in refusal(path)


def test_depmap_keeps_all_profiles_unless_some_are_marked_and_refuses_if_none_is(tmp_path):
    path = edited(miniatures.depmap(tmp_path), "Yes", "No")
    assert "no profile is marked" in refusal(path)
    frame = pd.read_csv(path, index_col=0)
    frame = frame.drop(columns=["ModelID", "IsDefaultEntryForModel"]).set_index("ModelConditionID")
    frame.to_csv(path)
    adata = read(path)
    assert list(adata.obs_names) == [f"MC-{i}" for i in range(6)]
    np.testing.assert_array_equal(adata.X, values())


def test_archs4_whose_parts_do_not_fit_is_refused(tmp_path):
    path = miniatures.archs4(tmp_path)
    with h5py.File(path, "r+") as file:
        del file["meta/samples/singlecellprobability"]
    assert read(path, duplicates="first").n_obs == 6, "no sample is left out"
    with h5py.File(path, "r+") as file:
        names = file["meta/genes/symbol"][:5]
        del file["meta/genes/symbol"]
        file["meta/genes/symbol"] = names
    assert "8 x 6, yet there are 5 genes" in refusal(path)
    with h5py.File(path, "r+") as file:
        del file["meta/genes/symbol"]
    assert "meta/genes has ensembl_gene; expected symbol" in refusal(path)


def test_h5ad_without_a_matrix_of_numbers_that_fits_is_refused(tmp_path):
    path = h5ad(tmp_path / "x.h5ad")
    for x, finding in (
        (values()[:4], "X is 4 x 8, yet there are 6 samples and 8 genes"),
        (values()[0], "of shape (8,); expected numbers"),
        (values().astype("S4"), "expected numbers of samples x genes"),
    ):
        with h5py.File(path, "r+") as file:
            attributes = dict(file["X"].attrs)
            del file["X"]
            file.create_dataset("X", data=x).attrs.update(attributes)
        assert finding in refusal(path)
    with h5py.File(path, "r+") as file:
        file["layers/tpm"] = values()
        del file["X"]
    assert "has no X; write the matrix to use into adata.X, or name a layer with `layer`: tpm" in (
        refusal(path)
    )


def test_parquet_that_is_no_matrix_is_refused(tmp_path):
    path = tmp_path / "x.parquet"
    samples_in_rows(note=list("aabbcc")).to_parquet(path)
    assert "pass `text_columns=note`" in refusal(path)
    samples_in_rows().to_parquet(path, index=False)
    assert "no column of ids" in refusal(path)
    columns = [pa.array(GSM), pa.array([1.0] * 6), pa.array([2.0] * 6)]
    pq.write_table(pa.table(columns, names=["id", "TP53", "TP53"]), path)
    assert "two columns called 'TP53'" in refusal(path)
    samples_in_rows().to_parquet(path)
    data = path.read_bytes()
    path.write_bytes(data[:4] + b"\xff" * 64 + data[68:])
    assert "damaged parquet" in refusal(path)


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


def test_array_express_without_a_second_heading_is_read_whole(tmp_path):
    arrays = [f"array {i}.CEL" for i in range(6)]
    path = write(tmp_path / "x.txt", genes_in_rows("Scan REF", arrays, GENES, values()))
    np.testing.assert_array_equal(read(path).X, values())


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


def test_what_a_format_says_of_its_scale_is_held_to(tmp_path):
    path = miniatures.archs4(tmp_path)
    assert "`scale=log2` contradicts the format" in refusal(path, duplicates="first", scale="log2")
    with h5py.File(path, "r+") as file:
        x = file["data/expression"][:].astype(np.int32)
        del file["data/expression"]
        file["data/expression"] = -x
    assert "the format holds counts, yet" in refusal(path, duplicates="first")


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
