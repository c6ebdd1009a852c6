"""Is the procedure sound, and where does the spread come from?

Type I: an arm against itself, with other initial weights and batches; a sound test calls that a
difference in 5 of 100 comparisons. Every one of --comparisons has --seeds repetitions of two fits:
200 comparisons of 10 seeds are 4,000 fits, the share of --shares. Writes type1.csv and all scores.

  python -m launch.audit --what=type1 --data=mirna.h5ad --shares=0.02 --out=runs/type1

Variance: what labels, pretraining and fine-tuning each contribute to the spread of an arm, from
every combination of a few of each (--levels: label subsets, pretrainings, fine-tunings); with
--splits, what the outer split contributes. Writes variance.csv and all scores.

  python -m launch.audit --what=variance --data=mirna.h5ad --shares=0.02,0.1 --splits=3 \\
      --out=runs/variance
"""

import dataclasses
from functools import partial
from typing import Any

import pandas as pd
from absl import flags as absl_flags

from jaxssl.config import Config
from jaxssl.engine.pretrain import merge, plan_pretraining, prepare, pretrain
from jaxssl.evaluation.headline import percent
from jaxssl.evaluation.null import audit, null_scores, sides_table
from jaxssl.evaluation.variance import FACTORS, crossed_scores, decompose
from launch import exit, flags, stages
from launch import folder as run_folder
from launch.identity import write_identity
from launch.progress import Progress
from launch.splits import split_numbers

_WHAT = absl_flags.DEFINE_enum("what", "type1", ["type1", "variance"], "What to look into.")
_COMPARISONS = absl_flags.DEFINE_integer(
    "comparisons", 200, "Null comparisons of --what=type1.", lower_bound=10
)
_LEVELS = absl_flags.DEFINE_list(
    "levels", ["5", "5", "3"], "Label subsets, pretrainings, fine-tunings."
)


def main(arguments: list[str]) -> None:
    """Fit, compare, print, write."""
    exit.no_arguments(arguments)
    config = flags.config_of_run()
    stages.announce(config)
    folder = run_folder.open_folder(flags.output())
    write_identity(folder, config, data_hash="")  # a split may follow another
    rows, scores = type_one(config) if _WHAT.value == "type1" else variance(config)
    run_folder.write_table(folder / f"{_WHAT.value}_scores.csv", scores)
    table = pd.DataFrame(rows)
    run_folder.write_table(folder / f"{_WHAT.value}.csv", table)
    print(table.round(4).to_string(index=False))
    print(f"wrote {folder / _WHAT.value}.csv")


def type_one(config: Config) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Share of null comparisons that are rejected, by share, metric and test; and all scores."""
    task, config = stages.pose_task(config)
    normalizer, rows, tables = prepare(task, config).normalizer, [], []
    n_seeds, n_comparisons, shares = config.run.seeds, _COMPARISONS.value, config.sweep.shares
    progress = Progress("fits", 2 * n_seeds * n_comparisons * len(shares))
    for share in shares:
        log = partial(progress.advance, f"null comparisons at {percent(share)}")
        scores = null_scores(task, config, normalizer, share, n_seeds, n_comparisons, log)
        for metric, (first, second) in scores.items():
            found = (result._asdict() for result in audit(first, second))
            rows += [{"share": share, "metric": metric} | row for row in found]
            tables.append(sides_table(first, second).assign(share=share, metric=metric))
    progress.close()
    return rows, pd.concat(tables)


def variance(config: Config) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Components of every share, within splits and between them; and all scores."""
    n_labels, n_pretrained, n_finetuned = map(int, _LEVELS.value)
    tables, numbers = [], split_numbers(config)
    n_fits = n_labels * n_pretrained * n_finetuned
    progress = Progress("fits", n_fits * len(config.sweep.shares) * len(numbers))
    for number in numbers:
        split = dataclasses.replace(config.split, seed=number)
        task, ready = stages.pose_task(dataclasses.replace(config, split=split))
        _, normalizer, pool = prepare(task, ready)
        n_samples, n_features = pool.shape
        plan = plan_pretraining(ready, n_samples, n_features, n_pretrained)
        trained = merge(pretrain(plan, ready, pool, range(n_pretrained)))
        encoders = {seed: params["encoder"] for seed, params in trained.params.items()}
        log = partial(progress.advance, f"every combination on split {number}")
        levels = n_labels, n_finetuned
        tables.append(crossed_scores(task, ready, normalizer, encoders, *levels, log))
    progress.close()
    everything = pd.concat(tables)
    rows = [
        {"share": share, "metric": metric} | row
        for (share, metric), of_share in everything.groupby(["share", "metric"])
        for row in decompose(of_share, FACTORS).to_dict("records")
    ]
    return rows, everything


if __name__ == "__main__":
    absl_flags.adopt_module_key_flags(flags)  # for --helpshort
    exit.run(main)
