"""Is the procedure sound, and where does the spread of a score come from?"""

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import Any

import pandas as pd

from jaxssl.config import Config
from jaxssl.engine.pretrain import merge, plan_pretraining, pretrain
from jaxssl.evaluation.headline import percent
from jaxssl.evaluation.null import audit, null_scores, sides_table
from jaxssl.evaluation.variance import FACTORS, crossed_scores, decompose
from jaxssl.files import write_table
from jaxssl.runs.identity import write_identity
from jaxssl.runs.output import Output, open_folder
from jaxssl.studies.progress import Count, Hooks
from jaxssl.studies.splits import split_numbers
from jaxssl.studies.start import Data, announce, prepare_task, read_data


def run_audit(
    what: str,
    config: Config,
    output: Output,
    hooks: Hooks,
    *,
    n_comparisons: int = 200,
    levels: Sequence[int] = (5, 5, 3),
    data: Data = None,
) -> pd.DataFrame:
    """Run an audit and write its table and all scores.

    Args:
        what: "type1": an arm against itself, with other weights and batches, which a sound test
            calls a difference in 5 of 100 comparisons; "variance": what labels, pretraining and
            fine-tuning, and the outer split, each contribute to the spread of an arm.
        config: all options.
        output: where to write.
        hooks: what to call on the way.
        n_comparisons: of "type1", each of all seeds.
        levels: of "variance": label subsets, pretrainings, fine-tunings.
        data: in place of `config.data.path`.

    Returns:
        Rates of rejection, or components of variance, a row a share and metric.
    """
    announce(config, hooks)
    folder = open_folder(output)
    write_identity(folder, config, data_hash="", command=hooks.command)  # splits may follow
    if what == "type1":
        rows, scores = type_one(config, hooks, n_comparisons, data)
    else:
        rows, scores = variance(config, hooks, levels, data)
    write_table(folder / f"{what}_scores.csv", scores)
    table = pd.DataFrame(rows)
    write_table(folder / f"{what}.csv", table)
    hooks.say(table.round(4).to_string(index=False))
    hooks.say(f"wrote {folder / what}.csv")
    return table


def type_one(
    config: Config, hooks: Hooks, n_comparisons: int, data: Data = None
) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Share of null comparisons that are rejected, by share, metric and test; and all scores."""
    prepared = prepare_task(config, hooks, data)
    n_seeds, shares = config.run.seeds, config.sweep.shares
    rows, tables = [], []
    count = Count(hooks.tell, "fits", 2 * n_seeds * n_comparisons * len(shares))
    for share in shares:
        log = partial(count.advance, f"null comparisons at {percent(share)}")
        scores = null_scores(prepared, share, n_seeds, n_comparisons, log)
        for metric, (first, second) in scores.items():
            found = (result._asdict() for result in audit(first, second))
            rows += [{"share": share, "metric": metric} | row for row in found]
            tables.append(sides_table(first, second).assign(share=share, metric=metric))
    return rows, pd.concat(tables)


def variance(
    config: Config, hooks: Hooks, levels: Sequence[int], data: Data = None
) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Components of every share, within splits and between them; and all scores."""
    n_labels, n_pretrained, n_finetuned = levels
    adata = read_data(config.data, hooks, data)
    tables, numbers = [], split_numbers(config, adata)
    n_fits = n_labels * n_pretrained * n_finetuned
    count = Count(hooks.tell, "fits", n_fits * len(config.sweep.shares) * len(numbers))
    for number in numbers:
        split = dataclasses.replace(config.split, seed=number)
        prepared = prepare_task(dataclasses.replace(config, split=split), hooks, adata)
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
