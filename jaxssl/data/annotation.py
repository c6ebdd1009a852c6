"""Tables of text: of samples or of genes, with the headers and comments that portals write."""

import itertools
from pathlib import Path

import pandas as pd

from jaxssl.data.corner import is_name_for_ids
from jaxssl.data.formats import geo, kind_of, parquet, soft
from jaxssl.data.formats.cells import split_line, unquoted
from jaxssl.data.formats.encodings import decoded, told_encoding
from jaxssl.data.formats.head import Dialect, Head, opened, read_head, sniff_table
from jaxssl.data.formats.matrix import as_text
from jaxssl.types import InputError, note_quoted

_COMMENT = ("#", "!", "^")
_ADF_MAIN = "[main]"  # above the table in an ADF of ArrayExpress
_ENDS = ("!platform_table_end", "!series_matrix_table_end", "!dataset_table_end")
_NAMELESS = "index"  # what a first column without a name is called


def read_annotation(
    path: str | Path, sheet: str = "", *, is_of_samples: bool = False
) -> pd.DataFrame:
    """Read a table as text; comments above the header are passed over.

    csv, tsv (also gzip), parquet, or the lines about samples of a GEO series matrix, by content;
    of a SOFT file those about its samples if these are asked for, else the table of its platform.
    Columns called alike (as in an SDRF) get numbers; a first column without a name, as pandas and R
    write ids, is called "index". What stands for no value is left: a sample may be called NA, and
    `blank` is for all but ids.
    """
    path = Path(path)
    kind = kind_of(path)
    if kind == "parquet":
        with parquet.intact(path):
            frame = pd.read_parquet(path, use_threads=False)
        if not isinstance(frame.index, pd.RangeIndex):
            frame = frame.rename_axis(str(frame.index.name or _NAMELESS)).reset_index()
        return _tidy(as_text(frame), path)
    if kind not in ("text", "r"):
        raise InputError(
            f"{path} holds {kind}", "expected a csv or tsv table with one row a sample"
        )
    head = _head_of(path, sheet)
    if geo.recognises(head):
        return geo.sample_table(head)
    if is_of_samples and soft.recognises(head):
        return soft.sample_table(head)
    head, n_above = _start_of_table(head)
    dialect = sniff_table(head, allow_no_corner=True)
    dialect = dialect._replace(skip=dialect.skip + n_above)
    table = _tidy(_read_text(dialect), path)
    table.attrs["notes"] = told_encoding(path.name, head.encoding, head.lines)
    return table


def _head_of(path: Path, sheet: str) -> Head:
    """The start of a table of text; of several in one file, one is to be left."""
    try:
        return read_head(path, sheet)
    except InputError as error:
        if "`sheet=" in error.fix or "`layer=" in error.fix:
            raise InputError(error.finding, "save the one to use by itself, as csv") from error
        raise


def _start_of_table(head: Head) -> tuple[Head, int]:
    """Lines from the header on, and how many stand above it: a platform of GEO has thousands."""
    with opened(head.path, head.member) as (_, file):
        lines = (decoded(line, head.encoding).rstrip("\r\n") for line in file)
        above, n_above, first = "", 0, ""
        is_adf = any(line.strip() == _ADF_MAIN for line in head.lines)
        for line in lines:
            if is_adf:
                is_adf = line.strip() != _ADF_MAIN
            elif line.strip() and not line.startswith(_COMMENT):
                first = line
                break
            above, n_above = line, n_above + 1
        rest = list(itertools.islice(lines, 30))
    body = [first, *rest]
    if n_above == 1 and above.startswith("#") and above.count("\t") == first.count("\t") > 0:
        return head._replace(lines=[above.lstrip("# "), *body]), 0  # of a probemap
    return head._replace(lines=body), n_above


def _read_text(dialect: Dialect) -> pd.DataFrame:
    """All rows, each by itself, so that a quote that is not closed spoils no other row.

    Nothing is taken for a missing value but the empty cell; short rows are filled up.
    """
    path, n_columns = dialect.head.path, len(dialect.header)
    rows, longest = [], 0
    with opened(path, dialect.head.member) as (_, file):
        for number, raw in enumerate(itertools.islice(file, dialect.skip, None), dialect.skip + 1):
            line = decoded(raw, dialect.head.encoding).rstrip("\r\n")
            if not line.strip():
                continue
            if line.startswith(_ENDS):
                break
            if dialect.delimiter == "\t":
                cells = [unquoted(cell) for cell in line.split("\t")]
            elif line.count('"') % 2:
                raise InputError(
                    f"{path}: line {number} has a quote that is not closed",
                    "write each row, breaks of free text too, on one line",
                )
            else:
                cells = split_line(path, line, dialect.delimiter)
            if len(cells) > n_columns and any(cells[n_columns:]):
                raise InputError(
                    f"{path} is not a table: line {number} has {len(cells)} fields, the header "
                    f"{n_columns}"
                )
            longest = max(longest, len(cells))
            rows.append(cells[:n_columns] + [""] * (n_columns - len(cells)))
    if rows and any(dialect.header[longest:]):
        raise InputError(
            f"{path} has {n_columns} names in its header and at most {longest} fields in a row: "
            "which name is one too many cannot be told"
        )
    return pd.DataFrame(rows, columns=pd.Index(dialect.header), dtype=object)


def _refuse_two_headers(frame: pd.DataFrame, path: Path) -> None:
    """Refuse names below those of merged cells: all filled, all different, one a name for ids."""
    first = frame.iloc[0].map(str)
    are_words = first.is_unique and all(len(cell) > 1 and not cell.isdecimal() for cell in first)
    is_nameless = "" in [*map(str, frame.columns[1:])]
    if is_nameless and are_words and any(map(is_name_for_ids, first)):
        raise InputError(
            f"{path} has a second row of headings: {', '.join(first[:6])}",
            "remove the one above it",
        )


def _tidy(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    if not len(frame):
        raise InputError(f"{path} has a header and no rows")
    _refuse_two_headers(frame, path)
    names: list[str] = []
    is_filled = []
    for i, given in enumerate(map(str, frame.columns)):
        plain = given or (_NAMELESS if i == 0 else f"unnamed {i + 1}")
        plain = plain.lstrip("_") if plain == "_index" else plain  # AnnData keeps that name
        name, count = plain, 1
        while name in names:
            count += 1
            name = f"{plain} ({count})"
        names.append(name)
        is_filled.append(bool(given) or bool((frame.iloc[:, i] != "").any()))
    note_quoted(names)
    note_quoted(frame.to_numpy().ravel())
    return frame.set_axis(names, axis=1).loc[:, is_filled]
