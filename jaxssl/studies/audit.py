"""Is the procedure sound, and where does the spread of a score come from?"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import pandas as pd

from jaxssl.config import with_options
from jaxssl.engine.prepared import Prepared, prepare
from jaxssl.engine.pretrain import merge, plan_pretraining, pretrain
from jaxssl.evaluation.headline import percent
from jaxssl.evaluation.null import audit, null_scores, sides_table
from jaxssl.evaluation.variance import FACTORS, crossed_scores, decompose
from jaxssl.files import write_table
from jaxssl.runs.identity import write_identity
from jaxssl.runs.output import open_folder
from jaxssl.studies.job import Job
from jaxssl.studies.progress import Count
from jaxssl.studies.splits import split_numbers
from jaxssl.studies.start import announce, pose, read_data, with_columns
from jaxssl.validate import validate


def run_audit(
    job: Job, what: str, *, n_comparisons: int = 200, levels: Sequence[int] = (5, 5, 3)
) -> pd.DataFrame:
    """Run an audit and write its table and all scores.

    "type1" sets an arm against itself, with other weights and batches, which a sound test calls a
    difference in 5 of 100 of its `n_comparisons`. "variance" tells what labels, pretraining and
    fine-tuning (`levels`: how many of each), and the outer split, contribute to the spread of an
    arm. Returns rates of rejection, or components of variance, a row a share and metric.
    """
    config, hooks = job.config, job.hooks
    announce(config, hooks)
    folder = open_folder(job.output)
    write_identity(folder, config, data_hash="", command=hooks.command)  # splits may follow
    if what == "type1":
        rows, scores = type_one(job, n_comparisons)
    else:
        rows, scores = variance(job, levels)
    write_table(folder / f"{what}_scores.csv", scores)
    table = pd.DataFrame(rows)
    write_table(folder / f"{what}.csv", table)
    hooks.say(table.round(4).to_string(index=False))
    hooks.say(f"wrote {folder / what}.csv")
    return table


def type_one(job: Job, n_comparisons: int) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Share of null comparisons that are rejected, by share, metric and test; and all scores."""
    prepared = _prepare(job)
    n_seeds, shares = job.config.run.seeds, job.config.sweep.shares
    rows, tables = [], []
    count = Count(job.hooks.tell, "fits", 2 * n_seeds * n_comparisons * len(shares))
    for share in shares:
        log = partial(count.advance, f"null comparisons at {percent(share)}")
        scores = null_scores(prepared, share, n_seeds, n_comparisons, log)
        for metric, (first, second) in scores.items():
            found = (result._asdict() for result in audit(first, second))
            rows += [{"share": share, "metric": metric} | row for row in found]
            tables.append(sides_table(first, second).assign(share=share, metric=metric))
    return rows, pd.concat(tables)


def variance(job: Job, levels: Sequence[int]) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Components of every share, within splits and between them; and all scores."""
    n_labels, n_pretrained, n_finetuned = levels
    config = job.config
    adata = read_data(config.data, job.hooks, job.data)
    tables, numbers = [], split_numbers(config, adata)
    n_fits = n_labels * n_pretrained * n_finetuned
    count = Count(job.hooks.tell, "fits", n_fits * len(config.sweep.shares) * len(numbers))
    for number in numbers:
        of_split = with_options(config, {"split.seed": number})
        prepared = _prepare(job._replace(config=of_split, data=adata))
        pool = prepared.pool
        plan = plan_pretraining(prepared.config, len(pool), prepared.n_features, n_pretrained)
        trained = merge(pretrain(plan, prepared.config, pool, range(n_pretrained)))
        encoders = {seed: params["encoder"] for seed, params in trained.params.items()}
        log = partial(count.advance, f"every combination on split {number}")
        tables.append(crossed_scores(prepared, encoders, n_labels, n_finetuned, log))
    everything = pd.concat(tables)
    rows = [
        {"share": share, "metric": metric} | row
        for (share, metric), of_share in everything.groupby(["share", "metric"])
        for row in decompose(of_share, FACTORS).to_dict("records")
    ]
    return rows, everything


def _prepare(job: Job) -> Prepared:
    """The task that the options pose, ready for training; writes nothing."""
    validate(job.config)
    task = pose(read_data(job.config.data, job.hooks, job.data), job.config, job.hooks)
    return prepare(task, with_columns(job.config, task))
