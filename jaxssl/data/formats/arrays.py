"""Arrays: npz, AnnData's h5ad and zarr, and ARCHS4's HDF5, read from disk as they are used."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import zarr
from anndata._io.specs.registry import IORegistryError

from jaxssl.data.formats import folder, gctx, kallisto, tenx
from jaxssl.data.formats.intact import COPY_AGAIN, absent, absent_within, require_sound
from jaxssl.data.formats.matrix import (
    BLOCK,
    Matrix,
    RawTable,
    Reading,
    as_names,
    as_text,
    blank,
    by_name,
    dense,
    require_layer,
)
from jaxssl.types import InputError

_NPZ = "expected X (samples x genes), sample_ids and feature_ids"
_HDF5_ERRORS = (OSError, LookupError, RuntimeError, TypeError, ValueError, AttributeError)
_RAW = "raw"
_ARCHS4_GENE_IDS = ("symbol", "genes", "gene_symbol")
_SINGLE_CELL, _AT_MOST = "singlecellprobability", 0.5  # samples above are left out
_ARCHS4_TEXT = ("series_id", "title", "source_name_ch1", "characteristics_ch1", _SINGLE_CELL)


def read_npz(path: Path, _reading: Reading) -> RawTable:
    """Read the arrays X, sample_ids and feature_ids, without pickled objects."""
    names: list[str] = []
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            names = arrays.files
            x, rows, columns = (arrays[key] for key in ("X", "sample_ids", "feature_ids"))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
        raise InputError(f"{path} is a damaged npz file ({error})", "write it again") from error
    except KeyError as error:
        holds = f"a zip that holds {', '.join(names[:6])}"
        raise InputError(f"{path} is {holds}, not an npz of expression", _NPZ) from error
    except ValueError as error:
        raise InputError(f"{path}: {error}", f"{_NPZ}, without pickled objects") from error
    if x.dtype.kind not in "fiu" or x.shape != (rows.size, columns.size) or rows.ndim != 1:
        raise InputError(
            f"{path}: X is {x.dtype} of shape {x.shape}, yet there are {rows.size} sample_ids and "
            f"{columns.size} feature_ids",
            _NPZ,
        )
    return RawTable("npz", x, by_name(rows), by_name(columns), "samples_in_rows")


def read_hdf5(path: Path, reading: Reading) -> RawTable:
    """Open an AnnData file or one of ARCHS4; the matrix stays on disk."""
    with _damage_told(path, "HDF5 file"):
        file = reading.scratch.enter_context(h5py.File(path, "r"))
        if "meta" in file and "data/expression" in file:
            return _open_archs4(path, file, reading)
        if "obs" in file and "var" in file:
            return _open_anndata(path, file, reading, "h5ad")
        if tenx.is_hdf5(file):
            return tenx.read_hdf5(path, file, reading)
        if gctx.is_hdf5(file):
            return gctx.read_hdf5(path, file, reading)
        if kallisto.is_hdf5(file):
            return folder.alone(kallisto.read_hdf5(path, file, reading), path)
        if "matrix" in file and "row_attrs" in file:
            fix = f"anndata.io.read_loom({path.name!r}).write_h5ad('x.h5ad'), with loompy installed"
            raise InputError(f"{path} is a loom file, which is not read", f"in Python: {fix}")
        found = ", ".join(list(file)[:5]) or "nothing"
    raise InputError(
        f"{path} is HDF5 with {found} inside",
        "expected an AnnData file (.h5ad) with X, obs and var, or one of ARCHS4",
    )


def is_zarr(path: Path) -> bool:
    """Whether a folder is the root of a zarr store."""
    return any((path / mark).is_file() for mark in (".zgroup", "zarr.json"))


def read_zarr(path: Path, reading: Reading) -> RawTable:
    """Open an AnnData store; the matrix stays on disk."""
    with _damage_told(path, "zarr store"):
        store = zarr.open_group(path, mode="r")
        if "obs" in store and "var" in store:
            return _open_anndata(path, store, reading, "zarr")
        found = ", ".join(sorted(store)[:5]) or "nothing"
    raise InputError(
        f"{path} is zarr with {found} inside", "expected an AnnData with X, obs and var"
    )


def bytes_of_matrix(path: Path) -> int:
    """What the matrix of an AnnData, packed or sparse, takes as rows of float32; 0: it has none."""
    is_store = path.is_dir()
    with (
        _damage_told(path, "zarr store" if is_store else "HDF5 file"),
        nullcontext(zarr.open_group(path, mode="r")) if is_store else h5py.File(path) as stored,
    ):
        x: Any = stored.get("X")
        is_sparse = isinstance(x, h5py.Group | zarr.Group)
        shape: Any = x.attrs.get("shape") if is_sparse else getattr(x, "shape", None)
        return 4 * int(np.prod(shape, dtype=np.int64)) if shape is not None else 0


@contextmanager
def _damage_told(path: Path, kind: str) -> Iterator[None]:
    """Name a file that a library cannot read."""
    try:
        yield
    except InputError:
        raise
    except (*_HDF5_ERRORS, IORegistryError) as error:
        raise InputError(
            f"{path} is a damaged {kind}, or of a version that cannot be read "
            f"({' '.join(str(error).split())})",
            "write it again",
        ) from error


def _open_archs4(path: Path, file: Any, reading: Reading) -> RawTable:
    """Counts of genes x samples; samples that seem to be single cells are left out."""
    require_layer(path, reading.layer, ())
    x, meta = file["data/expression"], file["meta"]
    if "samples" not in meta or "genes" not in meta:
        raise InputError(
            f"{path} is ARCHS4 with {', '.join(meta)} under meta",
            "expected genes and samples: take the file of genes, human_gene_v2.*.h5",
        )
    known = [name for name in _ARCHS4_GENE_IDS if name in meta["genes"]]
    if not known:
        there = ", ".join(meta["genes"])
        raise InputError(f"{path}: meta/genes has {there}", f"expected {_ARCHS4_GENE_IDS[0]}")
    genes = by_name(meta["genes"][known[0]][:])
    told = {n: as_names(meta["samples"][n][:]) for n in _ARCHS4_TEXT if n in meta["samples"]}
    samples = by_name(meta["samples"]["geo_accession"][:], told)
    _require_fit(path, "data/expression", x, genes=len(genes), samples=len(samples))
    dropped, notes = None, []
    if _SINGLE_CELL in samples:
        probability = pd.to_numeric(samples.pop(_SINGLE_CELL), errors="coerce")
        dropped = (probability > _AT_MOST).to_numpy()
        if dropped.all():
            raise InputError(f"{path}: by {_SINGLE_CELL}, every sample is a single cell")
        notes = [
            f"{dropped.sum():,} of {len(samples):,} samples left out: single cells by "
            f"{_SINGLE_CELL} > {_AT_MOST}"
        ]
    scale = "counts" if x.dtype.kind in "iu" else ""
    told = {"scale": scale, "notes": notes, "dropped": dropped}
    return RawTable("ARCHS4 HDF5", x, genes, samples, "genes_in_rows", **told)


def _open_anndata(path: Path, file: Any, reading: Reading, form: str) -> RawTable:
    """`reading.layer`, a name in `layers` or "raw", or X without it; dense or sparse."""
    layer = reading.layer
    layers = [*file.get("layers", {}), *([_RAW] if _RAW in file else [])]
    require_layer(path, layer, layers)
    holder = file[_RAW] if layer == _RAW else file
    name = "X" if layer in ("", _RAW) else f"layers/{layer}"
    if name not in holder:
        others = f", or name a layer with `layer`: {', '.join(layers)}" if layers else ""
        raise InputError(f"{path} has no X", f"write the matrix to use into adata.X{others}")
    obs, var = _frame(path, file, "obs"), _frame(path, holder, "var")
    if "jaxssl" not in file.get("uns", {}):  # `read` has done so
        obs = blank(obs)
    x, notes = _matrix(path, holder[name], reading)
    lost = [*absent_within(file["obs"], "obs"), *absent_within(holder["var"], "var")]
    notes += [f"{found}; {COPY_AGAIN}" for found in lost]
    prepared = {}
    if layer:
        notes.append(f"matrix {layer}")
    elif "uns" in file and "jaxssl" in file["uns"]:
        recorded = anndata.io.read_elem(file["uns/jaxssl"])
        prepared = dict(recorded) if isinstance(recorded, dict) else {}
    _require_fit(path, name, x, samples=len(obs), genes=len(var))
    return RawTable(form, x, obs, var, "samples_in_rows", prepared=prepared, notes=notes)


def _frame(path: Path, holder: Any, name: str) -> pd.DataFrame:
    frame = anndata.io.read_elem(holder[name])
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"{path}: {name} is no table", "write the file by a newer anndata")
    return as_text(frame)


def _matrix(path: Path, stored: Any, reading: Reading) -> tuple[Matrix, list[str]]:
    if isinstance(stored, h5py.Dataset | zarr.Array):
        if stored.ndim != 2 or stored.dtype.kind not in "fiub":
            raise InputError(
                f"{path}: the matrix is {stored.dtype} of shape {stored.shape}",
                "expected numbers of samples x genes",
            )
        found = absent(stored)
        return stored, [f"{found}; {COPY_AGAIN}"] if found else []
    for part in ("data", "indices", "indptr"):
        found = absent(stored[part])
        if found:  # what is zero is not stored, so that none of it can be absent
            raise InputError(f"{path}: of the sparse matrix's {part}, {found}", COPY_AGAIN)
    sparse: Any = anndata.io.sparse_dataset(stored)
    require_sound(path, stored, sparse)
    if sparse.format == "csr":
        return sparse, ["the matrix is sparse"]
    x = reading.scratch.empty(*sparse.shape)  # rows are scattered over a file stored by columns
    step = max(1, BLOCK // max(1, sparse.shape[0]))
    for start in range(0, sparse.shape[1], step):
        stop = min(start + step, sparse.shape[1])
        x[:, start:stop] = dense(sparse[:, start:stop])
    return x, ["the matrix is sparse, stored by columns"]


def _require_fit(path: Path, name: str, x: Matrix, **expected: int) -> None:
    """The matrix has as many rows and columns as there are names for them."""
    if x.shape != tuple(expected.values()):
        names = " and ".join(f"{count:,} {axis}" for axis, count in expected.items())
        raise InputError(
            f"{path}: {name} is {x.shape[0]:,} x {x.shape[1]:,}, yet there are {names}",
            "write or fetch it again",
        )
