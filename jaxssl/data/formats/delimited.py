"""csv and tsv: a row of names, a column of names, numbers between."""

import re

import numpy as np

from jaxssl.data.formats.head import Dialect, Head, find_text, sniff_table
from jaxssl.data.formats.matrix import RawTable, Reading
from jaxssl.data.formats.rows import read_matrix
from jaxssl.types import InputError

_BESIDE = """
    entrezgeneid entrezgene entrezid ncbigeneid length genelength effectivelength width start end
    chr chrom chromstart chromend chromosome strand cytoband numreads age stage grade sex gender
    label class target batch group
"""
_NO_EXPRESSION = frozenset(_BESIDE.split())  # stand beside expression in common exports
_TEXT_SHARE = 0.5  # of the first rows, above which a column is text and not a number mistyped


def read(head: Head, reading: Reading) -> RawTable:
    """Read a table of numbers, and of text in the columns that `reading` names."""
    dialect = dialect_of(head)
    texts = [i for i, name in enumerate(dialect.header) if i and name in reading.text_columns]
    found = [i for i in find_text(dialect, _TEXT_SHARE) if i not in texts]
    if found:
        names = [dialect.header[i] for i in found]
        names += [n for n in no_expression(np.array(dialect.header[1:])) if n not in names]
        names = [n for n in dialect.header if n in names or n in reading.text_columns]
        raise InputError(
            f"{head.path} holds text in column {dialect.header[found[0]]}",
            f"pass `text_columns={','.join(names)}` if that is no expression, or name an "
            "expression file",
        )
    form = "tsv" if dialect.delimiter == "\t" else "csv"
    table = read_matrix(form, dialect, texts, reading)
    _check_ids(dialect, table.row_ids)
    return table


def dialect_of(head: Head) -> Dialect:
    """How the table is written; comments above it are passed over."""
    skip = 0
    while skip < len(head.lines) and head.lines[skip].startswith("#"):
        skip += 1
    above, *below = head.lines[max(0, skip - 1) : skip + 1]
    n_tabs = below[0].count("\t") if below else 0
    is_header = skip == 1 and above.count("\t") == n_tabs > 0  # the line "#id ..." of tabs
    if is_header:
        head = head._replace(lines=[above.lstrip("# "), *head.lines[1:]])
    return sniff_table(head, 0 if is_header else skip, allow_no_corner=True)


def text_columns(head: Head) -> tuple[list[str], int]:
    """Names of the columns, the first apart, that hold text; and how many columns there are."""
    dialect = dialect_of(head)
    return [dialect.header[i] for i in find_text(dialect)], len(dialect.header)


def no_expression(names: np.ndarray) -> list[str]:
    """Names among those of samples or genes that common exports give to other columns."""
    plain = [re.sub(r"[^a-z0-9]", "", str(name).lower()) for name in names]
    return [str(n) for n, form in zip(names, plain, strict=True) if form in _NO_EXPRESSION]


def _check_ids(dialect: Dialect, ids: np.ndarray) -> None:
    """A first column of numbers is no column of ids."""
    probe = [str(i) for i in ids[:1000]]
    is_measured = sum(re.fullmatch(r"-?\d*\.\d+(e-?\d+)?", i) is not None for i in probe)
    is_counted = sum(i.isdigit() for i in probe)
    if is_measured > 0.5 * len(probe) or (
        is_counted == len(probe) and _is_like_the_others(dialect.header)
    ):
        raise InputError(
            f"{dialect.head.path}: the first column, {dialect.header[0]!r}, holds numbers such as "
            f"{probe[0]}, where names of the rows are expected",
            "write these with the table",
        )


def _is_like_the_others(header: list[str]) -> bool:
    """Whether the first name of a header has the form of another one: S1, S2, ..."""
    forms = [re.sub(r"[A-Za-z]+", "a", re.sub(r"\d+", "0", name)) for name in header[:100]]
    return forms[0] in forms[1:]
