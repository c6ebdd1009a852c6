"""The page of a reproduction: a finding of the paper, ours, and whether they agree."""

from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from markupsafe import Markup

from jaxssl.evaluation.claims import Verdict
from jaxssl.files import write_text
from jaxssl.report.drawing import Drawing, csv_text, data_uri
from jaxssl.report.templates import template


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
        return data_uri(csv_text(self.drawing))

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
