"""Texts as portals write them: GCT, DepMap, ArrayExpress (MAGE-TAB), recount2 and 3."""

import re
from typing import Any

import numpy as np
import pandas as pd

from jaxssl.data.formats.cells import split_line
from jaxssl.data.formats.delimited import read_matrix
from jaxssl.data.formats.head import MISSING, Dialect, Head, sniff_table
from jaxssl.data.formats.matrix import RawTable, Reading, by_name, require_layer
from jaxssl.data.genes import id_type
from jaxssl.types import InputError

_DEPMAP_KEY = re.compile(r"(Profile|Sequencing|Model|ModelCondition)ID|IsDefaultEntryFor(Model|MC)")
_MODEL_DEFAULT, _YES = "IsDefaultEntryForModel", ("Yes", "True", "TRUE", "true", "1")
_MOST_MEASURES = 6  # columns a sample of Firehose
_NO_MEASURES = (
    *("transcript_id", "cross-mapped", "gene_symbol", "chromosome", "genomic_coordinate"),
    *("median_length_normalized", "isoform_coords", "mirna_region"),
)
_NONE_OF_GCT = ("na", "-666", *MISSING)  # the number is that of LINCS
_RECOUNT2_IDS = "gene_id"
_RECOUNT2_SAMPLE = re.compile(r"[SED]RR\d+|[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}")
_MAGETAB_CORNER = re.compile(
    "compositesequence identifier|reporter identifier"
    "|(compositesequence|composite element|reporter|hybridization|scan|assay|extract"
    "|derived array data file) ref"
)


def read_gct(head: Head, reading: Reading) -> RawTable:
    """Read GCT 1.2, as GTEx and the Broad write it, and hold it to the dimensions it states."""
    version = head.lines[0].strip(" \t,;")  # Excel fills lines up
    if version == "#1.3":
        return _read_gct_1_3(head, reading)
    if version != "#1.2":
        raise InputError(f"{head.path} is GCT {version[1:]}", "write it as 1.2 or 1.3")
    dialect = sniff_table(head, skip=2)
    lower = [name.lower() for name in dialect.header[:3]]
    if lower[:2] != ["name", "description"] and lower != ["id", "name", "description"]:
        raise InputError(
            f"{head.path}: the columns of a GCT start with Name and Description, here with "
            f"{', '.join(dialect.header[:2])}",
            "expected them as GTEx and the Broad write them",
        )
    texts = list(range(1, lower.index("description") + 1))
    table = read_matrix("gct", dialect, texts, reading, orientation="genes_in_rows")
    rows = table.rows
    stated = re.findall(r"\d+", head.lines[1])[:2]
    found = [str(len(rows)), str(len(table.columns))]
    if stated != found and not reading.cuts(head.path):
        raise InputError(
            f"{head.path} states {' x '.join(stated)} values and holds {' x '.join(found)}",
            "fetch it again",
        )
    if lower[0] == "id":  # GTEx's files of one tissue number the rows
        rows = rows.set_axis(rows.iloc[:, 0], axis=0)
    return table._replace(rows=by_name(rows.index, {"gene_name": rows.iloc[:, -1].to_numpy()}))


def _read_gct_1_3(head: Head, reading: Reading) -> RawTable:
    """GCT with text about the rows in further columns, and about the samples in further rows."""
    dialect = sniff_table(head, skip=2)
    try:
        n_rows, n_columns, n_texts, n_about = map(int, re.findall(r"\d+", head.lines[1])[:4])
    except ValueError as error:
        raise InputError(
            f"{head.path} states no four numbers in its second line", "fetch it again"
        ) from error
    lines = head.lines[dialect.skip : dialect.skip + n_about]
    about = [split_line(head.path, line, dialect.delimiter) for line in lines]
    dialect = dialect._replace(skip=dialect.skip + n_about)
    texts = list(range(1, n_texts + 1))
    table = read_matrix("gct", dialect, texts, reading, orientation="genes_in_rows")
    found = (len(table.rows), len(table.columns))
    if found != (n_rows, n_columns) and not reading.cuts(head.path):
        raise InputError(
            f"{head.path} states {n_rows} x {n_columns} values and holds {found[0]} x {found[1]}",
            "fetch it again",
        )
    told = {row[0]: row[n_texts + 1 :] for row in about}
    columns = by_name(table.columns.index, told)
    rows, columns = (text.mask(text.isin(_NONE_OF_GCT), "") for text in (table.rows, columns))
    return table._replace(rows=rows, columns=columns)


def is_recount3(head: Head) -> bool:
    """Whether comments of two hashes stand above a column of gene ids."""
    return head.lines[0].startswith("##") and any(
        line.startswith("gene_id\t") for line in head.lines[:40]
    )


