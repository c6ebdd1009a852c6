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
