"""recount3: sums of base-pair coverage over genes, which are no counts before they are scaled."""

from jaxssl.data.formats.head import Head, sniff_table
from jaxssl.data.formats.matrix import RawTable, Reading
from jaxssl.data.formats.rows import read_matrix


def recognises(head: Head) -> bool:
    """Whether comments of two hashes stand above a column of gene ids."""
    return head.lines[0].startswith("##") and any(
        line.startswith("gene_id\t") for line in head.lines[:40]
    )


def read(head: Head, reading: Reading) -> RawTable:
    """Read the table; its scale is "coverage", which nothing takes as it is."""
    skip = next(i for i, line in enumerate(head.lines) if not line.startswith("##"))
    notes = [line[2:].replace("=", ": ", 1) for line in head.lines[:skip] if "=" in line]
    told = {"orientation": "genes_in_rows", "scale": "coverage", "notes": notes}
    return read_matrix("recount3 gene sums", head, sniff_table(head, skip), (), reading, **told)
