"""The run folder: what is written where, and what a resumed run finds there."""

import json
import math
import os
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from jaxssl.data.task import Task
from jaxssl.engine.bundle import EncoderBundle, load_bundle, save_bundle
from jaxssl.evaluation.predictions import pack
from jaxssl.evaluation.sweep import Fitted, results_frame
from jaxssl.files import is_part, replacing, sweep_parts, write_text
from jaxssl.types import InputError
from launch import lock

IDENTITY = ("environment.json", "config.json")
"""What tells which run it is: written first, deleted last."""
MARKS = ("environment.json", "summary.json", "classifier")
"""What shows that a run made a folder."""


class Output(NamedTuple):
    """Where a run writes, and what to do with what is there."""

    folder: str
    resume: bool = False
    overwrite: bool = False
    can_resume: bool = True  # whether the verb has --resume


def open_folder(output: Output) -> Path:
    """Create the folder and lock it; one that holds something is refused unless told what to do.

    What a killed run left half-written there is removed.

    Raises:
        InputError: without a folder, on an existing one, on one that no run made and that
            `--overwrite` would delete, and on one that another process writes.
    """
    folder = check_folder(output)
    _lock(folder, folder / lock.LOCK)
    check_folder(output)  # again: another run may have ended meanwhile
    sweep_parts(folder, but=lock.LOCK)  # runs inside sweep their own
    if output.overwrite:
        # what a killed process leaves of this must not pass for a run of other options
        for path in sorted(_content(folder), key=lambda path: path.name in IDENTITY):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return folder


def check_folder(output: Output) -> Path:
    """The folder, if a run may write there; touches nothing.

    Raises:
        InputError: as `open_folder`.
    """
    if not output.folder:
        raise InputError("no output folder is given; pass --out=runs/NAME")
    folder = Path(output.folder)
    _require_writable(folder)
    lock.check(folder / lock.LOCK)
    if folder.is_dir() and _content(folder):
        if output.overwrite or output.resume:
            if not any((folder / mark).exists() for mark in MARKS):
                flag = "--overwrite" if output.overwrite else "--resume"
                raise InputError(
                    f"{folder} is no run folder, so {flag} leaves it; pass another --out"
                )
        else:
            resume = "--resume, " if output.can_resume else ""
            raise InputError(f"{folder} exists; pass {resume}--overwrite or another --out")
    return folder


def _require_writable(path: Path) -> None:
    """Refuse a place where nothing can be made, before anything is read."""
    there = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        what = "is no folder" if not there.is_dir() else "cannot be written"
        raise InputError(f"{there} {what}; pass another --out")


def _lock(out: Path, file: Path) -> None:
    """Take the lock of an output, in a folder that is made if need be."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock.hold(file)
    except OSError as error:
        raise InputError(f"{out} cannot be made ({error.strerror}); pass another --out") from error


def _content(folder: Path) -> list[Path]:
    """What a folder holds beside its lock and what was left half-written."""
    return [p for p in folder.iterdir() if p.name != lock.LOCK and not is_part(p)]


def new_file(name: str, suffixes: Sequence[str], *, overwrite: bool) -> Path:
    """Path of a file to write, locked; refused if it exists or is of another kind.

    What a killed run left half-written of it is removed.
    """
    path = Path(name)
    if path.suffix not in suffixes:
        raise InputError(
            f"--out={name} must end in {' or '.join(suffixes)}; pass --out=NAME{suffixes[0]}"
        )
    _require_writable(path.parent)
    for act in (lock.check, partial(_lock, path)):  # and again: another may have written meanwhile
        act(path.with_name(f".{path.name}{lock.LOCK}"))
        if path.exists() and not overwrite:
            raise InputError(f"{path} exists; pass --overwrite, or another --out")
    for part in filter(is_part, path.parent.glob(f".{path.name}.*")):
        part.unlink()
    return path


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write as JSON, whole or not at all."""
    write_text(path, json.dumps(plain(value), indent=2, allow_nan=False))


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write .parquet or .csv, whole or not at all."""
    with replacing(path) as part:
        if path.suffix == ".parquet":
            table.to_parquet(part, index=False)
        else:
            table.to_csv(part, index=False)


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


def plain(value: Any) -> Any:
    """What JSON can hold: NumPy scalars as numbers, NaN as null, paths as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)
