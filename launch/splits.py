"""One study after the other, each on a split of its own, and what they come to together."""

import dataclasses
import warnings
from collections.abc import Callable
from pathlib import Path

from jaxssl.config import Config
from jaxssl.data.split import batches_with_labels
from jaxssl.data.task import make_task
from jaxssl.evaluation.arms import CLASSICAL
from jaxssl.evaluation.conclusions import Conclusions
from jaxssl.evaluation.headline import headlines
from jaxssl.report.render import build_report
from jaxssl.report.run import merge_parts, read_run
from launch import folder as run_folder
from launch.folder import Output
from launch.inputs import read, with_recorded_columns


def study_each(
    config: Config, output: Output, study: Callable[[Config, Output, None], None]
) -> None:
    """Study every split in OUT/split_N, then merge them in OUT, with one report for all.

    With --resume, only what is missing of a split is computed.
    """
    numbers = range(config.split.seed, config.split.seed + count_splits(config))
    parent = run_folder.open_folder(output)
    folders = []
    for number in numbers:
        split = dataclasses.replace(config.split, seed=number, n_splits=1)
        folder = parent / f"split_{number}"
        folders.append(folder)
        print(f"split {number}: {folder}", flush=True)
        study(dataclasses.replace(config, split=split), Output(str(folder), resume=True), None)
    merge(folders, parent)


def count_splits(config: Config) -> int:
    """Splits to run; by default one for every batch that has labels."""
    if config.split.n_splits:
        return config.split.n_splits
    adata = read(config.data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the study of the first split repeats them
        task = make_task(adata, with_recorded_columns(config, adata))
    return len(batches_with_labels(task.codes, task.batches))


def merge(folders: list[Path], parent: Path) -> None:
    """Write the tables and the report of all splits together."""
    (run,) = merge_parts([read_run(folder) for folder in folders])
    assert run.results is not None
    run_folder.write_table(parent / "results.parquet", run.results)
    run_folder.write_table(parent / "results.csv", run.results)
    concluded = Conclusions(*(getattr(run, name) for name in Conclusions._fields))
    for name, table in concluded._asdict().items():
        run_folder.write_table(parent / f"{name}.csv", table)
    classical = set(run.results["arm"]) & set(CLASSICAL)
    headline = " ".join(headlines(concluded, len(classical)))
    summary = run.summary | {"headline": headline, "splits": [folder.name for folder in folders]}
    run_folder.write_json(parent / "summary.json", summary)
    build_report(folders, parent / "report.html")
    print(headline)
    print(f"report: {parent / 'report.html'}")
