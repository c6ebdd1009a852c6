"""The run folder: what is written where, and what a resumed run finds there."""

import json
import math
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd

from jaxssl.config import Config, to_dict
from jaxssl.data.task import Task
from jaxssl.engine.checkpoint import load_bundle, save_bundle
from jaxssl.evaluation.sweep import Fitted, results_frame
from jaxssl.types import EncoderBundle, InputError

PACKAGES = ("jaxssl", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "scikit-learn")


def open_folder(out: str, *, resume: bool, overwrite: bool) -> Path:
    """Create the folder; one that holds something is refused unless told what to do with it."""
    if not out:
        raise InputError("no output folder is given; pass --out=runs/NAME")
    folder = Path(out)
    if folder.is_file():
        raise InputError(f"{folder} is a file; pass another --out")
    if folder.is_dir() and any(folder.iterdir()):
        if overwrite:
            shutil.rmtree(folder)
        elif not resume:
            raise InputError(f"{folder} exists; pass --resume, --overwrite or another --out")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


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


def write_config(folder: Path, config: Config) -> None:
    """Write `config.json`; a resumed run must have the same one.

    Raises:
        InputError: naming the first option that differs from the folder's.
    """
    file, new = folder / "config.json", json.loads(json.dumps(to_dict(config)))
    if file.exists():
        old = json.loads(file.read_text())
        # more seeds, shares or arms are what a resume may add
        for section, option in _differences(old, new):
            if (section, option) not in {("run", "seeds"), ("sweep", "shares"), ("sweep", "arms")}:
                raise InputError(
                    f"{folder} was run with {section}.{option}={old[section].get(option)}, now "
                    f"{new[section][option]}; drop the change, or pass --overwrite or another --out"
                )
    write_json(file, new)


def write_environment(folder: Path, data_hash: str) -> None:
    """Write what is needed to repeat the run: versions, device, commit, data and command."""
    write_json(
        folder / "environment.json",
        {
            "command": " ".join([f"python -m {_module()}", *sys.argv[1:]]),
            "versions": versions(),
            "device": jax.devices()[0].device_kind,
            "n_devices": jax.device_count(),
            "platform": platform.platform(),
            "cores": os.cpu_count(),
            "commit": _commit(),
            "data_hash": data_hash,
        },
    )


def write_splits(folder: Path, task: Task) -> None:
    """Write the part of every sample."""
    part = np.full(len(task.codes), "", dtype=object)
    for name, rows in task.split._asdict().items():
        part[rows] = name
    labels = [task.classes[code] if code >= 0 else "" for code in task.codes]
    table = pd.DataFrame({"sample_id": task.sample_ids, "part": part, "label": labels})
    write_table(folder / "splits.parquet", table)


def append_metrics(folder: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Append to `metrics.jsonl`; a reader keeps the last row of an epoch and seed."""
    with (folder / "metrics.jsonl").open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def read_results(folder: Path) -> pd.DataFrame:
    """Result rows so far."""
    file = folder / "results.parquet"
    return pd.read_parquet(file) if file.exists() else results_frame([])


def append_results(folder: Path, fitted: Fitted, task: Task) -> None:
    """Add one arm and share: its test probabilities first, then the rows that vouch for them."""
    file = folder / "predictions" / f"{fitted.arm}_{fitted.share:.4f}.parquet"
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
    columns = {f"p_{name}": probabilities[:, i] for i, name in enumerate(task.classes)}
    return pd.DataFrame(head | columns)


def save_encoder(folder: Path, seed: int, bundle: EncoderBundle) -> None:
    """Write one seed's bundle."""
    save_bundle(folder / "encoder" / f"seed_{seed:03d}", bundle)


def load_encoders(folder: Path) -> dict[int, EncoderBundle]:
    """All bundles of a run folder, by seed; none is an empty dict."""
    return {
        int(path.name.removeprefix("seed_")): load_bundle(path)
        for path in sorted((folder / "encoder").glob("seed_*"))
    }


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide the numbers."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    return (
        (section, option)
        for section, options in new.items()
        for option, value in options.items()
        if old.get(section, {}).get(option) != value
    )


def _module() -> str:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec.name if spec else Path(sys.argv[0]).name


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


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
