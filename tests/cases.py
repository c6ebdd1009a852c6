"""What tests of the cases share: ids of their files, and what a file says, found without jaxssl."""

import csv
import gzip
from pathlib import Path

import numpy as np
from traps import agree

ENSEMBL = [
    f"ENSG00000000{end}" for end in ("003.15", "005.6", "419.14", "457.14", "460.17", "938.13")
]
SYMBOLS = ["TSPAN6", "TNMD", "DPM1", "SCYL3", "FIRRM", "FGR"]
S12 = [f"S{i}" for i in range(1, 13)]
S3 = S12[:3]


def written(path: Path, samples, genes, mark="\t", ids=0) -> np.ndarray:
    """Samples x genes, as `csv` finds them where the row of a gene meets the column of a sample."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt") as file:
        rows = list(csv.reader(file, delimiter=mark))
    header = next(row for row in rows if set(samples) <= set(row))
    of_gene = {row[ids]: row for row in rows if row[ids:]}
    cells = [[of_gene[gene][header.index(sample)] for gene in genes] for sample in samples]
    return np.array(cells, np.float32)


def holds(adata, samples, genes, x, last) -> None:
    """Checks ids and all values, the last of which is given by hand."""
    assert list(adata.obs_names) == samples
    assert list(adata.var_names) == genes
    np.testing.assert_array_equal(adata.X, x)
    assert adata.X[-1, -1] == np.float32(last)


def as_written(path: Path, samples, genes, last, mark="\t", **options):
    """A file as it is read and looked at, after checking that it holds what it says."""
    adata = agree(path, **options)
    holds(adata, samples, genes, written(path, samples, genes, mark), last)
    return adata
