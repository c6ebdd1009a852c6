"""DepMap: cell lines in rows, genes named "TSPAN6 (7105)", in later releases with a key before."""

import re

import numpy as np

from jaxssl.data.formats.head import Head, sniff_table, split_line
from jaxssl.data.formats.matrix import RawTable, Reading
from jaxssl.data.formats.rows import read_matrix
from jaxssl.types import InputError

_GENE = re.compile(r"\S+ \(\d+\)")
_KEYS = (
    "ProfileID",
    "SequencingID",
    "ModelID",
    "ModelConditionID",
    "IsDefaultEntryForModel",
    "IsDefaultEntryForMC",
)
_DEFAULT, _YES = "IsDefaultEntryForModel", ("Yes", "True", "TRUE", "true", "1")


def recognises(head: Head) -> bool:
    """Whether most columns are symbols with Entrez numbers, below a comma-separated header."""
    names = split_line(head.path, head.lines[0], ",")[1:]
    genes = [name for name in names if _GENE.fullmatch(name)]
    return len(names) > 1 and len(genes) > 0.5 * len(names)


def read(head: Head, reading: Reading) -> RawTable:
    """Read the table; a model is named by its id, and only its default profile is used.

    Raises InputError if models cannot be told apart by a column of ids.
    """
    dialect = sniff_table(head)
    texts = [i for i, name in enumerate(dialect.header) if i and name in _KEYS]
    table = read_matrix("DepMap csv", head, dialect, texts, reading, orientation="samples_in_rows")
    if "ModelID" in table.of_rows:
        ids = table.of_rows["ModelID"].to_numpy(dtype=object)
        table = table._replace(row_ids=ids, of_rows=table.of_rows.set_axis(ids, axis=0))
    if _DEFAULT not in table.of_rows:
        return table
    dropped = ~np.isin(table.of_rows[_DEFAULT].to_numpy(dtype=str), _YES)
    if dropped.all():
        raise InputError(f"{head.path}: no profile is marked in {_DEFAULT}", "fetch it again")
    notes = [f"{dropped.sum():,} profiles that are not their model's default are left out"]
    return table._replace(dropped=dropped, notes=notes)
