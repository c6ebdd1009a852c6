"""Expression files by content: every format as one `RawTable`, before anything is decided."""

import difflib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from jaxssl.data.formats import (
    arrays,
    containers,
    delimited,
    excel,
    feature_counts,
    folder,
    geo,
    parquet,
    portals,
    r,
    soft,
    tenx,
    tools,
)
from jaxssl.data.formats.cells import are_calls
from jaxssl.data.formats.encodings import told_encoding
from jaxssl.data.formats.head import TEXT_SHARE, Head, head_cells, read_head, text_shares
from jaxssl.data.formats.matrix import RawTable, Reading
from jaxssl.data.formats.rows import about_columns
from jaxssl.places import missing
from jaxssl.types import InputError

_MARKS = {"hdf5": b"\x89HDF\r\n\x1a\n", "parquet": b"PAR1"}
_WITH_LAYERS = ("tool", "magetab", "soft")  # texts of which `layer` chooses a column
_PLAIN = ("csv", "tsv", "parquet", "npz", "h5ad")  # formats that no source writes of its own
_SUFFIXES = {".tab": "tsv", ".xls": "excel", ".xlsx": "excel", ".ods": "excel"} | {
    f".{name}": name for name in (*_PLAIN, "gct")
}
"""What a file's name lets one expect; other names say nothing."""


TEXT_FORMATS: dict[str, tuple[Callable[[Head], bool], Callable[[Head, Reading], RawTable]]] = {
    "gct": (lambda head: head.lines[0].strip().startswith("#1."), portals.read_gct),
    "geo": (geo.recognises, geo.read),
    "soft": (soft.recognises, soft.read),
    "mtx": (tenx.recognises, tenx.read),
    "feature_counts": (feature_counts.recognises, feature_counts.read),
    "tool": (tools.recognises, folder.read_one),
    "recount3": (portals.is_recount3, portals.read_recount3),
    "recount2": (portals.is_recount2, portals.read_recount2),
    "magetab": (lambda head: portals.has_magetab_corner(head.lines[0]), portals.read_magetab),
    "depmap": (portals.is_depmap, portals.read_depmap),
    "delimited": (lambda _: True, delimited.read),
}
"""How a text is recognised and read, tried in this order; the last takes what is left."""


def _nearest(path: Path) -> str:
    """What a path that leads nowhere may have meant."""
    if not path.parent.is_dir():
        return f", nor does its folder, seen from {Path.cwd()}"
    names = [sibling.name for sibling in path.parent.iterdir() if sibling.name[0] != "."]
    near = difflib.get_close_matches(path.name, names, n=3)
    return f"; did you mean {', '.join(near)}?" if near else f" in {path.parent.resolve()}"


def kind_of(path: Path) -> str:
    """The container: "text", "r", "archive", "parquet", "npz", "hdf5", "zarr" or "folder".

    A text may be packed, and a sheet of Excel is one; what is known and not read is refused.
    """
    if path.is_dir():
        return "zarr" if arrays.is_zarr(path) else "folder"
    if not path.exists():
        raise InputError(f"{path} {missing(path)}{_nearest(path)}")
    with path.open("rb") as file:
        start = file.read(8)
    found = next((kind for kind, mark in _MARKS.items() if start.startswith(mark)), "")
    return found or containers.kind_inside(path)


def text_format(head: Head) -> str:
    """The key in `TEXT_FORMATS` of the first format that recognises the text."""
    return next(name for name, (recognises, _) in TEXT_FORMATS.items() if recognises(head))


def read_table(path: Path, reading: Reading) -> RawTable:
    """Read any supported file, or folder of gene counts."""
    table = _read(path, reading)
    if not len(table.rows) or not len(table.columns):
        raise InputError(f"{path} holds no values: {table.format} of no rows or no columns")
    expected = _SUFFIXES.get(Path(path.name.lower().removesuffix(".gz")).suffix, "")
    if expected and expected not in table.format.lower() and table.format.split()[0] in _PLAIN:
        note = f"named {path.name} but holds {table.format}; read as {table.format}"
        table = table._replace(notes=[*table.notes, note])
    return table


