"""Reading a run folder: whatever a run did not write is absent, not an error."""

import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from jaxssl.arguments import checked
from jaxssl.evaluation.headline import percent
from jaxssl.files import DAMAGED, read_json, read_table
from jaxssl.places import missing
from jaxssl.runs import layout
from jaxssl.runs.identity import check_record
from jaxssl.runs.journal import read_metrics, read_parts, without_predictions
from jaxssl.runs.kinds import ADAPT, CLASSIFY, TRANSFER, WORDS, kind_of
from jaxssl.runs.merge import conclude_anew, merge_parts
from jaxssl.runs.previous import BEFORE
from jaxssl.runs.result import StudyResult
from jaxssl.runs.tables import RUN, altered, check_run, read_parquet, run_of, whole
from jaxssl.types import InputError


@checked
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
    return merge_parts([_as_it_stands(path) for path in expand(folders)])


_TOLD_IN = {
    ADAPT: layout.SUMMARY,
    CLASSIFY: f"{layout.CLASSIFIER}/{layout.CARD}",
    TRANSFER: layout.TRANSFERRED,
}
"""Kinds of runs that are no study → the file that says what they came to."""


def _as_it_stands(folder: Path) -> StudyResult:
    """What a folder holds; of a run under way, or killed, what its scores so far come to."""
    if (kind := kind_of(folder)) in _TOLD_IN:
        told = _TOLD_IN[kind]
        raise InputError(f"{folder} holds {WORDS[kind]}, which is no study", f"read its {told}")
    run = read_run(folder)
    if run.results is not None and "point" in run.results:
        found = f"{folder} holds the grid of a search, which is no study"
        raise InputError(
            found, f"its scores are in {layout.POINTS}, its figure in {layout.FIGURES}/"
        )
    if not run_of(folder) or (folder / layout.MANIFEST).is_file():
        return run
    text = f"{folder} has not come to its end; its verb goes on with `resume`"
    warnings.warn(text, stacklevel=4)
    run.summary["warnings"] = [*run.summary.get("warnings", []), text]
    return run if run.statistics is None else _concluded(run)


def _concluded(run: StudyResult) -> StudyResult:
    return conclude_anew(run, run.config["sweep"]["reference_arms"], [run])


def is_run(folder: Path) -> bool:
    """Whether a folder holds something to tell."""
    parts = layout.parts_folder(folder / layout.RESULTS)
    return parts.is_dir() or any((folder / name).is_file() for name in layout.READABLE)


def read_run(folder: Path) -> StudyResult:
    """Read one folder."""
    if not is_run(folder):
        found = "is not a run folder" if folder.exists() else missing(folder)
        raise InputError(f"{folder} {found}", f"one holds any of {', '.join(layout.READABLE)}")
    if (folder / BEFORE).is_dir():
        raise InputError(
            f"{folder} was being overwritten when that was killed, so what it holds is not whole",
            "go on with its verb and `resume`, which puts the run back, or `overwrite`",
        )
    check_record(folder)
    rows, summary = read_parts(folder / layout.RESULTS), read_json(folder / layout.SUMMARY)
    if summary:
        check_run(folder / layout.SUMMARY, summary.get(RUN, ""), folder)
    changed = altered(folder)
    derived: dict[str, Any] = {
        field: None if name in changed else _table(folder, name)
        for field, name in layout.DERIVED.items()
    }
    result = StudyResult(
        name=folder.resolve().name,
        folders=(folder.absolute(),),
        config=read_json(folder / layout.CONFIG),
        environment=read_json(folder / layout.ENVIRONMENT),
        summary=summary,
        metrics=_metrics(folder),
        results=_table(folder, layout.RESULTS_CSV) if rows.empty else rows,
        samples=_table(folder, layout.SPLITS),
        embedding=_embedding(folder),
        **derived,
    )
    found = _told_of(folder, changed, rows)  # what is another run's was refused by name before
    if found:
        summary["warnings"] = [*summary.get("warnings", []), *found]
    for text in found:
        warnings.warn(text, stacklevel=3)
    if result.results is None or not result.config or not set(layout.CONCLUSIONS) & set(changed):
        return result
    return _concluded(result)


def _told_of(folder: Path, changed: Sequence[str], rows: pd.DataFrame) -> list[str]:
    """What is missing or changed in a run folder, in words; refused where nothing stands for it."""
    found, gone = [], set()
    if len(rows) and "point" not in rows:
        gone = {(arm, share) for arm, share, _ in without_predictions(folder, rows)}
    known = [(folder / name).is_file() for name in (layout.ENVIRONMENT, layout.CONFIG)]
    if not known[0] and (known[1] or changed or (folder / layout.MANIFEST).is_file()):
        found.append(
            f"{folder} lacks {layout.ENVIRONMENT}, so whether all its parts are of one run is not "
            "known"
        )
    for name in changed:
        path = folder / name
        state = "is not as the run wrote it" if path.is_file() else "is missing"
        if name in layout.DERIVED.values():
            anew = name in layout.CONCLUSIONS
            what = "what it holds is computed anew" if anew else "it is left out"
            found.append(f"{path} {state}; {what}")
        elif path.is_file() and name != layout.RESULTS_CSV:
            raise InputError(f"{path} {state}", DAMAGED)
        elif name.partition("/")[0] != layout.PREDICTIONS:
            found.append(f"{path} {state}")
    return found + [f"{folder} lacks predictions of {a} at {percent(s)}" for a, s in sorted(gone)]


def expand(folders: Sequence[Path]) -> list[Path]:
    """The folders, a study of several splits or shards as those of its parts."""
    expanded: list[Path] = []
    for folder in folders:
        summary = folder / layout.SUMMARY
        shards = [] if summary.is_file() else _shards(folder)
        splits = [folder / name for name in read_json(summary).get("splits", [])]
        splits = splits or ([] if summary.is_file() else _splits(folder))
        missing = [path.name for path in splits if not path.is_dir()]
        if missing:
            warnings.warn(f"{folder} lacks {', '.join(missing)}", stacklevel=3)
        there = [path for path in splits if path.name not in missing]
        expanded += expand(there or shards) or [folder]
    return expanded


def _splits(folder: Path) -> list[Path]:
    """The splits with results of a study that did not end; warns of it."""
    found = [path for path in folder.glob("split_*") if layout.split_number(path)]
    found = [path for path in found if is_run(path)]
    if found:
        warnings.warn(f"{folder} lacks some splits, or its study did not end", stacklevel=4)
    return sorted(found, key=lambda path: int(layout.split_number(path)))


def _shards(folder: Path) -> list[Path]:
    """The shards of a run; warns of those that are missing."""
    found = sorted(filter(layout.is_shard, folder.glob("shard_*")))
    begun = [path for path in found if not (is_run(path) or any(path.glob("split_*")))]
    if len(begun) < len(found):
        found = [path for path in found if path not in begun]
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


def _table(folder: Path, name: str) -> pd.DataFrame | None:
    path = folder / name
    if not path.is_file():
        return None
    is_stamped = path.suffix == ".parquet"
    table = read_parquet(folder, path) if is_stamped else whole(path, partial(read_table, path))
    return None if table.empty else table


def _embedding(folder: Path) -> Any:
    path = folder / layout.EMBEDDING
    if not path.is_file():
        return None
    import anndata  # takes a second, and most results have none

    adata = whole(path, lambda: anndata.read_h5ad(path))
    check_run(path, str(adata.uns.get(RUN, "")), folder)
    return adata
