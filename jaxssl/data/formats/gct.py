"""GCT 1.2, as GTEx and the Broad write it: dimensions, Name, Description, samples."""

from jaxssl.data.formats.delimited import number_names
from jaxssl.data.formats.head import Head, sniff_table
from jaxssl.data.formats.matrix import RawTable, Reading, no_text, require_layer
from jaxssl.data.formats.rows import gather
from jaxssl.types import InputError


def recognises(head: Head) -> bool:
    """Whether the first line names the format."""
    return head.lines[0].strip().startswith("#1.")


def read(head: Head, reading: Reading) -> RawTable:
    """Read the table, and hold it to the dimensions that the second line states.

    Raises:
        InputError: on another version, and where rows or columns are missing or too many.
    """
    require_layer(head.path, reading.layer, ())
    version = head.lines[0].strip()
    if version != "#1.2":
        raise InputError(f"{head.path} is GCT {version[1:]}; only 1.2 is read: write it as such")
    dialect = sniff_table(head, skip=2)
    names = [name.lower() for name in dialect.header[:2]]
    if names != ["name", "description"]:
        raise InputError(
            f"{head.path}: the columns of a GCT start with Name and Description, here with "
            f"{', '.join(dialect.header[:2])}"
        )
    ids, x, of_rows = gather(head.path, dialect, [1], reading)
    columns = number_names(dialect, [1])
    stated = head.lines[1].split()[:2]
    found = [str(len(ids)), str(len(columns))]
    if stated != found and not reading.cuts(head.path):
        raise InputError(
            f"{head.path} states {' x '.join(stated)} values and holds {' x '.join(found)}; "
            "fetch it again"
        )
    of_rows.columns = ["gene_name"]
    compressed = " (gzip)" if head.is_gzip else ""
    return RawTable(f"gct{compressed}", ids, columns, x, of_rows, no_text(columns), "genes_in_rows")
