"""The label curves of the paper, and the page that sets its findings beside ours."""

from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from jaxssl.evaluation.claims import Verdict
from jaxssl.files import write_text
from jaxssl.report.curves import draw_differences, draw_scores, share_axis
from jaxssl.report.drawing import Drawing, add_axes, arm_marks, csv_uri
from jaxssl.report.search import WIDTH
from jaxssl.report.templates import template


def curve_figure(
    figure: Figure, summary: pd.DataFrame, statistics: pd.DataFrame, metric: str
) -> None:
    """Test scores against the share of labels, and the paired differences of SwAV, if any."""
    axes = add_axes(figure, WIDTH, 4.4, ncols=1 + bool(len(statistics)), squeeze=False)[0]
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


class Shown(NamedTuple):
    """A figure of the page with what is claimed of it."""

    number: str
    title: str
    drawing: Drawing
    svg: Markup
    finding: str  # of the paper
    verdict: str  # on the finding
    verdicts: Sequence[Verdict]  # on the claims that stand for it

    @property
    def csv(self) -> str:
        """The figure's numbers as a data URI."""
        return csv_uri(self.drawing)

    @property
    def claims(self) -> list[tuple[str, str, str]]:
        """Text, our difference with its interval, and verdict of every claim."""
        return [(verdict.text, ours(verdict), verdict.verdict) for verdict in self.verdicts]


class ShownTable(NamedTuple):
    """A table of the paper from the user's data."""

    number: str
    title: str
    table: pd.DataFrame


def ours(verdict: Verdict) -> str:
    """A difference with its interval, in points; a measure has neither."""
    if verdict.n == 0:
        return "not run"
    if isnan(verdict.difference):
        return f"{verdict.n} seeds"
    points = [100 * value for value in (verdict.difference, verdict.low, verdict.high)]
    return "{:+.1f} points ({:+.1f} to {:+.1f})".format(*points)


def write_page(
    out: Path,
    title: str,
    scale: str,
    command: str,
    figures: Sequence[Shown],
    tables: Sequence[ShownTable],
) -> None:
    """Write the page in the format of the suffix of `out`, .html or .md."""
    text = template(f"reproduction{out.suffix}").render(
        title=title, scale=scale, command=command, figures=figures, tables=tables
    )
    write_text(out, text)
