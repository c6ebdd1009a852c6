"""Importing under an enforced limit of memory: time against size, beside pandas on the same file.

Genes are in rows, so that every row must be turned; the import writes the whole .h5ad, and pandas
only reads (`read_csv`, float32, no limit). Text is written and read in this run, so both find it in
the file cache.
"""

import gc
import resource
import tempfile
from collections import defaultdict
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from jaxssl.data.expression import prepare
from jaxssl.runs.notes import peak_bytes

from .timing import Bench, Row, in_new_process, seconds

LIMIT = 1 << 30  # bytes of private memory (RLIMIT_DATA) that the import may have
CHUNK = 2000  # samples of a gene that a generated ARCHS4 file stores together
MAX_ROUNDS = 3
CORNER = "CompositeSequence Identifier"  # names the column of the genes


def measure(bench: Bench, kind: str, n_samples: int, n_genes: int) -> Row:
    """Megabytes of the file, seconds, rates, and the peak under the limit."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("human_gene_v2.h5" if kind == "archs4" else "matrix.tsv")
        write = {"text": write_text, "archs4": write_archs4}[kind]
        write(path, n_samples, n_genes)
        imported, parsed = [], []
        for _ in range(min(bench.n_rounds, MAX_ROUNDS)):
            imported.append(in_new_process(_import, path))
            if kind == "text":
                parsed.append(in_new_process(_parse, path))
        megabytes = path.stat().st_size / 1e6
    taken, peak_gb = _over_rounds(imported)
    row: Row = {"megabytes": megabytes, "seconds": taken, "rate": megabytes / taken}
    row |= {"peak_gb": peak_gb, "limit_gb": LIMIT / 1e9}
    if parsed:
        row["pandas_seconds"], row["pandas_peak_gb"] = _over_rounds(parsed)
        row["ratio"] = row["pandas_seconds"] / taken
    return row


def _over_rounds(rounds: list[tuple[float, float]]) -> tuple[float, float]:
    """Median of the seconds and largest peak."""
    taken, peaks = zip(*rounds, strict=True)
    return float(np.median(taken)), max(peaks)


def write_text(path: Path, n_samples: int, n_genes: int) -> None:
    """Write a table of log2 intensities with genes in rows, four decimals."""
    rng = np.random.default_rng(0)
    texts = np.array([f"{x:.4f}" for x in np.linspace(2, 14.9999, 4096)])
    with path.open("w") as file:
        names = "\t".join(f"GSM{1_000_000 + i}" for i in range(n_samples))
        file.write(f"{CORNER}\t{names}\n")
        for gene in range(n_genes):
            line = "\t".join(texts[rng.integers(0, len(texts), n_samples)])
            file.write(f"{gene}_at\t{line}\n")


def write_archs4(path: Path, n_samples: int, n_genes: int) -> None:
    """Write counts in ARCHS4's layout: genes x samples, 2,000 samples of a gene together."""
    rng = np.random.default_rng(0)
    storage = {"chunks": (1, CHUNK), "compression": "gzip", "compression_opts": 1}
    with h5py.File(path, "w") as file:
        x = file.create_dataset("data/expression", (n_genes, n_samples), np.uint32, **storage)
        for start in range(0, n_samples, CHUNK):
            stop = min(start + CHUNK, n_samples)
            x[:, start:stop] = rng.poisson(20, (n_genes, stop - start))
        file["meta/genes/symbol"] = np.array([f"GENE{i}" for i in range(n_genes)], "S")
        names = [f"GSM{i}" for i in range(n_samples)]
        file["meta/samples/geo_accession"] = np.array(names, "S")
        file["meta/samples/series_id"] = np.array([f"GSE{i // 50}" for i in range(n_samples)], "S")
        file["meta/samples/singlecellprobability"] = rng.uniform(0, 0.6, n_samples)


def _import(path: Path) -> tuple[float, float]:
    """Seconds and peak gigabytes of an import."""
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))
    gc.collect()
    return seconds(lambda: prepare(path, path.with_name("out.h5ad"))), peak_bytes() / 1e9


def _parse(path: Path) -> tuple[float, float]:
    """Seconds and peak gigabytes of pandas."""
    types = defaultdict(lambda: np.float32, {CORNER: str})
    read = partial(pd.read_csv, path, sep="\t", index_col=0, dtype=types)
    return seconds(read), peak_bytes() / 1e9
