"""Health of the pretraining: loss, codes, prototypes, embedding."""

from collections.abc import Collection

import matplotlib.ticker
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxssl.report.style import ALARM, COLOURS, INK, explain_absence, new_figure

PANELS = {
    "code_entropy_ratio": "Code entropy / ln K",
    "usage_perplexity": "Prototypes in use (perplexity)",
    "effective_rank": "Effective rank of the embedding",
}


def pretraining_curves(
    metrics: pd.DataFrame, collapsed: Collection[int | str]
) -> tuple[Figure, pd.DataFrame]:
    """Loss per seed with the ln K line, and the measures of collapse, by epoch.

    K is exp(loss / loss_ratio); methods without prototypes or clusters get no line.
    """
    figure, axes = new_figure(10.4, 5.6, nrows=2, ncols=6)
    grid = axes[0, 0].get_gridspec()
    figure.clear()
    loss = figure.add_subplot(grid[0, :])
    _draw_seeds(loss, metrics, "loss", collapsed)
    loss.set_title("Pretraining loss")
    loss.margins(y=0.1)
    k = _prototypes(metrics)
    if k:
        loss.axhline(np.log(k), color=INK, ls="--", lw=1.2)
        loss.annotate(f"ln K = {np.log(k):.2f} (K = {k}): as bad as uniform codes",
                      (0.995, np.log(k)), (0, -3), xycoords=("axes fraction", "data"),
                      textcoords="offset points", ha="right", va="top", fontsize=8.5)  # fmt: skip
    for i, (name, title) in enumerate(PANELS.items()):
        ax = figure.add_subplot(grid[1, 2 * i : 2 * i + 2])
        ax.set_title(title, fontsize=9.5)
        if name not in metrics or metrics[name].isna().all():
            explain_absence(ax, "not measured for this method")
            continue
        _draw_seeds(ax, metrics, name, collapsed)
        ax.set_ylim(bottom=0)
        if name == "usage_perplexity" and k:
            ax.axhline(k, color=INK, ls="--", lw=1)
    return figure, metrics


def _members(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of every pretraining, by seed, or by split and seed where there are several."""
    keys = [name for name in ("split", "seed") if name in table]
    return {"/".join(map(str, key)): rows for key, rows in table.groupby(keys)}


def _draw_seeds(
    ax: Axes, metrics: pd.DataFrame, name: str, collapsed: Collection[int | str]
) -> None:
    for seed, curve in _members(metrics).items():
        bad = seed in set(map(str, collapsed))
        ax.plot(curve["epoch"], curve[name], color=ALARM if bad else COLOURS[0],
                lw=2.2 if bad else 1.1, alpha=1.0 if bad else 0.55,
                zorder=3 if bad else 2)  # fmt: skip
        if bad:
            ax.annotate(f"seed {seed}", (curve["epoch"].iloc[-1], curve[name].iloc[-1]), (0, 4),
                        textcoords="offset points", color=ALARM, ha="right", fontsize=8.5,
                        annotation_clip=False)  # fmt: skip
    ax.set_xlabel("epoch")


def _prototypes(metrics: pd.DataFrame) -> int | None:
    needed = ("loss_ratio", "usage_perplexity")
    if any(name not in metrics or metrics[name].isna().all() for name in needed):
        return None
    return round(float(np.exp((metrics["loss"] / metrics["loss_ratio"]).median())))


def prototype_usage(
    usage: pd.DataFrame, collapsed: Collection[int | str]
) -> tuple[Figure, pd.DataFrame]:
    """Share of the training samples at each prototype, most used first, one line per seed."""
    figure, (ranked, used) = new_figure(10.4, 3.4, ncols=2, width_ratios=[2, 1])
    bad, counts, members = set(map(str, collapsed)), {}, _members(usage)
    for seed, rows in members.items():
        share = np.sort(rows["share"].to_numpy())[::-1]
        counts[seed] = int((share > 0).sum())
        colour = ALARM if seed in bad else COLOURS[0]
        share = share[share > 0]  # no place on a log axis; the bars count them
        ranked.plot(np.arange(1, len(share) + 1), 100 * share, color=colour, lw=1.1, alpha=0.7)
    k = max(map(len, members.values()))
    ranked.axhline(100 / k, color=INK, ls="--", lw=1)
    ranked.annotate(f"even use: {100 / k:.2g} %", (0.995, 100 / k), (0, 3), ha="right",
                    xycoords=("axes fraction", "data"), textcoords="offset points",
                    fontsize=8.5)  # fmt: skip
    ranked.set(title="Prototype usage, by rank", xlabel="prototype (most used first)",
               ylabel="% of training samples", yscale="log")  # fmt: skip
    colours = [ALARM if seed in bad else COLOURS[0] for seed in counts]
    used.bar(list(counts), list(counts.values()), color=colours, width=0.7)
    used.axhline(k, color=INK, ls="--", lw=1)
    used.set(
        title=f"Prototypes with a sample, of {k}",
        xlabel="split/seed" if "split" in usage else "seed",
    )
    n_ticks = 5 if "split" in usage else 10  # whose names do not collide
    used.set_xticks(used.get_xticks()[:: -(-len(counts) // n_ticks)])
    used.grid(axis="x", visible=False)
    ranked.yaxis.set_major_formatter("{x:g}")
    ranked.yaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    return figure, pd.concat([r.sort_values("share", ascending=False) for r in members.values()])
