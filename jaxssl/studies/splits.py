"""The splits of a study: their numbers, and what they come to together."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from anndata import AnnData

from jaxssl.config import Config
from jaxssl.data.split import LEAVE_BATCH_OUT, batches_with_labels
from jaxssl.data.task import take_roles
from jaxssl.evaluation.endpoint import ENDPOINT_COLUMNS
from jaxssl.files import write_json, write_table
from jaxssl.report.render import write_report
from jaxssl.runs import layout
from jaxssl.runs.merge import merge_parts
from jaxssl.runs.reading import read_run
from jaxssl.studies.progress import Hooks
from jaxssl.types import InputError


def split_numbers(config: Config, adata: AnnData) -> range:
    """Numbers of the splits to run: those asked for, or one for every batch that has labels."""
    split = config.split
    if split.n_splits and split.protocol != LEAVE_BATCH_OUT:
        return range(split.seed, split.seed + split.n_splits)
    roles = take_roles(adata, config)
    n_batches = len(batches_with_labels(roles.codes, roles.batches))
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


def merge_splits(folders: Sequence[Path], parent: Path, hooks: Hooks) -> None:
    """Write the tables and the report of all splits together."""
    (run,) = merge_parts([read_run(folder) for folder in folders])
    assert run.results is not None
    write_table(parent / layout.RESULTS, run.results)
    write_table(parent / layout.RESULTS_CSV, run.results)
    summary = run.summary | {"splits": [folder.name for folder in folders]}
    if run.statistics is not None:
        empty = pd.DataFrame(columns=ENDPOINT_COLUMNS)
        concluded = (run.statistics, run.endpoint, run.saved)
        for name, table in zip(layout.CONCLUSIONS, concluded, strict=True):
            write_table(parent / name, empty if table is None else table)
    write_json(parent / layout.SUMMARY, summary)
    write_report([run], parent / layout.REPORT)
    hooks.say(str(summary["headline"] or "no arm was set against a reference"))
    hooks.say(f"report: {parent / layout.REPORT}")
