"""Is the procedure sound, and where does the spread of a score come from?"""

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd

from jaxssl.arguments import checked
from jaxssl.bounds import Positive, Range, check_value, listed
from jaxssl.config import Config, with_options
from jaxssl.data.task import Task
from jaxssl.engine.planning import plan_pretraining
from jaxssl.engine.prepared import prepare
from jaxssl.engine.pretrain import merge, pretrain
from jaxssl.evaluation.arms import BEST, SCRATCH
from jaxssl.evaluation.audit import (
    FACTORS,
    METRICS,
    crossed_scores,
    decompose,
    null_scores,
    rejections,
)
from jaxssl.evaluation.ensembles import Id, lacking, plan_ensembles, pretrain_ensembles
from jaxssl.evaluation.fits import DIVERGED, KINDS, counted, fix
from jaxssl.evaluation.headline import percent
from jaxssl.evaluation.sweep import budgets
from jaxssl.files import read_json, write_json, write_table
from jaxssl.runs import layout
from jaxssl.runs.identity import Origin, write_identity
from jaxssl.runs.notes import Notes
from jaxssl.runs.output import Output, check_folder, open_folder, released
from jaxssl.runs.tables import RUN, run_of
from jaxssl.studies.data import Data, read_data, read_unlabelled
from jaxssl.studies.encoders import with_columns
from jaxssl.studies.job import Job, hooks_of, make_job, warn_again
from jaxssl.studies.pretraining import by_epoch
from jaxssl.studies.progress import Count
from jaxssl.studies.question import pose
from jaxssl.studies.start import announce, split_numbers
from jaxssl.types import InputError, Params
from jaxssl.validate import validate

TYPE_ONE, OF_BEST, VARIANCE = AUDITS = ("type1", "type1_best", "variance")
BANK = range(36)  # repetitions from whose 40 encoders a method "type1_best" draws
Question = tuple[Task, Config]
MIN_COMPARISONS = 10  # fewer say nothing of a rate of 5 %


@checked
def audit(
    data: Data = None,
    *,
    out: str | Path,
    what: str = "type1",
    n_comparisons: int | None = None,
    levels: Sequence[int] | None = None,
    shares: Sequence[float] = (),
    seeds: int = 0,
    splits: int | None = None,
    label: str = "",
    group: str = "",
    batch: str = "",
    allow_leaks: Sequence[str] = (),
    config: Config | None = None,
    overwrite: bool = False,
    progress: bool | Callable = True,
) -> pd.DataFrame:
    """Measure whether the tests are sound, or where the spread of a score comes from.

    What `jaxssl audit` does, with the same numbers.

    Args:
        data, shares, seeds, splits, label, group, batch, allow_leaks, config, overwrite, progress:
            as in `jaxssl.study`.
        out: folder for the table and all scores.
        what: "type1" sets `scratch` against itself, with other weights and batches, which a sound
            test calls a difference in 5 of 100 comparisons; "type1_best" does so with `best` and
            other encoders; "variance" tells what labels, pretraining, fine-tuning and the outer
            split contribute to the spread of an arm.
        n_comparisons: of the first two; 200 by default.
        levels: of "variance": label subsets, pretrainings, fine-tunings, all combinations of which
            run; (5, 5, 3) by default.

    Returns:
        Rates of rejection, or components of variance, a row a share and metric.

    Raises:
        InputError: as `jaxssl.study` does, and on another `what`, too few comparisons or levels.

    Example:
        >>> jaxssl.audit(adata, out="runs/type1", shares=[0.02])  # doctest: +SKIP
    """
    output = Output(str(out), overwrite=overwrite, can_resume=False)
    asked = {"shares": shares, "seeds": seeds, "splits": splits}
    asked |= {"label": label, "group": group, "batch": batch, "allow_leaks": allow_leaks}
    asked |= {"reader": reader_of(what)}
    job = make_job(config, data, output, hooks_of(progress), **asked)
    with released(out):
        table = run_audit(job, what, n_comparisons, levels)
    warn_again(read_json(Path(out) / layout.AUDIT))
    return table


def reader_of(what: str) -> str:
    """What an audit reads, by its name in `readers.READERS`."""
    check_value("what", what, Literal[AUDITS])
    return what


def run_audit(
    job: Job, what: str, n_comparisons: int | None = None, levels: Sequence[Any] | None = None
) -> pd.DataFrame:
    """Run an audit and write its table and all scores; as `audit`."""
    n_comparisons, levels = _sizes(job.config, reader_of(what), n_comparisons, levels)
    validate(job.config)
    config, hooks = job.config, job.hooks
    check_folder(job.output)  # before the data are read, which prove usable before it is opened
    notes = Notes(hooks.say)
    with notes.stage("read"):
        questions = _pose(job, notes, every_split=what == VARIANCE)
    announce(config, hooks)
    folder = open_folder(job.output)
    # without data: splits may follow
    write_identity(folder, config, Origin(), hooks.command, kind=job.output.kind)
    with notes.stage("audit"):
        if what == VARIANCE:
            rows, scores = variance(job, questions, levels)
        else:
            rows, scores = type_one(job, questions[0], n_comparisons, of_best=what == OF_BEST)
    write_table(folder / f"{what}_scores.csv", scores)
    table = pd.DataFrame(rows)
    write_table(folder / f"{what}.csv", table)
    facts = {"audit": what, RUN: run_of(folder), **notes.found(), "timings": notes.timings()}
    write_json(folder / layout.AUDIT, facts)
    notes.close()
    hooks.say(table.round(4).to_string(index=False))
    hooks.say(f"wrote {folder / what}.csv")
    return table


