"""GEO series matrix: quoted lines about the samples, then a table between two marks."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from jaxssl.data.formats.cells import split_line
from jaxssl.data.formats.delimited import EmptyTable, read_matrix
from jaxssl.data.formats.encodings import decoded
from jaxssl.data.formats.head import Dialect, Head, opened
from jaxssl.data.formats.matrix import RawTable, Reading, blank, by_name
from jaxssl.types import InputError

_BEGIN, _END = "!series_matrix_table_begin", "!series_matrix_table_end"
_ACCESSION = "!Sample_geo_accession"
_COPIED = {
    "!Sample_title": "title",
    "!Sample_source_name_ch1": "source_name",
    "!Sample_platform_id": "platform",
    "!Sample_organism_ch1": "organism",
    "!Sample_series_id": "series",
    "!Sample_source_name_ch2": "source_name (channel 2)",
}
_KEY = re.compile(r"((?:\([^()]*\)|[^:])*?):(.*)", re.DOTALL)  # treatment (time: 3 h): LPS
_BREAK = re.compile(r"\s*[\r\n]\s*")  # inside a quoted cell
_FILE_NAMES = ("!Series_supplementary_file", "!Sample_supplementary_file")


def recognises(head: Head) -> bool:
    """Whether the text starts with a line about a series or a sample."""
    return head.lines[0].startswith(("!Series_", "!Sample_", "!series_matrix"))


def read(head: Head, reading: Reading) -> RawTable:
    """Read the table, and the characteristics of its samples as columns.

    An empty table, as series of RNA-seq have it, is refused with where the counts are.
    """
    about, dialect = _preamble(head)
    try:
        table = read_matrix("GEO series matrix", dialect, (), reading, orientation="genes_in_rows")
    except EmptyTable as error:
        lines = [line for name in _FILE_NAMES for line in about.get(name, [])]
        files = [value for line in lines for value in line if value not in ("", "NONE")]
        where = f"its values are in {files[0]}" if files else "its values are elsewhere"
        raise InputError(
            f"{head.path} has an empty table, as series of RNA-seq do: {where}",
            "import that file, with this one as `labels`",
        ) from error
    return table._replace(columns=describe(about, table.columns.index))


def sample_table(head: Head) -> pd.DataFrame:
    """What the file says of its samples; the first column holds their accessions."""
    about, _ = _preamble(head)
    if _ACCESSION not in about:
        raise InputError(
            f"{head.path} has no line {_ACCESSION} to join by", "pass another `labels`"
        )
    return describe(about, about[_ACCESSION][0]).rename_axis("geo_accession").reset_index()


def describe(about: dict[str, list[list[str]]], samples: Any) -> pd.DataFrame:
    """Columns of the lines about samples; characteristics go by the key before the colon.

    The n-th characteristics line need not have the same key in every sample, so each value is
    filed by its own key; a key that a sample has twice keeps both values, "; " between. What the
    second channel of an array was given is filed apart.
    """
    table = {column: about[name][0] for name, column in _COPIED.items() if name in about}
    told: dict[str, list[str]] = {}
    for channel, after in (("ch1", ""), ("ch2", " (channel 2)")):
        for line in about.get(f"!Sample_characteristics_{channel}", []):
            for i, cell in enumerate(line):
                if not cell.strip():
                    continue
                keyed = _KEY.fullmatch(cell)
                key = (keyed[1].strip().lower() if keyed else "") or "characteristics"
                key += " (characteristic)" if key in table else after
                cells = told.setdefault(key, [""] * len(samples))
                new = (keyed[2] if keyed else cell).strip()
                cells[i] = f"{cells[i]}; {new}" if cells[i] else new
    return blank(by_name(samples, table | told))


def _preamble(head: Head) -> tuple[dict[str, list[list[str]]], Dialect]:
    """The values of each line above the table, by the line's name, and how the table is written."""
    path = head.path
    about: dict[str, list[list[str]]] = {}
    with opened(path) as (_, file):
        for n_above, line in _whole_lines(file, head.encoding):
            name, _, rest = line.partition("\t")
            if name == _BEGIN:
                line = file.readline().decode(head.encoding, "replace").rstrip("\r\n")
                header = split_line(path, line, "\t")
                _require_whole(path, about, header[1:])
                return about, Dialect(head, "\t", header, n_above + 1, end=_END)
            if rest:
                cells = split_line(path, rest, "\t")
                about.setdefault(name, []).append([_BREAK.sub(" ", cell) for cell in cells])
    raise InputError(f"{path} ends early: the line {_BEGIN} is missing", "fetch it again")


def _whole_lines(file: Any, encoding: str) -> Iterator[tuple[int, str]]:
    """Lines above the table, those that a quoted cell breaks as one, and how many of the file end.

    What follows a break starts with no name of a line.
    """
    held, n_held = "", 0
    for number, raw in enumerate(file, 1):
        line = decoded(raw, encoding).rstrip("\r\n")
        if held and line.startswith(("!Series_", "!Sample_", _BEGIN)):  # it was never closed
            yield n_held, held
            held = ""
        held, n_held = f"{held}\n{line}" if held else line, number
        if held.count('"') % 2 == 0:
            yield n_held, held
            held = ""


def _require_whole(path: Path, about: dict[str, list[list[str]]], samples: list[str]) -> None:
    """Lines about samples must have a value for each sample of the table."""
    accessions = [value for line in about.get(_ACCESSION, []) for value in line]
    if accessions and samples != accessions:
        raise InputError(
            f"{path}: the table has {len(samples)} samples, the lines above it "
            f"{len(accessions)}, or in another order",
            "fetch it again",
        )
    for name, lines in about.items():
        wrong = [line for line in lines if len(line) != len(samples)]
        if samples and wrong and name.startswith("!Sample_"):
            raise InputError(
                f"{path}: {len(wrong[0])} values of {name} for {len(samples)} samples",
                "fetch it again",
            )
