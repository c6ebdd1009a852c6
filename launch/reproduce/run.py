"""Run one experiment: its points, its figure, its verdict."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from jaxssl.config import Config, to_dict, with_options
from jaxssl.data.task import Task
from jaxssl.evaluation.claims import (
    UNDECIDED,
    Claim,
    MeasureClaim,
    Verdict,
    judge,
    judge_measure,
)
from jaxssl.evaluation.grid import Point, as_text, in_words, name_of, points_at
from jaxssl.evaluation.search import points_table
from jaxssl.evaluation.stats import paired_statistics
from jaxssl.report import study
from jaxssl.report.drawing import styled
from launch import flags
from launch.points import read_measures, read_rows, run_points
from launch.reproduce.experiment import REFERENCES, SWAV, Experiment, Finding, Values
from launch.reproduce.scales import Setting

METRIC = "accuracy"  # the study's
PARTS = {False: "validation", True: "test"}


DrawFn = Callable[[tuple[str, ...], pd.DataFrame, pd.DataFrame, pd.DataFrame], Figure]
FIGURES: dict[str, DrawFn] = {
    "bars": lambda x, table, references, measures: study.bars_figure(table, references),
    "grid": lambda x, table, references, measures: study.grid_figure(table, *x),
    "map": lambda x, table, references, measures: study.map_figure(
        table, measures, x[0], x[1], x[2:]
    ),
    "option": lambda x, table, references, measures: study.option_figure(
        table, references, measures, x
    ),
}
"""Kind of experiment → (options on the axes, scores, references, measures) → figure."""


class Reproduced(NamedTuple):
    """What an experiment came to."""

    experiment: Experiment
    finding: Finding
    verdicts: list[Verdict]
    figure: Figure
    table: pd.DataFrame


def reproduce(
    experiment: Experiment, setting: Setting, config: Config, task: Task, folder: Path
) -> Reproduced:
    """Run what the folder lacks of an experiment, draw it and hold its claims against it.

    Options are varied on the validation part, in `folder`/validation; label curves are scored on
    the test part, in `folder`/test. Points of the same name run once.
    """
    part = PARTS[experiment.is_curve]
    store = folder / part
    store.mkdir(exist_ok=True)
    values = experiment.points(setting)
    seeds = range(setting.size.curve_seeds if experiment.is_curve else setting.size.seeds)
    shares = setting.size.curve_shares if experiment.is_curve else setting.size.shares
    n_train = len(task.split.train)

    left_out: set[str] = set()

    def run(values: Sequence[Values], arms: Sequence[str]) -> list[Point]:
        compared = {"sweep.arms": tuple(arms), "sweep.shares": tuple(shares)}
        points, refused = points_at(with_options(config, compared), values, n_train)
        for point in refused:
            print(f"left out: {in_words(point.values)}: {point.reason}")
            left_out.add(name_of(point.values, config))
        run_points(store, task, points, seeds, (part,))
        return points

    points = run(values, experiment.arms)
    if not experiment.is_curve:
        run([{}], REFERENCES)
    rows, measures = read_rows(store), read_measures(store)
    rows = rows[rows["seed"].isin(list(seeds)) & rows["share"].isin(list(shares))]
    measures = measures[measures["seed"].isin(list(seeds))] if len(measures) else measures
    finding = experiment.finding(setting)
    verdicts = [_judge(claim, rows, measures, left_out) for claim in finding.claims]
    with styled():
        figure, table = draw(experiment, points, rows, measures)
    return Reproduced(experiment, finding, verdicts, figure, table)


def _judge(
    claim: Claim | MeasureClaim, rows: pd.DataFrame, measures: pd.DataFrame, left_out: set[str]
) -> Verdict:
    """The verdict on a claim; undecided where it is about a point that the options refused."""
    is_measure = isinstance(claim, MeasureClaim)
    about = [claim.point] if is_measure else [cell.point for cell in (*claim.plus, *claim.minus)]
    if left_out.intersection(about):
        nan = float("nan")
        return Verdict(f"{claim.text} (not run)", UNDECIDED, nan, nan, nan, 0)
    return judge_measure(claim, measures) if is_measure else judge(claim, rows, METRIC)


def draw(
    experiment: Experiment, points: Sequence[Point], rows: pd.DataFrame, measures: pd.DataFrame
) -> tuple[Figure, pd.DataFrame]:
    """The figure of an experiment and its numbers."""
    named = {point.name: point.values for point in points}
    of_points = rows[rows["point"].isin(named.keys()) & rows["arm"].isin(experiment.arms)]
    if experiment.is_curve:
        return draw_curve(of_points)
    columns = _columns(experiment, named)
    table = points_table(of_points, METRIC).merge(columns, on="point")
    table = table.set_index("point").loc[[name for name in named if name in set(table["point"])]]
    table = table.reset_index()
    if len(measures):
        measures = measures.merge(columns, on="point")
    references = points_table(rows[rows["arm"].isin(REFERENCES)], METRIC)
    references = references[references["point"] == ""] if len(references) else references
    figure = FIGURES[experiment.kind](experiment.x, table, references, measures)
    table = pd.concat([table, references.assign(line="reference")], ignore_index=True)
    return figure, with_measures(table, measures)


def draw_curve(rows: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Label curves, and the differences of SwAV where it ran."""
    table = points_table(rows, METRIC)
    tested = [arm for arm in REFERENCES if arm in set(rows["arm"])]
    has_swav = SWAV in set(rows["arm"])
    statistics = paired_statistics(rows, tested if has_swav else [], [METRIC])
    figure = study.curve_figure(table, statistics)
    differences = ["arm", "share", "reference", "difference", "ci_low", "ci_high", "p_t", "p_holm"]
    if has_swav:
        paired = statistics[differences].rename(columns={"ci_low": "low", "ci_high": "high"})
        table = table.merge(paired, on=["arm", "share"], how="left")
    return figure, table


def _columns(experiment: Experiment, named: dict[str, Values]) -> pd.DataFrame:
    """Of every point, the values of the figure's options as text, and its line."""
    rows = []
    for name, values in named.items():
        row = {"point": name, "line": experiment.line(values)}
        for option in experiment.x:
            value = values.get(option, "")
            # of two options that are varied in turn, the one that is off has no place on its axis
            is_off = experiment.kind == "option" and len(experiment.x) > 1 and value == 0
            row[option] = "" if is_off else as_text(value)
        rows.append(row)
    return pd.DataFrame(rows)


def with_measures(table: pd.DataFrame, measures: pd.DataFrame) -> pd.DataFrame:
    """The table with the means of what the pretrainings measured."""
    names = ["loss_ratio", "code_entropy_ratio", "usage_share", "effective_rank"]
    names = [name for name in names if name in measures]
    if not names:
        return table
    means = measures.groupby("point")[names].mean().reset_index()
    return table.merge(means, on="point", how="left")


def config_of(setting: Setting, given: Config) -> Config:
    """The study's configuration at a scale, on the data, split and machine that flags name.

    Raises:
        InputError: if another option is given than those.
    """
    unread = to_dict(given).keys() - {"data", "split", "run"}
    flags.refuse_options(
        given,
        sorted(unread),
        "a reproduction, whose figures and --scale say what differs from the study; launch.search "
        "varies any option",
    )
    return dataclasses.replace(setting.config(), data=given.data, split=given.split, run=given.run)
