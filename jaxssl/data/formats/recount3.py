"""recount3: sums of base-pair coverage over genes, which are no counts before they are scaled."""

from jaxssl.data.formats.delimited import number_names
from jaxssl.data.formats.head import Head, sniff_table
from jaxssl.data.formats.matrix import RawTable, Reading, no_text, require_layer
from jaxssl.data.formats.rows import gather


def recognises(head: Head) -> bool:
    """Whether comments of two hashes stand above a column of gene ids."""
    return head.lines[0].startswith("##") and any(
        line.startswith("gene_id\t") for line in head.lines[:40]
    )


def read(head: Head, reading: Reading) -> RawTable:
    """Read the table; its scale is "coverage", which nothing takes as it is."""
    require_layer(head.path, reading.layer, ())
    skip = next(i for i, line in enumerate(head.lines) if not line.startswith("##"))
    dialect = sniff_table(head, skip)
    ids, x, _ = gather(head.path, dialect, [], reading)
    columns = number_names(dialect, [])
    notes = [line[2:].replace("=", ": ", 1) for line in head.lines[:skip] if "=" in line]
    return RawTable(
        f"recount3 gene sums{head.gz}", ids, columns, x, no_text(ids), no_text(columns),
        "genes_in_rows", "coverage", notes=notes,
    )  # fmt: skip
