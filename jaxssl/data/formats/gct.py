"""GCT 1.2, as GTEx and the Broad write it: dimensions, Name, Description, samples."""

from jaxssl.data.formats.head import Head, sniff_table
from jaxssl.data.formats.matrix import RawTable, Reading
from jaxssl.data.formats.rows import read_matrix
from jaxssl.types import InputError


def recognises(head: Head) -> bool:
    """Whether the first line names the format."""
    return head.lines[0].strip().startswith("#1.")


def read(head: Head, reading: Reading) -> RawTable:
    """Read the table, and hold it to the dimensions that the second line states.

    Raises InputError on another version, and where rows or columns are missing or too many.
    """
    version = head.lines[0].strip()
    if version != "#1.2":
        raise InputError(f"{head.path} is GCT {version[1:]}", "only 1.2 is read: write it as such")
    dialect = sniff_table(head, skip=2)
    lower = [name.lower() for name in dialect.header[:3]]
    if lower[:2] != ["name", "description"] and lower != ["id", "name", "description"]:
        raise InputError(
            f"{head.path}: the columns of a GCT start with Name and Description, here with "
            f"{', '.join(dialect.header[:2])}",
            "expected them as GTEx and the Broad write them",
        )
    texts = list(range(1, lower.index("description") + 1))
    table = read_matrix("gct", head, dialect, texts, reading, orientation="genes_in_rows")
    ids, of_rows = table.row_ids, table.of_rows
    stated = head.lines[1].split()[:2]
    found = [str(len(ids)), str(len(table.column_ids))]
    if stated != found and not reading.cuts(head.path):
        raise InputError(
            f"{head.path} states {' x '.join(stated)} values and holds {' x '.join(found)}",
            "fetch it again",
        )
    if "id" in lower[:1]:  # GTEx's files of one tissue number the rows
        ids = of_rows.iloc[:, 0].to_numpy(dtype=object)
    of_rows = of_rows.iloc[:, -1:].set_axis(ids, axis=0).set_axis(["gene_name"], axis=1)
    return table._replace(row_ids=ids, of_rows=of_rows)
