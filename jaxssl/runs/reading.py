"""Reading a run folder: whatever a run did not write is absent, not an error."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from jaxssl.files import read_json, read_table
from jaxssl.runs import layout
from jaxssl.runs.journal import read_metrics, read_parts
from jaxssl.runs.merge import merge_parts
from jaxssl.runs.result import StudyResult
from jaxssl.types import InputError


def open_study(folder: str | Path) -> StudyResult:
    """Read what a study, sweep or pretraining left in its folder; shards and splits are merged.

    Args:
        folder: that was given as `out`.

    Returns:
        What it came to, whether or not it ran to its end.

    Raises:
        InputError: where it is no run folder, or a file of it cannot be read.

    Example:
        >>> jaxssl.open_study("runs/mirna").endpoint  # doctest: +SKIP
    """
    [result] = read_runs([Path(folder)])
    return result


def read_runs(folders: Sequence[Path]) -> list[StudyResult]:
    """What folders hold; shards and splits of one run are that run."""
    return merge_parts([read_run(path) for path in expand(folders)])


def read_run(folder: Path) -> StudyResult:
    """Read one folder."""
    parts = layout.parts_folder(folder / layout.RESULTS)
    if not parts.is_dir() and not any((folder / name).is_file() for name in layout.READABLE):
        found = "is not a run folder" if folder.exists() else "does not exist"
        raise InputError(f"{folder} {found}", f"one holds any of {', '.join(layout.READABLE)}")
    try:
        rows = read_parts(folder / layout.RESULTS)
        return StudyResult(
            name=folder.resolve().name,
            folders=(folder.absolute(),),
            config=read_json(folder / layout.CONFIG),
            environment=read_json(folder / layout.ENVIRONMENT),
            summary=read_json(folder / layout.SUMMARY),
            metrics=_metrics(folder),
            results=_table(folder / layout.RESULTS_CSV) if rows.empty else rows,
            statistics=_table(folder / layout.STATISTICS),
            endpoint=_table(folder / layout.ENDPOINT),
            saved=_table(folder / layout.SAVED),
            batch=_table(folder / layout.BATCH),
            samples=_table(folder / layout.SPLITS),
            usage=_table(folder / layout.USAGE),
            embedding=_h5ad(folder / layout.EMBEDDING),
        )
    except (ValueError, OSError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{folder} holds a damaged file ({error})", "run the verb again"
        ) from error


def expand(folders: Sequence[Path]) -> list[Path]:
    """The folders, a study of several splits or shards as those of its parts."""
    expanded: list[Path] = []
    for folder in folders:
        summary = folder / layout.SUMMARY
        splits = [folder / name for name in read_json(summary).get("splits", [])]
        shards = [] if summary.is_file() else _shards(folder)
        parts = splits if splits and all(path.is_dir() for path in splits) else shards
        expanded += expand(parts) or [folder]
    return expanded


def _shards(folder: Path) -> list[Path]:
    """The shards of a run; warns of those that are missing."""
    found = sorted(filter(layout.is_shard, folder.glob("shard_*")))
    all_of = {f"{i}/{n}" for n in {int(p.name.split("_")[-1]) for p in found} for i in range(n)}
    missing = sorted(shard for shard in all_of if layout.shard_folder(folder, shard) not in found)
    if missing:
        warnings.warn(f"{folder} lacks shards {', '.join(missing)}", stacklevel=4)
    return found


def _metrics(folder: Path) -> pd.DataFrame | None:
    rows = pd.DataFrame(read_metrics(folder))
    if rows.empty:
        return None
    # a resumed run repeats the epochs after its checkpoint
    return rows.drop_duplicates(["seed", "epoch"], keep="last").sort_values(["seed", "epoch"])


def _table(path: Path) -> pd.DataFrame | None:
    if not path.is_file():
        return None
    table = read_table(path)
    return None if table.empty else table


def _h5ad(path: Path) -> Any:
    if not path.is_file():
        return None
    import anndata  # takes a second, and most results have none

    return anndata.read_h5ad(path)
