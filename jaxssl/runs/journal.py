"""What a run writes as it goes, and what a resumed run finds there.

`metrics.jsonl` follows the checkpoints: what a killed run logged beyond them is logged anew. Scores
come in parts, one an arm and share, each written once; `join_parts` makes one table of them.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jaxssl.config import Config, with_options
from jaxssl.data.task import Task
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.engine.ensemble import chunks
from jaxssl.evaluation.predictions import pack
from jaxssl.evaluation.stats import KEY
from jaxssl.evaluation.sweep import RESULT_COLUMNS, Fitted
from jaxssl.files import plain, read_json, write_json, write_text
from jaxssl.runs import layout
from jaxssl.runs.tables import (
    RUN,
    check_run,
    read_own_bundle,
    read_parquet,
    run_of,
    whole,
    write_parquet,
)
from jaxssl.types import InputError


def with_chunk_of(folder: Path, config: Config, missing: Collection[int]) -> Config:
    """The configuration with the seed chunk of an interrupted run, if there was one."""
    before = read_json(folder / layout.CUT)
    if config.run.chunk or not before:
        return config
    chunk, is_begun = before["chunk"], _unfinished(before["begun"], missing)
    chunk = chunk if is_begun else min(chunk, len(missing))
    return with_options(config, {"run.chunk": chunk})


def cut(folder: Path, missing: Sequence[int], chunk: int) -> list[list[int]]:
    """The chunks to run, noted beside their checkpoints.

    First those that an earlier run began and did not finish, with their seeds, if a chunk still
    holds as many; then the other seeds.
    """
    before = read_json(folder / layout.CUT)
    begun = before.get("begun", [])
    begun = begun if all(len(ids) <= chunk for ids in begun) else []
    unfinished = _unfinished(begun, missing)
    covered = {seed for ids in unfinished for seed in ids}
    rest = [seed for seed in missing if seed not in covered]
    new = [list(dict.fromkeys(ids)) for ids in chunks(rest, chunk)] if rest else []
    (folder / layout.CHECKPOINTS).mkdir(exist_ok=True)
    write_json(folder / layout.CUT, {"chunk": chunk, "begun": [*begun, *new]})
    return [*unfinished, *new]


def _unfinished(begun: list[list[int]], missing: Collection[int]) -> list[list[int]]:
    """The chunks with a seed that has no encoder yet."""
    return [ids for ids in begun if set(ids) & set(missing)]


def append_metrics(folder: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Append to `metrics.jsonl`."""
    with (folder / layout.METRICS).open("a", encoding="utf-8") as file:
        file.write(_lines(folder, rows))


