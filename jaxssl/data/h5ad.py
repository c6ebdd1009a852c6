"""An .h5ad that is not ours: what it says of its samples, and what is added to it."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import h5py
import numpy as np
from anndata import AnnData
from anndata.io import read_elem, write_elem

from jaxssl.files import replacing


def as_stored(path: Path, sample_ids: Iterable[str], obsm: str) -> AnnData | None:
    """`obs` of an .h5ad, with one array of its `obsm` if there is one.

    None of another file, and of one that does not hold just these samples in its rows.
    """
    if not h5py.is_hdf5(path):
        return None
    with h5py.File(path, "r") as file:
        if not all(isinstance(file.get(name), h5py.Group) for name in ("obs", "var")):
            return None  # ARCHS4, or AnnData before 0.7
        obs: Any = read_elem(cast(Any, file["obs"]))
        obs.index = obs.index.astype(str)
        if list(obs.index) != list(sample_ids):
            return None
        arrays: Any = file.get("obsm", {})
        found: Any = {obsm: read_elem(arrays[obsm])} if obsm in arrays else {}
        return AnnData(obs=obs, obsm=found)


def add_to_h5ad(path: Path, out: Path, obsm: Mapping[str, Any], obs: Mapping[str, Any]) -> None:
    """Write an .h5ad anew, perhaps in its own place, with arrays of `obsm` and columns of `obs`.

    A column that is None is taken away. All else is copied byte by byte.
    """
    with replacing(out) as part:
        shutil.copyfile(path, part)
        with h5py.File(part, "r+") as file:
            if "obsm" not in file:
                write_elem(file, "obsm", {})
            for name, array in obsm.items():
                write_elem(cast(Any, file["obsm"]), name, array)
            table: Any = file["obs"]
            columns = list(table.attrs["column-order"])
            for name, values in obs.items():
                if values is not None:
                    write_elem(table, name, np.asarray(values, object))
                    columns += [name] * (name not in columns)
                elif name in table:
                    del table[name]
                    columns.remove(name)
            table.attrs["column-order"] = np.array(columns, h5py.string_dtype())
