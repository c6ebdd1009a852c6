"""SOFT files of GEO: families of a series, and data sets."""

import numpy as np
import pytest
from traps import refusal, write

from jaxssl import inspect, read

PLATFORM = """^PLATFORM = GPL96
!Platform_title = U133A
#ID =
!platform_table_begin
ID\tGB_ACC\tGene Symbol\tDescription
1007_s_at\tU48705\tDDR1\tlong text
1053_at\tM87338\tRFC2\tlong text
117_at\tX51757\tHSPA6\tlong text
121_at\tX69699\tPAX8\tlong text
!platform_table_end
"""
PROBES = ["1007_s_at", "1053_at", "117_at", "121_at"]


def sample(i, tissue, probes=PROBES, platform="GPL96"):
    rows = "".join(f"{p}\t{i + 2.5 * PROBES.index(p)}\tP\n" for p in probes)
    table = f"!sample_table_begin\nID_REF\tVALUE\tABS_CALL\n{rows}!sample_table_end\n"
    return f"""^SAMPLE = GSM{i}
!Sample_title = title {i}
!Sample_geo_accession = GSM{i}
!Sample_characteristics_ch1 = tissue: {tissue}
!Sample_characteristics_ch1 = age: {40 + i}
!Sample_platform_id = {platform}
!Sample_supplementary_file = ftp://x/GSM{i}_counts.txt.gz
#ID_REF =
{table if probes else "!Sample_data_row_count = 0" + chr(10)}"""


def family(folder, samples, platform=PLATFORM, name="GSE1_family.soft.gz"):
    start = "^DATABASE = GeoMiame\n!Database_name = GEO\n^SERIES = GSE1\n!Series_title = x\n"
    return write(folder / name, start + platform + "".join(samples))


def expected(n):
    return [[i + 2.5 * j for j in range(4)] for i in range(1, n + 1)]


def test_a_family_is_read_as_its_series_matrix_would_be(tmp_path):
    path = family(tmp_path, [sample(1, "lung"), sample(2, "liver"), sample(3, "lung")])
    adata = read(path, label="tissue", scale="log2")
    np.testing.assert_array_equal(adata.X, expected(3))
    assert list(adata.obs_names) == ["GSM1", "GSM2", "GSM3"]
    assert list(adata.obs["tissue"]) == ["lung", "liver", "lung"]
    assert list(adata.obs["age"]) == ["41", "42", "43"]
    assert list(adata.var["Gene Symbol"]) == ["DDR1", "RFC2", "HSPA6", "PAX8"]
    assert list(adata.var.columns) == ["GB_ACC", "Gene Symbol"]
    assert "column VALUE of each sample; left out: ABS_CALL" in adata.uns["jaxssl"]["notes"]
    renamed = read(path, gene_map=path, label="tissue", scale="log2")
    assert list(renamed.var_names) == ["DDR1", "RFC2", "HSPA6", "PAX8"]
    more = [sample(i, "lung" if i % 2 else "liver") for i in range(1, 6)]
    report = inspect(family(tmp_path, more))
    assert (report.n_samples, report.n_genes, report.orientation) == (5, 4, "samples_in_rows")
    assert report.columns["tissue"]["classes"] == {"lung": 3, "liver": 2}


def test_a_sample_without_some_probes_or_in_another_order_keeps_its_values(tmp_path):
    turned = sample(2, "b", PROBES[::-1])
    path = family(tmp_path, [sample(1, "a", PROBES[:3]), turned, sample(3, "a")])
    assert "values are missing" in refusal(path, scale="log2")
    adata = read(path, scale="log2", impute="drop_genes")
    np.testing.assert_array_equal(adata.X, [row[:3] for row in expected(3)])
    alone = family(tmp_path, [sample(1, "a"), turned], platform="", name="x.soft")
    np.testing.assert_array_equal(read(alone, scale="log2").X, expected(2))


