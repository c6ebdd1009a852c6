"""Normalising and conditioning a wide matrix: seconds, and memory in multiples of the matrix."""

import time
from typing import NamedTuple

import numpy as np

from jaxssl.config import NormalizeConfig
from jaxssl.data.normalize import fit_normalizer, normalize
from launch.benchmark.child import answer, ask
from launch.benchmark.section import Column, Row, Section
from launch.memory import peak_bytes, resident_bytes

BLOCK = 500  # rows drawn at once
N_AXES = 50  # along which the simulated samples differ


class Case(NamedTuple):
    """One size."""

    n_samples: int
    n_genes: int


QUICK = (Case(4_000, 10_000),)
FULL = (Case(4_000, 10_000), Case(11_000, 57_000))


def measure(case: Case) -> Row:
    """One row; `times_matrix` counts the matrix itself."""
    return case._asdict() | ask(__name__, *case)


def _main(n_samples: int, n_genes: int) -> dict[str, float]:
    rng = np.random.default_rng(0)
    axes = rng.normal(size=(N_AXES, n_genes)).astype(np.float32)
    start = resident_bytes()
    x = np.empty((n_samples, n_genes), np.float32)
    for first in range(0, n_samples, BLOCK):
        n = min(BLOCK, n_samples - first)
        scores = rng.standard_normal((n, N_AXES), np.float32)
        x[first : first + n] = scores @ axes + rng.standard_normal((n, n_genes), np.float32)
    genes = [f"gene_{i}" for i in range(n_genes)]
    started = time.perf_counter()
    normalizer = fit_normalizer(x, genes, NormalizeConfig())
    normalize(normalizer, x)
    return {
        "seconds": time.perf_counter() - started,
        "matrix_gb": x.nbytes / 1e9,
        "times_matrix": (peak_bytes() - start) / x.nbytes,
    }


COLUMNS = (
    Column("samples", "n_samples", ","),
    Column("genes", "n_genes", ","),
    Column("s", "seconds", ".0f"),
    Column("GB", "matrix_gb", ".2f"),
    Column("times the matrix in memory", "times_matrix", ".2f"),
)
SECTION = Section(COLUMNS, QUICK, FULL, lambda case, bench: measure(case))


if __name__ == "__main__":
    answer(_main)
