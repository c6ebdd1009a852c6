"""What the report shows of a run, in the order of the page."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from jaxssl.evaluation.stats import summarize
from jaxssl.report import facts, figures, tables
from jaxssl.report.drawing import csv_text, data_uri, save
from jaxssl.runs.result import StudyResult

# section of the page -> what to say when a run has nothing for it
SECTIONS = {
    "endpoint": (
        "Primary endpoint",
        "No share of 1 to 10 % of the labels was compared with a reference.",
    ),
    "labels": ("Label efficiency", "This run compared no arms: it holds no results."),
    "classes": ("Classes", "This run holds no predictions of a tested arm."),
    "batch": ("Batches", "This run knows no batches, or compared nothing."),
    "pretraining": ("Pretraining", "This run holds no pretraining log."),
    "embedding": ("Embedding", "This run holds no embedding."),
}
PARTS_OF = {"classes": "class", "batch": "batch"}  # what the rows of a section's tables are


def make_pages(runs: Sequence[StudyResult], folder: Path) -> list[dict[str, Any]]:
    """What is shown of every run; figures are saved in `folder` as .png, .svg and .csv.

    A part that a run lacks is named as missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    several, pages = len(runs) > 1, []
    total, seen = Counter(run.name for run in runs), Counter()
    for run in runs:
        seen[run.name] += 1
        name = f"{run.name} ({seen[run.name]})" if total[run.name] > 1 else run.name
        slug = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower() or "run"
        drawn = _figures(run, f"{slug}_" if several else "", folder)
        pages.append({"name": name, "anchor": slug, "figures": drawn} | _texts(run))
    return pages


def _figures(run: StudyResult, prefix: str, folder: Path) -> list[tuple[Any, ...]]:
    """Every figure with its SVG, the link to its numbers and its tables."""
    return [
        (
            drawing,
            Markup(save(drawing, folder)),  # matplotlib escapes the names in it
            data_uri(csv_text(drawing)),
            tables.part_tables(drawing.data, PARTS_OF.get(drawing.section, "")),
        )
        for drawing in figures.draw_run(run, prefix)
    ]


def _texts(run: StudyResult) -> dict[str, Any]:
    """Words and tables by their name in the templates; tables with the task that they are of."""
    summaries = [] if run.results is None else facts.tasks(summarize(run.results))
    endpoints = [] if run.endpoint is None else facts.tasks(run.endpoint)
    differences = [] if run.statistics is None else facts.tasks(run.statistics)
    tested = figures.tested_arms(run)
    return {
        "headlines": facts.headlines(run),
        "status": run.pretraining.get("status", "warning"),
        "alarms": run.pretraining.get("messages", []),
        "warnings": run.summary.get("warnings", []),
        "endpoint": [(task, [tables.endpoint_table(rows)]) for task, rows in endpoints],
        "scores": [(task, tables.score_tables(rows, tested)) for task, rows in summaries],
        "differences": [(task, tables.difference_tables(rows)) for task, rows in differences],
        "batch_told": tables.batch_told(run.batch),
        "controlled": facts.controlled(run),
        "facts": facts.facts(run),
        "command": run.environment.get("command", ""),
        "options": facts.options(run.config),
        "notes": facts.notes(run),
    }
