"""One look for every figure, and the files of a figure.

Colours are those of Okabe & Ito 2008 that keep a contrast of 3 : 1 or close to it on white and on
dark paper. No two things differ by colour alone: arms also differ in marker, classes in marker and
in the name written on them.
"""

import base64
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxssl.evaluation.arms import ARMS, FRAMED, method_of
from jaxssl.evaluation.stats import FLOOR
from jaxssl.files import replacing, write_text
from jaxssl.report.templates import TEMPLATES

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = tuple("os^DvPX<p>hd*H8+x")
USUAL = ("swav", "scratch", "logreg", "pca_logreg", "spread_selftrain", "best")
"""Arms that stand in one figure most often: each has a colour of its own."""
OTHER = "#8c9196"  # what is no category: the floor, unlabelled samples
ALARM = "#d55e00"
STYLE = TEMPLATES / "report.mplstyle"
_LOOK = matplotlib.rc_params_from_file(STYLE, use_default_template=False)
INK, MUTED, GRID, PAPER = (
    _LOOK[name] for name in ("text.color", "axes.edgecolor", "grid.color", "figure.facecolor")
)
# on the page these four are variables, so that figures follow light and dark
PAGE_COLOURS = {INK: "var(--ink)", MUTED: "var(--muted)"}
PAGE_COLOURS |= {GRID: "var(--grid)", PAPER: "var(--paper)"}


Mark = dict[str, Any]
"""How one arm or category is drawn: colour and marker, as options of matplotlib's lines."""


styled = partial(matplotlib.rc_context, fname=STYLE)
"""Within it, figures are drawn in the style of the report."""


def add_axes(figure: Figure, width: float, height: float, **subplots: Any) -> Any:
    """Give an empty figure its size in inches and its axes."""
    figure.set_size_inches(width, height)
    return figure.subplots(**subplots)


def legend_above(figure: Figure, ax: Axes, most: int = 4, **options: Any) -> None:
    """The legend of `ax` above the whole figure, at most `most` names a row."""
    handles, names = ax.get_legend_handles_labels()
    columns = min(len(names), most)
    figure.legend(handles, names, loc="outside upper center", ncols=columns, **options)


def marks(names: Sequence[Any]) -> dict[Any, Mark]:
    """Colour and marker of each name; 6 and 17 share no factor, so 102 pairs are distinct."""
    return {
        name: {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)]}
        for i, name in enumerate(names)
    }


def arm_marks(arms: Sequence[str]) -> dict[str, Mark]:
    """One mark per arm, the same in every figure whatever other arms it shows."""
    # the usual first, what is made of methods last: few arms have the marks easiest to tell apart
    others = sorted(
        set(ARMS) - {FLOOR, *USUAL}, key=lambda arm: ("+" in arm, method_of(arm), ARMS.index(arm))
    )
    known = [*USUAL, *others]
    known += FRAMED
    names = [*known, *(arm for arm in arms if arm not in (*known, FLOOR))]
    return marks(names) | {FLOOR: {"color": OTHER, "marker": "_"}}


def draw_points(ax: Axes, mark: Mark, label: Any, x: Any, y: Any, **look: Any) -> None:
    """Points in their mark, with the bars of `xerr` or `yerr` as intervals."""
    ax.errorbar(x, y, label=label, **{"ms": 5.5, "elinewidth": 1.1, "capsize": 2} | mark | look)


def interval_bars(
    rows: pd.DataFrame, centre: str = "mean", low: str = "ci_low", high: str = "ci_high"
) -> np.ndarray:
    """Lengths below and above; no interval (one repetition) draws no bar."""
    lengths = np.stack([rows[centre] - rows[low], rows[high] - rows[centre]])
    return np.maximum(np.nan_to_num(lengths), 0)  # a mean of equal numbers may miss them by a bit


def short(name: str, length: int = 24) -> str:
    """A name that fits a figure; the CSV beside it has it in full."""
    # tissues differ in their last words, cohorts in their first
    return name if len(name) <= length else f"{name[: length // 2]}…{name[1 - length // 2 :]}"


@dataclass(frozen=True)
class Drawing:
    """A figure that is ready to be shown or saved."""

    section: str  # of the page
    name: str  # of the files, without suffix
    title: str
    caption: str
    figure: Figure
    data: pd.DataFrame

    @property
    def csv(self) -> str:
        """The numbers of the figure; the index only where it says something."""
        return self.data.to_csv(index=self.data.index.name is not None, float_format="%.6g")

    @property
    def csv_uri(self) -> str:
        """The numbers of the figure as a link that needs no file."""
        return f"data:text/csv;base64,{base64.b64encode(self.csv.encode()).decode()}"


def save(drawing: Drawing, folder: Path) -> Markup:
    """Write NAME.png, NAME.svg and NAME.csv; returns the SVG as an element of the page."""
    svg = io.StringIO()
    with styled(), matplotlib.rc_context({"svg.hashsalt": drawing.name}):
        drawing.figure.draw_without_rendering()  # lays it out, once for both
        drawing.figure.set_layout_engine(None)
        with replacing(folder / f"{drawing.name}.png") as part:
            drawing.figure.savefig(part, format="png")
        # neither date nor random ids: the same run gives the same file
        drawing.figure.savefig(svg, format="svg", metadata={"Date": None})
    write_text(folder / f"{drawing.name}.svg", svg.getvalue())
    write_text(folder / f"{drawing.name}.csv", drawing.csv)
    # matplotlib escapes the names in it
    return Markup(inline_svg(svg.getvalue(), drawing.name))


def inline_svg(svg: str, name: str) -> str:
    """An SVG element that takes the page's colours and width, and whose ids are its own."""
    svg = svg[svg.index("<svg") :]
    for colour, variable in PAGE_COLOURS.items():
        svg = svg.replace(colour, variable)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    return re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
