"""Training states on disk, so that a run that was stopped or killed goes on."""

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax

from jaxssl.engine.leaves import flatten, load_leaves, on_record, record, save_leaves, signature
from jaxssl.files import complete_folder
from jaxssl.types import InputError, TrainState

SHARE = 0.1
"""Of the time, that saving may take where nothing else is asked for."""


class Cadence:
    """When to save: every so many epochs; by 0, as often as it takes a tenth of the time."""

    def __init__(self, every: int):
        self._every, self._cost, self._end = every, 0.0, time.perf_counter()

    def is_due(self, epoch: int) -> bool:
        """Whether to save after this epoch (from 0)."""
        if self._every:
            return (epoch + 1) % self._every == 0
        return SHARE * (time.perf_counter() - self._end) >= self._cost

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Take the time of a save."""
        started = time.perf_counter()
        yield
        self._end = time.perf_counter()
        self._cost = self._end - started


def save_state(folder: Path, state: TrainState, progress: Mapping[str, Any]) -> None:
    """Write a chunk's state with its progress (JSON: epoch, seeds, metrics so far).

    It lies in a folder of its own, and those before it go when it is complete: a process that is
    killed at any instant leaves a whole one.
    """
    before = _states(folder)
    number = 1 + max([_number(path) for path in before], default=-1)
    leaves = flatten(state._replace(member=None))
    with complete_folder(folder / f"save_{number:06d}") as partial:
        save_leaves(partial / "state", leaves)
        saved = {"leaves": record(leaves), "progress": dict(progress)}
        (partial / "progress.json").write_text(json.dumps(saved))
    for path in before:
        shutil.rmtree(path)


def load_progress(folder: Path) -> dict[str, Any] | None:
    """Progress of a saved chunk, or None if nothing was saved.

    Raises:
        InputError: if it cannot be read.
    """
    saved = _states(folder)
    return _read_progress(saved[-1])["progress"] if saved else None


def load_state(folder: Path, template: TrainState) -> TrainState:
    """Restore a chunk's state into the structure of `template`, whose members are kept.

    Raises:
        InputError: if a leaf is missing, unexpected, of another shape or dtype, or damaged.
    """
    saved = _states(folder)[-1]
    bare = template._replace(member=None)
    expected = signature(flatten(bare))
    for name, leaf in _read_progress(saved)["leaves"].items():
        if name in expected:
            expected[name] = expected[name]._replace(sha256=leaf.sha256)
    leaves = load_leaves(saved / "state", expected)
    restored = jax.tree.unflatten(
        jax.tree.structure(bare), [leaves[name] for name in flatten(bare)]
    )
    return restored._replace(member=template.member)


def _states(folder: Path) -> list[Path]:
    """The saved states of a chunk, the newest last."""
    return sorted(folder.glob("save_*[0-9]"), key=_number)


def _number(path: Path) -> int:
    return int(path.name.removeprefix("save_"))


def _read_progress(saved: Path) -> dict[str, Any]:
    file = saved / "progress.json"
    try:
        read = json.loads(file.read_text())
        return {"leaves": on_record(read["leaves"]), "progress": read["progress"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{file} is no record of a training ({error})",
            f"delete {saved.parent} to train these seeds anew",
        ) from error
