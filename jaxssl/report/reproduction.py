"""The page of a reproduction: a finding of the study, ours, and whether they agree."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from jaxssl.evaluation.claims import Verdict, together
from jaxssl.files import write_text
from jaxssl.report.drawing import Drawing, csv_text, data_uri, save, styled
from jaxssl.report.templates import template

OPEN = "open question"
"""In place of a verdict, where the study found nothing that could be agreed with."""


@dataclass(frozen=True)
class Shown:
    """A figure of the page with what is claimed of it."""

    number: str
    title: str
    name: str  # of the files
    caption: str
    svg: Markup
    csv: str  # data URI
    finding: str
    verdict: str
    claims: list[tuple[str, str, str]]  # text, ours with its interval, verdict


@dataclass(frozen=True)
class ShownTable:
    """A table of the study from the user's data."""

    number: str
    title: str
    header: list[str]
    rows: list[list[str]]


def show(
    number: str, title: str, caption: str, drawing: Drawing, finding: str,
    verdicts: Sequence[Verdict], folder: Path, *, is_open: bool = False,
) -> Shown:  # fmt: skip
    """Save a figure's files and lay it out for the page."""
    with styled():
        svg = save(drawing, folder)
    claims = [(v.text, ours(v), v.verdict) for v in verdicts]
    return Shown(
        number, title, drawing.name, caption, Markup(svg), data_uri(csv_text(drawing)), finding,
        OPEN if is_open else together(verdicts), claims,
    )  # fmt: skip


def ours(verdict: Verdict) -> str:
    """A difference with its interval, in points; a measure has neither."""
    if verdict.n == 0:
        return "not run"
    if math.isnan(verdict.difference):
        return f"{verdict.n} seeds"
    points = [100 * value for value in (verdict.difference, verdict.low, verdict.high)]
    return "{:+.1f} points ({:+.1f} to {:+.1f})".format(*points)


def as_table(number: str, title: str, table: pd.DataFrame) -> ShownTable:
    """A table for the page."""
    rows = [[str(value) for value in row] for row in table.itertuples(index=False, name=None)]
    return ShownTable(number, title, [str(column) for column in table.columns], rows)


def write_page(
    out: Path, title: str, scale: str, command: str, figures: Sequence[Shown],
    tables: Sequence[ShownTable],
) -> None:  # fmt: skip
    """Write the page in the format of the suffix of `out`, .html or .md."""
    text = template(f"reproduction{out.suffix}").render(
        title=title, scale=scale, command=command, figures=figures, tables=tables
    )
    write_text(out, text)
