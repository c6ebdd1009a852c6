"""The points of a grid in a run folder: what is there, what is missing, what they come to."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from jaxssl.data.task import Task
from jaxssl.evaluation.grid import UNCHANGED, Point
from jaxssl.evaluation.search import Found, search
from jaxssl.types import InputError
from launch import folder as run_folder
from launch.progress import Progress

RESULTS, PRETRAINING = "results.parquet", "pretraining.parquet"


def run_points(
    folder: Path,
    task: Task,
    points: Sequence[Point],
    seeds: Sequence[int],
    parts: Sequence[str] = ("validation",),
) -> None:
    """Run what the folder lacks; rows are written as soon as a point has them."""
    rows = read_rows(folder)
    done = set()
    if len(rows):
        done = set(zip(rows["point"], rows["arm"], rows["share"], rows["seed"], strict=True))
    sweep = points[0].config.sweep
    keys = [(p.name, a, s) for p in points for a in sweep.arms for s in sweep.shares]
    missing = sum((*key, seed) not in done for key in keys for seed in seeds)
    progress = Progress("fits", missing)
    for found in search(task, points, seeds, parts, done, log=announce):
        append(folder, found)
        fits = {(row["point"], row["arm"], row["share"], row["seed"]) for row in found.rows}
        progress.advance(found.rows[0]["point"] or UNCHANGED, len(fits))
    progress.close()


def announce(points: str) -> None:
    """Say which points one program begins."""
    print(f"points: {points}", flush=True)


def read_rows(folder: Path) -> pd.DataFrame:
    """Result rows so far.

    Raises:
        InputError: if the folder holds the results of a study.
    """
    file = folder / RESULTS
    rows = pd.read_parquet(file) if file.exists() else pd.DataFrame()
    if len(rows) and "point" not in rows:
        raise InputError(f"{folder} holds a study or a sweep, not a grid; pass another --out")
    return rows


def read_measures(folder: Path) -> pd.DataFrame:
    """What the pretrainings measured so far; grid values as text, as in the result rows."""
    file = folder / PRETRAINING
    return pd.read_parquet(file) if file.exists() else pd.DataFrame()


def append(folder: Path, found: Found) -> None:
    """Add rows: measures first, then the results that vouch for them."""
    if found.pretraining:
        old = read_measures(folder)
        both = pd.concat([old, pd.DataFrame(found.pretraining)])
        both = both.drop_duplicates(["point", "seed"], keep="last")
        run_folder.write_table(folder / PRETRAINING, both)
    both = pd.concat(
        [rows for rows in [read_rows(folder)] if len(rows)] + [pd.DataFrame(found.rows)]
    )
    run_folder.write_table(folder / RESULTS, both)
