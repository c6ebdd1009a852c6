"""Training states on disk, so that a run that was stopped or killed goes on."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax

from jaxssl.engine.diagnose import Row
from jaxssl.engine.leaves import (
    ARRAYS,
    Leaf,
    by_path,
    flatten,
    load_leaves,
    on_record,
    record,
    save_leaves,
)
from jaxssl.files import complete_folder
from jaxssl.types import InputError, TrainState

STATES = {r"save_\d{6}": {r"progress\.json": None, "state": ARRAYS}}
"""What lies in a chunk's folder."""
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


def save_state(folder: Path, state: TrainState, seeds: list[int], history: list[Row]) -> None:
    """Write a chunk's state with its seeds and their history so far.

    It lies in a folder of its own, and those before it go when it is complete: a process that is
    killed at any instant leaves a whole one.
    """
    before = _states(folder)
    number = int(before[-1].name.removeprefix("save_")) + 1 if before else 0
    leaves = flatten(state._replace(member=None))
    with complete_folder(folder / f"save_{number:06d}") as partial:
        save_leaves(partial / "state", leaves)
        saved = {"leaves": record(leaves), "progress": {"seeds": seeds, "history": history}}
        (partial / "progress.json").write_text(json.dumps(saved))
    for path in before:
        shutil.rmtree(path)


def load_state(folder: Path, fresh: TrainState, seeds: list[int]) -> tuple[TrainState, list[Row]]:
    """A chunk's saved state on the host, in the structure and with the members of `fresh`.

    Beside it its history. The fresh one, and no history, if none of these seeds was saved. The last
    seed may be repeated more or less often than it was, as the number of devices asks for.
    """
    states = _states(folder)
    if not states:
        return fresh, []
    recorded, progress = _read_progress(states[-1])
    saved = progress["seeds"]
    if [*dict.fromkeys(saved)] != [*dict.fromkeys(seeds)]:
        return fresh, []
    bare = fresh._replace(member=None)
    expected = {
        name: Leaf(
            (len(saved), *leaf.shape[1:]),
            str(leaf.dtype),
            recorded[name].sha256 if name in recorded else "",
        )
        for name, leaf in by_path(bare).items()
    }
    leaves = load_leaves(states[-1] / "state", expected)
    at = [saved.index(seed) for seed in seeds]
    members = [leaves[name] if saved == seeds else leaves[name][at] for name in expected]
    restored = jax.tree.unflatten(jax.tree.structure(bare), members)
    return restored._replace(member=fresh.member), progress["history"]


def _states(folder: Path) -> list[Path]:
    """The saved states of a chunk, the newest last: their numbers have six digits."""
    return sorted(folder.glob("save_*[0-9]"))


def _read_progress(saved: Path) -> tuple[dict[str, Leaf], dict[str, Any]]:
    file = saved / "progress.json"
    try:
        read = json.loads(file.read_text())
        return on_record(read["leaves"]), read["progress"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{file} is no record of a training ({error})",
            f"delete {saved.parent} to train these seeds anew",
        ) from error