def text_columns(
    path: Path, layer: str = "", sheet: str = "", *, no_header: bool = False
) -> tuple[Sequence[str], Sequence[str], str]:
    """Of a plain table, names of the columns that hold text, of all, ids apart, and of the ids."""
    kind, member = _within(path, layer, sheet)
    if kind == "parquet":
        return parquet.text_columns(path)
    if kind == "text" and text_format(head := read_head(path, member)) == "delimited":
        dialect = delimited.dialect_of(head, no_header=no_header)
        cells, shares = head_cells(dialect), text_shares(dialect)
        found = [i for i, share in enumerate(shares) if i and share > TEXT_SHARE]
        texts = [n for i in found if not are_calls(n := dialect.header[i], cells[i])]
        return texts, dialect.header[1:], dialect.header[0]
    return [], [], ""


def may_tell(
    path: Path, column: str, layer: str = "", sheet: str = "", *, no_header: bool = False
) -> bool:
    """Whether a file could have a column of text of that name; told without reading it."""
    kind, member = _within(path, layer, sheet)
    if kind != "text":
        return kind not in ("npz", "r")
    head = read_head(path, member)
    form = text_format(head)
    if form == "delimited":
        dialect = delimited.dialect_of(head, no_header=no_header)
        firsts = (line.split(dialect.delimiter, 1)[0].strip('" ') for line in head.lines)
        return column in (*dialect.header, *firsts, *about_columns(dialect.about, 0, ()))
    return form not in ("recount2", "recount3", "magetab")


def _within(path: Path, layer: str, sheet: str) -> tuple[str, str]:
    """The container, and which sheet or data frame in it is a text."""
    kind = kind_of(path)
    if sheet and (kind != "text" or containers.packing_of(path) != "Excel"):
        raise InputError(f"`sheet={sheet}`, yet {path} is no workbook", "drop `sheet`")
    if kind == "r":
        return ("text" if r.is_frame(path, layer) else kind), layer
    return kind, sheet


def _read(path: Path, reading: Reading) -> RawTable:
    kind, member = _within(path, reading.layer, reading.sheet)
    head = read_head(path, member) if kind == "text" else None
    form = text_format(head) if head else kind
    if reading.no_header and form not in ("delimited", "tool"):
        raise InputError(f"`no_header` is for csv and tsv; {path} is {form}", "drop it")
    if reading.id_column and form not in ("delimited", "parquet"):
        raise InputError(f"`id_column` is for csv, tsv and parquet; {path} is {form}", "drop it")
    if kind == "r":
        return r.read_matrix(path, reading.layer)
    if kind in ("folder", "archive"):
        return folder.read(path, reading)
    if kind in ("hdf5", "zarr"):
        return (arrays.read_hdf5 if kind == "hdf5" else arrays.read_zarr)(path, reading)
    if not head:
        read = parquet.read if kind == "parquet" else arrays.read_npz
        return read(path, reading)._replace(layer=reading.layer)
    if head.packing == "R":
        reading = reading._replace(layer="")  # it names the object
    table = TEXT_FORMATS[form][1](head, reading)
    if form not in _WITH_LAYERS:
        table = table._replace(layer=reading.layer)
    r.forget()
    excel.forget()
    notes = [*table.notes, *told_encoding(path.name, head.encoding, head.lines)]
    if reading.cuts(path) and head.packing not in ("Excel", "R"):
        size = path.stat().st_size
        share = f"the first {reading.limit / size:.0%} of {size / 1e9:.1f} GB"
        notes.insert(0, f"judged by {share}; pass `whole` to read all of it")
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        is_ended = file.read(1) == b"\n"
    if not head.packing and not is_ended:
        notes.append(f"the last line does not end: {path.name} may be cut, its last value with it")
    return table._replace(notes=notes)