def _sizes(
    config: Config, what: str, n_comparisons: int | None, levels: Sequence[Any] | None
) -> tuple[int, Sequence[int]]:
    """How much is run; what the other audit would read is refused."""
    given = {"n_comparisons": n_comparisons, "levels": levels}
    unread = "n_comparisons" if what == VARIANCE else "levels"
    if given[unread] is not None:
        shown = ",".join(map(str, listed(given[unread], unread)))
        raise InputError(f"`{unread}={shown}` is not for `what={what}`", "drop it")
    n_comparisons = 200 if n_comparisons is None else n_comparisons
    check_value("n_comparisons", n_comparisons, Annotated[int, Range(MIN_COMPARISONS, 1e6)])
    levels = (5, 5, 3) if levels is None else levels
    for n in levels:
        check_value("levels", n, Positive)
    if len(levels) != len(FACTORS) or sum(n > 1 for n in levels) < 2:
        finding = f"`levels={','.join(map(str, levels))}`"
        raise InputError(finding, "pass a count a factor, two of them above 1: 5,5,3")
    if what != VARIANCE and config.run.seeds < 2:
        raise InputError("`seeds=1` makes no pairs to test", "pass 2 or more")
    return n_comparisons, levels


def type_one(
    job: Job, question: Question, n_comparisons: int, *, of_best: bool = False
) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Share of null comparisons that are rejected, by share, metric and test; and all scores."""
    task, config = question
    bank: dict[Id, Params] = {}
    if of_best:
        prepared = prepare(task, with_options(config, {"sweep.arms": (BEST,)}))
        config, pool, ids = prepared.config, prepared.pool, lacking(BANK)
        plans, n_epochs = plan_ensembles(config, pool.shape, ids, prepared.batches)
        log = by_epoch(Count(job.hooks.tell, "epoch", n_epochs))
        bank = pretrain_ensembles(plans, config, pool, ids, log)
    else:  # nothing is pretrained: whatever its batches are, no cohort is needed
        prepared = prepare(task, with_options(config, {"pretrain.batches": "mixed"}))
    n_seeds, shares, rows, tables = job.config.run.seeds, job.config.sweep.shares, [], []
    count = Count(job.hooks.tell, "fits", 2 * n_seeds * n_comparisons * len(shares))
    for share in shares:
        log = partial(count.advance, f"null comparisons at {percent(share)}")
        scores = null_scores(prepared, share, n_seeds, n_comparisons, log, bank)
        for metric, table in scores.items():
            found = rejections(table).to_dict("records")
            diverged = int((table[["first_fit", "second_fit"]] == DIVERGED).sum().sum())
            head = {"share": share, "metric": metric, "diverged": diverged}
            rows += [head | row for row in found]
            tables.append(table.assign(share=share, metric=metric))
        fits = pd.concat([scores[METRICS[0]][side] for side in ("first_fit", "second_fit")])
        _tell_failed(fits, BEST if bank else SCRATCH, share)
    return rows, pd.concat(tables)


def variance(
    job: Job, questions: Sequence[Question], levels: Sequence[int]
) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Components of every share, within splits and between them; and all scores."""
    n_labels, n_encoders, n_finetuned = levels
    n_fits, tables = n_labels * n_encoders * n_finetuned, []
    total = n_fits * len(job.config.sweep.shares) * len(questions)
    count = Count(job.hooks.tell, "fits", total)
    for task, config in questions:
        prepared = prepare(task, config)
        own, pool, batches = prepared.config, prepared.pool, prepared.batches
        genes = prepared.gene_pool(own)
        plan = plan_pretraining(own, *pool.shape, n_seeds=n_encoders, batches=batches, genes=genes)
        trained = merge(pretrain(plan, own, pool, range(n_encoders), genes=genes))
        encoders = {seed: params["encoder"] for seed, params in trained.params.items()}
        log = partial(count.advance, f"every combination on split {config.split.seed}")
        tables.append(crossed_scores(prepared, encoders, n_labels, n_finetuned, log))
    everything = pd.concat(tables)
    rows = [
        {"share": share, "metric": metric, "diverged": int((of_share["fit"] == DIVERGED).sum())}
        | row
        for (share, metric), of_share in everything.groupby(["share", "metric"])
        for row in decompose(of_share, FACTORS).to_dict("records")
    ]
    for share, of_share in everything[everything["metric"] == METRICS[0]].groupby("share"):
        _tell_failed(of_share["fit"], config.method.name, float(str(share)))
    return rows, everything


def _tell_failed(states: "pd.Series[str]", arm: str, share: float) -> None:
    """Warn of the fits of an arm at a share that came to nothing."""
    for kind in KINDS:
        n = int((states == kind).sum())
        if n:
            what = f"of {arm} at {percent(share)}, {counted(n, len(states), kind)}"
            todo = fix(arm, kind)
            warnings.warn(f"{what}; {todo}" if todo else what, stacklevel=2)


def _pose(job: Job, notes: Notes, *, every_split: bool) -> list[Question]:
    """The task on one split, or on each, with its options; writes nothing."""
    config, hooks = job.config, job.hooks
    adata = read_data(config.data, hooks, job.data)
    files = read_unlabelled(job.unlabelled, job.data or config.data.path, hooks)
    questions: list[Question] = []
    for number in split_numbers(config, adata) if every_split else [config.split.seed]:
        own = with_options(config, {"split.seed": number})
        task = pose(adata, own, hooks, notes, unlabelled=files)
        if questions:  # one matrix for all
            task = dataclasses.replace(task, expression=questions[0][0].expression)
        budgets(task, own)
        questions.append((task, with_columns(own, task)))
    return questions
