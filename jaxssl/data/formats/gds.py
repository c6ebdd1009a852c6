"""Data sets of GEO (GDS) in SOFT: one table, and subsets that are the classes of its samples."""

import itertools
import re
from collections.abc import Iterator
from typing import Any

from jaxssl.data.companions import is_id_of_genes
from jaxssl.data.formats.cells import split_line
from jaxssl.data.formats.delimited import read_matrix
from jaxssl.data.formats.encodings import decoded
from jaxssl.data.formats.head import Dialect, Head, opened
from jaxssl.data.formats.matrix import RawTable, Reading, blank, by_name, names_of
from jaxssl.types import InputError

BEGIN, _GSM = re.compile(r"!(\w+)_table_begin"), re.compile(r"GSM\d+")
_TOLD = re.compile(r"#(GSM\d+) = Value for \w+: (.*?)(; src: (.*))?")  # of a data set
_OF_GENES = ("gene_assignment", "ILMN_Gene", "ORF", "miRNA_ID", "GB_ACC", "GENE", "IDENTIFIER")


def read_dataset(head: Head, reading: Reading) -> RawTable:
    """Read the one table of a data set, with the classes of its samples by their subsets."""
    about = list(itertools.takewhile(lambda line: not BEGIN.match(line), lines(head)))
    line = next(itertools.islice(lines(head), len(about) + 1, None), "")
    if not _GSM.search(line):
        raise InputError(f"{head.path} has no sample in its table", "fetch it again")
    header = split_line(head.path, line, "\t")
    dialect = Dialect(head, "\t", header, len(about) + 2, end="!dataset_table_end")
    texts = [i for i, name in enumerate(header) if i and not _GSM.fullmatch(name)]
    told: dict[str, Any] = {"orientation": "genes_in_rows"}
    table = read_matrix("GEO data set", dialect, texts, reading, **told)
    kept = [n for n in table.rows.columns if n in reading.text_columns or is_of_genes(n)]
    names = [str(name) for name in names_of(table.columns)]
    obs = blank(by_name(names, _subsets(about, names)))
    return table._replace(columns=obs, rows=table.rows[kept])


def _subsets(about: list[str], samples: list[str]) -> dict[str, list[str]]:
    """Columns about the samples: titles, and the description of their subset, by its type."""
    found: dict[str, dict[str, str]] = {}
    subset: dict[str, str] = {}
    for line in about:
        told = _TOLD.fullmatch(line)
        if told:
            found.setdefault("title", {})[told[1]] = told[2]
            found.setdefault("source_name", {})[told[1]] = told[4] or ""
        if line.startswith("^"):
            subset = {}
        name, _, value = line.partition(" = ")
        subset[name] = value
        if name.startswith("!subset_") and {"!subset_type", "!subset_sample_id"} <= set(subset):
            kind = found.setdefault(subset["!subset_type"], {})
            for sample in subset["!subset_sample_id"].split(","):
                kind[sample.strip()] = subset.get("!subset_description", "")
    return {name: [told.get(s, "") for s in samples] for name, told in found.items()}


def lines(head: Head) -> Iterator[str]:
    """Lines of a text, without their ends."""
    with opened(head.path, head.member) as (_, file):
        for line in file:
            yield decoded(line, head.encoding).rstrip("\r\n")


def is_of_genes(name: str) -> bool:
    """Whether a column of a platform says which gene a row is of."""
    return is_id_of_genes(name) or name in _OF_GENES