def test_of_several_platforms_one_is_named(tmp_path):
    other = sample(2, "b", PROBES[:2], "GPL97")
    path = family(tmp_path, [sample(1, "a"), other, sample(3, "b")])
    assert "samples of several platforms, such as GPL96 and GPL97" in refusal(path)
    adata = read(path, layer="GPL97", scale="log2")
    assert (list(adata.obs_names), list(adata.var_names)) == (["GSM2"], PROBES[:2])
    assert list(read(path, layer="GPL96", scale="log2").obs_names) == ["GSM1", "GSM3"]
    assert "has no sample of GPL1" in refusal(path, layer="GPL1")


def test_a_family_of_rna_seq_tells_of_the_samples_of_its_counts(tmp_path):
    path = family(tmp_path, [sample(1, "lung", []), sample(2, "liver", [])], platform="")
    message = refusal(path)
    assert "its values are in ftp://x/GSM1_counts.txt.gz" in message
    assert "import that file, with this one as `labels`" in message
    counts = write(tmp_path / "x.csv", "gene,GSM1,GSM2\nTP53,100,3\nEGFR,7,90\n")
    adata = read(counts, labels=path, label="tissue")
    assert list(adata.obs["tissue"]) == ["lung", "liver"]


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (PLATFORM, "is a platform of GEO; pass it as `gene_map`"),
        (sample(1, "a")[:-30], "ends early, within a table; fetch it again"),
        (sample(1, "a").replace("\t3.5\t", "\thigh\t"), "1053_at of sample GSM1 is 'high'"),
        (
            sample(1, "a").replace("\t3.5\t", "\t3.5\t1\t1\t"),
            "has more cells than names stand above",
        ),
        ("^DATASET = GDS1\n!dataset_table_begin\n", "has no sample in its table"),
        (sample(1, "a").replace("VALUE", "COUNT"), "the table of GSM1 has ID_REF, COUNT"),
    ],
)
def test_what_a_soft_file_lacks_is_named(tmp_path, text, finding):
    assert finding in refusal(write(tmp_path / "x.soft", text))


def test_a_data_set_has_classes_by_its_subsets(tmp_path):
    text = """^DATABASE = Geo
!Database_name = GEO
^DATASET = GDS1
!dataset_title = x
^SUBSET = GDS1_1
!subset_dataset_id = GDS1
!subset_description = healthy
!subset_sample_id = GSM1,GSM3
!subset_type = disease state
^SUBSET = GDS1_2
!subset_dataset_id = GDS1
!subset_description = ill
!subset_sample_id = GSM2
!subset_type = disease state
^DATASET = GDS1
#ID_REF = Platform reference identifier
#IDENTIFIER = identifier
#GSM1 = Value for GSM1: lung 1; src: lung
#GSM2 = Value for GSM2: lung 2; src: lung, left
#GSM3 = Value for GSM3: lung 3; src: lung
!dataset_table_begin
ID_REF\tIDENTIFIER\tGSM1\tGSM2\tGSM3\tGene title\tGene symbol
1007_s_at\tDDR1\t1\t2.5\t3\ta title\tDDR1
1053_at\tRFC2\t4\t5.5\t6\ta title\tRFC2
117_at\tHSPA6\t7\t8.5\t9\ta title\tHSPA6
!dataset_table_end
"""
    for name in ("GDS1.soft", "GDS1_full.soft.gz"):
        path = write(tmp_path / name, text)
        adata = read(path, label="disease state", scale="log2")
        np.testing.assert_array_equal(adata.X, [[1, 4, 7], [2.5, 5.5, 8.5], [3, 6, 9]])
        assert list(adata.obs["disease state"]) == ["healthy", "ill", "healthy"]
        assert list(adata.obs["source_name"]) == ["lung", "lung, left", "lung"]
        assert list(adata.var["IDENTIFIER"]) == ["DDR1", "RFC2", "HSPA6"]
        assert inspect(path).orientation == "genes_in_rows"
