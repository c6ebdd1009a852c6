"""The study's figures: a score against an option, beside the arms that start from nothing."""

from collections.abc import Sequence

import matplotlib.ticker
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxssl.evaluation.headline import percent
from jaxssl.report.drawing import INK, Mark, arm_marks, interval_bars, marks, new_figure
from jaxssl.report.search import MEASURES, draw_heat_map, draw_measures, positions, value_axis

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
    _legend(figure, axes[0][0])
    return figure


def _scores(ax: Axes, table: pd.DataFrame, references: pd.DataFrame, option: str) -> None:
    mark = _share_marks([*table["share"], *references["share"]])
    lines = list(dict.fromkeys(table["line"]))
    for (share, line), rows in table.groupby(["share", "line"], sort=False):
        own, name = mark[float(str(share))], _joined(percent(float(str(share))), str(line))
        x, _ = positions(rows[option].tolist())
        order = np.argsort(x)
        rows = rows.iloc[order]
        filled = own.colour if lines.index(line) == 0 else "none"
        ax.errorbar(x[order], rows["mean"], yerr=interval_bars(rows), color=own.colour, mfc=filled,
                    marker=own.marker, ms=5.5, elinewidth=1.1, capsize=2, label=name)  # fmt: skip
    for row in references.to_dict("records"):
        name = f"{row['arm']}, {percent(row['share'])}"
        ax.axhline(row["mean"], color=mark[row["share"]].colour, ls=STYLES[row["arm"]], lw=1.2,
                   label=name)  # fmt: skip
    value_axis(ax, table[option].tolist(), option)
    ax.set_title("Validation accuracy")


def bars_figure(table: pd.DataFrame, references: pd.DataFrame) -> Figure:
    """Points by name, one under the other; `table` as for `option_figure`, named by `line`."""
    names = list(dict.fromkeys(table["line"]))
    mark = _share_marks([*table["share"], *references["share"]])
    figure, ax = new_figure(WIDTH, 1.6 + 0.38 * len(names))
    for share, rows in table.groupby("share", sort=False):
        own = mark[float(str(share))]
        where = [len(names) - 1 - names.index(name) for name in rows["line"]]
        ax.errorbar(rows["mean"], where, xerr=interval_bars(rows), fmt=own.marker, color=own.colour,
                    ms=6, elinewidth=1.1, capsize=2, label=percent(float(str(share))))  # fmt: skip
    for row in references.to_dict("records"):
        ax.axvline(row["mean"], color=mark[row["share"]].colour, ls=STYLES[row["arm"]], lw=1.2,
                   label=f"{row['arm']}, {percent(row['share'])}")  # fmt: skip
    ax.set_yticks(range(len(names)), names[::-1])
    ax.set_xlabel("validation accuracy")
    _legend(figure, ax)
    return figure


def grid_figure(table: pd.DataFrame, down: str, across: str) -> Figure:
    """Heat maps of two options, one a share."""
    shares = list(dict.fromkeys(table["share"]))
    figure, axes = new_figure(WIDTH, 4.0, ncols=len(shares), squeeze=False)
    for ax, share in zip(axes[0], shares, strict=True):
        rows = table[table["share"] == share]
        draw_heat_map(ax, rows, down, across)
        ax.set_title(f"Validation accuracy, {percent(share)} of the labels")
    return figure


def map_figure(
    table: pd.DataFrame, measures: pd.DataFrame, x: str, line: str, columns: Sequence[str]
) -> Figure:
    """Accuracy (means over shares) and measures against `x`; a line a value of `line`, a column of
    panels each combination of `columns`."""
    combinations = list(table[list(columns)].drop_duplicates().itertuples(index=False, name=None))
    rows = {"mean": "validation accuracy"} | MEASURES
    rows.pop("loss_ratio")
    figure, axes = new_figure(
        WIDTH, 2.1 * len(rows) + 0.8, nrows=len(rows), ncols=len(combinations), squeeze=False,
        sharey="row", sharex=True,
    )  # fmt: skip
    values = list(dict.fromkeys(table[x]))
    for j, combination in enumerate(combinations):
        for ax, (name, title) in zip(axes[:, j], rows.items(), strict=True):
            source = table if name == "mean" else measures
            chosen = source[(source[list(columns)] == list(combination)).all(axis=1)]
            _lines(ax, chosen, x, line, name)
            if j == 0:
                ax.set_ylabel(title, fontsize=8.5)
        named = zip(columns, combination, strict=True)
        axes[0, j].set_title(", ".join(f"{_last(c)} {v}" for c, v in named), fontsize=9)
        value_axis(axes[-1, j], values, _last(x))
    _legend(figure, axes[0, 0])
    return figure