def read_recount3(head: Head, reading: Reading) -> RawTable:
    """Read sums of base-pair coverage over genes; nothing takes the scale "coverage" as it is."""
    skip = next(i for i, line in enumerate(head.lines) if not line.startswith("##"))
    notes = [line[2:].replace("=", ": ", 1) for line in head.lines[:skip] if "=" in line]
    told = {"orientation": "genes_in_rows", "scale": "coverage", "notes": notes}
    return read_matrix("recount3 gene sums", sniff_table(head, skip), (), reading, **told)


def is_recount2(head: Head) -> bool:
    """Whether ids of genes stand in the last column, right of sequencing runs or TCGA's files."""
    *names, last = [cell.strip('" ') for cell in head.lines[0].split("\t")]
    return last == _RECOUNT2_IDS and bool(names) and all(map(_RECOUNT2_SAMPLE.fullmatch, names))


def read_recount2(head: Head, reading: Reading) -> RawTable:
    """Read sums of base-pair coverage over genes, as in recount3."""
    dialect = sniff_table(head)
    told: dict[str, Any] = {"orientation": "genes_in_rows", "scale": "coverage"}
    ids = len(dialect.header) - 1
    return read_matrix("recount2 gene sums", dialect, (), reading, ids=ids, **told)


def read_magetab(head: Head, reading: Reading) -> RawTable:
    """Read a matrix of ArrayExpress; a second row of headings is passed over."""
    dialect = sniff_table(head)
    notes = []
    second = split_line(head.path, head.lines[1], dialect.delimiter) if head.lines[1:] else []
    kinds = list(dict.fromkeys(second[1:]))
    if has_magetab_corner("\t".join(second)) or _are_measures(second, kinds, dialect.header):
        dialect = dialect._replace(skip=dialect.skip + 1)
        if len(kinds) > 1 and _are_measures(second, kinds, dialect.header):
            return _read_measure(dialect, second, kinds, reading)
        notes = [f"second row of headings passed over: {', '.join(kinds[:3])}"]
    require_layer(head.path, reading.layer, ())
    told = {"orientation": "genes_in_rows", "notes": notes}
    return read_matrix("ArrayExpress matrix", dialect, (), reading, **told)


def _are_measures(second: list[str], kinds: list[str], header: list[str]) -> bool:
    """Whether the second row of Firehose says what each column measures: a few, time and again."""
    are_words = all(re.match(r"[A-Za-z]", kind) and kind not in MISSING for kind in kinds)
    return are_words and len(second) == len(header) and 0 < len(kinds) <= _MOST_MEASURES


def _read_measure(
    dialect: Dialect, second: list[str], kinds: list[str], reading: Reading
) -> RawTable:
    """One of several columns a sample: `reading.layer`, or the first that is expression."""
    known = [kind for kind in kinds if kind.lower() not in _NO_MEASURES]
    require_layer(dialect.head.path, reading.layer, known)
    layer = reading.layer or known[0]
    texts = [i for i, kind in enumerate(second) if i and kind != layer]
    told: dict[str, Any] = {"orientation": "genes_in_rows"}
    told["notes"] = [f"columns {layer} by the second row; others by `layer`: {', '.join(known)}"]
    table = read_matrix("Firehose matrix", dialect, texts, reading, **told)
    return table._replace(rows=by_name(table.rows.index))


def has_magetab_corner(line: str) -> bool:
    """Whether a line starts with one of the names that MAGE-TAB has for the corner of a table."""
    return bool(_MAGETAB_CORNER.fullmatch(line.split("\t", 1)[0].strip(' "').lower()))


def is_depmap(head: Head) -> bool:
    """Whether most columns are symbols with Entrez numbers, below a comma-separated header."""
    names = split_line(head.path, head.lines[0], ",")[1:]
    return len(names) > 1 and id_type(np.array(names, object)) == "symbol (Entrez)"


def read_depmap(head: Head, reading: Reading) -> RawTable:
    """Read cell lines in rows; a model is named by its id, and only its default profile is used."""
    dialect = sniff_table(head)
    texts = [i for i, name in enumerate(dialect.header) if i and _DEPMAP_KEY.fullmatch(name)]
    table = read_matrix("DepMap csv", dialect, texts, reading, orientation="samples_in_rows")
    rows = table.rows
    if "ModelID" in rows:
        ids = pd.Index(rows["ModelID"].to_numpy(dtype=object), dtype=object)
        table = table._replace(rows=rows.set_axis(ids, axis=0))
    if _MODEL_DEFAULT not in rows:
        return table
    dropped = ~np.isin(rows[_MODEL_DEFAULT].to_numpy(dtype=str), _YES)
    if dropped.all():
        raise InputError(f"{head.path}: no profile is marked in {_MODEL_DEFAULT}", "fetch it again")
    notes = [f"{dropped.sum():,} profiles that are not their model's default are left out"]
    return table._replace(dropped=dropped, notes=notes)
