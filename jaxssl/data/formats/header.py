"""Whether the first line of a table names its columns, and what stands in where it does not."""

import re
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from jaxssl.data.corner import is_name_for_ids, named_in
from jaxssl.data.formats.head import MISSING, Dialect, split_line
from jaxssl.data.genes import SAMPLE_PATTERNS, kinds_of
from jaxssl.data.symbols import is_symbol
from jaxssl.types import InputError

_LOOKED_AT = 50  # rows below the first line
_ENDINGS = (
    *(".gz", ".bz2", ".txt", ".tsv", ".csv", ".tab", ".dat", ".out", ".counts", ".count", ".cnt"),
    *(".htseq", ".htseq_counts", ".genes", ".featurecounts", ".readspergene", ".rna_seq", ".quant"),
)
"""What a file of counts is called besides its sample."""


def headed(dialect: Dialect, *, no_header: bool) -> Dialect:
    """The table with its header, or with names made up for it where its first line is data.

    One column of numbers beside ids of genes is read as a sample; else a first line that seems to
    be data is refused unless `no_header` says so.
    """
    path, header = dialect.head.path, dialect.header
    lines = dialect.head.lines[dialect.skip : dialect.skip + _LOOKED_AT]
    rows = [split_line(path, line, dialect.delimiter) for line in lines if line.strip()]
    n = len(header)
    rows = [row[:n] for row in rows if len(row) - n in (0, dialect.n_trailing)]
    may_be_data = _are_numbers(header, rows)
    ids = [row[0] for row in rows]
    if no_header:
        if not may_be_data:
            raise InputError(
                f"`no_header` is for tables whose first line is data; that of {path} names "
                f"columns, such as {header[-1]!r}",
                "drop it",
            )
        return _headless(dialect)
    if not may_be_data:
        return dialect
    are_genes = _is_gene_as(header[0], ids)
    if are_genes and len(header) == 2:
        return _headless(dialect)
    if not are_genes and not _is_sample_as(header[0], ids) and _is_name(header[0]):
        return dialect
    first = " ".join(header[:4])
    raise InputError(
        f"{path} seems to have no header: its first line, {first!r}, is like those below",
        "pass `no_header` if it is data, or write what the rows are, such as gene, above them",
    )


def names_columns(above: str, below: str = "") -> bool:
    """Whether a line behind a hash is a header: "#chrom..." of tabs, or "#gene,S1" of other marks.

    A comment may have commas, too: it has a space behind the hash, or begins with no name for ids.
    """
    for mark in "\t,;":
        n, name = above.count(mark), above[1:].split(mark, 1)[0]
        is_name = not name.startswith(" ") and is_name_for_ids(name)
        n_more = below.count(mark) - n  # an empty cell at the end of every row
        if n and (n_more == 0 or (n_more == 1 and is_name)) and (is_name or mark == "\t"):
            return True
    return False


def heading(header: list[str], about: Sequence[list[str]]) -> tuple[list[str], Sequence[list[str]]]:
    """Names of the columns, and the rows of text about them, of several rows above the values.

    Where names of the first row repeat, or are those of merged cells, the first row whose names
    are all different takes its place. A row of a name alone, as pandas writes, is above the ids.

    >>> heading(["", "A", ""], [["gene", "S1", "S2"]])
    (['gene', 'S1', 'S2'], [['', 'A', 'A']])
    """
    above = [row[0] for row in about if not any(row[1:])]
    about = [row for row in about if any(row[1:])]
    names = header[1:]
    if all(names) and len(set(names)) == len(names):
        return [*(above or header[:1]), *names], about
    for i, row in enumerate(about):
        cells = [cell or name for cell, name in zip(row[1:], names, strict=True)]
        if all(cells) and len(set(cells)) == len(cells):
            filled = list(accumulate(names, lambda last, name: name or last))
            corner, told = (row[0], header[0]) if row[0] else (header[0], "")
            rest = [*about[:i], *about[i + 1 :]]
            return [above[0] if above else corner, *cells], [[told, *filled], *rest]
    return [*(above or header[:1]), *names], about


def called_after(dialect: Dialect) -> str:
    """What was done about a missing header, as a note."""
    names = dialect.header[1:]
    if len(names) == 1:
        return f"no header: the values are of one sample, called {names[0]} after the file"
    return f"no header: the columns are called {names[0]} to {names[-1]} after the file"


def sample_of(path: Path) -> str:
    """What a file of one sample calls it.

    >>> sample_of(Path("S1.htseq.counts.gz"))
    'S1'
    """
    while path.suffix.lower() in _ENDINGS and path.stem:
        path = path.with_suffix("")
    return path.name


def _headless(dialect: Dialect) -> Dialect:
    """The table from its first line on."""
    sample, n = sample_of(dialect.head.path), len(dialect.header) - 1
    names = [sample] if n == 1 else [f"{sample}_{i + 1}" for i in range(n)]
    return dialect._replace(header=["", *names], skip=dialect.skip - 1, is_headless=True)


def _are_numbers(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first line has a number wherever those below have one."""
    columns = list(zip(*rows, strict=True))[1:]
    above = [name for name, cells in zip(header[1:], columns, strict=False) if _is_numeric(cells)]
    return _is_numeric(above) if above else False


def _is_numeric(cells: Sequence[str]) -> bool:
    """Whether all cells are numbers or missing, and one is a number."""
    there = [cell for cell in cells if cell not in MISSING]
    try:
        list(map(float, there))
    except ValueError:
        return False
    return bool(there)


def _is_gene_as(name: str, ids: Sequence[str]) -> bool:
    """Whether a name is of the kind of gene that most of the ids are."""
    kinds = kinds_of([name])
    if kinds:
        return kinds_of(ids)[next(iter(kinds))] > 0.5 * len(ids)
    return is_symbol(name) and sum(map(is_symbol, ids)) > 0.5 * len(ids)


def _is_sample_as(name: str, ids: Sequence[str]) -> bool:
    """Whether a name is written as most of the ids are, by its kind or but for its numbers."""
    kind = next(iter(kinds_of([name], SAMPLE_PATTERNS)), "")
    forms = [re.sub(r"\d+", "0", i) for i in (name, *ids)]
    n_alike = max(kinds_of(ids, SAMPLE_PATTERNS)[kind], forms.count(forms[0]) - 1)
    return name.isdigit() or (any(map(str.isdigit, name)) and n_alike > 0.5 * len(ids))


def _is_name(corner: str) -> bool:
    """Whether it stands above ids rather than among them."""
    return not corner or is_name_for_ids(corner) or bool(named_in(corner))
