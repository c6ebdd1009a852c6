"""The figures of the paper, beside the arms that start from nothing, and the page that shows them.

The page sets a finding of the paper beside ours, and says whether they agree.
"""

from collections.abc import Callable, Sequence
from math import isnan
from pathlib import Path
from typing import Any, NamedTuple, cast

import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxssl.evaluation.claims import Verdict
from jaxssl.evaluation.headline import percent
from jaxssl.files import write_text
from jaxssl.report.curves import draw_differences, draw_scores, share_axis
from jaxssl.report.drawing import (
    Drawing,
    Mark,
    arm_marks,
    csv_uri,
    draw_points,
    interval_bars,
    legend_above,
    marks,
    new_figure,
)
from jaxssl.report.search import MEASURES, along, draw_measures, value_axis
from jaxssl.report.templates import template

STYLES = {"scratch": "--", "logreg": ":"}  # of the arms that are the same at every point
WIDTH = 10.4  # inches


def option_figure(
    table: pd.DataFrame, references: pd.DataFrame, measures: pd.DataFrame, x: Sequence[str]
) -> Figure:
    """Accuracy against each option of `x`, a panel each, and what the pretraining measured.

    Both tables have a column of every option, "" where a point does not vary it, and `line`, which
    tells the lines of one share apart; `references` is of the arms that start from nothing.
    """
    columns = 2 if len(measures) else 1
    figure, axes = new_figure(WIDTH, 0.6 + 3.6 * len(x), nrows=len(x), ncols=columns, squeeze=False)
    for ax, option in zip(axes[:, 0], x, strict=True):
        _scores(ax, table[table[option] != ""], references, option)
    low, high = zip(*(ax.get_ylim() for ax in axes[:, 0]), strict=True)
    for ax in axes[:, 0]:
        ax.set_ylim(min(low), max(high))
    if len(measures):
        for ax, option in zip(axes[:, 1], x, strict=True):
            draw_measures(ax, measures[measures[option] != ""], option)
    legend_above(figure, axes[0][0], most=6, fontsize=8.5)
    return figure


def _scores(ax: Axes, table: pd.DataFrame, references: pd.DataFrame, option: str) -> None:
    mark = _share_marks(table, references)
    lines = list(dict.fromkeys(table["line"]))
    for key, rows in table.groupby(["share", "line"], sort=False):
        share, line = cast(tuple[float, str], key)
        name = percent(share) + (f", {line}" if line else "")
        x, rows = along(rows, option)
        fill = mark[share]["color"] if line == lines[0] else "none"
        bars = interval_bars(rows)
        draw_points(ax, mark[share], name, x, rows["mean"], yerr=bars, mfc=fill)
    _reference_lines(ax.axhline, references, mark)
    value_axis(ax, table[option].tolist(), option)
    ax.set_title("Validation accuracy")


def bars_figure(table: pd.DataFrame, references: pd.DataFrame) -> Figure:
    """Points by name, one under the other; `table` as for `option_figure`, named by `line`."""
    names = list(dict.fromkeys(table["line"]))
    mark = _share_marks(table, references)
    figure, ax = new_figure(WIDTH, 1.6 + 0.38 * len(names))
    for share in dict.fromkeys(table["share"]):
        rows = table[table["share"] == share]
        where = [len(names) - 1 - names.index(name) for name in rows["line"]]
        bars = interval_bars(rows)
        draw_points(ax, mark[share], percent(share), rows["mean"], where, xerr=bars, ls="none")
    _reference_lines(ax.axvline, references, mark)
    ax.set_yticks(range(len(names)), names[::-1])
    ax.set_xlabel("validation accuracy")
    legend_above(figure, ax, most=6, fontsize=8.5)
    return figure


