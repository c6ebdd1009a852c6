"""Hyper-parameter curves and grids: any option, scored on the validation part alone.

Example:

  python -m launch.search --data=mirna.h5ad --out=runs/prototypes --seeds=5 --shares=0.02,0.1 \\
      --grid=method.n_prototypes:16,50,100,200

Several --grid flags are crossed; the members of a list are joined by a dash
(--grid=encoder.hidden:512,512-256). Without --arms, the config's method runs. Values that change no
shape run together in one compiled program. With --resume only what is missing is computed.
"""

import dataclasses
from pathlib import Path

from absl import flags as absl_flags

from jaxssl.evaluation.grid import Point, in_words, make_points, options_table, parse_grid
from jaxssl.evaluation.search import points_table
from jaxssl.evaluation.stats import ERRORS
from jaxssl.report.drawing import save
from jaxssl.report.search import search_drawing
from launch import exit, flags, stages
from launch import folder as run_folder
from launch.points import read_measures, read_rows, run_points

_GRID = absl_flags.DEFINE_multi_string("grid", [], "section.option:value,value; may be repeated.")
_METRIC = absl_flags.DEFINE_enum(
    "metric",
    "balanced_accuracy",
    ["accuracy", "balanced_accuracy", "macro_f1", "log_loss", "ece"],
    "What the figure and the table show.",
)
SHOWN = 10  # points on the screen; points.csv has all


def main(arguments: list[str]) -> None:
    """Read, lay out the grid, run what is missing, tell."""
    exit.no_arguments(arguments)
    config = flags.config_of_run()
    flags.refuse(["splits", "shard"], "a search: it runs all its seeds on one split")
    config.sweep.arms = flags.arms_of_run(config.method.name) or (config.method.name,)
    grid = parse_grid(_GRID.value, config)
    run = stages.begin(config, flags.output(), compares=True)
    ready = dataclasses.replace(config, data=run.config.data)  # unresolved, as points resolve anew
    points, refused = make_points(ready, grid, len(run.task.split.train))
    for values, reason in refused:
        print(f"left out: {in_words(values)}: {reason}")
    seeds = flags.seeds_of_run(config)
    run_points(run.folder, run.task, points, seeds)
    tell(run.folder, points, seeds, _METRIC.value)


def tell(folder: Path, points: list[Point], seeds: list[int], metric: str) -> None:
    """Write the table and the figure of this grid's points, and show the best."""
    values = options_table(points)
    options = list(values.columns[1:])
    rows, measures = (
        values.merge(table[table["seed"].isin(seeds)], on="point") if len(table) else table
        for table in (read_rows(folder), read_measures(folder))
    )
    table = values.merge(points_table(rows, metric), on="point")
    run_folder.write_table(folder / "points.csv", table)
    run_folder.write_table(folder / "results.csv", rows)
    (folder / "figures").mkdir(exist_ok=True)
    save(search_drawing(table, measures, options, metric), folder / "figures")
    best = table.sort_values("mean", ascending=metric in ERRORS).head(SHOWN)
    shown = [*options, "arm", "share", "n", "mean", "ci_low", "ci_high"]
    print(best[shown].to_string(index=False))
    print(f"validation {metric}, means over seeds; all {len(table)} rows: {folder / 'points.csv'}")
    print(f"figure: {folder / 'figures' / 'search.png'}")


if __name__ == "__main__":
    absl_flags.adopt_module_key_flags(flags)  # for --helpshort
    exit.run(main)
