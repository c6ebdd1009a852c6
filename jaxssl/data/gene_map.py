"""Tables that give genes other names: probemaps, HGNC's, those of platforms, of transcripts."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from jaxssl.data.companions import is_nameless
from jaxssl.data.genes import without_version
from jaxssl.data.import_options import ImportOptions
from jaxssl.data.samples import require_column
from jaxssl.types import InputError

_SYMBOLS = (
    "gene symbol|gene_symbol|hgnc_symbol|approved symbol|symbol|gene_name|gene name|gene"
    "|composite element database entry[hgnc]|composite element name[hgnc]|gene_assignment"
    "|gene assignment|genesymbol|hgnc symbol|hugo_symbol|external_gene_name"
)
"""Columns of a probemap, HGNC, GPL or ADF that hold symbols, the best first."""
_SEVERAL = ("//", "|", ";", ",")  # between the genes of one probe set
_ASSIGNED = re.compile(r"[^/]+ // +([^/]+?) +//.*")  # accession // symbol // title // ...


def rename_genes(
    table: pd.DataFrame, options: ImportOptions, genes: np.ndarray
) -> tuple[np.ndarray, str]:
    """New names of `genes`, "" where the map has none or several; and what was found, as a note.

    The column that knows most of the genes is the one they are looked up in, by the id as it is and
    then without an Ensembl version.
    """
    path, target = options.gene_map, column_of_names(table, options)
    names = [str(gene) for gene in genes]
    stems = [without_version(name) for name in names]
    wanted = set(names) | set(stems)
    hits = {str(c): int(table[c].isin(wanted).sum()) for c in table.columns if c != target}
    source = max(hits, key=lambda name: hits[name]) if hits else ""
    known = _lookup(table, source, target) if source else {}
    found = [known.get(name, known.get(stem)) for name, stem in zip(names, stems, strict=True)]
    n_known = sum(value is not None for value in found)
    if n_known < 0.1 * len(genes):
        raise InputError(
            f"{path} knows {n_known:,} of {len(genes):,} genes (first: {names[0]})",
            "pass the map of this platform or annotation",
        )
    n_several = sum(value == "" for value in found)
    renamed = np.array([value or "" for value in found], dtype=object)
    n_names = len(set(renamed) - {""})
    return renamed, (
        f"genes renamed from {source} to {target} by {Path(path or '').name}: {n_names:,} names of "
        f"{len(genes):,} ids; left out {len(genes) - n_known:,} unknown to it and {n_several:,} "
        "with none or several names"
    )


def column_of_names(table: pd.DataFrame, options: ImportOptions) -> str:
    """The column of the map that has the new names."""
    columns = [str(name) for name in table.columns]
    target = options.gene_column or next(
        (c for name in _SYMBOLS.split("|") for c in columns if c.lower() == name), ""
    )
    if not target:
        raise InputError(
            f"{options.gene_map} has no column of symbols",
            f"name one with `gene_column`: {', '.join(columns[:12])}",
        )
    require_column(columns, target, "gene_column")
    return target


def _symbol(value: str) -> str:
    """The gene that a cell names, "" for none or several; of NetAffx's assignments, the first.

    >>> [_symbol(cell) for cell in ("RFC2", "---", "DDR1 /// MIR4640")]
    ['RFC2', '', '']
    >>> _symbol("NM_000546 // TP53 // tumor protein p53 // 17p13.1 // 7157 /// ENST1 // TP53 // x")
    'TP53'
    """
    assigned = _ASSIGNED.fullmatch(value)
    name = (assigned[1] if assigned else value).strip()
    return "" if is_nameless(name) or any(mark in name for mark in _SEVERAL) else name


def _lookup(table: pd.DataFrame, source: str, target: str) -> dict[str, str]:
    """Id → name, "" for several; an id without version stands for all of its versions."""
    known: dict[str, str] = {}
    for key, value in zip(table[source], table[target], strict=True):
        if is_nameless(key):
            continue
        name = _symbol(value)
        for form in {key, without_version(key)}:
            known[form] = name if known.get(form, name) == name else ""
    return known
