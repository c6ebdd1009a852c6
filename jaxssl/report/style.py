"""One look for every figure: colours, markers, sizes, names.

Colours are those of Okabe & Ito 2008 that keep a contrast of 3 : 1 or close to it on white and on
dark paper. No two things differ by colour alone: arms also differ in marker, classes in marker and
in the name written on them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "p", ">", "h", "d", "*")
OTHER = "#8c9196"  # what is no category: the floor, unlabelled samples
ALARM = "#d55e00"

# figures.py turns these four into variables of the page, so that figures follow light and dark
INK, MUTED, GRID, PAPER = "#22272d", "#6b7178", "#d9dde2", "#fefefe"

RC: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.facecolor": PAPER,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "text.parse_math": False,  # a "$" in a class name is no formula
    "figure.facecolor": PAPER,
    "figure.dpi": 100,
    "savefig.dpi": 160,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "svg.fonttype": "none",  # text stays text: small, searchable, selectable
}


class Mark(NamedTuple):
    """How one arm or category is drawn."""

    colour: str
    marker: str


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the style of the report."""
    with matplotlib.rc_context(RC):
        yield


def new_figure(width: float, height: float, **subplots: Any) -> tuple[Figure, Any]:
    """A figure of width x height inches with its axes, known to no window system."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(**subplots)


def marks(names: Sequence[str]) -> dict[str, Mark]:
    """Colour and marker of each name; 6 and 13 share no factor, so 78 pairs are distinct."""
    return {
        name: Mark(COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)])
        for i, name in enumerate(names)
    }


def interval_bars(rows: pd.DataFrame, centre: str = "mean") -> np.ndarray:
    """Lengths below and above; no interval (one repetition) draws no bar."""
    low, high = rows[centre] - rows["ci_low"], rows["ci_high"] - rows[centre]
    return np.nan_to_num(np.stack([low, high]))


def short(name: str, length: int = 24) -> str:
    """A name that fits a figure; the CSV beside it has it in full."""
    # tissues differ in their last words, cohorts in their first
    return name if len(name) <= length else f"{name[: length // 2]}…{name[1 - length // 2 :]}"


def explain_absence(ax: Axes, text: str) -> None:
    """Say in an empty panel why it is empty."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, ha="center", va="center", color=MUTED, transform=ax.transAxes)
