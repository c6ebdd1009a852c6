"""Data larger than memory: a pretraining and the embedding of all samples under an enforced limit.

A file of log2 expression is generated with cohorts, classes and a rank, as `prepare` writes it, for
every size; what verbs take is fitted by a power law over the sizes.
"""

import resource
import subprocess
import tempfile
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from anndata import AnnData

from jaxssl.data.backed import blocks
from jaxssl.files import read_json

from .timing import Bench, Row, command, seconds

LIMIT = 3 << 30  # bytes of private memory (RLIMIT_DATA) that a verb may have
OPTIONS = ["--seeds=1", "--config.data.backed=always", "--config.pretrain.n_steps=4000"]
RANK, N_CLASSES, N_COHORTS = 80, 25, 40
LABELLED = 0.05  # share of the samples
BLOCK = 1_000  # samples written at once


def measure(_: Bench, n_genes: int, sizes: tuple[int, ...]) -> Row:
    """Seconds and peaks at the largest size, and how both grow with the samples."""
    rows = [_run(n, n_genes) for n in sizes]
    last = rows[-1]

    def exponent(name: str) -> float:
        return float(np.polyfit(np.log(sizes), np.log([row[name] for row in rows]), 1)[0])

    row: Row = {"samples": sizes[-1], "limit_gb": LIMIT / 1e9, **last}
    row |= {"time_exponent": exponent("seconds"), "memory_exponent": exponent("peak_gb")}
    return row | {"of_sizes": [list(row.values()) for row in rows]}


def _run(n_samples: int, n_genes: int) -> dict[str, float]:
    """What both verbs take."""
    with tempfile.TemporaryDirectory() as parent:
        data, run = Path(parent) / "data.h5ad", Path(parent) / "run"
        write(data, n_samples, n_genes)
        flags = [f"--data={data}", f"--out={run}", *OPTIONS]
        taken = seconds(partial(_limited, "pretrain", *flags))
        summary = read_json(run / "summary.json")
        flags = [f"--encoder={run}", f"--data={data}", f"--out={data}"]
        embedding = seconds(partial(_limited, "embed", *flags))
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9
        size = data.stat().st_size / 1e9
    return {
        "file_gb": size,
        "seconds": taken + embedding,
        "pretrain_s": taken,
        "components_s": summary["timings"]["normalize"],
        "embed_s": embedding,
        "peak_gb": peak,
    }


def _limited(verb: str, *flags: str) -> None:
    """Run a verb in bounded memory; raises RuntimeError with the end of its errors."""
    limit = partial(resource.setrlimit, resource.RLIMIT_DATA, (LIMIT, LIMIT))
    done = subprocess.run(
        command(verb, *flags), capture_output=True, text=True, check=False, preexec_fn=limit
    )
    if done.returncode:
        raise RuntimeError(f"{verb} {' '.join(flags)} failed: {done.stderr[-2000:]}")


def write(path: Path, n_samples: int, n_genes: int) -> None:
    """Write log2 expression of classes in cohorts, sample by sample; most have no label."""
    rng = np.random.default_rng(0)
    axes = 0.07 * rng.standard_normal((RANK, n_genes), np.float32)
    centres = 1.5 * rng.standard_normal((N_CLASSES, RANK), np.float32)
    deviation = np.geomspace(3, 0.2, RANK).astype(np.float32)
    shift = 0.3 * rng.standard_normal((N_COHORTS, n_genes), np.float32)
    base = rng.gamma(4, 2, n_genes).astype(np.float32)
    noise = rng.uniform(0.3, 1, n_genes).astype(np.float32)
    classes, cohorts = (rng.integers(n, size=n_samples) for n in (N_CLASSES, N_COHORTS))
    labels = np.array([f"class {code}" for code in classes], object)
    labels[rng.random(n_samples) >= LABELLED] = ""
    obs = pd.DataFrame({"class": labels, "cohort": [f"cohort {code}" for code in cohorts]})
    facts = {"scale": "log2", "label": "class", "group": "", "batch": "cohort"}
    adata = AnnData(
        obs=obs.set_axis([f"sample {i}" for i in range(n_samples)]),
        var=pd.DataFrame(index=[f"gene {i}" for i in range(n_genes)]),
        uns={"jaxssl": facts | {"min_class_size": 0, "orientation": "samples_in_rows"}},
    )
    adata.write_h5ad(path, convert_strings_to_categoricals=False)
    with h5py.File(path, "r+") as file:
        x = file.create_dataset("X", (n_samples, n_genes), np.float32)
        x.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        for rows in blocks(range(n_samples), BLOCK):
            own = rng.standard_normal((rows.stop - rows.start, RANK), np.float32)
            values = ((centres[classes[rows]] + own) * deviation) @ axes
            values += base + shift[cohorts[rows]]
            values += noise * rng.standard_normal(values.shape, np.float32)
            x[rows] = np.maximum(values, 0)
