"""A figure on its way to the page, and its files."""

import base64
import io
import re
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from jaxssl.files import replacing, write_text
from jaxssl.report.style import GRID, INK, MUTED, PAPER, styled

PAGE_COLOURS = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    PAPER: "var(--paper)",
}


@dataclass(frozen=True)
class Drawing:
    """A figure that is ready to be shown or saved."""

    section: str  # of the page
    name: str  # of the files, without suffix
    title: str
    caption: str
    figure: Figure
    data: pd.DataFrame


def save(drawing: Drawing, folder: Path) -> str:
    """Write NAME.png, NAME.svg and NAME.csv; returns the SVG as an element of the page."""
    svg = io.StringIO()
    with styled(), matplotlib.rc_context({"svg.hashsalt": drawing.name}):
        with replacing(folder / f"{drawing.name}.png") as part:
            drawing.figure.savefig(part, format="png")
        # neither date nor random ids: the same run gives the same file
        drawing.figure.savefig(svg, format="svg", metadata={"Date": None})
    write_text(folder / f"{drawing.name}.svg", svg.getvalue())
    write_text(folder / f"{drawing.name}.csv", csv_text(drawing))
    return inline_svg(svg.getvalue(), drawing.name)


def csv_text(drawing: Drawing) -> str:
    """The numbers of the figure; the index only where it says something."""
    return drawing.data.to_csv(index=drawing.data.index.name is not None, float_format="%.6g")


def inline_svg(svg: str, name: str) -> str:
    """An SVG element that takes the page's colours and width, and whose ids are its own."""
    svg = svg[svg.index("<svg") :]
    for colour, variable in PAGE_COLOURS.items():
        svg = svg.replace(colour, variable)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    return re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)


def data_uri(text: str, kind: str = "text/csv") -> str:
    """`text` as a link that needs no file."""
    return f"data:{kind};base64,{base64.b64encode(text.encode()).decode()}"
