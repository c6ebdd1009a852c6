"""csv and tsv: a row of names, a column of names, numbers between."""

import numpy as np

from jaxssl.data.formats.head import Dialect, Head, find_text, sniff_table
from jaxssl.data.formats.matrix import RawTable, Reading, no_text, require_layer
from jaxssl.data.formats.rows import gather


def recognises(head: Head) -> bool:
    """Whether the text is a plain table: whatever no other format claims."""
    return bool(head.lines)


def read(head: Head, reading: Reading) -> RawTable:
    """Read a table of numbers, and of text in the columns that `reading` names.

    Raises:
        InputError: on text elsewhere, ragged rows, and files that end early.
    """
    require_layer(head.path, reading.layer, ())
    dialect = sniff_table(head, allow_no_corner=True)
    texts = [i for i, name in enumerate(dialect.header) if i and name in reading.text_columns]
    ids, x, of_rows = gather(head.path, dialect, texts, reading)
    columns = number_names(dialect, texts)
    return RawTable(dialect.format, ids, columns, x, of_rows, no_text(columns))


def number_names(dialect: Dialect, texts: list[int]) -> np.ndarray:
    """Names of the columns that hold numbers."""
    names = [name for i, name in enumerate(dialect.header) if i and i not in texts]
    return np.array(names, dtype=object)


def text_columns(head: Head) -> tuple[list[str], int]:
    """Names of the columns, the first apart, that hold text; and how many columns there are."""
    dialect = sniff_table(head, allow_no_corner=True)
    return [dialect.header[i] for i in find_text(head, dialect)], len(dialect.header)
