"""What a pretraining notes in its run folder: how its seeds are cut, and a row an epoch and seed.

metrics.jsonl follows the checkpoints: what a killed run logged beyond them is logged anew.
"""

import dataclasses
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxssl.config import Config
from jaxssl.engine.ensemble import chunks
from jaxssl.files import flush, write_text
from launch.folder import plain, write_json

CHECKPOINTS = "checkpoints"


class Cut(NamedTuple):
    """How seeds were cut: seeds of a compiled call, and the chunks that were begun."""

    chunk: int
    begun: list[list[int]]

    def unfinished(self, missing: Collection[int]) -> list[list[int]]:
        """The chunks with a seed that has no encoder yet."""
        return [ids for ids in self.begun if set(ids) & set(missing)]


def with_chunk_of(folder: Path, config: Config, missing: Collection[int]) -> Config:
    """The configuration with the seed chunk of an interrupted run, if there was one."""
    before = _read_cut(folder)
    if config.run.chunk or not before.chunk:
        return config
    is_begun = before.unfinished(missing)
    chunk = before.chunk if is_begun else min(before.chunk, len(missing))
    return dataclasses.replace(config, run=dataclasses.replace(config.run, chunk=chunk))


def cut(folder: Path, missing: Sequence[int], chunk: int) -> list[list[int]]:
    """The chunks to run, noted beside their checkpoints, which fit no other cut.

    First those that an earlier run began and did not finish, as they were; then the other seeds.
    """
    before = _read_cut(folder)
    begun = before.begun if before.chunk == chunk else []
    unfinished = Cut(chunk, begun).unfinished(missing)
    covered = {seed for ids in unfinished for seed in ids}
    rest = [seed for seed in missing if seed not in covered]
    new = [list(dict.fromkeys(ids)) for ids in chunks(rest, chunk)] if rest else []
    (folder / CHECKPOINTS).mkdir(exist_ok=True)
    write_json(_cut_file(folder), Cut(chunk, [*begun, *new])._asdict())
    return [*unfinished, *new]


def append_metrics(folder: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Append to `metrics.jsonl`."""
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(_lines(rows))


def flush_metrics(folder: Path) -> None:
    """Have the disk hold what was appended, before the encoders that it is about."""
    flush(folder / "metrics.jsonl")


def drop_metrics(folder: Path, seeds: Collection[int]) -> None:
    """Drop the rows of some seeds, and the half line that a killed run left."""
    file = folder / "metrics.jsonl"
    if file.exists():
        rows = [_read(line) for line in file.read_text(encoding="utf-8").splitlines()]
        write_text(file, _lines(row for row in rows if row and row["seed"] not in seeds))


def _lines(rows: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(plain(row), allow_nan=False) + "\n" for row in rows)


def _read(line: str) -> dict[str, Any]:
    try:
        return json.loads(line)
    except ValueError:
        return {}


def _read_cut(folder: Path) -> Cut:
    file = _cut_file(folder)
    noted = json.loads(file.read_text()) if file.exists() else {}
    return Cut(noted.get("chunk", 0), noted.get("begun", []))


def _cut_file(folder: Path) -> Path:
    return folder / CHECKPOINTS / "chunk.json"
