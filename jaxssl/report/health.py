"""Health of the pretraining: loss, codes, prototypes, embedding."""

from collections.abc import Collection
from typing import Any

import matplotlib.ticker
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxssl.report.drawing import ALARM, COLOURS, INK, MUTED, add_axes

Seeds = Collection[int | str]  # by id, or as "split/seed" where there are several splits
MEASURES = {
    "loss": "Pretraining loss",
    "code_entropy_ratio": "Code entropy / ln K",
    "usage_perplexity": "Prototypes in use (perplexity)",
    "effective_rank": "Effective rank of the embedding",
}


def pretraining_curves(figure: Figure, metrics: pd.DataFrame, collapsed: Seeds) -> list[Axes]:
    """Loss per seed with the ln K line, and the measures of collapse, by epoch."""
    figure.set_size_inches(10.4, 5.6)
    loss, *others = MEASURES
    mosaic: Any = [[loss] * len(others), others]
    axes = figure.subplot_mosaic(mosaic)
    for measure, ax in axes.items():
        draw_measure(ax, metrics, measure, collapsed)
    return list(axes.values())


def draw_measure(ax: Axes, metrics: pd.DataFrame, measure: str, collapsed: Seeds) -> None:
    """One of `MEASURES` by epoch, a line a seed; collapsed seeds stand out and are named.

    K is exp(loss / loss_ratio); methods without prototypes or clusters get no line for it.
    """
    is_loss = measure == "loss"
    ax.set_title(MEASURES[measure], fontsize=10.5 if is_loss else 9.5)
    if measure not in metrics or metrics[measure].isna().all():
        ax.set_axis_off()
        place = {"ha": "center", "va": "center", "transform": ax.transAxes}
        ax.text(0.5, 0.5, "not measured for this method", color=MUTED, **place)
        return
    _draw_seeds(ax, metrics, measure, collapsed)
    k = _n_prototypes(metrics)
    if not is_loss:
        ax.set_ylim(bottom=0)
        if measure == "usage_perplexity" and k:
            ax.axhline(k, color=INK, ls="--", lw=1)
        return
    ax.margins(y=0.1)
    if k:
        ax.axhline(np.log(k), color=INK, ls="--", lw=1.2)
        text = f"ln K = {np.log(k):.2f} (K = {k}): as bad as uniform codes"
        _annotate(ax, text, float(np.log(k)), offset=-3, va="top")


def _annotate(ax: Axes, text: str, y: float, offset: int, **options: Any) -> None:
    """Write at the right end of a horizontal line, `offset` points above it."""
    place: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
    ax.annotate(text, (0.995, y), (0, offset), ha="right", fontsize=8.5, **place, **options)


def _members(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of every pretraining, by seed, or by split and seed where there are several."""
    keys = [name for name in ("split", "seed") if name in table]
    return {"/".join(map(str, key)): rows for key, rows in table.groupby(keys)}


def _draw_seeds(ax: Axes, metrics: pd.DataFrame, name: str, collapsed: Seeds) -> None:
    for seed, curve in _members(metrics).items():
        if seed not in set(map(str, collapsed)):
            ax.plot(curve["epoch"], curve[name], color=COLOURS[0], lw=1.1, alpha=0.55)
            continue
        ax.plot(curve["epoch"], curve[name], color=ALARM, lw=2.2, zorder=3)
        end = (curve["epoch"].iloc[-1], curve[name].iloc[-1])
        place = {"textcoords": "offset points", "ha": "right", "annotation_clip": False}
        ax.annotate(f"seed {seed}", end, (0, 4), color=ALARM, fontsize=8.5, **place)
    ax.set_xlabel("epoch")


def _n_prototypes(metrics: pd.DataFrame) -> int | None:
    needed = ("loss_ratio", "usage_perplexity")
    if any(name not in metrics or metrics[name].isna().all() for name in needed):
        return None
    return round(float(np.exp((metrics["loss"] / metrics["loss_ratio"]).median())))


def ranked_usage(usage: pd.DataFrame) -> pd.DataFrame:
    """Share of the training samples at each prototype, of every seed the most used first."""
    tables = [rows.sort_values("share", ascending=False) for rows in _members(usage).values()]
    return pd.concat(tables)


def prototype_usage(figure: Figure, usage: pd.DataFrame, collapsed: Seeds) -> None:
    """The shares of `ranked_usage`, one line per seed, and how many prototypes have a sample."""
    ranked, used = add_axes(figure, 10.4, 3.4, ncols=2, width_ratios=[2, 1])
    bad, counts, colours, members = set(map(str, collapsed)), {}, [], _members(usage)
    for seed, rows in members.items():
        share = rows["share"][rows["share"] > 0]  # no place on a log axis; the bars count them
        counts[seed] = len(share)
        colours.append(ALARM if seed in bad else COLOURS[0])
        ranked.plot(range(1, len(share) + 1), 100 * share, color=colours[-1], lw=1.1, alpha=0.7)
    k = max(map(len, members.values()))
    ranked.axhline(100 / k, color=INK, ls="--", lw=1)
    _annotate(ranked, f"even use: {100 / k:.2g} %", 100 / k, offset=3)
    ranked.set(title="Prototype usage, by rank", xlabel="prototype (most used first)")
    ranked.set(ylabel="% of training samples", yscale="log")
    used.bar(list(counts), list(counts.values()), color=colours, width=0.7)
    used.axhline(k, color=INK, ls="--", lw=1)
    several = "split" in usage
    used.set(title=f"Prototypes with a sample, of {k}", xlabel="split/seed" if several else "seed")
    n_ticks = 5 if several else 10  # whose names do not collide
    used.set_xticks(used.get_xticks()[:: -(-len(counts) // n_ticks)])
    used.grid(axis="x", visible=False)
    ranked.yaxis.set_major_formatter("{x:g}")
    ranked.yaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
