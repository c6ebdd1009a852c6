"""Confusion matrix of one arm at one share."""

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from sklearn import metrics as sk

from jaxssl.evaluation.predictions import unpack
from jaxssl.report.style import COLOURS, INK, new_figure, short

# transparent at 0, so that an empty cell has the colour of light and of dark paper alike
_SHADES = LinearSegmentedColormap.from_list(
    "shades", [(*to_rgb(COLOURS[0]), a) for a in (0.0, 1.0)]
)
SHARE = 0.1  # the matrix is shown at the share nearest to this one


def nearest_share(shares: list[float]) -> float:
    """The share nearest to 10 % on the log axis of the curves."""
    return min(shares, key=lambda share: abs(np.log(share / SHARE)))


def confusion_counts(predictions: pd.DataFrame) -> pd.DataFrame:
    """True class (rows) by predicted class (columns), test samples pooled over seeds."""
    found = unpack(predictions)
    classes = list(found.classes)
    counts = sk.confusion_matrix(found.codes, found.named, labels=range(len(classes)))
    return pd.DataFrame(counts, classes, classes).rename_axis(index="true", columns="predicted")


def confusion_matrix(predictions: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Row-normalised percentages (the diagonal is recall), and the counts behind them."""
    counts = confusion_counts(predictions)
    n_classes, n_seeds = len(counts), predictions["seed"].nunique()
    n_samples = counts.sum(axis=1)
    percent = 100 * counts.to_numpy() / np.maximum(n_samples.to_numpy(), 1)[:, None]
    size = np.clip(0.31 * n_classes, 2.2, 9.6)
    figure, ax = new_figure(size + 2.6, size + 1.5)
    image = ax.imshow(percent, cmap=_SHADES, vmin=0, vmax=100, interpolation="nearest")
    digits = 9.0 if n_classes <= 12 else 7.0 if n_classes <= 22 else 6.2
    for i, j in zip(*np.nonzero(np.rint(percent)), strict=True):
        ax.text(j, i, f"{percent[i, j]:.0f}", ha="center", va="center", fontsize=digits,
                color="#ffffff" if percent[i, j] > 60 else INK)  # fmt: skip
    names = [short(str(name)) for name in counts.index]
    tests = n_samples.to_numpy() // n_seeds
    rows = [f"{name} ({n:,})" for name, n in zip(names, tests, strict=True)]
    ax.set_xticks(range(n_classes), names, rotation=45 if n_classes < 5 else 90, fontsize=8,
                  ha="right" if n_classes < 5 else "center")  # fmt: skip
    ax.set_yticks(range(n_classes), rows, fontsize=8)
    ax.set(xlabel="predicted class", ylabel="true class (test samples)")
    ax.grid(visible=False)
    ax.tick_params(length=0)
    bar = figure.colorbar(image, ax=ax, shrink=min(1.0, 3 / size), pad=0.02)
    bar.set_label("% of the true class")
    bar.outline.set_visible(False)
    return figure, counts