def _lines(ax: Axes, rows: pd.DataFrame, x: str, line: str, name: str) -> None:
    values = list(dict.fromkeys(rows[line]))
    for value, own in marks(values).items():
        means = rows[rows[line] == value].groupby(x, sort=False)[name].mean()
        where, _ = positions(means.index.tolist())
        order = np.argsort(where)
        ax.plot(where[order], means.to_numpy()[order], color=own.colour, marker=own.marker, ms=5,
                label=f"{_last(line)} {value}")  # fmt: skip


def curve_figure(table: pd.DataFrame, statistics: pd.DataFrame) -> Figure:
    """Test accuracy against the share of labels; below, the paired differences, if there are any.

    Args:
        table: arm, share, mean, ci_low, ci_high, n_labelled.
        statistics: of `evaluation.stats.paired_statistics`, of one arm; may be empty.
    """
    pairs = list(dict.fromkeys(statistics["reference"])) if len(statistics) else []
    figure, axes = new_figure(WIDTH, 4.4, ncols=1 + bool(pairs), squeeze=False)
    mark = arm_marks(list(dict.fromkeys(table["arm"])))
    for arm, rows in table.groupby("arm", sort=False):
        rows, own = rows.sort_values("share"), mark[str(arm)]
        axes[0][0].errorbar(100 * rows["share"], rows["mean"],
                            yerr=interval_bars(rows), label=str(arm),
                            color=own.colour, marker=own.marker, ms=4.5, elinewidth=1,
                            capsize=2)  # fmt: skip
    axes[0][0].set_title("Test accuracy")
    for reference in pairs:
        rows, own = statistics[statistics["reference"] == reference], mark[reference]
        rows = rows.sort_values("share")
        error = interval_bars(rows, "difference")
        axes[0][1].errorbar(100 * rows["share"], 100 * rows["difference"], yerr=100 * error,
                            color=own.colour, marker=own.marker, ms=4.5, elinewidth=1, capsize=2,
                            label=f"minus {reference}")  # fmt: skip
        strong = rows[rows["p_t"] < 0.001]
        axes[0][1].plot(100 * strong["share"], np.zeros(len(strong)), "|", color=own.colour, ms=9)
    if pairs:
        axes[0][1].axhline(0, color=INK, lw=1.2)
        axes[0][1].set_title("swav, points of test accuracy (ticks: p < 0.001, paired t)")
        axes[0][1].legend(fontsize=8.5)
    for ax in axes[0]:
        ax.set_xscale("log")
        ticks = [s for s in (1, 2, 5, 10, 20, 50, 100) if s >= 100 * table["share"].min() - 1e-9]
        ax.set_xticks(ticks, [f"{tick} %" for tick in ticks])
        ax.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
        ax.set_xlabel("share of the training labels")
    axes[0][0].legend(fontsize=8.5)
    return figure


def _share_marks(shares: Sequence[float]) -> dict[float, Mark]:
    ordered = sorted(set(shares))
    found = marks([str(share) for share in ordered])
    return {share: found[str(share)] for share in ordered}


def _joined(*words: str) -> str:
    return ", ".join(word for word in words if word)


def _last(option: str) -> str:
    return option.split(".")[-1].replace("_", " ")


def _legend(figure: Figure, ax: Axes) -> None:
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncols=min(len(labels), 6), fontsize=8.5
    )
