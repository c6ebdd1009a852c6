"""GEO series matrix: quoted lines about the samples, then a table between two marks."""

import itertools
from collections import Counter

import numpy as np
import pandas as pd

from jaxssl.data.formats.head import Dialect, Head, decoded, open_bytes, readable, split_line
from jaxssl.data.formats.matrix import RawTable, Reading
from jaxssl.data.formats.rows import EmptyTable, read_matrix
from jaxssl.types import InputError

_BEGIN, _END = "!series_matrix_table_begin", "!series_matrix_table_end"
_COPIED = {
    "!Sample_title": "title",
    "!Sample_source_name_ch1": "source_name",
    "!Sample_platform_id": "platform",
    "!Sample_organism_ch1": "organism",
    "!Sample_series_id": "series",
}
_FILE_NAMES = ("!Series_supplementary_file", "!Sample_supplementary_file")


def recognises(head: Head) -> bool:
    """Whether the text starts with a line about a series or a sample."""
    return head.lines[0].startswith(("!Series_", "!Sample_", "!series_matrix"))


def read(head: Head, reading: Reading) -> RawTable:
    """Read the table, and the characteristics of its samples as columns.

    Raises InputError on an empty table, as series of RNA-seq have it, with where the counts are.
    """
    about, header, skip = _preamble(head)
    dialect = Dialect("\t", head.encoding, head.is_gzip, header, skip, end=_END)
    try:
        table = read_matrix(
            "GEO series matrix", head, dialect, (), reading, orientation="genes_in_rows"
        )
    except EmptyTable as error:
        files = [
            value for name, value in about if name in _FILE_NAMES and value not in ("", "NONE")
        ]
        where = f"its values are in {files[0]}" if files else "its values are elsewhere"
        raise InputError(
            f"{head.path} has an empty table, as series of RNA-seq do: {where}",
            "import that file, with this one as `labels`",
        ) from error
    return table._replace(of_columns=describe_samples(about, table.column_ids))


def sample_table(head: Head) -> pd.DataFrame:
    """What the file says of its samples; the first column holds their accessions.

    Raises InputError without accessions.
    """
    about, _, _ = _preamble(head)
    values = [value for name, value in about if name == "!Sample_geo_accession"]
    if not values:
        raise InputError(
            f"{head.path} has no line !Sample_geo_accession to join by", "pass another `labels`"
        )
    ids = np.array(values, dtype=object)
    return describe_samples(about, ids).rename_axis("geo_accession").reset_index()


def describe_samples(about: list[tuple[str, str]], samples: np.ndarray) -> pd.DataFrame:
    """Columns of the lines about samples; characteristics go by the key before the colon.

    The n-th characteristics line need not have the same key in every sample, so each value is
    filed by its own key; a key that a sample has twice keeps both values, "; " between.
    """
    table: dict[str, list[str]] = {}
    values_of: dict[str, list[list[str]]] = {}
    for name, group in itertools.groupby(about, key=lambda pair: pair[0]):
        values = [value for _, value in group]
        lines = [values[i : i + len(samples)] for i in range(0, len(values), len(samples))]
        values_of.setdefault(name, []).extend(lines)
    for name, column in _COPIED.items():
        for line in values_of.get(name, [])[:1]:
            table[column] = list(line)
    for line in values_of.get("!Sample_characteristics_ch1", []):
        for i, cell in enumerate(line):
            key, colon, value = cell.partition(":")
            if not cell.strip():
                continue
            key = (key.strip().lower() if colon else "") or "characteristics"
            cells = table.setdefault(key, [""] * len(samples))
            new = value.strip() if colon else cell.strip()
            cells[i] = f"{cells[i]}; {new}" if cells[i] else new
    return pd.DataFrame(table, index=pd.Index(samples, dtype=object), dtype=object)


def _preamble(head: Head) -> tuple[list[tuple[str, str]], list[str], int]:
    """(line name, value) of each cell above the table, the table's header, and lines to skip.

    Raises InputError without a table.
    """
    about: list[tuple[str, str]] = []
    with readable(head.path), open_bytes(head.path, is_gzip=head.is_gzip) as file:
        for number, raw in enumerate(file):
            line = decoded(raw, head.encoding)
            name, _, rest = line.rstrip("\r\n").partition("\t")
            if name == _BEGIN:
                header = split_line(
                    head.path, file.readline().decode(head.encoding, "replace").rstrip("\r\n"), "\t"
                )
                return _checked(head, about, header), header, number + 2
            if rest:
                about += [(name, value) for value in split_line(head.path, rest, "\t")]
    raise InputError(f"{head.path} ends early: the line {_BEGIN} is missing", "fetch it again")


def _checked(head: Head, about: list[tuple[str, str]], header: list[str]) -> list[tuple[str, str]]:
    """Lines about samples must have a value for each sample."""
    accessions = [value for name, value in about if name == "!Sample_geo_accession"]
    if accessions and header[1:] != accessions:
        raise InputError(
            f"{head.path}: the table has {len(header) - 1} samples, the lines above it "
            f"{len(accessions)}, or in another order",
            "fetch it again",
        )
    n_samples = len(header) - 1
    for name, count in Counter(name for name, _ in about if name.startswith("!Sample_")).items():
        if n_samples and count % n_samples:
            raise InputError(
                f"{head.path}: {count} values of {name} for {n_samples} samples", "fetch it again"
            )
    return about
