"""One study after the other, each on a split of its own, and what they come to together."""

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from jaxssl.config import Config
from jaxssl.data.split import LEAVE_BATCH_OUT, batches_with_labels
from jaxssl.data.task import make_task
from jaxssl.evaluation.conclusions import Conclusions
from jaxssl.evaluation.endpoint import ENDPOINT_COLUMNS
from jaxssl.files import write_json, write_table
from jaxssl.report.render import write_report
from jaxssl.runs import layout
from jaxssl.runs.identity import write_identity
from jaxssl.runs.merge import merge_parts
from jaxssl.runs.output import Output, check_folder, open_folder
from jaxssl.runs.result import read_run
from jaxssl.studies.prepared import Data, read_data
from jaxssl.studies.progress import Hooks
from jaxssl.studies.summary import write_conclusions
from jaxssl.types import InputError


def study_splits(
    config: Config,
    output: Output,
    hooks: Hooks,
    run_one: Callable,
    seeds: Sequence[int],
    data: Data = None,
) -> None:
    """Study every split in OUT/split_N, then merge them in OUT, with one report for all.

    On a resume, only what is missing of a split is computed. The data are read once.

    Args:
        config: all options.
        output: where to write.
        hooks: what to call on the way.
        run_one: `study.run_one_split`.
        seeds: seed ids, of every split.
        data: in place of `config.data.path`.
    """
    check_folder(output)  # before the data are read
    adata, name = read_data(config.data, hooks, data)
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, name=name))
    numbers = split_numbers(config, adata)
    parent = open_folder(output)
    write_identity(parent, config, data_hash="", command=hooks.command)  # each split has its own
    folders = [layout.split_folder(parent, number) for number in numbers]
    for number, folder in zip(numbers, folders, strict=True):
        split = dataclasses.replace(config.split, seed=number, n_splits=1)
        hooks.say(f"split {number}: {folder}")
        own = dataclasses.replace(config, split=split)
        run_one(own, Output(str(folder), resume=True), seeds, hooks, adata, report=False)
    merge_splits(folders, parent, hooks)


def split_numbers(config: Config, data: Data = None) -> range:
    """Numbers of the splits to run: those asked for, or one for every batch that has labels.

    Args:
        config: all options.
        data: AnnData that has the batches, or where to read it.

    Raises:
        InputError: if there are no batches, or fewer than splits.
    """
    split = config.split
    if split.n_splits and split.protocol != LEAVE_BATCH_OUT:
        return range(split.seed, split.seed + split.n_splits)
    n_batches = _count_batches(config, data)
    if not n_batches:
        raise InputError(
            "`splits=0` runs a split for every batch, and no batch column is known",
            "name one with `batch`, or pass `splits=5`",
        )
    numbers = range(split.seed, split.seed + split.n_splits if split.n_splits else n_batches)
    if split.protocol == LEAVE_BATCH_OUT and (numbers.stop > n_batches or not numbers):
        raise InputError(
            f"{n_batches} batches have labels (numbers 0 to {n_batches - 1})",
            "lower `split.seed` or `splits`, or pass `splits=0` for all",
        )
    return numbers


def _count_batches(config: Config, data: Data) -> int:
    """Batches that have labels."""
    adata, _ = read_data(config.data, Hooks(), data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the study of the first split repeats them
        first = dataclasses.replace(config.split, seed=0)
        task = make_task(adata, dataclasses.replace(config, split=first))
    return len(batches_with_labels(task.codes, task.batches))


def merge_splits(folders: Sequence[Path], parent: Path, hooks: Hooks) -> None:
    """Write the tables and the report of all splits together."""
    (run,) = merge_parts([read_run(folder) for folder in folders])
    assert run.results is not None
    write_table(parent / layout.RESULTS, run.results)
    write_table(parent / layout.RESULTS_CSV, run.results)
    summary = run.summary | {"splits": [folder.name for folder in folders]}
    if run.statistics is not None:
        empty = pd.DataFrame(columns=ENDPOINT_COLUMNS)
        tables = [getattr(run, name) for name in Conclusions._fields]
        concluded = Conclusions(*(empty if table is None else table for table in tables))
        write_conclusions(parent, concluded)
    write_json(parent / layout.SUMMARY, summary)
    write_report([run], parent / layout.REPORT)
    hooks.say(str(summary["headline"] or "no arm was set against a reference"))
    hooks.say(f"report: {parent / layout.REPORT}")
