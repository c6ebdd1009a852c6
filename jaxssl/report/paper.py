"""The figures of the paper: a score against an option, beside the arms that start from nothing."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxssl.evaluation.headline import percent
from jaxssl.report.curves import draw_differences, draw_scores, share_axis
from jaxssl.report.drawing import (
    Mark,
    arm_marks,
    interval_bars,
    legend_above,
    marks,
    new_figure,
)
from jaxssl.report.search import MEASURES, along, draw_measures, value_axis

STYLES = {"scratch": "--", "logreg": ":"}  # of the arms that are the same at every point
WIDTH = 10.4  # inches


def option_figure(
    table: pd.DataFrame, references: pd.DataFrame, measures: pd.DataFrame, x: Sequence[str]
) -> Figure:
    """Accuracy against each option of `x`, a panel each, and what the pretraining measured.

    Args:
        table: point, share, mean, ci_low, ci_high, a column of every option of `x` ("" where a
            point does not vary it), and `line`, which tells the lines of one share apart.
        references: arm, share, mean of what starts from nothing.
        measures: of the pretrainings, with the columns of `x` and `line`; may be empty.
        x: options.
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
        fill = mark[share].colour if line == lines[0] else "none"
        _points(ax, mark[share], name, x, rows["mean"], yerr=interval_bars(rows), mfc=fill)
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
        _points(ax, mark[share], percent(share), rows["mean"], where, xerr=bars, ls="none")
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
        ax.plot(where, means[name], label=f"{_last(line)} {value}", ms=5, **mark.style)


def curve_figure(summary: pd.DataFrame, statistics: pd.DataFrame, metric: str) -> Figure:
    """Test scores against the share of labels, and the paired differences, if there are any.

    Args:
        summary: of `evaluation.stats.summarize`.
        statistics: of `evaluation.stats.paired_statistics`, of SwAV; may be empty.
        metric: what both are of.
    """
    figure, (axes,) = new_figure(WIDTH, 4.4, ncols=1 + bool(len(statistics)), squeeze=False)
    draw_scores(axes[0], summary, metric, tested=["swav"])
    axes[0].legend(fontsize=8.5)
    if len(statistics):
        references = statistics["reference"].unique().tolist()
        draw_differences(axes[1], statistics, references)
        strong, mark = statistics[statistics["p_t"] < 0.001], arm_marks(references)
        for row in strong.to_dict("records"):
            axes[1].plot(row["share"], 0, "|", color=mark[row["reference"]].colour, ms=9)
        axes[1].set_title(f"swav, points of test {metric} (ticks: p < 0.001, paired t)")
        share_axis(axes[1], summary)
        axes[1].legend(fontsize=8.5)
    return figure


def _points(ax: Axes, mark: Mark, label: Any, x: Any, y: Any, **look: Any) -> None:
    """Points with their intervals."""
    look = {"ms": 5.5, "elinewidth": 1.1, "capsize": 2} | mark.style | look
    ax.errorbar(x, y, label=label, **look)


def _reference_lines(
    draw: Callable[..., Any], references: pd.DataFrame, mark: dict[Any, Mark]
) -> None:
    for row in references.to_dict("records"):
        arm, colour = row["arm"], mark[row["share"]].colour
        label = f"{arm}, {percent(row['share'])}"
        draw(row["mean"], color=colour, ls=STYLES[arm], lw=1.2, label=label)


def _share_marks(*tables: pd.DataFrame) -> dict[Any, Mark]:
    shares = sorted({share for table in tables for share in table["share"]})
    return dict(zip(shares, marks([str(share) for share in shares]).values(), strict=True))


def _last(option: str) -> str:
    return option.split(".")[-1].replace("_", " ")
