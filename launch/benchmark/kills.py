"""SIGKILL at random moments, then the same command with --resume, until the run is through.

What is left is compared bit by bit with what an uninterrupted run left (a row that stands there
twice differs too); a chain of kills that ends is followed by a new one, until all kills are spent.
Two uninterrupted runs are compared first.
"""

import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import anndata
import numpy as np
import pandas as pd

from jaxssl.engine.bundle import load_bundle
from jaxssl.engine.leaves import flatten
from jaxssl.runs import layout

from .timing import Bench, Row, command, run_verb, seconds

OPTIONS = [
    "--config=demo_synthetic",
    "--seeds=4",
    "--config.run.chunk=2",
    "--config.pretrain.n_steps=1000",
    "--config.pretrain.checkpoint_every=1",
]
COMPARED = ("--shares=0.1,1", "--arms=majority,scratch,pca_logreg,swav")
STEP = re.compile(r"seeds (\d+-\d+), step (\d+):")
TIMES = ("fit_seconds", "seconds")  # columns that no two runs share
VERBS = ("prepare", "pretrain", "sweep", "study")


def measure(_: Bench, verb: str, n_kills: int) -> Row:
    """Kills, runs that came to their end, and what was lost or differs."""
    rng = np.random.default_rng(VERBS.index(verb))
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent)
        flags = _prepare(verb, folder)
        reference, again = folder / "reference", folder / "again"
        # the first one compiles, and later ones find that on disk
        run_verb(verb, *flags, _out(verb, reference))
        tally = {"seconds": seconds(partial(run_verb, verb, *flags, _out(verb, again)))}
        tally |= {"killed": 0, "ended": 0, "repeated": 0}
        tally["differing"] = len(differences(again, reference))
        while tally["killed"] < n_kills:
            out = folder / f"out_{tally['ended']}"
            resume = [] if verb == "prepare" else ["--resume"]
            line = command(verb, *flags, _out(verb, out), *resume)
            _kill_and_resume(line, out, n_kills, rng, tally)
            tally["ended"] += 1
            print(f"{tally['killed']} of {n_kills} kills", flush=True)
            found = differences(out, reference)
            for name in found:
                print(f"differs: {name}", flush=True)
            tally["differing"] += len(found)
    return tally


def _prepare(verb: str, folder: Path) -> list[str]:
    """Make what a verb reads; returns the verb's flags."""
    if verb == "prepare":
        values = np.random.default_rng(0).normal(8, 2, (4000, 1000)).round(3)
        genes = [f"ENSG{i:011d}" for i in range(4000)]
        samples = [f"S{i:011d}" for i in range(1000)]
        pd.DataFrame(values, genes, samples).to_csv(folder / "matrix.tsv", sep="\t")
        return [str(folder / "matrix.tsv")]
    if verb == "sweep":
        encoders = folder / "encoders"
        run_verb("pretrain", *OPTIONS, f"--out={encoders}")
        return [*OPTIONS, *COMPARED, f"--encoder={encoders}"]
    return [*OPTIONS, *COMPARED] if verb == "study" else OPTIONS


def _out(verb: str, out: Path) -> str:
    return f"--out={out / 'out.h5ad' if verb == 'prepare' else out}"


def _kill_and_resume(
    line: list[str], out: Path, n_kills: int, rng: np.random.Generator, tally: dict[str, Any]
) -> None:
    """Kill and resume one run until it ends by itself; the last kill spent, it is left alone."""
    killed, started, log = tally["killed"], time.perf_counter(), out.with_suffix(".log")
    told: dict[str, int] = {}  # chunk of seeds → last step that was told
    while True:
        with log.open("w") as file:
            process = subprocess.Popen(line, stdout=file, stderr=subprocess.STDOUT)
            limit = rng.uniform(0, tally["seconds"]) if tally["killed"] < n_kills else None
            try:
                process.wait(limit)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                tally["killed"] += 1
        tally["repeated"] = max(tally["repeated"], _repeated(log.read_text(), told))
        if process.returncode == 0:
            if tally["killed"] == killed:  # the machine's load changes
                tally["seconds"] = time.perf_counter() - started
            return
        if (out / "out.h5ad").exists():
            return  # all that is there under its name is whole: it is compared
        if process.returncode > 0:
            raise RuntimeError(f"{' '.join(line)} did not go on: {log.read_text()[-2000:]}")


def _repeated(log: str, told: dict[str, int]) -> int:
    """Epochs of the log that an earlier process had told already; the most of any chunk."""
    steps: dict[str, list[int]] = {}
    for seeds, step in STEP.findall(log):
        steps.setdefault(seeds, []).append(int(step))
    repeated = [sum(step <= told.get(seeds, 0) for step in of) for seeds, of in steps.items()]
    told.update({seeds: max(told.get(seeds, 0), *of) for seeds, of in steps.items()})
    return max(repeated, default=0)


def differences(folder: Path, reference: Path) -> list[str]:
    """Names of the artefacts that are missing, beyond, or not bit by bit those of `reference`."""
    found, expected = dict(_artefacts(folder)), dict(_artefacts(reference))
    if not expected:
        raise FileNotFoundError(f"{reference} holds nothing to compare with")
    names = sorted(found.keys() | expected.keys())
    return [n for n in names if found.get(n) != expected.get(n)]


def _artefacts(folder: Path) -> Iterator[tuple[str, object]]:
    """A name and a comparable value of everything that a result rests on."""
    for pattern in (*layout.TABLES, f"{layout.PREDICTIONS}/*.parquet"):
        for path in folder.glob(pattern):
            yield str(path.relative_to(folder)), _table(path)
    for path in layout.encoder_folders(folder).values():
        bundle = load_bundle(path)
        arrays = {"params": bundle.params, "normalizer": bundle.normalizer}
        for name, leaf in flatten(arrays).items():
            yield f"encoder/{path.name}/{name}", leaf.tobytes()
        yield f"encoder/{path.name}", (bundle.normalizer.genes, str(bundle.config))
    for path in folder.glob("*.h5ad"):
        adata = anndata.read_h5ad(path)
        x = np.asarray(adata.X if adata.X is not None else adata.obsm["X_jaxssl"])
        obs, var = cast(pd.DataFrame, adata.obs), cast(pd.DataFrame, adata.var)
        yield path.name, (x.tobytes(), obs.to_csv(), var.to_csv())


def _table(path: Path) -> str:
    """Rows in one order, every bit of a number told, without the columns that no two runs share."""
    read = {".parquet": pd.read_parquet, ".csv": pd.read_csv}.get(path.suffix)
    rows = read(path) if read else pd.read_json(path, lines=True)
    rows = rows.drop(columns=[name for name in TIMES if name in rows])
    order = [name for name in rows if rows[name].dtype.kind in "OTU" or name == "seed"]
    rows = rows.sort_values(order or list(rows.columns), kind="stable")
    return f"{rows.dtypes.to_string()}\n{rows.to_csv(index=False)}"