def drop_metrics(folder: Path, seeds: Collection[int]) -> None:
    """Drop the rows of some seeds, and the half line that a killed run left."""
    if (folder / layout.METRICS).exists():
        rows = [row for row in read_metrics(folder) if row["seed"] not in seeds]
        write_text(folder / layout.METRICS, _lines(folder, rows))


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Rows of `metrics.jsonl`, without the half line that a killed run left."""
    file, rows = folder / layout.METRICS, []
    text = whole(file, lambda: file.read_text(encoding="utf-8")) if file.is_file() else ""
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        is_half = number == len(lines) and not text.endswith("\n")
        with suppress(ValueError) if is_half else nullcontext():
            rows.append(whole(file, partial(json.loads, line)))
    for run in dict.fromkeys(row.pop(RUN, "") for row in rows):
        check_run(file, run, folder)
    return rows


def _lines(folder: Path, rows: Iterable[Mapping[str, Any]]) -> str:
    """A line of JSON a row, with the id of the run."""
    run = {RUN: found} if (found := run_of(folder)) else {}
    return "".join(json.dumps(plain({**row, **run}), allow_nan=False) + "\n" for row in rows)


def samples_of(task: Task) -> pd.DataFrame:
    """Part, label, group and batch of every sample; "" for none."""
    part = np.full(len(task.codes), "", dtype=object)
    for name, rows in task.split._asdict().items():
        part[rows] = name
    labels = [task.classes[code] if code >= 0 else "" for code in task.codes]
    columns = {"sample_id": task.sample_ids, "part": part, "label": labels}
    columns |= {"group": task.groups.astype(str), "batch": task.batches.astype(str)}
    return pd.DataFrame(columns)


def load_encoders(
    folder: Path, seeds: Collection[int] | None = None, but: Collection[int] = ()
) -> dict[int, EncoderBundle]:
    """The bundles of a run folder, by seed: all, or those of `seeds`; without those of `but`."""
    found = layout.encoder_folders(folder)
    wanted = set(found if seeds is None else seeds) & set(found) - set(but)
    return {seed: read_own_bundle(found[seed]) for seed in sorted(wanted)}


def add_part(file: Path, rows: pd.DataFrame) -> None:
    """Write rows as the next part of the table that `join_parts` will write to `file`."""
    folder = layout.parts_folder(file)
    folder.mkdir(exist_ok=True)
    # past the last one, for a process that was killed while it joined them may have left any
    number = 1 + max((int(path.stem) for path in layout.parts_of(file)), default=-1)
    write_parquet(file.parent, folder / f"{number:06d}.parquet", rows)


def read_parts(file: Path) -> pd.DataFrame:
    """The rows so far, joined or not, in the order of writing; no columns where there are none."""
    paths = [file, *layout.parts_of(file)]
    tables = [read_parquet(file.parent, path) for path in paths if path.is_file()]
    rows = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    keys = [name for name in ("point", *KEY) if name in rows]
    # a process that was killed while it joined parts left some rows in both places
    return rows.drop_duplicates(keys, keep="last", ignore_index=True) if keys else rows


def join_parts(file: Path) -> pd.DataFrame:
    """Write all rows to `file` in place of their parts; returns them."""
    rows = read_parts(file)
    write_parquet(file.parent, file, rows)
    for part in layout.parts_of(file):
        part.unlink()
    with suppress(OSError):  # a user's file, or none were there
        layout.parts_folder(file).rmdir()
    return rows


def read_results(folder: Path) -> pd.DataFrame:
    """Result rows so far."""
    rows = read_parts(folder / layout.RESULTS)
    if "point" in rows:
        raise InputError(f"{folder} holds the grid of a search", "pass another `out`")
    return rows if len(rows) else pd.DataFrame(columns=RESULT_COLUMNS)


def without_predictions(folder: Path, results: pd.DataFrame) -> list[tuple[str, float, int]]:
    """Arm, share and seed of the scores whose test probabilities are gone."""
    gone, scored = [], results[["arm", "share", "seed"]].drop_duplicates()
    for arm, share in dict.fromkeys(zip(scored["arm"], scored["share"], strict=True)):
        files = layout.predictions_files(folder, arm, share)
        tables = [read_parquet(folder, path, ["seed"])["seed"] for path in files]
        kept = {seed for table in tables for seed in table.unique()}
        seeds = scored.loc[(scored["arm"] == arm) & (scored["share"] == share), "seed"]
        gone += [(arm, share, seed) for seed in seeds if seed not in kept]
    return gone


def add_results(folder: Path, fitted: Fitted, task: Task, seeds: Sequence[int]) -> None:
    """Add one arm and share: its test probabilities first, then the rows that vouch for them."""
    first = min(fitted.probabilities)
    added = None if first == seeds[0] else first
    test = task.split.test
    tables = [predictions_frame(task, test, seed, p) for seed, p in fitted.probabilities.items()]
    file = layout.predictions_file(folder, fitted.arm, fitted.share, added)
    write_parquet(folder, file, pd.concat(tables))
    add_part(folder / layout.RESULTS, pd.DataFrame(fitted.rows, columns=RESULT_COLUMNS))


def predictions_frame(
    task: Task, rows: np.ndarray, seed: int, probabilities: np.ndarray
) -> pd.DataFrame:
    """Probabilities of one seed on rows of the data set, a column a class."""
    labels = np.asarray(task.classes)[task.codes[rows]]
    head = {"sample_id": task.sample_ids[rows], "seed": seed, "label": labels}
    return pd.DataFrame(head | pack(task.classes, probabilities))
