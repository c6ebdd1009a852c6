import gzip
import io
import shutil
import tarfile
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from jaxssl import inspect, read
from jaxssl.types import InputError

GENES = ["ENSG00000000003.15", "ENSG00000000005.6", "ENSG00000000419.14"]
TRANSCRIPTS = ["ENST00000373020.9", "ENST00000496771.5", "ENST00000373031.5"]
COUNTS = [[100, 0, 7], [12, 3, 900]]  # of two samples
UUIDS = ["0a1b2c3d-0000-4000-8000-000000000001", "0a1b2c3d-0000-4000-8000-000000000002"]


def table(header, ids, columns, above=""):
    rows = ["\t".join(map(str, (i, *cells))) for i, cells in zip(ids, columns, strict=True)]
    return above + "\n".join([*([header] if header else []), *rows]) + "\n"


def htseq(counts):
    return table("", [*GENES, "__no_feature", "__ambiguous"], [[c] for c in (*counts, 4011288, 5)])


def star(counts, others=(0, 1)):
    above = [[n, 9, 9, 9] for n in ("unmapped", "multimapping", "noFeature", "ambiguous")]
    text = "".join("N_" + "\t".join(map(str, row)) + "\n" for row in above)
    first, second = others
    return text + table("", GENES, [[c, first * c, second * c] for c in counts])


def rsem(counts):
    header = "gene_id\ttranscript_id(s)\tlength\teffective_length\texpected_count\tTPM\tFPKM"
    return table(header, GENES, [["a,b", 9, 8.5, c, c / 2, c / 4] for c in counts])


def salmon(counts):
    header = "Name\tLength\tEffectiveLength\tTPM\tNumReads"
    return table(header, TRANSCRIPTS, [[9, 8.5, c / 2, c] for c in counts])


def kallisto(counts):
    ids = [
        f"{t}|{g}|-|-|x-201|SYM{i}|9|x|"
        for i, (t, g) in enumerate(zip(TRANSCRIPTS, GENES, strict=True))
    ]
    header = "target_id\tlength\teff_length\test_counts\ttpm"
    return table(header, ids, [[9, 8.5, c, c / 2] for c in counts])


def mirna(counts):
    header = "miRNA_ID\tread_count\treads_per_million_miRNA_mapped\tcross-mapped"
    ids = ["hsa-let-7a-1", "hsa-let-7a-2", "hsa-mir-21"]
    return table(header, ids, [[c, c / 2, "N"] for c in counts])


def stringtie(counts):
    header = "Gene ID\tGene Name\tReference\tStrand\tStart\tEnd\tCoverage\tFPKM\tTPM"
    return table(header, GENES, [["X", "chr1", "+", 1, 9, 2.5, c / 4, c] for c in counts])


def fpkm(counts):
    return table("", GENES, [[c + 0.25] for c in counts])


def feature_counts(counts, reads="/mnt/x/S1.sorted.bam", more=()):
    """The same counts for every file of reads."""
    files = "\t".join([reads, *more])
    above = '# Program:featureCounts v2.0.1; Command:"featureCounts" "-a" "x.gtf"\n'
    header = f"Geneid\tChr\tStart\tEnd\tStrand\tLength\t{files}"
    rows = [["1;1", "5;9", "7;12", "+;+", 7, *[c] * (1 + len(more))] for c in counts]
    return table(header, GENES, rows, above)


KINDS = {
    "htseq": (htseq, "{}.htseq.counts", ["S1", "S2"]),
    "gdc": (htseq, "{uuid}/{uuid}.htseq.counts.gz", [f"{u}.htseq.counts.gz" for u in UUIDS]),
    "star": (star, "{}ReadsPerGene.out.tab", ["S1", "S2"]),
    "star in folders": (star, "{}/ReadsPerGene.out.tab", ["S1", "S2"]),
    "rsem": (rsem, "{}.genes.results", ["S1", "S2"]),
    "salmon": (salmon, "{}/quant.sf", ["S1", "S2"]),
    "kallisto": (kallisto, "{}/abundance.tsv", ["S1", "S2"]),
    "mirna": (mirna, "{}.mirbase21.mirnas.quantification.txt", ["S1", "S2"]),
    "stringtie": (stringtie, "{}/gene_abund.tab", ["S1", "S2"]),
    "geo": (htseq, "GSM10{}_a.txt.gz", ["GSM10S1_a", "GSM10S2_a"]),
}


