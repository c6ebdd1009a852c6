"""Importing under an enforced limit of memory: time against size, beside pandas on the same file.

Genes are in rows, so that every row must be turned; `launch.prepare` writes the whole .h5ad, and
pandas only reads (`read_csv`, float32, no limit). Text is written and read in this run, so both
find it in the file cache.
"""

import gc
import resource
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pandas as pd

from launch.benchmark.child import answer, ask
from launch.benchmark.section import Bench, Column, Row, Section
from launch.memory import peak_bytes

LIMIT = 1 << 30  # bytes of private memory (RLIMIT_DATA) that the import may have
CHUNK = 2000  # samples of a gene that a generated ARCHS4 file stores together


class Case(NamedTuple):
    """A file to import."""

    kind: str  # "text" or "archs4"
    n_samples: int
    n_genes: int


QUICK = (Case("text", 2_800, 5_000),)
FULL = (
    *(Case("text", 28_000, n_genes) for n_genes in (1_250, 2_500, 5_000, 10_000)),
    Case("archs4", 200_000, 2_000),
)


def measure(case: Case, bench: Bench) -> Row:
    """One row: megabytes of the file, seconds, rates, and the peak under the limit."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("human_gene_v2.h5" if case.kind == "archs4" else "matrix.tsv")
        {"text": write_text, "archs4": write_archs4}[case.kind](path, case)
        imported, parsed = [], []
        for _ in range(min(bench.n_rounds, 3)):
            imported.append(ask(__name__, "import", str(path), folder))
            if case.kind == "text":
                parsed.append(ask(__name__, "pandas", str(path), folder))
        megabytes = path.stat().st_size / 1e6
    seconds = float(np.median([run["seconds"] for run in imported]))
    row = case._asdict() | {
        "megabytes": megabytes,
        "seconds": seconds,
        "rate": megabytes / seconds,
        "peak_gb": max(run["peak_gb"] for run in imported),
        "limit_gb": LIMIT / 1e9,
    }
    if parsed:
        pandas = float(np.median([run["seconds"] for run in parsed]))
        row |= {
            "pandas_seconds": pandas,
            "pandas_peak_gb": max(run["peak_gb"] for run in parsed),
            "ratio": pandas / seconds,
        }
    return row


def write_text(path: Path, case: Case) -> None:
    """A table of log2 intensities with genes in rows, four decimals."""
    rng = np.random.default_rng(0)
    texts = np.array([f"{x:.4f}" for x in np.linspace(2, 14.9999, 4096)])
    with path.open("w") as file:
        names = "\t".join(f"GSM{1_000_000 + i}" for i in range(case.n_samples))
        file.write(f"CompositeSequence Identifier\t{names}\n")
        for gene in range(case.n_genes):
            line = "\t".join(texts[rng.integers(0, len(texts), case.n_samples)])
            file.write(f"{gene}_at\t{line}\n")


def write_archs4(path: Path, case: Case) -> None:
    """Counts in ARCHS4's layout: genes x samples, 2,000 samples of a gene together."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        shape = (case.n_genes, case.n_samples)
        x = file.create_dataset(
            "data/expression", shape, np.uint32, chunks=(1, CHUNK), compression="gzip",
            compression_opts=1,
        )  # fmt: skip
        for start in range(0, case.n_samples, CHUNK):
            stop = min(start + CHUNK, case.n_samples)
            x[:, start:stop] = rng.poisson(20, (case.n_genes, stop - start))
        file["meta/genes/symbol"] = np.array([f"GENE{i}" for i in range(case.n_genes)], "S")
        names = [f"GSM{i}" for i in range(case.n_samples)]
        file["meta/samples/geo_accession"] = np.array(names, "S")
        file["meta/samples/series_id"] = np.array([f"GSE{i // 50}" for i in range(len(names))], "S")
        file["meta/samples/singlecellprobability"] = rng.uniform(0, 0.6, len(names))


def _main(what: str, path: str, folder: str) -> dict[str, float]:
    if what == "pandas":
        started = time.perf_counter()
        columns = pd.read_csv(path, sep="\t", nrows=0).columns
        pd.read_csv(path, sep="\t", index_col=0, dtype=dict.fromkeys(columns[1:], np.float32))
        return {"seconds": time.perf_counter() - started, "peak_gb": peak_bytes() / 1e9}
    from jaxssl.data.expression import import_expression

    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))
    gc.collect()
    started = time.perf_counter()
    import_expression(path, Path(folder) / "out.h5ad")
    return {"seconds": time.perf_counter() - started, "peak_gb": peak_bytes() / 1e9}


COLUMNS = (
    Column("file", "kind"),
    Column("samples", "n_samples", ","),
    Column("genes", "n_genes", ","),
    Column("MB", "megabytes", ",.0f"),
    Column("s", "seconds", ".1f"),
    Column("MB/s", "rate", ".0f"),
    Column("peak GB", "peak_gb", ".2f"),
    Column("limit GB", "limit_gb", ".2f"),
    Column("pandas s", "pandas_seconds", ".1f"),
    Column("pandas peak GB", "pandas_peak_gb", ".2f"),
    Column("x pandas", "ratio", ".1f"),
)
SECTION = Section(COLUMNS, QUICK, FULL, measure)


if __name__ == "__main__":
    answer(_main)
