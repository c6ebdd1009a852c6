"""What predictions say of every class and every batch: confusion, recall, accuracy, calibration."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure

from jaxssl.evaluation.intervals import wilson
from jaxssl.evaluation.predictions import ECE_BINS, unpack
from jaxssl.report.drawing import (
    COLOURS,
    GRID,
    INK,
    MUTED,
    add_axes,
    arm_marks,
    draw_points,
    interval_bars,
    legend_above,
    short,
)
from jaxssl.report.tables import PARTS

SHARE = 0.1  # predictions are shown at the share of labels nearest to this one
MAX_BATCHES = 40  # the largest ones are drawn; the CSV has all
MIN_SAMPLES = 10  # of a bin of the calibration that is drawn; fewer say nothing
# transparent at 0, so that an empty cell has the colour of light and of dark paper alike
_SHADES = LinearSegmentedColormap.from_list("shades", [(*to_rgb(COLOURS[0]), a) for a in (0, 1)])


def nearest_share(shares: list[float]) -> float:
    """The share nearest to 10 % on the log axis of the curves."""
    return min(shares, key=lambda share: abs(np.log(share / SHARE)))


def by_arm(
    measure: Callable[..., pd.DataFrame], predictions: Mapping[str, pd.DataFrame], *own: Any
) -> pd.DataFrame:
    """One table of what `measure` finds in the predictions of every arm."""
    return pd.concat([measure(rows, *own).assign(arm=arm) for arm, rows in predictions.items()])


def confusion_counts(predictions: pd.DataFrame) -> pd.DataFrame:
    """True class (rows) by predicted class (columns), test samples pooled over seeds."""
    found = unpack(predictions)
    classes = list(found.classes)
    counts = np.zeros((len(classes), len(classes)), int)
    np.add.at(counts, (found.codes, found.named), 1)
    return pd.DataFrame(counts, classes, classes).rename_axis(index="true", columns="predicted")


def confusion_matrix(figure: Figure, counts: pd.DataFrame, n_seeds: int) -> Axes:
    """Row-normalised percentages of `confusion_counts`; the diagonal is recall."""
    size = float(np.clip(0.31 * len(counts), 2.2, 9.6))
    ax = add_axes(figure, size + 2.6, size + 1.5)
    draw_confusion(ax, counts, n_seeds, size)
    return ax


def draw_confusion(ax: Axes, counts: pd.DataFrame, n_seeds: int, size: float = 0) -> None:
    """The confusion matrix, `size` inches wide (as wide as `ax` by default), and its scale."""
    size = size or ax.get_window_extent().width / ax.figure.dpi
    n_samples, n_classes = counts.sum(axis=1).to_numpy(), len(counts)
    percent = 100 * counts.to_numpy() / np.maximum(n_samples, 1)[:, None]
    image = ax.imshow(percent, cmap=_SHADES, vmin=0, vmax=100, interpolation="nearest")
    digits = 9.0 if n_classes <= 12 else 7.0 if n_classes <= 22 else 6.2
    digits = min(digits, 36 * size / n_classes)  # half a cell: three of them fit its width
    letters = min(8.0, 2 * digits)
    for i, j in zip(*np.nonzero(np.rint(percent)), strict=True):
        colour = "#ffffff" if percent[i, j] > 60 else INK
        text = f"{percent[i, j]:.0f}"
        ax.text(j, i, text, ha="center", va="center", fontsize=digits, color=colour)
    names = [short(str(name)) for name in counts.index]
    rows = [f"{name} ({n:,})" for name, n in zip(names, n_samples // n_seeds, strict=True)]
    turned = {"rotation": 45, "ha": "right"} if n_classes < 5 else {"rotation": 90, "ha": "center"}
    look = {"fontsize": letters, "parse_math": False}
    ax.set_xticks(range(n_classes), names, **look, **turned)
    ax.set_yticks(range(n_classes), rows, **look)
    ax.set(xlabel="predicted class", ylabel="true class (test samples)")
    ax.grid(visible=False)
    ax.tick_params(length=0)
    bar = ax.figure.colorbar(image, ax=ax, shrink=min(1.0, 3 / size), pad=0.02)
    bar.set_label("% of the true class")
    bar.outline.set_visible(False)


def part_accuracy(predictions: pd.DataFrame, column: str) -> pd.DataFrame:
    """Accuracy over the seeds in every batch ("": none), or in every class: recall (`PARTS`).

    With the 95 % Wilson interval of a share of as many different samples.
    """
    right = predictions[["seed", "sample_id"]].assign(part=predictions[column].astype(str))
    right = right.assign(value=unpack(predictions).right)[right["part"] != ""]
    of_seeds = right.groupby(["part", "seed"])["value"].mean()
    found = pd.DataFrame({"mean": of_seeds.groupby("part").mean()})
    found["n"] = right.groupby("part")["sample_id"].nunique()
    ends = [wilson(float(mean), int(n)) for mean, n in zip(found["mean"], found["n"], strict=True)]
    found["low"], found["high"] = np.array(ends).reshape(-1, 2).T
    return found.reset_index()[PARTS]


def part_scores(figure: Figure, data: pd.DataFrame, what: str) -> None:
    """A row a class or batch, the largest above, with a mark an arm; bars are intervals."""
    tables = {str(arm): rows for arm, rows in data.groupby("arm", sort=False)}
    mark = arm_marks(list(tables))
    first = next(iter(tables.values())).sort_values("n").tail(MAX_BATCHES)
    place = {name: i for i, name in enumerate(first["part"])}
    ax = add_axes(figure, 8.6, 1.4 + 0.3 * len(place))
    for i, (arm, table) in enumerate(tables.items()):
        drawn = table[table["part"].isin(list(place))]
        y = drawn["part"].map(place) + 0.28 * ((len(tables) - 1) / 2 - i)
        bars = interval_bars(drawn, "mean", "low", "high")
        line = {"xerr": bars, "ls": "", "elinewidth": 1, "capsize": None}
        draw_points(ax, mark[arm], short(arm), drawn["mean"], y, **line)
    names = [f"{short(str(c))} ({n:,})" for c, n in zip(first["part"], first["n"], strict=True)]
    ax.set_yticks(list(place.values()), names, fontsize=8.5)
    ax.set_xlabel(f"{what} (in brackets: samples)")
    ax.set(xlim=(max(-0.02, data["low"].min() - 0.05), 1.02), ylim=(-0.7, len(place) - 0.3))
    ax.grid(axis="x", color=GRID)
    legend_above(figure, ax)


def reliability(predictions: pd.DataFrame) -> pd.DataFrame:
    """Bins of equal width: mean confidence, accuracy and number of predictions, seeds pooled."""
    found = unpack(predictions)
    confidence = found.probabilities.max(axis=1)
    number = np.digitize(confidence, np.arange(1, ECE_BINS) / ECE_BINS, right=True)
    table = pd.DataFrame({"bin": number, "confidence": confidence, "accuracy": found.right})
    bins = table.groupby("bin")
    return bins.mean().assign(n=bins.size()).reset_index()


def calibration(figure: Figure, data: pd.DataFrame) -> None:
    """How often the named class is right against how sure an arm is; below, the bins' sizes."""
    above, below = add_axes(figure, 6.4, 6.4, nrows=2, height_ratios=[3, 1], sharex=True)
    above.plot([0, 1], [0, 1], color=INK, lw=1, ls="--")
    turned = {"rotation": 45, "rotation_mode": "anchor"}
    above.annotate("as sure as right", (0.03, 0.06), color=MUTED, fontsize=8.5, **turned)
    mark = arm_marks(data["arm"].unique().tolist())
    for arm, table in data.groupby("arm", sort=False):
        drawn, style = table[table["n"] >= MIN_SAMPLES], mark[str(arm)]
        line = {"ms": 5.5, "lw": 1.4, "label": short(str(arm))} | style
        above.plot(drawn["confidence"], drawn["accuracy"], **line)
        share = 100 * table["n"] / table["n"].sum()
        below.plot(table["confidence"], share, ms=4, lw=1, **style)
    above.set(ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.02))
    below.set(xlabel="probability of the class that is named", ylabel="% of predictions")
    legend_above(figure, above)
