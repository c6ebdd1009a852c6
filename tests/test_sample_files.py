"""Files of one sample each are rows of one matrix."""

import numpy as np
import pytest
from sample_files import (
    COUNTS,
    GENES,
    KINDS,
    TRANSCRIPTS,
    as_folder,
    as_tar,
    as_zip,
    files_of,
    fpkm,
    htseq,
    refusal,
    rsem,
    star,
    table,
)

from jaxssl import inspect, read


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pack", [as_folder, as_tar, as_zip])
def test_files_of_one_sample_each_are_rows_of_one_matrix(tmp_path, kind, pack):
    files, called = files_of(kind)
    path = pack(tmp_path, files)
    adata = read(path, scale="auto" if kind != "geo" else "counts")
    assert list(adata.obs_names) == called
    np.testing.assert_array_equal(adata.X, COUNTS)
    assert "samples are called by their" in adata.uns["jaxssl"]["notes"]
    assert "2 other files passed over" in adata.uns["jaxssl"]["notes"]
    report = inspect(path)
    assert (report.n_samples, report.n_genes, report.problems) == (2, 3, [])


@pytest.mark.parametrize("kind", ["star", "rsem", "salmon", "mirna", "stringtie"])
def test_one_file_is_one_sample_called_by_it(tmp_path, kind):
    files, called = files_of(kind)
    folder = as_folder(tmp_path, files)
    adata = read(folder / list(files)[2])
    assert list(adata.obs_names) == called[:1]
    np.testing.assert_array_equal(adata.X, COUNTS[:1])


def test_files_of_fpkm_are_linear_and_extra_columns_of_htseq_kept(tmp_path):
    folder = as_folder(tmp_path / "a", {"S1.FPKM.txt": fpkm(COUNTS[0]).encode()})
    adata = read(folder)
    np.testing.assert_array_equal(adata.X, [[100.25, 0.25, 7.25]])
    assert (list(adata.obs_names), adata.uns["jaxssl"]["scale"]) == (["S1"], "linear")
    named = table("", GENES, [[s, c] for s, c in zip("ABC", COUNTS[0], strict=True)])
    adata = read(as_folder(tmp_path / "b", {"S2_counts.txt": named.encode()}))
    assert list(adata.var["gene_name"]) == ["A", "B", "C"]
    np.testing.assert_array_equal(adata.X, COUNTS[:1])


def test_layer_chooses_the_column(tmp_path):
    for kind, layer in (
        ("rsem", "TPM"),
        ("salmon", "TPM"),
        ("mirna", "reads_per_million_miRNA_mapped"),
    ):
        path = as_folder(tmp_path / kind, files_of(kind)[0])
        np.testing.assert_array_equal(read(path, layer=layer).X, np.array(COUNTS) / 2)
        assert inspect(path, layer=layer).scale == "linear"
        assert "has no layer 'x': it has " in refusal(path, layer="x")


@pytest.mark.parametrize(
    ("others", "layer"), [((0.5, 0.5), "unstranded"), ((1, 0), "stranded_first")]
)
def test_the_column_of_star_follows_the_strand_of_the_reads(tmp_path, others, layer):
    (tmp_path / "S1ReadsPerGene.out.tab").write_text(star([200, 40, 6], others))
    path = tmp_path / "S1ReadsPerGene.out.tab"
    assert f"column {layer} of 1 file; others by `layer`" in read(path).uns["jaxssl"]["notes"]


def test_the_strand_of_star_is_asked_for_where_the_reads_do_not_tell(tmp_path):
    path = tmp_path / "S1ReadsPerGene.out.tab"
    path.write_text(star([200, 40, 6], (1, 0.5)))
    assert "cannot be told; pass `layer=unstranded`, or one of stranded_first" in refusal(path)
    np.testing.assert_array_equal(read(path, layer="stranded_second").X, [[100, 20, 3]])
    folder = as_folder(tmp_path / "x", {
        "AReadsPerGene.out.tab": star([200, 40, 6], (1, 0)).encode(),
        "BReadsPerGene.out.tab": star([200, 40, 6], (0, 1)).encode(),
    })  # fmt: skip
    assert "pass `layer=unstranded`, or stranded_first or stranded_second" in refusal(folder)
    np.testing.assert_array_equal(read(folder, layer="unstranded").X, [[200, 40, 6]] * 2)


