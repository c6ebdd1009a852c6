"""Tables of text: of samples or of genes, with the headers and comments that portals write."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from jaxssl.data.formats import kind_of
from jaxssl.data.formats.head import Dialect, Head, read_head, readable, sniff_table
from jaxssl.data.formats.matrix import as_text
from jaxssl.types import InputError

_MISSING = ("NA", "N/A", "NaN", "nan", "null", "'--")  # what exports write for an empty cell
_COMMENT = re.compile(r"[#!^]")
_ADF_MAIN = "[main]"  # above the table in an ADF of ArrayExpress


def read_annotation(path: str | Path) -> pd.DataFrame:
    """Read a table as text, "" where there is no value; comments above the header are passed over.

    csv, tsv (also gzip) or parquet, by content. Columns called alike (as in an SDRF) get numbers.

    Raises:
        InputError: for anything else.
    """
    path = Path(path)
    kind = kind_of(path)
    if kind == "parquet":
        frame = pd.read_parquet(path)
        return _tidy(as_text(frame.reset_index() if frame.index.name else frame), path)
    if kind not in ("text", "gzip"):
        raise InputError(f"{path} holds {kind}; expected a csv or tsv table with one row a sample")
    head = read_head(path, is_gzip=kind == "gzip")
    dialect = sniff_table(*_without_comments(head))
    return _tidy(_read_texts(path, dialect), path)


def _without_comments(head: Head) -> tuple[Head, int]:
    """The head with its header freed of "#", and how many lines stand above it."""
    if _ADF_MAIN in (marks := [line.strip() for line in head.lines]):
        return head, marks.index(_ADF_MAIN) + 1
    skip = 0
    while skip < len(head.lines) - 1 and _COMMENT.match(head.lines[skip]):
        skip += 1
    above = head.lines[skip - 1] if skip else ""
    below = head.lines[skip] if skip < len(head.lines) else ""
    if above.startswith("#") and above.count("\t") and above.count("\t") == below.count("\t"):
        lines = [*head.lines]  # "#id  gene  chrom ..." of a probemap is a header
        lines[skip - 1] = above.lstrip("# ")
        return head._replace(lines=lines), skip - 1
    return head, skip


def _read_texts(path: Path, dialect: Dialect) -> pd.DataFrame:
    """All rows; nothing is taken for a missing value but the empty cell.

    Portals write latin-1 into free text far down, so what is not UTF-8 is read as that.
    """
    try:
        with readable(path):
            frame = pd.read_csv(
                path,
                sep=dialect.delimiter,
                header=None,
                names=list(range(len(dialect.header))),
                skiprows=dialect.skip,
                dtype=str,
                keep_default_na=False,
                encoding=dialect.encoding,
                compression="gzip" if dialect.is_gzip else None,
            )
    except UnicodeDecodeError:
        return _read_texts(path, dialect._replace(encoding="latin-1"))
    text = frame.fillna("").astype(object)
    stripped = pd.DataFrame({i: text[i].str.strip() for i in text.columns}, dtype=object)
    ended = stripped[0].str.startswith(("!platform_table_end", "!series_matrix_table_end"))
    return stripped[~ended].set_axis(dialect.header, axis=1)


def _tidy(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    if not len(frame):
        raise InputError(f"{path} has a header and no rows")
    seen: dict[str, int] = {}
    names = []
    for name in map(str, frame.columns):
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    frame = frame.set_axis(names, axis=1)
    empty = [name for name in names if name == "" or np.all(frame[name] == "")]
    return frame.drop(columns=[n for n in empty if n == ""]).mask(frame.isin(_MISSING), "")
