"""GDC portal: STAR gene counts, one file a sample, one or a folder of them."""

from collections.abc import Iterator
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
    return read_files([head.path], reading)


def is_folder(path: Path) -> bool:
    """Whether a folder, or one below it, holds gene counts."""
    return any(True for _ in _files(path))


def read_folder(path: Path, reading: Reading) -> RawTable:
    """Read the counts of all samples below a folder, as the download tool lays them out."""
    return read_files(sorted(_files(path), key=lambda file: file.name), reading)


def read_files(files: list[Path], reading: Reading) -> RawTable:
    """One row a file, named after it; `reading.layer` chooses the column.

    Raises InputError if two files do not have the same genes in the same order.
    """
    layer = reading.layer or _DEFAULT
    genes, names, collector = np.empty(0, object), pd.DataFrame(), None
    gzipped = False
    for file in files:
        ids, texts, values, gzipped = _one(file, layer, reading)
        if collector is None:
            genes, names = ids, texts
            collector = Collector(len(genes), reading.scratch)
        elif not np.array_equal(ids, genes):
            raise InputError(
                f"{file} and {files[0]} have different genes ({len(ids)} and {len(genes)})",
                "import files of one gene model at a time",
            )
        collector.append(values[None, :])
    assert collector is not None
    samples = np.array([file.name for file in files], dtype=object)
    notes = [f"column {layer} of {len(files):,} files; lines {_NOT_GENES}* are no genes"]
    form = "GDC gene counts" + (" (gzip)" if gzipped else "")
    scale = _SCALES.get(layer, "linear")
    return RawTable(
        form, samples, genes, collector.finish(), no_text(samples), names, "samples_in_rows",
        scale, notes=notes,
    )  # fmt: skip


def _one(
    file: Path, layer: str, reading: Reading
) -> tuple[np.ndarray, pd.DataFrame, np.ndarray, bool]:
    """Genes, their names, and the values of one file."""
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
    return ids[is_gene], names[is_gene], values[is_gene], is_gzip


def _files(folder: Path) -> Iterator[Path]:
    """Gene counts below a folder."""
    for pattern in ("*star_gene_counts.tsv", "*star_gene_counts.tsv.gz"):
        yield from folder.rglob(pattern)
