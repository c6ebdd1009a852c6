"""Grids of options: the points that are missing, what they come to, and the best of trials."""

import itertools
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pandas as pd

from jaxssl.arguments import checked
from jaxssl.bounds import check_value
from jaxssl.config import Config, frame_of, with_options
from jaxssl.engine.cohorts import find_cohorts
from jaxssl.evaluation.arms import named_arms
from jaxssl.evaluation.fits import DIVERGED, failed_fits
from jaxssl.evaluation.grid import (
    UNCHANGED,
    Grid,
    Point,
    check_grid,
    combinations,
    options_table,
    points_at,
)
from jaxssl.evaluation.headline import failure_notes
from jaxssl.evaluation.search import points_table, search
from jaxssl.evaluation.stats import ERRORS
from jaxssl.evaluation.values import in_words
from jaxssl.files import write_table
from jaxssl.runs import journal, layout
from jaxssl.runs.output import Output, released
from jaxssl.studies.job import Data, Job, hooks_of, make_job
from jaxssl.studies.progress import Count
from jaxssl.studies.start import Study, begin
from jaxssl.types import InputError

METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "ece")
"""What can decide between points."""
SHOWN = 10  # points that are told; the table has all


class Tuned(NamedTuple):
    """The point of a grid that did best on the validation part, and the scores of all."""

    best: Point
    score: float  # of the best one
    table: pd.DataFrame  # a row a point (and arm and share): its options, and its score


@checked
def tune(
    data: Data = None,
    *,
    grid: Mapping[str, Sequence[Any]],
    out: str | Path,
    metric: str = "balanced_accuracy",
    method: str = "",
    arms: Sequence[str] = (),
    shares: Sequence[float] = (),
    seeds: int = 0,
    label: str = "",
    group: str = "",
    batch: str = "",
    allow_leaks: Sequence[str] = (),
    config: Config | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool | Callable = True,
) -> Tuned:
    """Score every combination of options on the validation part alone.

    What `jaxssl search` does, with the same numbers. Values that change no shape run together in
    one compiled program.

    Args:
        data, method, shares, seeds, label, group, batch, allow_leaks, config, resume, overwrite,
            progress: as in `jaxssl.study`.
        grid: dotted option to its values, such as {"method.epsilon": [0.03, 0.05]}; all
            combinations are run.
        out: folder for the tables and the figure.
        metric: that decides: "accuracy", "balanced_accuracy", "macro_f1", "log_loss" or "ece".
        arms: whose scores count; by default the method's own arm.

    Returns:
        The best point by its mean over arms, shares and seeds, its score, and all points. A point
        of which a fit diverged is not the best while there is another.

    Raises:
        InputError: on an option that does not exist, or a grid whose points are all refused.

    Example:
        >>> found = jaxssl.tune(adata, grid={"augment.noise": [0.5, 1.0]}, out="runs/noise")
        ... # doctest: +SKIP
        >>> found.best.values  # doctest: +SKIP
    """
    output, hooks = Output(str(out), resume, overwrite), hooks_of(progress)
    asked = {"method": method, "shares": shares, "seeds": seeds, "label": label, "group": group}
    asked |= {"arms": arms, "batch": batch, "allow_leaks": allow_leaks, "reader": "search"}
    job = make_job(config, data, output, hooks, **asked)
    with released(out):
        return run_grid(job, grid, metric, arms)


def run_grid(job: Job, grid: Grid, metric: str, arms: Sequence[str] = ()) -> Tuned:
    """Run the points that the folder lacks; write their table and figure, and tell the best.

    Points differ from `job.config` in the options of `grid`, whose values may be texts; by default
    the method's own arm is scored.
    """
    method, hooks = job.config.method.name, job.hooks
    arms = named_arms(arms, method) or (method,)
    # no arm but those that are named decides
    config = with_options(job.config, {"sweep.arms": arms, "sweep.frames": (frame_of(job.config),)})
    check_value("metric", metric, Literal[METRICS])
    if not grid:
        raise InputError(
            "no option is to be varied", "pass `grid={'augment.noise': [0.5, 1]}`, say"
        )
    options = check_grid(grid, config)
    values = combinations(options)

    def check(study: Study) -> None:
        points, _ = points_at(study.asked, values, *study.task.shape)
        for point in points:
            find_cohorts(point.config.pretrain, study.prepared.batches)

    study = begin(job._replace(config=config), compares=True, check=check)
    points = run_points(study, study.asked, values)
    table = _write_table(study, points, metric)
    rows = read_rows(study.folder)
    rows = rows[rows["seed"].isin(study.seeds)]
    able = able_points(points, rows, partial(warnings.warn, stacklevel=3))
    mean = table.groupby("point")["mean"].mean()[[point.name for point in able]]
    rank = mean.to_numpy() * (1 if metric in ERRORS else -1)
    best = able[int(rank.argmin())]
    ranked = table.sort_values("mean", ascending=metric in ERRORS).head(SHOWN)
    shown = [*options, "arm", "share", "n", "diverged", "mean", "ci_low", "ci_high"]
    hooks.say(ranked[shown].to_string(index=False))
    file = study.folder / layout.POINTS
    hooks.say(f"validation {metric}, means over seeds; all {len(table)} rows: {file}")
    hooks.say(f"figure: {study.folder / layout.FIGURES / 'search.png'}")
    return Tuned(best, float(mean[best.name]), table)


