"""Sparse matrices of 10x Genomics: MatrixMarket with lists of genes and cells, and HDF5."""

import re
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import scipy.io
from scipy import sparse

from jaxssl.data.formats.head import Head, opened
from jaxssl.data.formats.matrix import BLOCK, RawTable, Reading, as_names, by_name, dense
from jaxssl.types import InputError

_PART = re.compile(r"(?i)(.*?)(matrix\.mtx|features\.tsv|genes\.tsv|barcodes\.tsv)(\.gz)?$")
_EXPRESSION = "Gene Expression"
_SHOWN = 4


def is_part(name: PurePath) -> bool:
    """Whether a file is one of the three of a matrix."""
    return bool(_PART.fullmatch(name.name))


def recognises(head: Head) -> bool:
    """Whether a text is a matrix in MatrixMarket form."""
    return head.lines[0].startswith("%%MatrixMarket")


def read_folder(path: Path, place: Path, reading: Reading) -> RawTable:
    """Read the matrix with its lists below a folder, `place`, of which messages say `path`."""
    found = sorted(file for file in place.rglob("*") if re.search(r"\.mtx(\.gz)?$", file.name))
    if len(found) == 1:
        return read_matrix(found[0], reading)
    if found:
        names = ", ".join(str(file.relative_to(place)) for file in found[:_SHOWN])
        raise InputError(f"{path} holds {len(found)} matrices ({names})", "name one or several")
    raise InputError(
        f"{path} is {'a folder' if path.is_dir() else 'an archive'} without files of samples that "
        "are known: of the GDC, HTSeq, STAR, salmon, kallisto, RSEM, StringTie, featureCounts or "
        "10x",
        "name the files, several of the same genes, as they are" if path.is_dir() else "unpack it",
    )


def read(head: Head, reading: Reading) -> RawTable:
    """Read a matrix in MatrixMarket form, with the lists that lie beside it."""
    return read_matrix(head.path, reading)


def read_matrix(path: Path, reading: Reading) -> RawTable:
    """Genes x cells of a text and of the lists beside it."""
    prefix = re.sub(r"matrix\.mtx(\.gz)?$|\.mtx(\.gz)?$", "", path.name)
    lists = {name: _beside(path, prefix, name) for name in ("features", "genes", "barcodes")}
    features, barcodes = lists["features"] or lists["genes"], lists["barcodes"]
    if not features or not barcodes:
        what = "features.tsv or genes.tsv" if not features else "barcodes.tsv"
        raise InputError(
            f"{path} is a MatrixMarket file without {prefix}{what} beside it",
            "put the list there, as 10x writes it",
        )
    genes, cells = _lines(features), [cells[0] for cells in _lines(barcodes)]
    try:
        with opened(path) as (_, file):
            x: Any = scipy.io.mmread(file)
    except (ValueError, IndexError) as error:
        raise InputError(f"{path} is damaged ({error})", "fetch it again") from error
    if x.shape == (len(cells), len(genes)) != (len(genes), len(cells)):
        x = x.T  # as kallisto | bustools writes it
    if x.shape != (len(genes), len(cells)):
        raise InputError(
            f"{path} is {x.shape[0]:,} x {x.shape[1]:,}, yet there are {len(genes):,} genes and "
            f"{len(cells):,} barcodes",
            "fetch the three files again, of one run",
        )
    ids = [row[0] for row in genes]
    names = [row[1] if len(row) > 1 else row[0] for row in genes]
    kinds = [row[2] if len(row) > 2 else _EXPRESSION for row in genes]
    cells_first = sparse.csr_matrix(x.T)
    return _table("10x mtx", cells_first, cells, ids, names, kinds, reading)


def _beside(path: Path, prefix: str, name: str) -> Path | None:
    places = [path.with_name(f"{prefix}{name}.tsv{end}") for end in ("", ".gz")]
    return next((place for place in places if place.is_file()), None)


def _lines(path: Path) -> list[list[str]]:
    with opened(path) as (_, file):
        lines = file.read().decode().splitlines()
    return [line.split("\t") for line in lines if line.strip()]


def is_hdf5(file: Any) -> bool:
    """Whether an open HDF5 file is a matrix of Cell Ranger."""
    return bool(_groups(file))


def read_hdf5(path: Path, file: Any, reading: Reading) -> RawTable:
    """Genes x cells of Cell Ranger: one matrix, or of version 2 one a genome."""
    groups = _groups(file)
    name = reading.layer or groups[0]
    if name not in groups or (len(groups) > 1 and not reading.layer):
        raise InputError(
            f"{path} holds matrices of {', '.join(groups)}", f"say which with `layer={groups[0]}`"
        )
    group = file[name]
    n_genes, n_cells = (int(n) for n in group["shape"][:])
    told = group.get("features", group)
    ids = as_names(told["id" if "features" in group else "genes"][:])
    names = as_names(told["name" if "features" in group else "gene_names"][:])
    kinds = as_names(told["feature_type"][:]) if "feature_type" in told else [_EXPRESSION] * n_genes
    x = sparse.csr_matrix(
        (group["data"][:], group["indices"][:], group["indptr"][:]), shape=(n_cells, n_genes)
    )
    cells = as_names(group["barcodes"][:])
    return _table("10x HDF5", x, cells, ids, names, list(kinds), reading)


def _groups(file: Any) -> list[str]:
    """Names of the groups that hold a matrix of Cell Ranger."""
    needed = {"barcodes", "data", "indices", "indptr", "shape"}
    return [name for name in file if hasattr(file[name], "keys") and needed <= set(file[name])]


def _table(
    form: str, x: Any, cells: Any, ids: Any, names: Any, kinds: list[str], reading: Reading
) -> RawTable:
    """Cells x genes, dense, some cells at a time; what is no gene expression is left out."""
    kept = np.array([kind == _EXPRESSION for kind in kinds])
    notes = ["barcodes are cells or spots, each a sample here"]
    if not kept.all():
        others = sorted({kind for kind in kinds if kind != _EXPRESSION})
        notes.append(f"{(~kept).sum():,} rows left out that are {', '.join(others)}")
    filled = reading.scratch.empty(x.shape[0], int(kept.sum()))
    step = max(1, BLOCK // max(1, x.shape[1]))
    for start in range(0, x.shape[0], step):
        filled[start : start + step] = dense(x[start : start + step])[:, kept]
    genes = by_name(np.asarray(ids, object)[kept], {"gene_name": np.asarray(names, object)[kept]})
    scale = "counts" if x.dtype.kind in "iu" else ""
    return RawTable(form, filled, by_name(cells), genes, "samples_in_rows", scale, notes=notes)
