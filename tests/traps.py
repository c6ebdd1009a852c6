"""What tests of imports share: small files, and the message of a refusal."""

import gzip
from pathlib import Path

import anndata
import miniatures
import pandas as pd
import pytest
from miniatures import GENES, GSM, genes_in_rows, values

from jaxssl.data.expression import read
from jaxssl.data.inspect import inspect
from jaxssl.types import InputError

COUNTS = values("counts")


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    return miniatures.write(path, text, encoding)


def edited(path, old, new):
    """A text in which `old` is replaced, wherever it stands."""
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return write(path, text.decode().replace(old, new))


def refusal(path, **options) -> str:
    with pytest.raises(InputError) as caught:
        read(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def matrix(folder: Path, corner: str = "gene_id") -> Path:
    return write(folder / "x.tsv", genes_in_rows(corner, GSM, GENES, values()))


def table(folder: Path, text: str, name: str = "labels.tsv") -> Path:
    return write(folder / name, text)


def h5ad(path: Path, x=None) -> Path:
    adata = anndata.AnnData(values() if x is None else x)
    adata.obs_names, adata.var_names = GSM, GENES
    adata.write_h5ad(path, compression="gzip")
    return path


def samples_in_rows(**columns) -> pd.DataFrame:
    frame = pd.DataFrame(values("counts"), index=GSM, columns=GENES)
    for place, (name, cells) in enumerate(columns.items()):
        frame.insert(place, name, cells)
    return frame


def notes_of(adata) -> str:
    return adata.uns["jaxssl"]["notes"]


def counts(folder, more_rows=(), name="x.tsv", genes=GENES):
    """Genes in rows, with further rows above and below."""
    header, *rows = genes_in_rows("gene_id", GSM, genes, COUNTS).splitlines()
    lines = [header, *more_rows[:1], *rows, *more_rows[1:]]
    return write(folder / name, "\n".join(lines) + "\n")


def row(name, cells=range(50, 56)) -> str:
    return "\t".join([name, *map(str, cells)])


def agree(path, **options):
    """What `read` gives; `inspect` says the same shape and notes, and its command works."""
    adata, report = read(path, **options), inspect(path)
    assert (report.n_samples, report.n_genes) == adata.shape
    assert set(report.notes) <= set(notes_of(adata).splitlines())
    return adata
