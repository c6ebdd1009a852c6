"""The run folder: what is written where, and what a resumed run finds there."""

import dataclasses
import json
import math
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import pandas as pd

from jaxssl.config import Config
from jaxssl.data.task import Task
from jaxssl.engine.checkpoint import load_bundle, save_bundle
from jaxssl.evaluation.predictions import pack
from jaxssl.evaluation.sweep import Fitted, results_frame
from jaxssl.types import EncoderBundle, InputError

MARKS = ("environment.json", "summary.json", "classifier")
"""What shows that a run made a folder."""


class Output(NamedTuple):
    """Where a run writes, and what to do with what is there."""

    folder: str
    resume: bool = False
    overwrite: bool = False
    can_resume: bool = True  # whether the verb has --resume


def open_folder(output: Output) -> Path:
    """Create the folder; one that holds something is refused unless told what to do with it.

    Raises:
        InputError: without a folder, on an existing one, and on one that no run made and that
            `--overwrite` would delete.
    """
    folder = check_folder(output)
    if output.overwrite and folder.is_dir() and any(folder.iterdir()):
        shutil.rmtree(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder} cannot be made ({error.strerror}); pass another --out"
        ) from error
    return folder


def check_folder(output: Output) -> Path:
    """The folder, if a run may write there; touches nothing.

    Raises:
        InputError: as `open_folder`.
    """
    if not output.folder:
        raise InputError("no output folder is given; pass --out=runs/NAME")
    folder = Path(output.folder)
    if folder.is_dir() and any(folder.iterdir()):
        if output.overwrite:
            if not any((folder / mark).exists() for mark in MARKS):
                raise InputError(
                    f"{folder} is no run folder, so --overwrite leaves it; pass another --out"
                )
        elif not output.resume:
            resume = "--resume, " if output.can_resume else ""
            raise InputError(f"{folder} exists; pass {resume}--overwrite or another --out")
    return folder


def new_file(name: str, suffixes: Sequence[str], *, overwrite: bool) -> Path:
    """Path of a file to write; refused if it exists or is of another kind."""
    path = Path(name)
    if path.suffix not in suffixes:
        raise InputError(
            f"--out={name} must end in {' or '.join(suffixes)}; pass --out=NAME{suffixes[0]}"
        )
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists; pass --overwrite, or another --out")
    return path


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write under a temporary name, then rename."""
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(json.dumps(_plain(value), indent=2, allow_nan=False))
    os.replace(partial, path)


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write .parquet or .csv under a temporary name, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    if path.suffix == ".parquet":
        table.to_parquet(partial, index=False)
    else:
        table.to_csv(partial, index=False)
    os.replace(partial, path)


def write_splits(folder: Path, task: Task) -> None:
    """Write part, label, group and batch of every sample."""
    labels = [task.classes[code] if code >= 0 else "" for code in task.codes]
    columns = {"sample_id": task.sample_ids, "part": part_of(task), "label": labels}
    columns |= {"group": task.groups.astype(str), "batch": task.batches.astype(str)}
    write_table(folder / "splits.parquet", pd.DataFrame(columns))


def part_of(task: Task) -> np.ndarray:
    """Name of every sample's part; "" for none."""
    part = np.full(len(task.codes), "", dtype=object)
    for name, rows in task.split._asdict().items():
        part[rows] = name
    return part


def with_chunk_of(folder: Path, config: Config, n_seeds: int) -> Config:
    """The configuration with the seed chunk of an interrupted run, if there was one."""
    file = folder / "checkpoints" / "chunk.json"
    if config.run.chunk or not file.exists():
        return config
    chunk = min(json.loads(file.read_text())["chunk"], n_seeds)
    return dataclasses.replace(config, run=dataclasses.replace(config.run, chunk=chunk))


def write_chunk(folder: Path, chunk: int) -> None:
    """Note how the seeds are cut, beside the checkpoints that are cut so."""
    (folder / "checkpoints").mkdir(exist_ok=True)
    write_json(folder / "checkpoints" / "chunk.json", {"chunk": chunk})


def append_metrics(folder: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Append to `metrics.jsonl`; a reader keeps the last row of an epoch and seed."""
    with (folder / "metrics.jsonl").open("a+b") as file:
        if file.tell() and not _ends_line(file):
            file.write(b"\n")  # a killed run left half a line
        file.writelines(json.dumps(row).encode() + b"\n" for row in rows)


def read_results(folder: Path) -> pd.DataFrame:
    """Result rows so far.

    Raises:
        InputError: if the folder holds the points of a grid.
    """
    file = folder / "results.parquet"
    rows = pd.read_parquet(file) if file.exists() else results_frame([])
    if "point" in rows:
        raise InputError(f"{folder} holds the grid of a search; pass another --out")
    return rows


def read_predictions(folder: Path, arm: str, share: float) -> pd.DataFrame | None:
    """Test probabilities of an arm at a share, a row a seed and sample; None if there are none."""
    file = _predictions_file(folder, arm, share)
    return pd.read_parquet(file) if file.exists() else None


def append_results(folder: Path, fitted: Fitted, task: Task) -> None:
    """Add one arm and share: its test probabilities first, then the rows that vouch for them."""
    file = _predictions_file(folder, fitted.arm, fitted.share)
    old = [pd.read_parquet(file)] if file.exists() else []
    test = task.split.test
    new = [predictions_frame(task, test, seed, p) for seed, p in fitted.probabilities.items()]
    everything = pd.concat([*old, *new])
    write_table(file, everything.drop_duplicates(["seed", "sample_id"], keep="last"))
    old = [rows for rows in [read_results(folder)] if len(rows)]
    write_table(folder / "results.parquet", pd.concat([*old, results_frame(fitted.rows)]))


def predictions_frame(
    task: Task, rows: np.ndarray, seed: int, probabilities: np.ndarray
) -> pd.DataFrame:
    """Probabilities of one seed on rows of the data set, a column a class."""
    head = {
        "sample_id": task.sample_ids[rows],
        "seed": seed,
        "label": np.asarray(task.classes)[task.codes[rows]],
    }
    return pd.DataFrame(head | pack(task.classes, probabilities))


def _predictions_file(folder: Path, arm: str, share: float) -> Path:
    return folder / "predictions" / f"{arm}_{share:.4f}.parquet"


def save_encoder(folder: Path, seed: int, bundle: EncoderBundle) -> None:
    """Write one seed's bundle."""
    save_bundle(encoder_folder(folder, seed), bundle)


def encoder_folder(folder: Path, seed: int) -> Path:
    """Where one seed's bundle lies."""
    return folder / "encoder" / f"seed_{seed:03d}"


def load_encoders(folder: Path) -> dict[int, EncoderBundle]:
    """All bundles of a run folder, by seed; none is an empty dict."""
    return {
        int(path.name.removeprefix("seed_")): load_bundle(path)
        for path in sorted((folder / "encoder").glob("seed_*[0-9]"))
    }


def _ends_line(file: IO[bytes]) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def _plain(value: Any) -> Any:
    """What JSON can hold: NumPy scalars as numbers, NaN as null, paths as text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)
