"""kallisto's abundance.h5: estimated counts of the transcripts of one sample."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from jaxssl.data.formats.matrix import Reading, by_name, require_layer
from jaxssl.data.formats.tools import TOOLS, Sample, plain_ids

_TOOL = next(tool for tool in TOOLS if tool.name == "kallisto")
_COUNTS, _TPM = _TOOL.layers


def is_hdf5(file: Any) -> bool:
    """Whether an open HDF5 file is of kallisto."""
    return {"est_counts", "aux"} <= set(file) and "ids" in file["aux"]


def read_hdf5(path: Path, file: Any, reading: Reading) -> Sample:
    """Counts, or TPM by them and the effective lengths, as `reading.layer` says."""
    require_layer(path, reading.layer, [_COUNTS, _TPM])
    layer = reading.layer or _COUNTS
    values = file["est_counts"][:].astype(np.float64)
    if layer == _TPM:
        values /= file["aux/eff_lengths"][:]
        values *= 1e6 / values.sum()
    genes = plain_ids(by_name(file["aux/ids"][:]))
    return Sample(_TOOL, layer, genes, values.astype(np.float32), 0)


def sample_of(path: Path, reading: Reading) -> Sample | None:
    """The sample of a file; None for one of anything else, or that the text beside it holds."""
    if any(path.with_suffix(end).is_file() for end in (".tsv", ".tsv.gz")):
        return None
    try:
        with h5py.File(path, "r") as file:
            return read_hdf5(path, file, reading) if is_hdf5(file) else None
    except OSError:
        return None
