"""Tables of featureCounts."""

import numpy as np
import pytest
from sample_files import COUNTS, as_folder, as_tar, as_zip, feature_counts, refusal

from jaxssl import inspect, read

READS = {
    "paths": (["/mnt/x/S1.bam", "/mnt/x/S2.bam"], ["S1", "S2"]),
    "one": (["S1.sorted.bam"], ["S1"]),
    "STAR": (["a/S1_Aligned.sortedByCoord.out.bam", "a/S2Aligned.out.sam"], ["S1", "S2"]),
    "folders": (["a/S1/accepted_hits.bam", "a/S2/accepted_hits.bam"], ["S1", "S2"]),
    "no endings": (["KO1", "WT1"], ["KO1", "WT1"]),
    "alike": (["a/S1/x/h.bam", "a/S2/x/h.bam"], ["a/S1/x/h.bam", "a/S2/x/h.bam"]),
}


@pytest.mark.parametrize(("files", "called"), READS.values(), ids=READS)
@pytest.mark.parametrize("has_comment", [True, False])
def test_samples_of_feature_counts_are_called_after_their_reads(
    tmp_path, files, called, has_comment
):
    text = feature_counts(COUNTS[0], files[0], files[1:])
    path = tmp_path / "counts.txt"
    path.write_text(text if has_comment else text.split("\n", 1)[1])
    adata = read(path)
    assert list(adata.obs_names) == called
    np.testing.assert_array_equal(adata.X, [COUNTS[0]] * len(called))
    assert list(adata.var["Length"]) == ["7"] * 3
    assert adata.uns["jaxssl"]["scale"] == "counts"
    assert inspect(path).sample_examples == called
    labels = tmp_path / "labels.csv"
    names = [file.rsplit("/")[-1] for file in files]
    if len(set(names)) == len(names):
        labels.write_text("file,tissue\n" + "".join(f"{name},a\n" for name in names))
        assert list(read(path, labels=labels, label="tissue").obs["tissue"]) == ["a"] * len(names)


@pytest.mark.parametrize("pack", [as_folder, as_tar, as_zip])
def test_a_folder_of_feature_counts_is_called_after_the_reads(tmp_path, pack):
    files = {
        f"f{i}.featureCounts.txt": feature_counts(c, f"x/S{i}.bam").encode()
        for i, c in enumerate(COUNTS)
    }
    files["f0.featureCounts.txt.summary"] = b"Status\tx/S0.bam\nAssigned\t9\n"
    adata = read(pack(tmp_path, files))
    assert list(adata.obs_names) == ["S0", "S1"]
    np.testing.assert_array_equal(adata.X, COUNTS)


def test_a_folder_with_a_table_of_several_samples_names_the_file(tmp_path):
    files = {"all.txt": feature_counts(COUNTS[0], "a.bam", ["b.bam"]).encode()}
    assert "name the file itself" in refusal(as_folder(tmp_path, files))
