"""Label efficiency: scores and paired differences against the share of labels."""

from collections.abc import Sequence

import matplotlib.ticker
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxssl.evaluation.arms import ARMS, method_of
from jaxssl.evaluation.headline import percent
from jaxssl.evaluation.stats import FLOOR
from jaxssl.report.style import INK, MUTED, OTHER, Mark, interval_bars, marks, new_figure, short

METRICS = ("accuracy", "balanced_accuracy")
MAX_TICKS = 9  # whose names do not collide


def arm_order(summary: pd.DataFrame, tested: Sequence[str]) -> list[str]:
    """The arms under test first, then the others, the floor last."""
    arms = summary["arm"].unique().tolist()
    return sorted(arms, key=lambda arm: (arm == FLOOR, arm not in tested, arms.index(arm)))


def arm_marks(arms: Sequence[str]) -> dict[str, Mark]:
    """One mark per arm, the same in every figure whatever other arms it shows."""
    # methods first, what is made of them last: few arms have the marks easiest to tell apart
    known = sorted(
        set(ARMS) - {FLOOR}, key=lambda arm: ("+" in arm, not method_of(arm), ARMS.index(arm))
    )
    names = [*known, *(arm for arm in arms if arm not in ARMS)]
    return marks(names) | {FLOOR: Mark(OTHER, "_")}


def label_efficiency(summary: pd.DataFrame, tested: Sequence[str]) -> tuple[Figure, pd.DataFrame]:
    """Mean test score with 95 % interval of every arm; `summary` of one task, from `summarize`."""
    data = summary[summary["metric"].isin(METRICS)]
    arms = arm_order(data, tested)
    figure, axes = new_figure(10.4, 4.6, ncols=len(METRICS), squeeze=False)
    for ax, metric in zip(axes[0], METRICS, strict=True):
        _draw_scores(ax, data[data["metric"] == metric], arms, tested)
        ax.set_title(f"Test {metric.replace('_', ' ')}")
        _share_axis(ax, data)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=min(len(labels), 6))
    return figure, data


def _draw_scores(ax: Axes, rows: pd.DataFrame, arms: list[str], tested: Sequence[str]) -> None:
    mark = arm_marks(arms)
    above = rows[rows["arm"] != FLOOR]
    for i, arm in enumerate(arms):
        curve = rows[rows["arm"] == arm].sort_values("share")
        if arm == FLOOR and not above.empty:
            # drawn to scale, the floor would squeeze every other arm into a corner
            best, name = curve["mean"].max(), short(arm)
            ax.text(0.99, 0.02, f"{name}: {best:.3f} at best (not drawn)", color=MUTED, ha="right",
                    va="bottom", fontsize=8.5, transform=ax.transAxes)  # fmt: skip
            continue
        # arms stand side by side, or their intervals would hide one another
        x = curve["share"] * 1.045 ** (i - (len(arms) - 1) / 2)
        line, width, size, layer = ("-", 2.4, 6.5, 3) if arm in tested else ("--", 1.2, 4.5, 2)
        ax.errorbar(x, curve["mean"], yerr=interval_bars(curve), color=mark[arm].colour,
                    marker=mark[arm].marker, ls=line, lw=width, ms=size, zorder=layer,
                    elinewidth=1.1, capsize=2, label=short(arm))  # fmt: skip


def paired_differences(statistics: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Arm minus reference, paired by repetition, with 95 % intervals; `statistics` of one task."""
    data = statistics[statistics["metric"].isin(METRICS)]
    arms, references = data["arm"].unique(), data["reference"].unique().tolist()
    mark = arm_marks([*arms, *references])
    figure, axes = new_figure(
        10.4, 0.7 + 3.7 * len(arms), nrows=len(arms), ncols=len(METRICS), squeeze=False
    )
    for row, arm in zip(axes, arms, strict=True):
        for ax, metric in zip(row, METRICS, strict=True):
            rows = data[(data["arm"] == arm) & (data["metric"] == metric)]
            ax.axhline(0, color=INK, lw=1.2)
            for i, reference in enumerate(references):
                curve = rows[rows["reference"] == reference].sort_values("share")
                x = curve["share"] * 1.06 ** (i - (len(references) - 1) / 2)
                ax.errorbar(x, 100 * curve["difference"],
                            yerr=100 * interval_bars(curve, "difference"),
                            color=mark[reference].colour, marker=mark[reference].marker, ms=5.5,
                            lw=0.9, ls=":", elinewidth=1.8, capsize=3,
                            label=f"minus {short(reference)}")  # fmt: skip
            ax.set_title(f"{short(arm)}: {metric.replace('_', ' ')}")
            ax.set_ylabel(f"points (above 0: {short(arm)} better)")
            _share_axis(ax, data)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=min(len(labels), 4))
    return figure, data


def _share_axis(ax: Axes, rows: pd.DataFrame) -> None:
    """Log axis with a tick per share, thinned where names would collide."""
    ax.set_xscale("log")
    shares = rows.sort_values("share")["share"].unique()
    apart = (shares[-1] / shares[0]) ** (1 / MAX_TICKS)
    ticks = [shares[-1]]
    for share in shares[-2::-1]:
        if ticks[-1] / share > apart:
            ticks.append(share)
    counts = (
        dict(zip(rows["share"], rows["n_labelled"], strict=True)) if "n_labelled" in rows else {}
    )
    names = [
        percent(s).replace(" ", "\u2009") + (f"\n{counts[s]:,}" if counts else "") for s in ticks
    ]
    ax.set_xticks(ticks, names, fontsize=8.5)
    ax.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    ax.set_xlabel("share of the training labels" + (" (below: how many)" if counts else ""))
