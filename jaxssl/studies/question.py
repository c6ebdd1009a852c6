"""The question of a study: its task is posed, with the samples that join it; leaks are refused."""

import warnings
from collections.abc import Collection, Sequence
from typing import cast

import pandas as pd
from anndata import AnnData

from jaxssl.config import Config, resolve, with_options
from jaxssl.data import caveats, leakage
from jaxssl.data.columns import possible_groups
from jaxssl.data.formats.matrix import as_text
from jaxssl.data.scale import values_of
from jaxssl.data.split import LEAVE_BATCH_OUT
from jaxssl.data.task import Task, make_task
from jaxssl.data.unlabelled import join
from jaxssl.engine.cohorts import find_cohorts
from jaxssl.evaluation.sweep import budgets
from jaxssl.runs.notes import Notes
from jaxssl.studies.amount import with_shares
from jaxssl.studies.frames import possible_frames, with_frames
from jaxssl.studies.progress import SILENT, Hooks
from jaxssl.types import FRAMES, MAX_MISSING


def tell_of_joined(task: Task, hooks: Hooks) -> None:
    """Say which samples joined the training, on which genes; warn where many genes were lost."""
    joined, n_genes = task.joined, len(task.genes)
    hooks.say(f"unlabelled: {joined.sentence} join the training samples, on {n_genes:,} genes")
    lost = joined.n_genes - n_genes
    if lost > MAX_MISSING * joined.n_genes:
        warnings.warn(
            f"{lost:,} of the study's {joined.n_genes:,} genes are left out, also for the "
            "classical arms, as not all unlabelled files have them",
            stacklevel=3,
        )


def warn_of_groups(adata: AnnData, parts: str) -> None:
    """Warn where no group column is used, and one looks as if it should be."""
    columns = possible_groups(as_text(cast(pd.DataFrame, adata.obs)))
    if columns:
        warnings.warn(
            f"no group column is used, so samples of one {columns[0]} may stand in several "
            f"{parts}; pass `group={columns[0]}`",
            stacklevel=3,
        )


def pose(
    adata: AnnData,
    config: Config,
    hooks: Hooks,
    notes: Notes,
    *,
    compares: bool = False,
    unlabelled: Sequence[AnnData] = (),
    is_open: Collection[str] = (),
) -> Task:
    """The task, described in lines; a split that leaks is refused unless that is allowed.

    `unlabelled` are the samples that join its training part; what `is_open` follows from labels.
    """
    task = make_task(adata, config)
    parts = {name: len(rows) for name, rows in task.split._asdict().items()}
    hooks.say(f"data: {task.dataset}, {len(task.codes):,} samples x {len(task.genes):,} genes")
    n_labels = (task.codes >= 0).sum()
    hooks.say(f"task: {task.label}, {len(task.classes)} classes, {n_labels:,} labels")
    together = f", by {task.group}" if task.group else ", no group column"
    hooks.say(
        f"split: {parts['train']:,} train ({len(task.labelled_train):,} labelled), "
        f"{parts['validation']:,} validation, {parts['test']:,} test{together}"
    )
    if not task.group and config.split.protocol == "grouped":
        warn_of_groups(adata, "parts of the split")
    n_out = len(task.codes) - sum(parts.values())
    if n_out:
        why = " whose group is held out" if config.data.use_unlabelled else ""
        hooks.say(f"left out: {n_out:,} samples without a label{why}")
    for doubt in caveats.doubts(task, values_of(adata)):
        warnings.warn(doubt, stacklevel=2)
    if unlabelled:
        task = join(task, unlabelled, config.normalize.frame, config.data.batch)
        tell_of_joined(task, hooks)
    config = _tell_shares(config, with_shares(config, is_open, [task.size]), hooks)
    look_for_leaks(task, config, notes, compares=compares)
    return task


def _tell_shares(asked: Config, config: Config, hooks: Hooks) -> Config:
    """Say which shares are compared, where not all can be; returns the options."""
    shares = config.sweep.shares
    if shares != asked.sweep.shares:
        told = ", ".join(f"{100 * share:g}" for share in shares)
        hooks.say(f"shares: {told} %; a smaller one holds fewer labels than there are classes")
    return config


def check_splits(
    adata: AnnData,
    config: Config,
    numbers: Sequence[int],
    hooks: Hooks,
    unlabelled: Sequence[AnnData] = (),
    is_open: Collection[str] = (),
) -> Config:
    """Refuse what the comparison on any of several splits would be refused for.

    Returns the options, by which the arms are in the same frames, at the same shares, on all
    splits.
    """
    notes, frames, sizes = Notes(SILENT.say), set(FRAMES), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the split's own run will say it
        for number in numbers:
            own = with_options(config, {"split.seed": number})
            task = make_task(adata, own)
            sizes.append(task.size)
            own = with_shares(own, is_open, sizes[-1:])
            task = join(task, unlabelled, own.normalize.frame, own.data.batch)
            look_for_leaks(task, own, notes, compares=True)
            with_frames(own, task)
            frames &= set(possible_frames(task))
            resolve(own, *task.shape)
            find_cohorts(own.pretrain, task.batches[task.split.train])
    notes.close()
    config = _tell_shares(config, with_shares(config, is_open, sizes), hooks)
    if config.sweep.frames or config.split.protocol != LEAVE_BATCH_OUT:
        return config
    return with_options(config, {"sweep.frames": tuple(f for f in FRAMES if f in frames)})


def look_for_leaks(task: Task, config: Config, notes: Notes, *, compares: bool = False) -> None:
    """Refuse a split in which held-out samples would speak; for a comparison, shares too."""
    leaks = leakage.leaks_of_split(task) | leakage.leaks_of_unlabelled(task)
    if compares:
        budgets(task, config)
        leaks |= leakage.leaks_of_selection(len(task.split.validation))
    notes.leaks(leaks, config.split.allow_leaks)
