"""Which column of a table names its rows, and rows of text that stand between header and values."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np
import pandas as pd

from jaxssl.data.companions import AMONG_GENES, AMONG_SAMPLES, is_id_of_genes, kinds_of
from jaxssl.data.corner import OVER_NUMBERS, is_name_for_ids
from jaxssl.data.formats.cells import (
    MISSING,
    has_marks,
    how_to_mend,
    is_adorned,
    is_for_none,
    may_be_grouped,
    split_line,
)
from jaxssl.data.formats.head import Dialect
from jaxssl.data.formats.matrix import RawTable, Reading
from jaxssl.data.genes import GENE_PATTERNS, SAMPLE_PATTERNS, id_type
from jaxssl.types import InputError

_HIGHEST_NUMBER = 70_000  # of a row; ids of Entrez among any others are higher
_MOST_ROWS = 8  # of text below a header


class RowIds(NamedTuple):
    """The column of ids, and what the first column is where it is not that one."""

    column: int
    first: str = "text"  # "numbers" of the rows, or "sample"
    notes: Sequence[str] = ()


def find_ids(path: Path, header: Sequence[str], cells: pd.DataFrame, wanted: str) -> RowIds:
    """The column that names the rows: the first, unless something else stands there.

    Args:
        path: the file, for messages.
        header: names of the columns.
        cells: text of the first rows.
        wanted: the column's name, where it is told.

    Returns:
        Its position; where the first column numbers the rows, is of one sample, or tells of the
        genes, that of the ids beside it.

    Raises:
        InputError: where the name is of no column, or several columns could be it.

    Example:
        >>> find_ids(path, ["", "gene_id", "S1"], cells, "").column  # doctest: +SKIP
        1
    """
    if wanted:
        if wanted not in header:
            there = ", ".join(name for name in header[:12] if name)
            raise InputError(f"{path} has no column {wanted!r}", f"correct `id_column`: {there}")
        column = list(header).index(wanted)
        return RowIds(column, _kind_of_first(header[0], cells[0]) if column else "text")
    kind = _kind_of_first(header[0], cells[0])
    if kind == "ids":
        return RowIds(0)
    fit = [i for i in range(1, len(header)) if _may_be_ids(header[i], cells[i], kind)]
    if kind == "numbers" and not fit:
        fit = [i for i in range(1, len(header)) if _are_ids(cells[i])]
    facts = kinds_of(header, AMONG_SAMPLES)  # an accession names rows where nothing else does
    fit = [i for i in fit if is_id_of_genes(header[i]) or not facts[i]] or fit
    typed = [i for i in fit if id_type(cells[i].to_numpy(), GENE_PATTERNS | SAMPLE_PATTERNS)]
    best = typed if len(typed) == 1 else fit
    if not best:
        return RowIds(0)
    if len(best) > 1:
        names = ", ".join(header[i] for i in best[:6])
        raise InputError(
            f"{path}: the first column, {header[0]!r}, does not name the rows, and {names} may",
            f"pass `id_column={header[best[0]]}`, or the one that does",
        )
    what = {"numbers": "numbers the rows", "sample": "is a sample's"}.get(kind, "tells of them")
    note = f"rows are named by column {header[best[0]]}, as the first, {header[0]!r}, {what}"
    return RowIds(best[0], kind, [note])


def rows_of_text(dialect: Dialect) -> list[list[str]]:
    """Rows below the header that hold text where the row below them holds numbers."""
    found: list[list[str]] = []
    lines = dialect.head.lines[dialect.skip : dialect.skip + _MOST_ROWS + 1]
    for line in lines:
        cells = split_line(dialect.head.path, line, dialect.delimiter)
        if len(cells) - len(dialect.header) not in (0, dialect.n_trailing):
            return []
        cells = cells[: len(dialect.header)]
        numbers = [i for i, cell in enumerate(cells) if i and _is_number(cell)]
        is_fact = kinds_of(cells[:1], AMONG_GENES)[0] == "sample"  # codes, above rows of words
        if numbers and not is_fact:
            words = [row for row in found if any(row[1:]) and not any(map(_is_number, row[1:]))]
            if any(not any(row[1:]) and not is_name_for_ids(row[0]) for row in found):
                return []  # a gene without values
            return found if words and all(_tells(row, numbers) for row in words) else []
        found.append(cells)
    return []


def refuse_text(
    path: Path,
    ids: Sequence[str],
    names: np.ndarray,
    cells: pd.Series,
    parsed: pd.Series,
    is_wrong: np.ndarray,
) -> NoReturn:
    """Refuse the first cell that is no number, and say whether its row or its column is text.

    `cells` are those of all rows, one row after the other, and `parsed` their numbers.
    """
    first, n = int(is_wrong.argmax()), len(names)
    row, column = divmod(first, n)
    cell, name, place = cells[first], names[column], slice(row * n, row * n + n)
    of_row, wrong = list(cells[place]), is_wrong[place]
    plain = parsed[parsed.notna()].head(1000).tolist()
    fix = how_to_mend(cell, plain, name)
    is_number = has_marks(cell) or is_adorned(cell) or is_for_none(cell)
    if not is_number and of_row == list(names):
        raise InputError(
            f"{path} repeats its header below row {ids[row - 1]}"
            if row
            else f"{path} repeats its header",
            "remove that line, or save what is below it by itself if it is another table",
        )
    if not is_number and n > 1 and 2 * wrong.sum() > sum(value not in MISSING for value in of_row):
        raise InputError(
            f"{path}: row {ids[row]} holds words, such as {cell!r} in column {name}, where others "
            "hold numbers: it is about the columns",
            "move it to just below the header, where it is kept as text, or remove it",
        )
    raise InputError(f"{path} holds text: row {ids[row]}, column {name} is {cell!r}", fix)


def about_columns(
    rows: Sequence[Sequence[str]], ids: int, texts: Sequence[int]
) -> dict[str, list[str]]:
    """Text of rows about each column that is not in `texts`, by the name of the row."""
    return {
        row[ids] or row[0] or f"row {i}": [
            "" if cell in MISSING else cell for j, cell in enumerate(row) if j not in texts
        ]
        for i, row in enumerate(rows, 1)
    }


def told_beside(dialect: Dialect, table: RawTable, reading: Reading) -> list[str]:
    """What was passed over, and kept beside the numbers without being asked for."""
    notes = []
    kept = [name for name in table.rows.columns if name not in reading.text_columns]
    if kept:
        notes.append(f"kept as text about the rows: {', '.join(kept)}")
    below = list(table.columns.columns)
    if below:
        notes.append(f"text below the header is about the columns: {', '.join(below)}")
    if dialect.n_trailing:
        cells = f"{n} empty cells" if (n := dialect.n_trailing) > 1 else "an empty cell"
        notes.append(f"every row ends with {cells} more than the header: passed over")
    return notes


def check_ids(dialect: Dialect, ids: np.ndarray) -> None:
    """A first column of numbers is no column of ids."""
    probe, is_of_ids = [str(i) for i in ids[:1000]], is_name_for_ids(dialect.header[0])
    # 7157.0 is how pandas writes an id where others are missing
    measured = r"-?\d*\.\d+(e-?\d+)?" if not is_of_ids else r"-?\d*\.(?!0+$)\d+(e-?\d+)?"
    is_measured = sum(re.fullmatch(measured, i) is not None for i in probe)
    forms = [re.sub(r"[A-Za-z]+", "a", re.sub(r"\d+", "0", n)) for n in dialect.header[:100]]
    # S1, above it, is called as S2 is
    is_counted = forms[0] in forms[1:] and not is_of_ids and all(i.isdigit() for i in probe)
    if is_measured > 0.5 * len(probe) or is_counted:
        raise InputError(
            f"{dialect.head.path}: the first column, {dialect.header[0]!r}, holds numbers such as "
            f"{probe[0]}, where names of the rows are expected",
            "write these with the table",
        )


def refuse_grouped(path: Path, cells: pd.DataFrame) -> None:
    """Ask what a point stands for where numbers look like thousands that it parts.

    Columns of whole numbers alone, as of ages beside genes, tell nothing of the points of others.
    """
    pointed = [i for i in cells if cells[i].str.contains(".", regex=False).any()]
    texts = pd.Series(cells[pointed].to_numpy(dtype=object).ravel(), dtype=object)
    cell = may_be_grouped(texts[~texts.isin(MISSING)].tolist())
    if cell:
        raise InputError(
            f"{path} writes numbers below 1,000 whole and others with a point before three digits, "
            f"such as {cell}: it may part thousands or decimals",
            f"write {cell.replace('.', '')} or {cell}0, whichever is meant, and all others so",
        )


def _tells(row: Sequence[str], places: Sequence[int]) -> bool:
    """Whether most cells at some places are words, and none a number."""
    cells = [row[i] for i in places if row[i] not in MISSING and not is_for_none(row[i])]
    words = [cell for cell in cells if re.search(r"[^\W\d_]", cell)]
    return 2 * len(words) > len(places)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell not in MISSING


def _kind_of_first(name: str, cells: pd.Series) -> str:
    """What the first column holds: "ids", "numbers" of the rows, values of a "sample", "text"."""
    plain = name.strip().lower()
    if plain in OVER_NUMBERS:
        whole = {int(cell) for cell in cells if cell.isdecimal()}  # with gaps where filtered
        are_numbered = 0 < len(cells) == len(whole) and max(whole) < _HIGHEST_NUMBER
        return "numbers" if are_numbered else "ids"
    if is_id_of_genes(name) or is_name_for_ids(name):
        is_shared = not is_id_of_genes(name) and 2 * cells.nunique() <= len(cells)  # a study's
        return "text" if is_shared else "ids"
    if kinds_of([name], AMONG_SAMPLES)[0]:
        return "text" if cells.duplicated().any() else "ids"
    are_values = len(cells) > 1 and all(_is_number(cell) for cell in cells)
    return "sample" if are_values else "ids"


def _are_ids(cells: pd.Series) -> bool:
    """Whether cells below a name that tells nothing are ids of genes, all different."""
    kind = id_type(cells.to_numpy())
    return kind not in ("", "number") and not cells.duplicated().any()


def _may_be_ids(name: str, cells: pd.Series, first: str) -> bool:
    """Whether a column beyond the first could name the rows."""
    if not is_id_of_genes(name) and not is_name_for_ids(name):
        return False
    if cells.isin(MISSING).any() or cells.duplicated().any():
        return False
    are_numbers = all(_is_number(cell) for cell in cells)
    return not are_numbers or (first == "numbers" and is_id_of_genes(name))
