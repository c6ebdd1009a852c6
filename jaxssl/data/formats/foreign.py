"""Texts of this field that hold no matrix, or one in pieces: named, with what to do instead."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxssl.data.companions import AMONG_SAMPLES, kinds_of
from jaxssl.data.genes import SYMBOL, id_type
from jaxssl.types import InputError

_CLASSES = re.compile(r"\d+\s+\d+\s+1\s*|#numeric\s*")
_OF_RESULTS = {
    *("test_id", "gene", "locus", "sample_1", "sample_2", "status", "value_1", "value_2"),
    *("log2(fold_change)", "test_stat", "pct.1", "pct.2", "cluster", "names", "scores", "group"),
}
"""Columns of Cuffdiff, Seurat and scanpy beside their p values."""
_SETS = 3  # lines of different lengths, from where they are sets of genes


def refuse_foreign(path: Path, lines: Sequence[str]) -> None:
    """Refuse a text that is known and holds no expression as it is, by its first lines."""
    lines = [line.rstrip("\r") for line in lines if line.strip()]
    first, rows = lines[0], [line.split("\t") for line in lines[:20]]
    what, fix = "", ""
    if _CLASSES.fullmatch(first) and len(lines) > 1 and lines[1].startswith("#"):
        what = "classes of samples for GSEA (cls)"
        fix = "write them beside the sample ids, as a csv with a header, and pass it as `labels`"
    elif first.startswith("<Header>"):
        what = "counts of one lane of NanoString (RCC)"
        fix = "in R: write.csv(Biobase::exprs(NanoStringNCTools::readNanoStringRccSet(FILES)), NEW)"
    elif first.startswith("TYPE\t") and any(row[0] == "FEPARAMS" for row in rows):
        what = "spots of one array of Agilent Feature Extraction"
        fix = "in R: x = limma::read.maimages(FILES, 'agilent', green.only=TRUE), then normalise, "
        fix += "and write a row for each probe as csv"
    elif rows[0][0] == "GID" and "GWEIGHT" in rows[0]:
        what = "clustered data of Cluster or TreeView (cdt)"
        fix = "remove the column GID and the rows AID and EWEIGHT"
    elif _are_sets(rows):
        what, fix = "sets of genes (gmt)", "name an expression file"
    elif _is_of_results(first):
        what = "results of a comparison, as limma, DESeq2, Cuffdiff and Seurat write them, "
        what += "without samples"
        fix = "name the matrix that was compared, as counts(dds, normalized=TRUE) of DESeq2 is"
    if what:
        raise InputError(f"{path} holds {what}", fix)


def _are_sets(rows: Sequence[Sequence[str]]) -> bool:
    """Whether lines hold a name, where it is from, and some genes."""
    if len({len(row) for row in rows}) < _SETS or min(map(len, rows)) < _SETS:
        return False
    return all(id_type(_ids(row[2:])) in (SYMBOL, "number", "Ensembl gene") for row in rows[:-1])


def _ids(cells: Sequence[str]) -> np.ndarray:
    return np.array([cell for cell in cells if cell], object)


def _is_of_results(header: str) -> bool:
    """Whether a header names results of a comparison, and nothing that could be a sample."""
    delimiter = "\t" if "\t" in header else ","
    names = [name.strip('" ') for name in header.split(delimiter)]
    kinds = list(kinds_of(names, AMONG_SAMPLES))
    rest = zip(names[1:], kinds[1:], strict=True)
    return kinds.count("test") > 1 and all(kind or name in _OF_RESULTS for name, kind in rest)
