"""GCTX of the Broad Institute: a matrix of samples x genes in HDF5, with text about both."""

from pathlib import Path
from typing import Any

import pandas as pd

from jaxssl.data.formats.matrix import RawTable, Reading, as_names, by_name, require_layer
from jaxssl.types import InputError

_MATRIX, _GENES, _SAMPLES = "0/DATA/0/matrix", "0/META/ROW", "0/META/COL"


def is_hdf5(file: Any) -> bool:
    """Whether an open HDF5 file is a GCTX."""
    return all(f"{place}" in file for place in (_MATRIX, f"{_GENES}/id", f"{_SAMPLES}/id"))


def read_hdf5(path: Path, file: Any, reading: Reading) -> RawTable:
    """The matrix, which stays on disk, with the text about its samples and genes."""
    require_layer(path, reading.layer, ())
    samples, genes, x = _about(file[_SAMPLES]), _about(file[_GENES]), file[_MATRIX]
    if x.shape != (len(samples), len(genes)):
        raise InputError(
            f"{path} states {len(samples):,} samples and {len(genes):,} genes, and its matrix is "
            f"{x.shape[0]:,} x {x.shape[1]:,}",
            "fetch it again",
        )
    return RawTable("GCTX", x, samples, genes, "samples_in_rows")


def _about(group: Any) -> pd.DataFrame:
    told = {str(name): as_names(group[name][:]) for name in group}
    ids = [str(name).strip() for name in told.pop("id")]
    return by_name(ids, told)
