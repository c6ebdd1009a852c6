"""Grids: a curve for one option, a heat map for two, a ranking for more."""

from collections.abc import Sequence

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
    draw_points,
    interval_bars,
    marks,
    new_figure,
    styled,
)

MEASURES = {
    "code_entropy_ratio": "code entropy / ln K",
    "loss_ratio": "loss / chance (ln K with prototypes)",
    "usage_share": "prototypes used (perplexity / K)",
}
LOG_RANGE = 8  # values that span more are drawn on a logarithmic axis
MAX_RANKED = 25  # points of a ranking


def search_drawing(
    table: pd.DataFrame, measures: pd.DataFrame, options: Sequence[str], metric: str
) -> Drawing:
    """The mean scores of a grid's points, in `metric`, and what their pretrainings measured.

    Both tables have a column of every option; `measures`, a row a point and seed, may be empty.
    """
    with styled():
        if len(options) == 1:
            figure = _curve(table, measures, options[0], metric)
        elif len(options) == 2:
            figure = heat_maps(table, options, metric)
        else:
            figure = _ranking(table, metric)
    caption = "Validation part; means over seeds with 95 % t intervals."
    return Drawing("search", "search", ", ".join(options) or "one point", caption, figure, table)


def series(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The rows of each arm and share, with their name."""
    several, named = table["arm"].nunique() > 1, []
    for (arm, share), rows in table.groupby(["arm", "share"], sort=False):
        name = f"{percent(float(str(share)))} of the labels"
        named.append((f"{arm}, {name}" if several else name, rows))
    return named


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


def _curve(table: pd.DataFrame, measures: pd.DataFrame, option: str, metric: str) -> Figure:
    """Mean score and interval against one option, a line an arm and share."""
    has_measures = not set(MEASURES).isdisjoint(measures)
    width = 10.4 if has_measures else 6.4
    figure, (axes,) = new_figure(width, 4.2, ncols=1 + has_measures, squeeze=False)
    lines = dict(series(table))
    for name, mark in marks(list(lines)).items():
        x, rows = along(lines[name], option)
        draw_points(axes[0], mark, name, x, rows["mean"], yerr=interval_bars(rows))
    axes[0].set_title(f"Validation {metric.replace('_', ' ')}")
    value_axis(axes[0], table[option].tolist(), option)
    axes[0].legend(fontsize=8.5)
    if has_measures:
        draw_measures(axes[1], measures, option)
    return figure


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


def heat_maps(table: pd.DataFrame, options: Sequence[str], metric: str) -> Figure:
    """Means against two options (down, across), a map an arm and share."""
    maps = series(table)
    figure, axes = new_figure(1.2 + 4.6 * len(maps), 4.4, ncols=len(maps), squeeze=False)
    for ax, (name, rows) in zip(axes[0], maps, strict=True):
        _draw_heat_map(ax, rows, *options)
        ax.set_title(f"Validation {metric.replace('_', ' ')}, {name}", fontsize=9.5)
    return figure


def _draw_heat_map(ax: Axes, rows: pd.DataFrame, down: str, across: str) -> None:
    """Means as colours, with half their intervals in numbers; an empty cell was refused."""
    rows = rows.assign(half=(rows["ci_high"] - rows["ci_low"]) / 2)
    tall, wide = (sorted(rows[option].unique(), key=_number_or_name) for option in (down, across))
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


def _number_or_name(value: str) -> tuple[float, str]:
    """Numbers sort by value; names among them as 0."""
    where, is_number = positions([value])
    return (float(where[0]), "") if is_number else (0.0, value)


def _ranking(table: pd.DataFrame, metric: str) -> Figure:
    ranked = table.sort_values("mean", ascending=metric in ERRORS).head(MAX_RANKED).iloc[::-1]
    figure, ax = new_figure(10.4, 0.9 + 0.26 * len(ranked))
    where, look = range(len(ranked)), {"fmt": "o", "ms": 5, "capsize": 2, "color": INK}
    ax.errorbar(ranked["mean"], where, xerr=interval_bars(ranked), **look)
    names = [
        f"{row['point'] or UNCHANGED} ({row['arm']}, {percent(row['share'])})"
        for row in ranked.to_dict("records")
    ]
    ax.set_yticks(where, names, fontsize=8)
    ax.set_title(f"The best {len(ranked)} of {len(table)}")
    ax.set_xlabel(f"validation {metric.replace('_', ' ')}")
    return figure