def files_of(kind):
    """Names and bytes of the two files, and of what lies beside."""
    text, name, called = KINDS[kind]
    found = {"logs/MANIFEST.txt": b"id\tfilename\n", "logs/annotations.txt": b"id\tx\n"}
    for i, counts in enumerate(COUNTS):
        data = text(counts).encode()
        path = name.format(f"S{i + 1}", uuid=UUIDS[i])
        found[path] = gzip.compress(data) if path.endswith(".gz") else data
    return found, called


def as_folder(folder, files):
    for name, data in files.items():
        (folder / "cart" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "cart" / name).write_bytes(data)
    return folder / "cart"


def as_tar(folder, files, name="cart.tar.gz"):
    with tarfile.open(folder / name, "w:gz" if name.endswith("gz") else "w") as archive:
        for member, data in files.items():
            info = tarfile.TarInfo(member)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return folder / name


def as_zip(folder, files):
    with zipfile.ZipFile(folder / "cart.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return folder / "cart.zip"


def refusal(path, **options):
    with pytest.raises(InputError) as error:
        read(path, **options)
    return str(error.value)


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


def mtx(kind="features", prefix="", end=""):
    """The three files of a matrix of genes x cells, with an antibody beside."""
    cells = [(i + 1, j + 1, c) for j, row in enumerate(COUNTS) for i, c in enumerate(row) if c]
    lines = ["%%MatrixMarket matrix coordinate integer general", "%made by hand"]
    lines += [f"4 2 {len(cells) + 1}", *(f"{i} {j} {c}" for i, j, c in cells), "4 1 55"]
    more = "\tGene Expression" if kind == "features" else ""
    names = [f"{g}\tSYM{i}{more}" for i, g in enumerate(GENES)]
    last = "CD3\tCD3\tAntibody Capture" if kind == "features" else "ENSG00000000457.14\tX"
    texts = {f"{prefix}matrix.mtx": lines, f"{prefix}{kind}.tsv": [*names, last],
             f"{prefix}barcodes.tsv": ["AAAC-1", "AAAG-1"]}  # fmt: skip
    packed = gzip.compress if end else bytes
    return {f"x/{n}{end}": packed(("\n".join(t) + "\n").encode()) for n, t in texts.items()}


@pytest.mark.parametrize("pack", [as_folder, as_tar, as_zip])
@pytest.mark.parametrize(("prefix", "end"), [("", ""), ("GSM1_a_", ".gz")])
def test_folders_of_10x_are_cells_by_genes(tmp_path, pack, prefix, end):
    path = pack(tmp_path, mtx("features", prefix, end))
    for given in (path, *(path.rglob("*.mtx*") if path.is_dir() else ())):
        adata = read(given)
        np.testing.assert_array_equal(adata.X, COUNTS)
        assert list(adata.obs_names) == ["AAAC-1", "AAAG-1"]
        assert list(adata.var["gene_name"]) == ["SYM0", "SYM1", "SYM2"]
        assert "1 rows left out that are Antibody Capture" in adata.uns["jaxssl"]["notes"]
        assert inspect(given).n_genes == 3


def test_matrices_without_their_lists_or_several_are_refused(tmp_path):
    files = mtx("genes")
    path = as_folder(tmp_path / "a", files)
    np.testing.assert_array_equal(read(path).X, [[*COUNTS[0], 55], [*COUNTS[1], 0]])
    (path / "x/genes.tsv").rename(path / "x/other.tsv")
    assert "without features.tsv or genes.tsv beside it; put the list" in refusal(path)
    several = as_folder(tmp_path / "b", {**mtx("genes", "A_"), **mtx("genes", "B_")})
    assert "holds 2 matrices (x/A_matrix.mtx, x/B_matrix.mtx); name one" in refusal(several)


@pytest.mark.parametrize("version", [2, 3])
def test_hdf5_of_cell_ranger_is_cells_by_genes(tmp_path, version):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        group = file.create_group("matrix" if version == 3 else "GRCh38")
        about = group.create_group("features") if version == 3 else group
        about["id" if version == 3 else "genes"] = np.array(GENES, "S")
        about["name" if version == 3 else "gene_names"] = np.array(["A", "B", "C"], "S")
        if version == 3:
            about["feature_type"] = np.array(["Gene Expression"] * 3, "S")
        group["barcodes"] = np.array(["AAAC-1", "AAAG-1"], "S")
        group["data"], group["indices"] = np.array([100, 7, 12, 3, 900]), [0, 2, 0, 1, 2]
        group["indptr"], group["shape"] = [0, 2, 5], [3, 2]
    adata = read(tmp_path / "x.h5")
    np.testing.assert_array_equal(adata.X, COUNTS)
    assert list(adata.var_names) == GENES
    assert inspect(tmp_path / "x.h5").scale == "counts"


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


def abundance(path, counts):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["est_counts"] = np.array(counts, float)
        file["aux/ids"] = np.array(TRANSCRIPTS, "S20")
        file["aux/lengths"], file["aux/eff_lengths"] = [9, 9, 9], np.array([5.0, 2.0, 4.0])
        file["bootstrap/bs0"] = np.zeros(3)


def test_hdf5_of_kallisto_is_read_as_its_text_is(tmp_path):
    for i, counts in enumerate(COUNTS):
        abundance(tmp_path / f"S{i}" / "abundance.h5", counts)
    for path, called in ((tmp_path / "S1" / "abundance.h5", ["S1"]), (tmp_path, ["S0", "S1"])):
        adata = read(path)
        assert list(adata.obs_names) == called
        np.testing.assert_array_equal(adata.X, COUNTS[-len(called) :])
        assert list(adata.var_names) == TRANSCRIPTS
        rate = np.array(COUNTS[-len(called) :]) / [5, 2, 4]
        tpm = 1e6 * rate / rate.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(read(path, layer="tpm").X, tpm, rtol=1e-6)
        assert inspect(path).problems == []
    for i, counts in enumerate(COUNTS):  # the text beside counts once
        (tmp_path / f"S{i}" / "abundance.tsv").write_text(kallisto(counts))
    np.testing.assert_array_equal(read(tmp_path).X, COUNTS)


@pytest.mark.parametrize("samples", [["S0"], ["S0", "S1"]])
@pytest.mark.parametrize("form", ["zip", "tar.gz"])
def test_hdf5_of_kallisto_in_an_archive_is_read_unless_its_text_is_there(tmp_path, samples, form):
    for i, sample in enumerate(samples):
        (tmp_path / "runs" / sample).mkdir(parents=True)
        abundance(tmp_path / "runs" / sample / "abundance.h5", COUNTS[i])
    kind = {"zip": "zip", "tar.gz": "gztar"}[form]
    archive = Path(shutil.make_archive(str(tmp_path / "out"), kind, tmp_path / "runs"))
    adata = read(archive)
    assert list(adata.obs_names) == samples
    np.testing.assert_array_equal(adata.X, np.array(COUNTS[: len(samples)], np.float32))
    for i, sample in enumerate(samples):
        (tmp_path / "runs" / sample / "abundance.tsv").write_text(kallisto(COUNTS[i]))
    archive = Path(shutil.make_archive(str(tmp_path / "out"), kind, tmp_path / "runs"))
    assert list(read(archive).obs_names) == samples