@pytest.mark.parametrize("kind", ["salmon", "kallisto"])
def test_transcripts_are_summed_to_the_genes_of_a_map(tmp_path, kind):
    (tmp_path / "tx2gene.csv").write_text(
        "TXNAME,GENEID\n" + "".join(f"{t},{g}\n" for t, g in zip(TRANSCRIPTS, "ABA", strict=True))
    )
    path = as_folder(tmp_path, files_of(kind)[0])
    told = {"gene_map": tmp_path / "tx2gene.csv", "gene_column": "GENEID"}
    adata = read(path, **told)
    assert list(adata.var_names) == ["A", "B"]
    np.testing.assert_array_equal(adata.X, [[107, 0], [912, 3]])
    assert "`duplicates=sum`: 1 columns merged away" in adata.uns["jaxssl"]["notes"]
    assert "lengths are left out" in adata.uns["jaxssl"]["notes"]
    np.testing.assert_array_equal(read(path, **told, duplicates="max").X, [[100, 0], [900, 3]])


def test_sums_of_logarithms_are_refused(tmp_path):
    (tmp_path / "x.csv").write_text("gene,S1,S2\nTP53,1.5,9.5\nTP53,2.5,8\nEGFR,1,3.5\n")
    said = refusal(tmp_path / "x.csv", duplicates="sum", orientation="genes_in_rows", scale="log2")
    assert "are on the log2 scale; sum them before the logarithm" in said


def test_a_table_may_know_samples_by_their_files(tmp_path):
    path = as_folder(tmp_path, files_of("mirna")[0])
    rows = [f"S{i}.mirbase21.mirnas.quantification.txt\tTCGA-0{i}\tx{i}\n" for i in (1, 2)]
    (tmp_path / "sheet.tsv").write_text("File Name\tSample ID\tkind\n" + "".join(rows))
    adata = read(path, labels=tmp_path / "sheet.tsv", label="kind")
    assert list(adata.obs_names) == ["TCGA-01", "TCGA-02"]
    assert list(adata.obs["kind"]) == ["x1", "x2"]
    assert inspect(path, tmp_path / "sheet.tsv").is_joined
    (tmp_path / "labels.tsv").write_text("sample\tkind\nS1\ta\nS2\tb\n")
    adata = read(path, labels=tmp_path / "labels.tsv", label="kind")
    assert list(adata.obs_names) == ["S1", "S2"]


def test_files_of_other_genes_or_tools_are_refused(tmp_path):
    other = htseq(COUNTS[0]).replace("ENSG00000000005", "ENSG00000000006").encode()
    path = as_folder(tmp_path / "a", {"S1.counts": htseq(COUNTS[0]).encode(), "S2.counts": other})
    assert "S2.counts and S1.counts have different genes (3 and 3)" in refusal(path)
    path = as_folder(tmp_path / "b", {"S1.counts": htseq(COUNTS[0]).encode(),
                                      "S2.genes.results": rsem(COUNTS[0]).encode()})  # fmt: skip
    assert "S1.counts) and of RSEM genes (S2.genes.results); leave files of one" in refusal(path)
    turned = "".join(reversed(htseq(COUNTS[1]).splitlines(keepends=True))).encode()
    path = as_folder(tmp_path / "c", {"S1.counts": htseq(COUNTS[0]).encode(), "S2.counts": turned})
    np.testing.assert_array_equal(read(path).X, COUNTS)
    path = as_folder(tmp_path / "d", {"x.txt": b"none\n"})
    assert "is a folder without files of samples that are known" in refusal(path)


def test_archives_write_nothing_outside_and_little_inside(tmp_path, monkeypatch):
    files = {"../../S1.counts": htseq(COUNTS[0]).encode(), "/S2.counts": htseq(COUNTS[1]).encode()}
    path = as_tar(tmp_path, files)
    np.testing.assert_array_equal(read(path).X, COUNTS)
    assert [file.name for file in tmp_path.rglob("*")] == ["cart.tar.gz"]
    monkeypatch.setattr("jaxssl.data.formats.archives._LARGEST", 10)
    assert "larger than 0 MB unpacked; unpack it, and name the file or folder" in refusal(path)
    path.write_bytes(path.read_bytes()[:-30])
    monkeypatch.undo()
    assert "ends early or is damaged" in refusal(path)
