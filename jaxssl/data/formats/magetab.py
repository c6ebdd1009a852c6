"""ArrayExpress processed matrices (MAGE-TAB): probe sets in rows, perhaps a second header row."""

from jaxssl.data.formats.head import Head, sniff_table, split_line
from jaxssl.data.formats.matrix import RawTable, Reading
from jaxssl.data.formats.rows import read_matrix

_CORNERS = (
    "compositesequence identifier",
    "composite element ref",
    "compositesequence ref",
    "reporter ref",
    "reporter identifier",
    "hybridization ref",
    "scan ref",
    "assay ref",
    "extract ref",
    "derived array data file ref",
)


def recognises(head: Head) -> bool:
    """Whether the corner of the table bears one of the names that MAGE-TAB has for it."""
    return _corner(head.lines[0]) in _CORNERS


def read(head: Head, reading: Reading) -> RawTable:
    """Read the table; a second row of headings (what was measured) is passed over."""
    dialect = sniff_table(head)
    notes = []
    if len(head.lines) > 1 and _corner(head.lines[1]) in _CORNERS:
        dialect = dialect._replace(skip=dialect.skip + 1)
        second = split_line(head.path, head.lines[1], dialect.delimiter)
        notes = [f"second row of headings passed over: {', '.join(dict.fromkeys(second[1:4]))}"]
    told = {"orientation": "genes_in_rows", "notes": notes}
    return read_matrix("ArrayExpress matrix", head, dialect, (), reading, **told)


def _corner(line: str) -> str:
    return line.split("\t", 1)[0].strip(' "').lower()
