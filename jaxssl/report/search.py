"""Grids: a curve for one option, a heat map for two, a ranking for more; and the paper's grids."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.ticker
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxssl.evaluation.grid import UNCHANGED
from jaxssl.evaluation.headline import percent
from jaxssl.evaluation.stats import ERRORS
from jaxssl.report.drawing import (
    GRID,
    INK,
    MUTED,
    Drawing,
    Mark,
    add_axes,
    draw_points,
    interval_bars,
    legend_above,
    marks,
    styled,
)

MEASURES = {
    "code_entropy_ratio": "code entropy / ln K",
    "loss_ratio": "loss / chance (ln K with prototypes)",
    "usage_share": "prototypes used (perplexity / K)",
}
LOG_RANGE = 8  # values that span more are drawn on a logarithmic axis
MAX_RANKED = 25  # points of a ranking
STYLES = {"scratch": "--", "logreg": ":"}  # of the arms that are the same at every point
WIDTH = 10.4  # inches


def search_drawing(
    table: pd.DataFrame, measures: pd.DataFrame, options: Sequence[str], metric: str
) -> Drawing:
    """The mean scores of a grid's points, in `metric`, and what their pretrainings measured.

    Both tables have a column of every option; `measures`, a row a point and seed, may be empty.
    """
    with styled():
        figure = Figure(layout="constrained")
        if len(options) == 1:
            lines = table.assign(line=table["arm"] if table["arm"].nunique() > 1 else "")
            option_figure(figure, lines, table[:0], measures, options, metric)
        elif len(options) == 2:
            heat_maps(figure, table, options, metric)
        else:
            best = table.sort_values("mean", ascending=metric in ERRORS).head(MAX_RANKED)
            places = zip(best["point"], best["arm"], best["share"], strict=True)
            names = [f"{point or UNCHANGED} ({arm}, {percent(s)})" for point, arm, s in places]
            ax = bars_figure(figure, best.assign(line=names), table[:0], metric)
            ax.set_title(f"The best {len(best)} of {len(table)}")
    caption = "Validation part; means over seeds with 95 % t intervals."
    return Drawing("search", "search", ", ".join(options) or "one point", caption, figure, table)


def positions(values: Sequence[str]) -> tuple[np.ndarray, bool]:
    """Where values stand on an axis, and whether they are numbers; names stand side by side."""
    try:
        return np.array([float(value) for value in values]), True
    except ValueError:
        order = list(dict.fromkeys(values))
        return np.array([order.index(value) for value in values], float), False


def along(rows: pd.DataFrame, option: str) -> tuple[np.ndarray, pd.DataFrame]:
    """Where rows stand on the axis of an option, and the rows, both in the order of the axis."""
    x, _ = positions(rows[option].tolist())
    order = np.argsort(x)
    return x[order], rows.iloc[order]


def value_axis(ax: Axes, values: Sequence[str], name: str) -> None:
    """Ticks at the values of an option; logarithmic where they span a wide range."""
    where, numeric = positions(values)
    ax.set_xlabel(name)
    ticks = dict(sorted(zip(where, values, strict=True)))
    if numeric and where.min() > 0 and where.max() / where.min() > LOG_RANGE:
        ax.set_xscale("log")
    ax.set_xticks(list(ticks), list(ticks.values()), fontsize=8.5)
    ax.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    if len(ticks) > 7 or max(map(len, ticks.values())) > 6:
        ax.tick_params(axis="x", rotation=45)


def option_figure(
    figure: Figure,
    table: pd.DataFrame,
    references: pd.DataFrame,
    measures: pd.DataFrame,
    options: Sequence[str],
    metric: str,
) -> None:
    """Scores against each option, a panel each, and what the pretraining measured, if anything.

    The tables have a column of every option, "" where a point does not vary it. `line` tells the
    lines of one share apart; `references` is of arms that are the same at every point.
    """
    has_measures, key = not set(MEASURES).isdisjoint(measures), ["share", "line"]
    grid = {"nrows": len(options), "ncols": 1 + has_measures, "squeeze": False}
    axes = add_axes(figure, WIDTH, 0.6 + 3.6 * len(options), **grid)
    for ax in axes[1:, 0]:
        ax.sharey(axes[0, 0])
    mark = marks([*table[key].drop_duplicates().itertuples(index=False, name=None)])
    for row, option in zip(axes, options, strict=True):
        varied = table[table[option] != ""]
        for (share, line), own in mark.items():
            x, rows = along(varied[(varied[key] == [share, line]).all(axis=1)], option)
            name = ", ".join(filter(None, [percent(share), line]))
            draw_points(row[0], own, name, x, rows["mean"], yerr=interval_bars(rows))
        of_share = {share: look for (share, _), look in reversed(mark.items())}
        _reference_lines(row[0].axhline, references, of_share)
        value_axis(row[0], varied[option].tolist(), option)
        row[0].set_title(f"Validation {metric.replace('_', ' ')}")
        if has_measures:
            draw_measures(row[1], measures[measures[option] != ""], option)
    legend_above(figure, axes[0, 0], most=6, fontsize=8.5)


def bars_figure(figure: Figure, table: pd.DataFrame, references: pd.DataFrame, metric: str) -> Axes:
    """Points by `line`, one under the other, the first on top."""
    names, mark = table["line"].unique()[::-1].tolist(), marks(sorted(table["share"].unique()))
    ax = add_axes(figure, WIDTH, 1.6 + 0.38 * len(names))
    for share, own in mark.items():
        rows = table[table["share"] == share]
        y, bars = rows["line"].map(names.index), interval_bars(rows)
        draw_points(ax, own, percent(share), rows["mean"], y, xerr=bars, ls="none")
    _reference_lines(ax.axvline, references, mark)
    ax.set_yticks(range(len(names)), names)
    ax.set_xlabel(f"validation {metric.replace('_', ' ')}")
    legend_above(figure, ax, most=6, fontsize=8.5)
    return ax


def _reference_lines(draw: Callable, references: pd.DataFrame, mark: Mapping[Any, Mark]) -> None:
    for row in references.to_dict("records"):
        look = {"color": mark[row["share"]]["color"], "ls": STYLES[row["arm"]], "lw": 1.2}
        draw(row["mean"], label=f"{row['arm']}, {percent(row['share'])}", **look)


def draw_measures(ax: Axes, measures: pd.DataFrame, option: str) -> None:
    """What the pretraining measured against one option, means over seeds."""
    measured = [name for name in MEASURES if name in measures]
    means = measures.groupby(option, sort=False)[measured].mean().reset_index()
    x, means = along(means, option)
    for name, mark in marks(measured).items():
        ax.plot(x, means[name], ms=5.5, label=MEASURES[name], **mark)
    ax.axhline(1, color=MUTED, lw=1, ls=":")
    ax.set_ylim(0, max(1.05, ax.get_ylim()[1]))
    ax.set_title("Pretraining, last epoch")
    value_axis(ax, measures[option].tolist(), option)
    ax.legend(fontsize=8.5)


def heat_maps(figure: Figure, table: pd.DataFrame, options: Sequence[str], metric: str) -> None:
    """Means against two options (down, across), a map an arm and share."""
    maps, several = table.groupby(["arm", "share"], sort=False), table["arm"].nunique() > 1
    axes = add_axes(figure, 1.2 + 4.6 * len(maps), 4.4, ncols=len(maps), squeeze=False)[0]
    for ax, (_, rows) in zip(axes, maps, strict=True):
        _draw_heat_map(ax, rows, *options)
        first = rows.iloc[0]
        name = f"{first['arm']}, " * several + f"{percent(first['share'])} of the labels"
        ax.set_title(f"Validation {metric.replace('_', ' ')}, {name}", fontsize=9.5)


def _draw_heat_map(ax: Axes, rows: pd.DataFrame, down: str, across: str) -> None:
    """Means as colours, with half their intervals in numbers; an empty cell was refused."""
    rows = rows.assign(half=(rows["ci_high"] - rows["ci_low"]) / 2)
    tall, wide = (along(rows, option)[1][option].unique() for option in (down, across))
    tables = (rows.pivot(index=down, columns=across, values=name) for name in ("mean", "half"))
    mean, half = (table.loc[tall, wide].to_numpy(float) for table in tables)
    ax.imshow(mean, cmap="cividis", aspect="auto")
    middle = (np.nanmin(mean) + np.nanmax(mean)) / 2
    for (i, j), value in np.ndenumerate(mean):
        interval = "" if np.isnan(half[i, j]) else f"\n± {half[i, j]:.3f}"
        text = "–" if np.isnan(value) else f"{value:.3f}{interval}"
        colour = INK if value > middle or np.isnan(value) else GRID
        ax.text(j, i, text, ha="center", va="center", fontsize=8, color=colour)
    ax.set_yticks(range(len(tall)), tall)
    ax.set_xticks(range(len(wide)), wide)
    ax.set(xlabel=across, ylabel=down)
    ax.grid(visible=False)


def map_figure(
    figure: Figure, table: pd.DataFrame, measures: pd.DataFrame, options: Sequence[str], metric: str
) -> None:
    """Means and measures against the first option.

    A line is a value of the second option, a column of panels a combination of the others.
    """
    axis, line, *columns = options
    combinations = table[columns].drop_duplicates().to_numpy().tolist()
    rows = {"mean": f"validation {metric}"} | MEASURES
    rows.pop("loss_ratio")
    grid = {"nrows": len(rows), "ncols": len(combinations), "sharex": True, "sharey": "row"}
    axes = add_axes(figure, WIDTH, 2.1 * len(rows) + 0.8, squeeze=False, **grid)
    lines = marks(table[line].unique().tolist())
    for column, combination in zip(axes.T, combinations, strict=True):
        for ax, name in zip(column, rows, strict=True):
            source = table if name == "mean" else measures
            chosen = source[(source[columns] == combination).all(axis=1)]
            means = chosen.groupby([line, axis], sort=False)[name].mean().reset_index()
            for value, mark in lines.items():
                x, drawn = along(means[means[line] == value], axis)
                ax.plot(x, drawn[name], label=f"{_last(line)} {value}", ms=5, **mark)
        named = zip(columns, combination, strict=True)
        column[0].set_title(", ".join(f"{_last(c)} {v}" for c, v in named), fontsize=9)
        value_axis(column[-1], table[axis].tolist(), _last(axis))
    for ax, title in zip(axes[:, 0], rows.values(), strict=True):
        ax.set_ylabel(title, fontsize=8.5)
    legend_above(figure, axes[0, 0], most=6, fontsize=8.5)


def _last(option: str) -> str:
    return option.split(".")[-1].replace("_", " ")
