"""Files of one sample each, as tools write them, in folders and archives."""

import gzip
import io
import tarfile
import zipfile

import pytest

from jaxssl import read
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
