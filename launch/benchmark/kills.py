"""SIGKILL at random moments, then the same command with --resume, until the run is through.

What is left is compared bit by bit with what an uninterrupted run left; a chain of kills that ends
is followed by a new one, until all kills are spent. Two uninterrupted runs are compared first.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from launch.benchmark.artefacts import differences
from launch.benchmark.child import ROOT, run_module
from launch.benchmark.section import Bench, Column, Row, Section

OPTIONS = (
    *("--config=configs/demo_synthetic.py", "--seeds=4", "--config.run.chunk=2", "--shares=0.1,1"),
    *("--config.pretrain.n_steps=1000", "--config.pretrain.checkpoint_every=1"),
)
ARMS = "--arms=majority,scratch,pca_logreg,swav"
STEP = re.compile(r"seeds (\d+-\d+), step (\d+):")


class Case(NamedTuple):
    """A verb to kill."""

    verb: str
    n_kills: int


VERBS = ("prepare", "pretrain", "sweep", "study")
QUICK = tuple(Case(verb, 13) for verb in VERBS)
FULL = tuple(Case(verb, 50) for verb in VERBS)


def measure(case: Case, bench: Bench) -> Row:
    """One row: kills, runs that came to their end, and what was lost or differs."""
    del bench  # nothing is timed against a limit
    rng = np.random.default_rng(VERBS.index(case.verb))
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent)
        arguments = _prepared(case.verb, folder)
        reference, again = folder / "reference", folder / "again"
        for out in (reference, again):  # the first one compiles, and later ones find that on disk
            started = time.perf_counter()
            run_module(f"launch.{case.verb}", *arguments, _out(case.verb, out))
            seconds = time.perf_counter() - started
        tally = {"seconds": seconds, "killed": 0, "ended": 0, "repeated": 0, "doubled": 0}
        tally["differing"] = len(differences(again, reference))
        while tally["killed"] < case.n_kills:
            out = folder / f"out_{tally['ended']}"
            _chain(case, arguments, out, rng, tally)
            tally["ended"] += 1
            print(f"{tally['killed']} of {case.n_kills} kills", flush=True)
            found = differences(out, reference)
            for name in found:
                print(f"differs: {name}", flush=True)
            tally["differing"] += len(found)
            tally["doubled"] += _doubled(out)
    return case._asdict() | tally


def _prepared(verb: str, folder: Path) -> list[str]:
    """The arguments of a verb, what it reads being made first."""
    if verb == "prepare":
        rng = np.random.default_rng(0)
        values = rng.normal(8, 2, (4000, 1000)).round(3)
        genes, samples = (
            [f"{kind}{i:011d}" for i in range(n)] for kind, n in (("ENSG", 4000), ("S", 1000))
        )
        pd.DataFrame(values, genes, samples).to_csv(folder / "matrix.tsv", sep="\t")
        return [str(folder / "matrix.tsv")]
    if verb == "pretrain":
        return list(OPTIONS)
    if verb == "sweep":
        encoders = folder / "encoders"
        run_module("launch.pretrain", *OPTIONS, f"--out={encoders}")
        return [*OPTIONS, ARMS, f"--encoder={encoders}"]
    return [*OPTIONS, ARMS]


def _out(verb: str, out: Path) -> str:
    return f"--out={out / 'out.h5ad' if verb == 'prepare' else out}"


def _chain(
    case: Case,
    arguments: list[str],
    out: Path,
    rng: np.random.Generator,
    tally: dict[str, Any],
) -> None:
    """Kill and resume one run until it ends by itself; the last kill spent, it is left alone."""
    killed, started = tally["killed"], time.perf_counter()
    resume = [] if case.verb == "prepare" else ["--resume"]
    command = [
        sys.executable,
        "-m",
        f"launch.{case.verb}",
        *arguments,
        _out(case.verb, out),
        *resume,
    ]
    done: dict[str, int] = {}  # chunk of seeds → last step that was told
    while True:
        log = out.with_suffix(".log")
        with log.open("w") as file:
            process = subprocess.Popen(
                command, cwd=ROOT, env=os.environ, stdout=file, stderr=subprocess.STDOUT, text=True
            )
            limit = rng.uniform(0, tally["seconds"]) if tally["killed"] < case.n_kills else None
            try:
                process.wait(limit)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                tally["killed"] += 1
        tally["repeated"] = max(tally["repeated"], _repeated(log.read_text(), done))
        if process.returncode == 0:
            if tally["killed"] == killed:  # the machine's load changes
                tally["seconds"] = time.perf_counter() - started
            return
        if case.verb == "prepare" and (out / "out.h5ad").exists():
            return  # all that is there under its name is whole: it is compared
        if process.returncode > 0:
            raise RuntimeError(f"{case.verb} did not go on: {log.read_text()[-2000:]}")


def _repeated(log: str, done: dict[str, int]) -> int:
    """Epochs of the log that an earlier process had told already; the most of any chunk."""
    steps: dict[str, list[int]] = {}
    for seeds, step in STEP.findall(log):
        steps.setdefault(seeds, []).append(int(step))
    repeated = [sum(step <= done.get(seeds, 0) for step in of) for seeds, of in steps.items()]
    done.update({seeds: max(done.get(seeds, 0), *of) for seeds, of in steps.items()})
    return max(repeated, default=0)


def _doubled(out: Path) -> int:
    """Rows of the results and of the metrics that stand there twice."""
    count = 0
    if (out / "results.parquet").exists():
        keys = ["arm", "share", "seed", "part", "metric"]
        count += int(pd.read_parquet(out / "results.parquet").duplicated(keys).sum())
    if (out / "metrics.jsonl").exists():
        rows = pd.read_json(out / "metrics.jsonl", lines=True)
        count += int(rows.duplicated(["seed", "epoch"]).sum())
    return count


COLUMNS = (
    Column("verb", "verb"),
    Column("s uninterrupted", "seconds", ".1f"),
    Column("kills", "killed"),
    Column("runs brought to their end", "ended"),
    Column("epochs repeated, at most", "repeated"),
    Column("rows doubled", "doubled"),
    Column("artefacts that differ", "differing"),
)
SECTION = Section(COLUMNS, QUICK, FULL, measure)
