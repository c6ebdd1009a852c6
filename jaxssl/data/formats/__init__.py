"""Expression files by content: every format as one `RawTable`, before anything is decided."""

import difflib
import os
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from anndata._io.specs.registry import IORegistryError

from jaxssl.data.formats import (
    archs4,
    delimited,
    depmap,
    gct,
    gdc,
    geo,
    h5ad,
    magetab,
    npz,
    parquet,
    recount3,
)
from jaxssl.data.formats.head import Head, read_head
from jaxssl.data.formats.matrix import RawTable, Reading, require_layer
from jaxssl.types import InputError

_HDF5, _PARQUET, _ZIP, _GZIP = b"\x89HDF\r\n\x1a\n", b"PAR1", b"PK\x03\x04", b"\x1f\x8b"
_HDF5_ERRORS = (OSError, KeyError, RuntimeError, TypeError, ValueError, AttributeError)
_PLAIN = ("csv", "tsv", "parquet", "npz", "h5ad")  # formats that no source writes of its own
_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".gct": "gct",
    ".parquet": "parquet",
    ".npz": "npz",
    ".h5ad": "h5ad",
}
"""What a file's name lets one expect; other names say nothing."""


TEXT_FORMATS: dict[str, ModuleType] = {
    "gct": gct,
    "geo": geo,
    "gdc": gdc,
    "recount3": recount3,
    "magetab": magetab,
    "depmap": depmap,
    "delimited": delimited,
}
"""Modules that have `recognises` and `read`, tried in this order; the last takes what is left."""


def _nearest(path: Path) -> str:
    """What a path that leads nowhere may have meant."""
    if not path.parent.is_dir():
        return f", nor does its folder, seen from {Path.cwd()}"
    names = [sibling.name for sibling in path.parent.iterdir()]
    near = difflib.get_close_matches(path.name, names, n=3)
    return f"; did you mean {', '.join(near)}?" if near else f" in {path.parent.resolve()}"


def kind_of(path: Path) -> str:
    """The container, by the first bytes: "text", "gzip", "parquet", "zip", "hdf5" or "folder".

    Raises InputError if there is no such file.
    """
    if path.is_dir():
        return "folder"
    if not path.exists():
        raise InputError(f"{path} does not exist{_nearest(path)}")
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(_PARQUET):
        return "parquet"
    if head.startswith(_HDF5):
        return "hdf5"
    if head.startswith(_ZIP):
        return "zip"
    return "gzip" if head.startswith(_GZIP) else "text"


def text_format(head: Head) -> str:
    """The key in `TEXT_FORMATS` of the first format that recognises the text."""
    return next(name for name, known in TEXT_FORMATS.items() if known.recognises(head))


def read_table(path: str | Path, reading: Reading) -> RawTable:
    """Read any supported file, or folder of gene counts.

    Raises InputError where it cannot be read as a matrix.
    """
    path = Path(path)
    table = _read(path, reading)
    if not len(table.row_ids) or not len(table.column_ids):
        raise InputError(f"{path} holds no values: {table.format} of no rows or no columns")
    expected = _SUFFIXES.get(Path(path.name.lower().removesuffix(".gz")).suffix, "")
    if expected and expected not in table.format.lower() and table.format.split()[0] in _PLAIN:
        note = f"named {path.name} but holds {table.format}; read as {table.format}"
        table = table._replace(notes=[*table.notes, note])
    return table


def text_columns(path: Path) -> tuple[Sequence[str], int]:
    """Names of the columns, ids apart, that hold text, and the number of columns.

    Only of plain tables: other formats say themselves what is text.
    """
    kind = kind_of(path)
    if kind == "parquet":
        return parquet.text_columns(path)
    if kind in ("text", "gzip"):
        head = read_head(path, is_gzip=kind == "gzip")
        if text_format(head) == "delimited":
            return delimited.text_columns(head)
    return [], 0


def may_tell(path: Path, column: str) -> bool:
    """Whether a file could have a column of text of that name; told without reading it."""
    kind = kind_of(path)
    if kind in ("text", "gzip"):
        head = read_head(path, is_gzip=kind == "gzip")
        form = text_format(head)
        if form == "delimited":
            return column in delimited.dialect_of(head).header
        return form in ("geo", "depmap", "gdc")
    return kind != "zip"


def _read(path: Path, reading: Reading) -> RawTable:
    kind = kind_of(path)
    if kind == "folder":
        return gdc.read_folder(path, reading)
    if kind == "hdf5":
        return _read_hdf5(path, reading)
    if kind in ("parquet", "zip"):
        require_layer(path, reading.layer, ())
        return (parquet if kind == "parquet" else npz).read(path, reading)
    head = read_head(path, is_gzip=kind == "gzip")
    form = text_format(head)
    if form != "gdc":
        require_layer(path, reading.layer, ())
    table = TEXT_FORMATS[form].read(head, reading)._replace(is_text=True)
    if kind == "text" and not _ends_a_line(path):
        note = f"the last line does not end: {path.name} may be cut, its last value with it"
        table = table._replace(notes=[*table.notes, note])
    return table


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _read_hdf5(path: Path, reading: Reading) -> RawTable:
    found = ""
    try:
        file = reading.scratch.open(path)
        for known in (archs4, h5ad):
            if known.recognises(file):
                return known.read(path, file, reading)
        found = ", ".join(list(file)[:5]) or "nothing"
    except InputError:
        raise
    except (*_HDF5_ERRORS, IORegistryError) as error:
        raise InputError(
            f"{path} is a damaged HDF5 file, or of a version that cannot be read "
            f"({' '.join(str(error).split())})",
            "write it again",
        ) from error
    raise InputError(
        f"{path} is HDF5 with {found} inside",
        "expected an AnnData file (.h5ad) with X, obs and var, or one of ARCHS4",
    )
