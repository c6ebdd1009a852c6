"""AnnData's own files: dense or sparse, X or a layer or raw, read from disk as they are used."""

from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd

from jaxssl.data.formats.matrix import (
    BLOCK,
    Matrix,
    RawTable,
    Reading,
    as_text,
    require_layer,
    text_ids,
)
from jaxssl.types import InputError

_RAW = "raw"


class SparseRows:
    """A sparse matrix on disk or in memory whose rows come out dense."""

    def __init__(self, matrix: Any):
        self.matrix = matrix
        self.shape: tuple[int, ...] = tuple(matrix.shape)

    def __getitem__(self, rows: Any) -> np.ndarray:
        return self.matrix[rows].toarray()


def recognises(file: Any) -> bool:
    """Whether the file has the parts of an AnnData."""
    return {"obs", "var"} <= set(file)


def read(path: Path, file: Any, reading: Reading) -> RawTable:
    """Open a matrix with its names and the table of samples; the matrix stays on disk.

    `reading.layer` is a name in `layers`, or "raw"; X without it. Raises InputError if there is no
    such matrix.
    """
    layers = [*file.get("layers", {}), *([_RAW] if _RAW in file else [])]
    require_layer(path, reading.layer, layers)
    holder = file[_RAW] if reading.layer == _RAW else file
    name = "X" if reading.layer in ("", _RAW) else f"layers/{reading.layer}"
    if name not in holder:
        others = f", or name a layer with `layer`: {', '.join(layers)}" if layers else ""
        raise InputError(f"{path} has no X", f"write the matrix to use into adata.X{others}")
    obs, var = (_frame(path, holder, name) for holder, name in ((file, "obs"), (holder, "var")))
    x, notes = _matrix(path, holder[name], reading)
    prepared = {}
    if "uns" in file and "jaxssl" in file["uns"] and not reading.layer:
        recorded = anndata.io.read_elem(file["uns/jaxssl"])
        prepared = dict(recorded) if isinstance(recorded, dict) else {}
    if reading.layer:
        notes.append(f"matrix {reading.layer}")
    samples, genes = text_ids(obs.index), text_ids(var.index)
    if x.shape != (len(samples), len(genes)):
        raise InputError(
            f"{path}: {name} is {x.shape[0]:,} x {x.shape[1]:,}, yet there are {len(samples):,} "
            f"samples and {len(genes):,} genes",
            "write it again",
        )
    return RawTable(
        "h5ad", samples, genes, x, obs, var, "samples_in_rows", prepared=prepared, notes=notes
    )


def _frame(path: Path, holder: Any, name: str) -> pd.DataFrame:
    frame = anndata.io.read_elem(holder[name])
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"{path}: {name} is no table", "write the file by a newer anndata")
    return as_text(frame)


def _matrix(path: Path, stored: Any, reading: Reading) -> tuple[Matrix, list[str]]:
    if isinstance(stored, h5py.Dataset):
        if stored.ndim != 2 or stored.dtype.kind not in "fiub":
            raise InputError(
                f"{path}: the matrix is {stored.dtype} of shape {stored.shape}",
                "expected numbers of samples x genes",
            )
        return stored, []
    sparse: Any = anndata.io.sparse_dataset(stored)
    if sparse.format == "csr":
        return SparseRows(sparse), ["the matrix is sparse"]
    x = reading.scratch.empty(*sparse.shape)  # rows are scattered over a file stored by columns
    step = max(1, BLOCK // max(1, sparse.shape[0]))
    for start in range(0, sparse.shape[1], step):
        stop = min(start + step, sparse.shape[1])
        x[:, start:stop] = sparse[:, start:stop].toarray()
    return x, ["the matrix is sparse, stored by columns"]
