"""What arms score with how many labels: curves, differences, the endpoint, labels saved."""

from collections.abc import Sequence
from typing import Any

import matplotlib.ticker
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxssl.evaluation.headline import percent
from jaxssl.evaluation.stats import FLOOR
from jaxssl.report.drawing import (
    INK,
    MUTED,
    add_axes,
    arm_marks,
    draw_points,
    interval_bars,
    legend_above,
    short,
)
from jaxssl.report.tables import arm_order

METRICS = ["accuracy", "balanced_accuracy"]
MAX_TICKS = 9  # whose names do not collide


def shown_metrics(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the metrics that curves show."""
    return table[table["metric"].isin(METRICS)]


def label_efficiency(figure: Figure, summary: pd.DataFrame, tested: Sequence[str]) -> Any:
    """Mean test score with 95 % interval of every arm; `summary` of one task, from `summarize`."""
    axes = add_axes(figure, 10.4, 4.6, ncols=len(METRICS))
    for ax, metric in zip(axes, METRICS, strict=True):
        draw_scores(ax, summary, metric, tested)
    legend_above(figure, axes[0], most=4 if summary["arm"].str.contains("@").any() else 6)
    return axes


def draw_scores(ax: Axes, summary: pd.DataFrame, metric: str, tested: Sequence[str]) -> None:
    """The label curve of every arm in one metric."""
    arms = arm_order(summary, tested)
    mark, rows = arm_marks(arms), summary[summary["metric"] == metric]
    above = rows[rows["arm"] != FLOOR]
    for i, arm in enumerate(arms):
        curve = rows[rows["arm"] == arm].sort_values("share")
        if arm == FLOOR and not above.empty:
            # drawn to scale, the floor would squeeze every other arm into a corner
            text = f"{short(arm)}: {curve['mean'].max():.3f} at best (not drawn)"
            place = {"ha": "right", "va": "bottom", "transform": ax.transAxes}
            ax.text(0.99, 0.02, text, color=MUTED, fontsize=8.5, **place)
            continue
        # arms stand side by side, or their intervals would hide one another
        x = curve["share"] * 1.045 ** (i - (len(arms) - 1) / 2)
        line, width, size, layer = ("-", 2.4, 6.5, 3) if arm in tested else ("--", 1.2, 4.5, 2)
        look = {"ls": line, "lw": width, "ms": size, "zorder": layer}
        draw_points(ax, mark[arm], short(arm), x, curve["mean"], yerr=interval_bars(curve), **look)
    ax.set_title(f"Test {metric.replace('_', ' ')}")
    share_axis(ax, summary)


def paired_differences(figure: Figure, statistics: pd.DataFrame) -> None:
    """Arm minus reference, paired by repetition, with 95 % intervals; `statistics` of one task."""
    arms, references = statistics["arm"].unique(), statistics["reference"].unique().tolist()
    grid = {"nrows": len(arms), "ncols": len(METRICS), "squeeze": False}
    axes = add_axes(figure, 10.4, 0.7 + 3.7 * len(arms), **grid)
    for row, arm in zip(axes, arms, strict=True):
        for ax, metric in zip(row, METRICS, strict=True):
            rows = statistics[(statistics["arm"] == arm) & (statistics["metric"] == metric)]
            draw_differences(ax, rows, references)
            ax.set_title(f"{short(arm)}: {metric.replace('_', ' ')}")
            ax.set_ylabel(f"points (above 0: {short(arm)} better)")
            share_axis(ax, statistics)
    legend_above(figure, axes[0][0])


def draw_differences(ax: Axes, rows: pd.DataFrame, references: Sequence[str]) -> None:
    """One arm minus every reference, in points of one metric."""
    mark = arm_marks(references)
    ax.axhline(0, color=INK, lw=1.2)
    for i, reference in enumerate(references):
        curve = rows[rows["reference"] == reference].sort_values("share")
        x = curve["share"] * 1.06 ** (i - (len(references) - 1) / 2)
        label, error = f"minus {short(reference)}", 100 * interval_bars(curve, "difference")
        look = {"yerr": error, "lw": 0.9, "ls": ":", "elinewidth": 1.8, "capsize": 3}
        draw_points(ax, mark[reference], label, x, 100 * curve["difference"], **look)


def share_axis(ax: Axes, rows: pd.DataFrame) -> None:
    """Log axis with a tick per share, thinned where names would collide."""
    ax.set_xscale("log")
    shares = rows.sort_values("share")["share"].unique()
    apart = (shares[-1] / shares[0]) ** (1 / MAX_TICKS)
    ticks = [shares[-1]]
    for share in shares[-2::-1]:
        if ticks[-1] / share > apart:
            ticks.append(share)
    counts = dict(zip(rows["share"], rows["n_labelled"], strict=True))
    names = [f"{percent(s)}\n{counts[s]:,}".replace(" ", "\u2009") for s in ticks]
    ax.set_xticks(ticks, names, fontsize=8.5)
    ax.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    ax.set_xlabel("share of the training labels (below: how many)")


def endpoint_forest(figure: Figure, endpoint: pd.DataFrame) -> Any:
    """Difference in the endpoint of every arm to every reference, a panel an arm."""
    arms, n_references = endpoint["arm"].unique(), endpoint["reference"].nunique()
    height = 0.9 + (0.6 + 0.36 * n_references) * len(arms)
    axes = add_axes(figure, 8.6, height, nrows=len(arms), squeeze=False, sharex=True)[:, 0]
    for ax, arm in zip(axes, arms, strict=True):
        draw_endpoint(ax, endpoint[endpoint["arm"] == arm])
    for ax in axes[:-1]:
        ax.set_xlabel("")
    return axes


def draw_endpoint(ax: Axes, rows: pd.DataFrame) -> None:
    """One arm against every reference: thick over seeds or splits, thin over test groups."""
    mark = arm_marks([*rows["arm"].unique(), *rows["reference"]])
    ax.axvline(0, color=INK, lw=1.2)
    names = []
    for i, row in enumerate(rows.to_dict("records")):
        style = mark[row["reference"]]
        for kind, y, width in (("ci", i, 3.2), ("group", i + 0.24, 1.2)):
            ends = [100 * row[f"{kind}_low"], 100 * row[f"{kind}_high"]]
            ax.plot(ends, [y, y], color=style["color"], lw=width, solid_capstyle="round")
        ax.plot(100 * row["difference"], i, ms=8, **style)
        names.append(f"minus {short(row['reference'])}")
        names[-1] += " (best on validation)" * bool(row["is_best"])
    ax.set_yticks(range(len(rows)), names)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_title(short(rows["arm"].iloc[0]))
    metric = rows["metric"].iloc[0].replace("_", " ")
    ax.set_xlabel(f"points of {metric} (right of 0: the arm is better)")


def labels_saved(figure: Figure, saved: pd.DataFrame) -> None:
    """Labels that each reference needs for what an arm reaches with fewer; on the line, none."""
    arms, references = saved["arm"].unique(), saved["reference"].unique().tolist()
    mark = arm_marks([*arms, *references])
    axes = add_axes(figure, 10.4, 4.4, ncols=len(arms), squeeze=False)[0]
    most = saved["n_labelled"].max()
    ends = [saved["n_labelled"].min(), most]
    for ax, arm in zip(axes, arms, strict=True):
        ax.plot(ends, ends, color=INK, lw=1, ls="--")
        for i, reference in enumerate(references):
            rows = saved[(saved["arm"] == arm) & (saved["reference"] == reference)]
            rows = rows.sort_values("n_labelled")
            x = rows["n_labelled"] * 1.04 ** (i - (len(references) - 1) / 2)
            needed = rows[["needed", "needed_low", "needed_high"]].clip(upper=1.35 * most)
            look = {"yerr": interval_bars(needed, *needed), "lw": 0.9, "ls": ":", "capsize": None}
            draw_points(ax, mark[reference], short(reference), x, needed["needed"], **look)
        ax.axhline(1.2 * most, color=MUTED, lw=0.8)
        place = {"va": "top", "xycoords": ("axes fraction", "data"), "fontsize": 8.5}
        ax.annotate("more than the largest budget", (0.02, 1.14 * most), color=MUTED, **place)
        ax.set(title=short(arm), xscale="log", yscale="log", xlabel="labels of the arm")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(matplotlib.ticker.StrMethodFormatter("{x:,.0f}"))
            axis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    axes[0].set_ylabel("labels that the reference needs")
    legend_above(figure, axes[0])


def curve_figure(
    figure: Figure, summary: pd.DataFrame, statistics: pd.DataFrame, metric: str
) -> None:
    """Scores of the paper's arms, and the paired differences of SwAV, if any."""
    axes = add_axes(figure, 10.4, 4.4, ncols=1 + bool(len(statistics)), squeeze=False)[0]
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