def _write_table(study: Study, points: Sequence[Point], metric: str) -> pd.DataFrame:
    """Write the table and the figure of a grid's points."""
    from jaxssl.report.drawing import save  # here, for matplotlib takes a second
    from jaxssl.report.search import search_drawing

    folder, values, asked = study.folder, options_table(points), study.asked.sweep
    rows, measures = (
        values.merge(table[table["seed"].isin(study.seeds)], on="point") if len(table) else table
        for table in (read_rows(folder), journal.read_parts(folder / layout.MEASURES))
    )
    # a resume may ask for fewer than there are
    rows = rows[rows["arm"].isin(asked.arms) & rows["share"].isin(asked.shares)]
    table = values.merge(points_table(rows, metric), on="point")
    write_table(folder / layout.POINTS, table)
    write_table(folder / layout.RESULTS_CSV, rows)
    (folder / layout.FIGURES).mkdir(exist_ok=True)
    save(search_drawing(table, measures, list(values.columns[1:]), metric), folder / layout.FIGURES)
    return table


def run_points(
    study: Study, config: Config, values: Iterable[Mapping[str, Any]], part: str = "validation"
) -> list[Point]:
    """The points where options have these values; what the folder lacks of them is run.

    They differ from `config`, which has the arms and shares, and are scored on a held-out `part`.
    Rows are written as soon as a point has them.
    """
    folder, task, seeds, hooks = study.folder, study.task, study.seeds, study.hooks
    points, refused = points_at(config, values, *task.shape)
    for options, reason in refused:
        warnings.warn(f"left out: {in_words(options)}: {reason}", stacklevel=3)
    rows, keys = read_rows(folder), ["point", "arm", "share", "seed"]
    done = set(rows[keys].itertuples(index=False, name=None)) if len(rows) else set()
    names, sweep = [point.name for point in points], config.sweep
    missing = set(itertools.product(names, sweep.arms, sweep.shares, seeds)) - done
    count = Count(hooks.tell, "fits", len(missing))
    for found in search(task, points, seeds, [part], done, lambda p: hooks.say(f"points: {p}")):
        # measures first, then the results that vouch for them
        if found.pretraining:
            journal.add_part(folder / layout.MEASURES, pd.DataFrame(found.pretraining))
        journal.add_part(folder / layout.RESULTS, pd.DataFrame(found.rows))
        n_fits = len({tuple(row[key] for key in keys) for row in found.rows})
        count.advance(found.rows[0]["point"] or UNCHANGED, n_fits)
    for name in (layout.MEASURES, layout.RESULTS):
        if len(journal.read_parts(folder / name)):
            journal.join_parts(folder / name)
    return points


def able_points(
    points: Sequence[Point], rows: pd.DataFrame, warn: Callable[[str], None]
) -> list[Point]:
    """Those that may be chosen: without a fit that diverged, unless all have one; warns of fits."""
    rows = rows[rows["point"].isin([point.name for point in points])]
    failed = failed_fits(rows)
    for text in failure_notes(failed.replace({"point": {"": UNCHANGED}})):
        warn(text)
    diverged = set(failed.loc[failed["fit"] == DIVERGED, "point"])
    able = [point for point in points if point.name not in diverged]
    if not able:
        warn("fits diverged at every point of the grid, the best one too: use none of them")
    return able or list(points)


def read_rows(folder: Path) -> pd.DataFrame:
    """Result rows of a grid so far."""
    rows = journal.read_parts(folder / layout.RESULTS)
    if len(rows) and "point" not in rows:
        raise InputError(f"{folder} holds a study or a sweep, not a grid", "pass another `out`")
    return rows
