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
    """The scores of a grid's points.

    Args:
        table: of `evaluation.search.points_table`.
        measures: what the pretrainings measured, a row a point and seed; may be empty.
        options: columns with the grid's values.
        metric: what `table` holds the means of.
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
    measured = [name for name in MEASURES if name in measures]
    figure, axes = new_figure(10.4 if measured else 6.4, 4.2, ncols=1 + bool(measured),
                              squeeze=False)  # fmt: skip
    draw_scores(axes[0][0], table, option, metric)
    if measured:
        draw_measures(axes[0][1], measures, option)
    return figure


def draw_scores(ax: Axes, table: pd.DataFrame, option: str, metric: str) -> None:
    """Mean score and interval against one option, a line an arm and share."""
    lines = series(table)
    mark_of = marks([name for name, _ in lines])
    for name, rows in lines:
        mark = mark_of[name]
        x, _ = positions(rows[option].tolist())
        order = np.argsort(x)
        rows, x = rows.iloc[order], x[order]
        ax.errorbar(x, rows["mean"],
                    yerr=interval_bars(rows), color=mark.colour, marker=mark.marker, ms=5.5,
                    elinewidth=1.1, capsize=2, label=name)  # fmt: skip
    ax.set_title(f"Validation {metric.replace('_', ' ')}")
    value_axis(ax, table[option].tolist(), option)
    ax.legend(fontsize=8.5)


def draw_measures(ax: Axes, measures: pd.DataFrame, option: str) -> None:
    """What the pretraining measured against one option, means over seeds."""
    measured = [name for name in MEASURES if name in measures]
    for name, mark in marks(measured).items():
        means = measures.groupby(option, sort=False)[name].mean()
        x, _ = positions(means.index.tolist())
        order = np.argsort(x)
        ax.plot(x[order], means.to_numpy()[order], color=mark.colour, marker=mark.marker,
                ms=5.5, label=MEASURES[name])  # fmt: skip
    ax.axhline(1, color=MUTED, lw=1, ls=":")
    ax.set_ylim(0, max(1.05, ax.get_ylim()[1]))
    ax.set_title("Pretraining, last epoch")
    value_axis(ax, measures[option].tolist(), option)
    ax.legend(fontsize=8.5)


def heat_maps(table: pd.DataFrame, options: Sequence[str], metric: str) -> Figure:
    """Means against two options (down, across), a map an arm and share."""
    maps, (down, across) = series(table), options
    figure, axes = new_figure(1.2 + 4.6 * len(maps), 4.4, ncols=len(maps), squeeze=False)
    for ax, (name, rows) in zip(axes[0], maps, strict=True):
        draw_heat_map(ax, rows, down, across)
        ax.set_title(f"Validation {metric.replace('_', ' ')}, {name}", fontsize=9.5)
    return figure


def draw_heat_map(ax: Axes, rows: pd.DataFrame, down: str, across: str) -> None:
    """Means as colours, with half their intervals in numbers; an empty cell was refused.

    Args:
        ax: where.
        rows: mean, ci_low, ci_high, and the columns of the two options.
        down: option of the map's rows.
        across: option of its columns.
    """
    mean, low, high = (
        rows.pivot(index=down, columns=across, values=name)
        for name in ("mean", "ci_low", "ci_high")
    )
    order = _sorted(mean.index), _sorted(mean.columns)
    values, half = mean.loc[order].to_numpy(float), ((high - low) / 2).loc[order].to_numpy(float)
    ax.imshow(values, cmap="cividis", aspect="auto")
    middle = (np.nanmin(values) + np.nanmax(values)) / 2
    for (i, j), value in np.ndenumerate(values):
        interval = "" if np.isnan(half[i, j]) else f"\n± {half[i, j]:.3f}"
        text = "–" if np.isnan(value) else f"{value:.3f}{interval}"
        colour = INK if value > middle or np.isnan(value) else GRID
        ax.text(j, i, text, ha="center", va="center", fontsize=8, color=colour)
    ax.set_xticks(range(values.shape[1]), order[1])
    ax.set_yticks(range(values.shape[0]), order[0])
    ax.set_xlabel(across)
    ax.set_ylabel(down)
    ax.grid(visible=False)


def _sorted(values: pd.Index) -> list[str]:
    return sorted(values, key=lambda value: positions([value])[0][0] if _is_number(value) else 0.0)


def _is_number(value: str) -> bool:
    return positions([value])[1]


def _ranking(table: pd.DataFrame, metric: str) -> Figure:
    ranked = table.sort_values("mean", ascending=metric in ERRORS).head(MAX_RANKED).iloc[::-1]
    figure, ax = new_figure(10.4, 0.9 + 0.26 * len(ranked))
    where = range(len(ranked))
    ax.errorbar(
        ranked["mean"], where, xerr=interval_bars(ranked), fmt="o", ms=5, capsize=2, color=INK
    )
    names = [
        f"{row.point or UNCHANGED} ({row.arm}, {percent(float(row.share))})"  # pyright: ignore
        for row in ranked.itertuples()
    ]
    ax.set_yticks(where, names, fontsize=8)
    ax.set_title(f"The best {len(ranked)} of {len(table)}")
    ax.set_xlabel(f"validation {metric.replace('_', ' ')}")
    return figure
