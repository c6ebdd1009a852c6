"""One study after the other, each on a split of its own, and what they come to together."""

import dataclasses
import warnings
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from jaxssl.config import Config
from jaxssl.data.split import LEAVE_BATCH_OUT, batches_with_labels
from jaxssl.data.task import make_task
from jaxssl.evaluation.conclusions import Conclusions
from jaxssl.evaluation.endpoint import ENDPOINT_COLUMNS
from jaxssl.report.render import build_report
from jaxssl.report.run import merge_parts, read_run
from jaxssl.types import InputError
from launch import folder as run_folder
from launch.folder import Output
from launch.identity import write_identity
from launch.inputs import read, with_recorded_columns
from launch.summary import in_words


def study_each(
    config: Config, output: Output, study: Callable[[Config, Output, None], None]
) -> None:
    """Study every split in OUT/split_N, then merge them in OUT, with one report for all.

    With --resume, only what is missing of a split is computed.
    """
    numbers = split_numbers(config)
    parent = run_folder.open_folder(output)
    write_identity(parent, config, data_hash="")  # each split has its own
    folders = []
    for number in numbers:
        split = dataclasses.replace(config.split, seed=number, n_splits=1)
        folder = parent / f"split_{number}"
        folders.append(folder)
        print(f"split {number}: {folder}", flush=True)
        study(dataclasses.replace(config, split=split), Output(str(folder), resume=True), None)
    merge(folders, parent)


def split_numbers(config: Config) -> range:
    """Numbers of the splits to run: those asked for, or one for every batch that has labels.

    Raises:
        InputError: if there are no batches, or fewer than splits.
    """
    split = config.split
    if split.n_splits and split.protocol != LEAVE_BATCH_OUT:
        return range(split.seed, split.seed + split.n_splits)
    n_batches = count_batches(config)
    if not n_batches:
        raise InputError(
            "--splits=0 runs a split for every batch, and no batch column is known; import with "
            "launch.prepare --batch, or pass --splits=5"
        )
    numbers = range(split.seed, split.seed + split.n_splits if split.n_splits else n_batches)
    if split.protocol == LEAVE_BATCH_OUT and (numbers.stop > n_batches or not numbers):
        raise InputError(
            f"{n_batches} batches have labels (numbers 0 to {n_batches - 1}); lower "
            "--config.split.seed or --splits, or pass --splits=0 for all"
        )
    return numbers


def count_batches(config: Config) -> int:
    """Batches that have labels."""
    adata = read(config.data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the study of the first split repeats them
        first = dataclasses.replace(config.split, seed=0)
        ready = with_recorded_columns(dataclasses.replace(config, split=first), adata)
        task = make_task(adata, ready)
    return len(batches_with_labels(task.codes, task.batches))


def merge(folders: list[Path], parent: Path) -> None:
    """Write the tables and the report of all splits together."""
    (run,) = merge_parts([read_run(folder) for folder in folders])
    assert run.results is not None
    run_folder.write_table(parent / "results.parquet", run.results)
    run_folder.write_table(parent / "results.csv", run.results)
    summary = run.summary | {"splits": [folder.name for folder in folders]}
    if run.statistics is not None:
        empty = pd.DataFrame(columns=ENDPOINT_COLUMNS)
        tables = [getattr(run, name) for name in Conclusions._fields]
        concluded = Conclusions(*(empty if table is None else table for table in tables))
        summary |= in_words(run.results, concluded)
        for name, table in concluded._asdict().items():
            run_folder.write_table(parent / f"{name}.csv", table)
    run_folder.write_json(parent / "summary.json", summary)
    build_report(folders, parent / "report.html")
    print(summary["headline"] or "no arm was set against a reference")
    print(f"report: {parent / 'report.html'}")