def map_figure(table: pd.DataFrame, measures: pd.DataFrame, x: Sequence[str]) -> Figure:
    """Accuracy (means over shares) and measures against the first option of `x`.

    A line is a value of the second option, a column of panels a combination of the others.
    """
    axis, line, *columns = x
    combinations = list(table[columns].drop_duplicates().itertuples(index=False, name=None))
    rows = {"mean": "validation accuracy"} | MEASURES
    rows.pop("loss_ratio")
    grid = {"nrows": len(rows), "ncols": len(combinations), "squeeze": False}
    figure, axes = new_figure(WIDTH, 2.1 * len(rows) + 0.8, sharey="row", sharex=True, **grid)
    for column, combination in zip(axes.T, combinations, strict=True):
        for ax, name in zip(column, rows, strict=True):
            source = table if name == "mean" else measures
            chosen = source[(source[columns] == list(combination)).all(axis=1)]
            _lines(ax, chosen, axis, line, name)
        named = zip(columns, combination, strict=True)
        column[0].set_title(", ".join(f"{_last(c)} {v}" for c, v in named), fontsize=9)
        value_axis(column[-1], list(dict.fromkeys(table[axis])), _last(axis))
    for ax, title in zip(axes[:, 0], rows.values(), strict=True):
        ax.set_ylabel(title, fontsize=8.5)
    legend_above(figure, axes[0, 0], most=6, fontsize=8.5)
    return figure


def _lines(ax: Axes, rows: pd.DataFrame, x: str, line: str, name: str) -> None:
    for value, mark in marks(list(dict.fromkeys(rows[line]))).items():
        means = rows[rows[line] == value].groupby(x, sort=False)[name].mean().reset_index()
        where, means = along(means, x)
        ax.plot(where, means[name], label=f"{_last(line)} {value}", ms=5, **mark)


def curve_figure(summary: pd.DataFrame, statistics: pd.DataFrame, metric: str) -> Figure:
    """Test scores against the share of labels, and the paired differences of SwAV, if any."""
    figure, (axes,) = new_figure(WIDTH, 4.4, ncols=1 + bool(len(statistics)), squeeze=False)
    draw_scores(axes[0], summary, metric, tested=["swav"])
    axes[0].legend(fontsize=8.5)
    if len(statistics):
        references = statistics["reference"].unique().tolist()
        draw_differences(axes[1], statistics, references)
        strong, mark = statistics[statistics["p_t"] < 0.001], arm_marks(references)
        for row in strong.to_dict("records"):
            axes[1].plot(row["share"], 0, "|", color=mark[row["reference"]]["color"], ms=9)
        axes[1].set_title(f"swav, points of test {metric} (ticks: p < 0.001, paired t)")
        share_axis(axes[1], summary)
        axes[1].legend(fontsize=8.5)
    return figure


def _reference_lines(
    draw: Callable[..., Any], references: pd.DataFrame, mark: dict[Any, Mark]
) -> None:
    for row in references.to_dict("records"):
        arm, colour = row["arm"], mark[row["share"]]["color"]
        label = f"{arm}, {percent(row['share'])}"
        draw(row["mean"], color=colour, ls=STYLES[arm], lw=1.2, label=label)


def _share_marks(*tables: pd.DataFrame) -> dict[Any, Mark]:
    shares = sorted({share for table in tables for share in table["share"]})
    return dict(zip(shares, marks([str(share) for share in shares]).values(), strict=True))


def _last(option: str) -> str:
    return option.split(".")[-1].replace("_", " ")


class Shown(NamedTuple):
    """A figure of the page with what is claimed of it."""

    number: str
    title: str
    drawing: Drawing
    svg: Markup
    finding: str  # of the paper
    verdict: str  # on the finding
    verdicts: Sequence[Verdict]  # on the claims that stand for it

    @property
    def csv(self) -> str:
        """The figure's numbers as a data URI."""
        return csv_uri(self.drawing)

    @property
    def claims(self) -> list[tuple[str, str, str]]:
        """Text, our difference with its interval, and verdict of every claim."""
        return [(verdict.text, ours(verdict), verdict.verdict) for verdict in self.verdicts]


class ShownTable(NamedTuple):
    """A table of the paper from the user's data."""

    number: str
    title: str
    table: pd.DataFrame


def ours(verdict: Verdict) -> str:
    """A difference with its interval, in points; a measure has neither."""
    if verdict.n == 0:
        return "not run"
    if isnan(verdict.difference):
        return f"{verdict.n} seeds"
    points = [100 * value for value in (verdict.difference, verdict.low, verdict.high)]
    return "{:+.1f} points ({:+.1f} to {:+.1f})".format(*points)


def write_page(
    out: Path,
    title: str,
    scale: str,
    command: str,
    figures: Sequence[Shown],
    tables: Sequence[ShownTable],
) -> None:
    """Write the page in the format of the suffix of `out`, .html or .md."""
    text = template(f"reproduction{out.suffix}").render(
        title=title, scale=scale, command=command, figures=figures, tables=tables
    )
    write_text(out, text)
