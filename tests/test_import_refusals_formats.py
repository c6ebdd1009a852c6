"""Files of portals and containers whose parts do not fit are refused by what was found."""

import h5py
import miniatures
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from miniatures import GENES, GSM, genes_in_rows, values
from traps import edited, h5ad, refusal, samples_in_rows, write

from jaxssl.data.annotation import read_annotation
from jaxssl.data.expression import read
from jaxssl.types import InputError

SERIES = "!series_matrix_table_begin"


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
    with pytest.raises(InputError, match="no line !Sample_geo_accession to join by"):
        read_annotation(path)


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


def test_array_express_without_a_second_heading_is_read_whole(tmp_path):
    arrays = [f"array {i}.CEL" for i in range(6)]
    path = write(tmp_path / "x.txt", genes_in_rows("Scan REF", arrays, GENES, values()))
    np.testing.assert_array_equal(read(path).X, values())


def test_what_a_format_says_of_its_scale_is_held_to(tmp_path):
    path = miniatures.archs4(tmp_path)
    assert "`scale=log2` contradicts the format" in refusal(path, duplicates="first", scale="log2")
    with h5py.File(path, "r+") as file:
        x = file["data/expression"][:].astype(np.int32)
        del file["data/expression"]
        file["data/expression"] = -x
    assert "the format holds counts, yet" in refusal(path, duplicates="first")
