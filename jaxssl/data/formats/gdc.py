"""GDC portal: STAR gene counts, one file a sample, one or a folder of them."""

from pathlib import Path

import numpy as np
import pandas as pd

from jaxssl.data.formats.head import Head, read_head, sniff_table
from jaxssl.data.formats.matrix import Collector, RawTable, Reading, no_text, require_layer
from jaxssl.data.formats.rows import read_rows
from jaxssl.types import InputError

_TEXTS = ("gene_name", "gene_type")
_DEFAULT = "unstranded"
_NOT_GENES = "N_"  # N_unmapped, N_multimapping, N_noFeature, N_ambiguous
_SCALES = {"unstranded": "counts", "stranded_first": "counts", "stranded_second": "counts"}


def recognises(head: Head) -> bool:
    """Whether the text starts with the gene model, or with the columns that stand below it."""
    first = head.lines[0]
    return first.startswith(("# gene-model", "#gene-model")) or first.startswith(
        "gene_id\tgene_name\tgene_type"
    )


def read(head: Head, reading: Reading) -> RawTable:
    """Read the counts of one sample."""
    return _read_files([head.path], reading)


def read_folder(path: Path, reading: Reading) -> RawTable:
    """Read the counts of all samples below a folder, as the download tool lays them out."""
    files = [file for end in ("tsv", "tsv.gz") for file in path.rglob(f"*star_gene_counts.{end}")]
    if not files:
        raise InputError(f"{path} is a folder without gene counts of the GDC", "name a file")
    return _read_files(sorted(files, key=lambda file: file.name), reading)


def _read_files(files: list[Path], reading: Reading) -> RawTable:
    """One row a file, named after it; `reading.layer` chooses the column.

    Raises InputError if two files do not have the same genes in the same order.
    """
    layer = reading.layer or _DEFAULT
    genes, names, gz = np.empty(0, object), pd.DataFrame(), ""
    collector: Collector | None = None
    for file in files:
        ids, texts, values, gz = _one(file, layer, reading)
        if collector is None:
            genes, names, collector = ids, texts, Collector(len(ids), reading.scratch)
        elif not np.array_equal(ids, genes):
            raise InputError(
                f"{file} and {files[0]} have different genes ({len(ids)} and {len(genes)})",
                "import files of one gene model at a time",
            )
        collector.append(values[None, :])
    assert collector is not None
    samples = np.array([file.name for file in files], dtype=object)
    return RawTable(
        f"GDC gene counts{gz}",
        samples,
        genes,
        collector.finish(),
        no_text(samples),
        names,
        "samples_in_rows",
        _SCALES.get(layer, "linear"),
        notes=[f"column {layer} of {len(files):,} files; lines {_NOT_GENES}* are no genes"],
    )


def _one(
    file: Path, layer: str, reading: Reading
) -> tuple[np.ndarray, pd.DataFrame, np.ndarray, str]:
    """Genes, their names, the values of one file, and whether it is compressed."""
    with file.open("rb") as raw:
        is_gzip = raw.read(2) == b"\x1f\x8b"
    head = read_head(file, is_gzip=is_gzip)
    dialect = sniff_table(head, skip=0 if head.lines[0].startswith("gene_id") else 1)
    columns = [name for name in dialect.header[1:] if name not in _TEXTS]
    require_layer(file, layer, columns)
    texts = [dialect.header.index(name) for name in _TEXTS if name in dialect.header]
    blocks = list(read_rows(file, dialect, texts, reading.advance))
    ids = np.concatenate([block.ids for block in blocks])
    values = np.concatenate([block.values[:, columns.index(layer)] for block in blocks])
    is_gene = np.array([not str(i).startswith(_NOT_GENES) for i in ids])
    names = pd.concat([block.texts for block in blocks], ignore_index=True).set_axis(ids, axis=0)
    return ids[is_gene], names[is_gene], values[is_gene], head.gz
