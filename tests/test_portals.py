import numpy as np
import pytest

from jaxssl import inspect, read
from jaxssl.types import InputError

SAMPLES = [f"TCGA-A1-A0S{c}-01A-11R-A144-07" for c in "BDE"]


def written(path, rows):
    path.write_text("\n".join("\t".join(map(str, row)) for row in rows) + "\n")
    return path


def test_gct_1_3_keeps_what_it_says_of_rows_and_samples(tmp_path):
    rows = [["#1.3"], [2, 3, 1, 2], ["id", "symbol", "S1", "S2", "S3"],
            ["tissue", "na", "lung", "skin", "na"], ["dose", "na", 1, 2, 3],
            ["1007_s_at", "DDR1", 1.5, 2.5, 3.5], ["1053_at", "RFC2", 4.5, 5.5, 6.5]]  # fmt: skip
    path = written(tmp_path / "a.gct", rows)
    adata = read(path, label="tissue")
    np.testing.assert_array_equal(adata.X, [[1.5, 4.5], [2.5, 5.5], [3.5, 6.5]])
    assert list(adata.obs_names) == ["S1", "S2", "S3"]
    assert list(adata.obs["tissue"]) == ["lung", "skin", ""]
    assert list(adata.var["symbol"]) == ["DDR1", "RFC2"]
    assert inspect(path).n_genes == 2
    with pytest.raises(InputError, match="states 9 x 3 values and holds 2 x 3; fetch it again"):
        read(written(tmp_path / "b.gct", [rows[0], [9, 3, 1, 2], *rows[2:]]))


def test_second_row_of_firehose_is_passed_over(tmp_path):
    rows = [["Hybridization REF", *SAMPLES], ["gene_id", *["normalized_count"] * 3],
            ["A1BG|1", 212.1, 310.5, 90.25], ["TP53|7157", 1000.5, 1001.5, 1002.5]]  # fmt: skip
    adata = read(written(tmp_path / "BRCA.txt", rows))
    assert list(adata.obs_names) == SAMPLES
    np.testing.assert_array_equal(adata.X[:, 1], [1000.5, 1001.5, 1002.5])
    assert "second row of headings passed over: normalized_count" in adata.uns["jaxssl"]["notes"]
    assert inspect(tmp_path / "BRCA.txt").n_samples == 3


def test_one_measure_of_several_a_sample_is_taken_by_layer(tmp_path):
    kinds = ["raw_count", "scaled_estimate", "transcript_id"]
    values = [[100 * i + 1, i / 8, "uc1,uc2"] for i in range(1, 4)]
    flat = [cell for sample in values for cell in sample]
    rows = [["Hybridization REF", *[s for s in SAMPLES for _ in kinds]], ["gene_id", *kinds * 3],
            ["A1BG|1", *flat], ["TP53|7157", *flat]]  # fmt: skip
    path = written(tmp_path / "BRCA.txt", rows)
    adata = read(path)
    assert list(adata.obs_names) == SAMPLES
    np.testing.assert_array_equal(adata.X[:, 1], [101, 201, 301])
    assert "columns raw_count by the second row" in adata.uns["jaxssl"]["notes"]
    scaled = read(path, layer="scaled_estimate", scale="linear")
    np.testing.assert_array_equal(scaled.X[:, 0], [0.125, 0.25, 0.375])
    with pytest.raises(InputError, match="it has raw_count, scaled_estimate; correct `layer`"):
        read(path, layer="x")


def test_gct_as_excel_saves_it_is_read(tmp_path):
    rows = ["#1.2,,,,", "2,3,,,", "Name,Description,S1,S2,S3"]
    rows += ["ENSG00000000003,a,1.5,2.5,3.5", "ENSG00000000005,b,4.5,5.5,6.5"]
    (tmp_path / "a.gct").write_bytes("\r\n".join([*rows, ""]).encode())
    adata = read(tmp_path / "a.gct")
    np.testing.assert_array_equal(adata.X, [[1.5, 4.5], [2.5, 5.5], [3.5, 6.5]])
    assert list(adata.var["gene_name"]) == ["a", "b"]


def test_the_number_of_lincs_for_no_value_is_no_class(tmp_path):
    rows = [["#1.3"], [2, 3, 1, 1], ["id", "symbol", "S1", "S2", "S3"],
            ["dose", "-666", "10", "-666", "20"],
            ["1007_s_at", "-666", 1.5, 2.5, 3.5], ["1053_at", "RFC2", 4.5, 5.5, 6.5]]  # fmt: skip
    adata = read(written(tmp_path / "a.gct", rows))
    assert list(adata.obs["dose"]) == ["10", "", "20"]
    assert list(adata.var["symbol"]) == ["", "RFC2"]


def test_characteristics_of_a_series_are_filed_by_key_and_channel(tmp_path):
    told = {
        "geo_accession": ["GSM1", "GSM2"],
        "platform_id": ["GPL1", "GPL1"],
        "source_name_ch2": ["pool", "pool"],
        "characteristics_ch1": ["tissue: liver", "tissue: lung"],
        "characteristics_ch2": ["tissue: pool", "tissue: pool"],
    }
    lines = [f"!Sample_{name}\t" + "\t".join(cells) for name, cells in told.items()]
    for cells in (["platform: A", "platform: B"], ["treatment (time: 3 h): LPS", "stage: 2: b"]):
        lines.append("!Sample_characteristics_ch1\t" + "\t".join(cells))
    lines += ["!series_matrix_table_begin", "ID_REF\tGSM1\tGSM2"]
    lines += [f"{i}_at\t{i / 8}\t{i / 4}" for i in range(30, 40)]
    path = tmp_path / "GSE1_series_matrix.txt"
    path.write_text("\n".join([*lines, "!series_matrix_table_end", ""]))
    obs = read(path).obs
    assert {name: list(obs[name]) for name in obs} == {
        "platform": ["GPL1", "GPL1"],
        "source_name (channel 2)": ["pool", "pool"],
        "tissue": ["liver", "lung"],
        "tissue (channel 2)": ["pool", "pool"],
        "platform (characteristic)": ["A", "B"],
        "treatment (time: 3 h)": ["LPS", ""],
        "stage": ["", "2: b"],
    }
