"""ARCHS4: one HDF5 of counts, genes x samples, with what GEO says of each sample."""

from pathlib import Path
from typing import Any

import pandas as pd

from jaxssl.data.formats.matrix import RawTable, Reading, no_text, require_layer, text_ids
from jaxssl.types import InputError

_GENE_IDS = ("symbol", "genes", "gene_symbol")
_SAMPLE_TEXT = (
    "series_id",
    "title",
    "source_name_ch1",
    "characteristics_ch1",
    "singlecellprobability",
)
_SINGLE_CELL = 0.5  # probability above which a sample is left out


def recognises(file: Any) -> bool:
    """Whether the file has the groups of ARCHS4."""
    return {"data", "meta"} <= set(file) and "expression" in file["data"]


def read(path: Path, file: Any, reading: Reading) -> RawTable:
    """Open the matrix, which stays on disk; samples that seem to be single cells are left out.

    Raises InputError where names and matrix do not fit together.
    """
    require_layer(path, reading.layer, ())
    x, meta = file["data/expression"], file["meta"]
    if "samples" not in meta or "genes" not in meta:
        raise InputError(
            f"{path} is ARCHS4 with {', '.join(meta)} under meta",
            "expected genes and samples: take the file of genes, human_gene_v2.*.h5",
        )
    known = [name for name in _GENE_IDS if name in meta["genes"]]
    if not known:
        there = ", ".join(meta["genes"])
        raise InputError(f"{path}: meta/genes has {there}", f"expected {_GENE_IDS[0]}")
    genes = text_ids(meta["genes"][known[0]][:])
    samples = text_ids(meta["samples"]["geo_accession"][:])
    if x.shape != (len(genes), len(samples)):
        raise InputError(
            f"{path}: data/expression is {x.shape[0]:,} x {x.shape[1]:,}, yet there are "
            f"{len(genes):,} genes and {len(samples):,} samples"
        )
    there = [name for name in _SAMPLE_TEXT if name in meta["samples"]]
    columns = {name: text_ids(meta["samples"][name][:]) for name in there}
    of_samples = pd.DataFrame(columns, index=pd.Index(samples, dtype=object), dtype=object)
    dropped, notes = None, []
    if "singlecellprobability" in of_samples:
        probability = pd.to_numeric(of_samples.pop("singlecellprobability"), errors="coerce")
        dropped = (probability > _SINGLE_CELL).to_numpy()
        if dropped.all():
            raise InputError(f"{path}: by singlecellprobability, every sample is a single cell")
        notes = [
            f"{dropped.sum():,} of {len(samples):,} samples left out: single cells by "
            f"singlecellprobability > {_SINGLE_CELL}"
        ]
    scale = "counts" if x.dtype.kind in "iu" else ""
    table = RawTable("ARCHS4 HDF5", genes, samples, x, no_text(genes), of_samples, "genes_in_rows")
    return table._replace(scale=scale, notes=notes, dropped=dropped)
