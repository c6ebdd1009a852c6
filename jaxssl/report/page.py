"""What the report shows of a run, in the order of the page."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from jaxssl.evaluation import headline
from jaxssl.evaluation.conclusions import Conclusions
from jaxssl.evaluation.endpoint import ENDPOINT_COLUMNS
from jaxssl.evaluation.stats import summarize
from jaxssl.report import facts, figures, tables
from jaxssl.report.drawing import csv_text, data_uri, save
from jaxssl.report.run import Run, expand, merge_parts, read_run

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


PARTS_OF = {"classes": "class", "batch": "batch"}
"""What the rows of a section's tables are."""


@dataclass(frozen=True)
class Shown:
    """A figure as the page shows it."""

    section: str
    name: str
    title: str
    caption: str
    svg: Markup
    csv: str  # data URI
    tables: list[tables.Table]


def make_pages(run_folders: list[Path], folder: Path) -> list[dict[str, Any]]:
    """What is shown of every run; figures are saved in `folder` as .png, .svg and .csv.

    Shards and splits of one run are shown as that run. A part that a run lacks is named as missing.

    Raises:
        InputError: for a folder that holds no run.
    """
    runs = merge_parts([read_run(path) for path in expand(run_folders)])
    folder.mkdir(parents=True, exist_ok=True)
    names = _distinct_names(runs)
    several = len(runs) > 1
    return [
        _page(run, name, f"{_slug(name)}_" if several else "", folder)
        for run, name in zip(runs, names, strict=True)
    ]


def headlines(run: Run) -> list[str]:
    """A sentence per task and tested arm; the run's own where it has no statistics."""
    if run.statistics is None:
        return [run.summary["headline"]] if run.summary.get("headline") else []
    return [
        f"{task}. {sentence}" if task else sentence
        for task, concluded in _by_task(run)
        for sentence in headline.headlines(concluded)
    ]


def _by_task(run: Run) -> list[tuple[str, Conclusions]]:
    """The conclusions of each task of merged runs."""
    assert run.statistics is not None
    concluded = [run.statistics, run.endpoint, run.saved]
    found = []
    for task, rows in figures.tasks(run.statistics):
        key = rows[["dataset", "task"]].drop_duplicates()
        of_task = [
            pd.DataFrame(columns=ENDPOINT_COLUMNS) if table is None else table.merge(key)
            for table in concluded
        ]
        found.append((task, Conclusions(*of_task)))
    return found


def _page(run: Run, name: str, prefix: str, folder: Path) -> dict[str, Any]:
    """What the template shows of one run."""
    shown = []
    for drawing in figures.draw_run(run, prefix):
        svg = Markup(save(drawing, folder))  # matplotlib escapes the names in it
        csv = data_uri(csv_text(drawing))
        shown.append(
            Shown(
                drawing.section,
                drawing.name,
                drawing.title,
                drawing.caption,
                svg,
                csv,
                tables.part_tables(drawing.data, PARTS_OF.get(drawing.section, "")),
            )
        )
    summaries = [] if run.results is None else figures.tasks(summarize(run.results))
    endpoints = [] if run.endpoint is None else figures.tasks(run.endpoint)
    differences = [] if run.statistics is None else figures.tasks(run.statistics)
    return {
        "name": name,
        "anchor": _slug(name),
        "headlines": headlines(run),
        "status": run.pretraining.get("status", "warning"),
        "alarms": run.pretraining.get("messages", []),
        "warnings": run.summary.get("warnings", []),
        "endpoint": [(task, [tables.endpoint_table(rows)]) for task, rows in endpoints],
        "batch_told": tables.batch_told(run),
        "controlled": facts.controlled(run),
        "facts": facts.facts(run),
        "command": run.environment.get("command", ""),
        "options": facts.options(run.config),
        "figures": shown,
        "scores": [
            (t, tables.score_tables(rows, figures.tested_arms(run))) for t, rows in summaries
        ],
        "differences": [(task, tables.difference_tables(rows)) for task, rows in differences],
        "notes": _notes(run),
    }


def _notes(run: Run) -> dict[str, str]:
    """By section, how its tables are to be read."""
    notes = {}
    if run.endpoint is not None:
        declared = int(run.endpoint["is_best"].sum())
        margin = f"{100 * run.endpoint['margin'].iloc[0]:g}"
        notes["endpoint"] = (
            f"{declared} of the comparisons {'was' if declared == 1 else 'were'} declared: every "
            "arm against the classical arm that did best on the validation part. These alone have "
            "a verdict; p (Holm) adjusts over them. Points are percentage points of the endpoint, "
            f"the first interval is a {figures.interval(run.endpoint)}, the one over test samples "
            "a bootstrap of groups for the same seeds. A small p (equivalence) says that the "
            f"difference is less than {margin} points either way."
        )
    if run.statistics is not None:
        notes["labels"] = (
            f"Bold scores: the best mean at that share. Intervals of differences: "
            f"{figures.interval(run.statistics)}. Holm adjusts over all comparisons of one metric "
            "in this run. An arm wins or loses only where the interval excludes 0 and the "
            "Holm-adjusted p is at most 0.05; p is blank where it cannot be computed."
        )
    if run.batch is not None:
        notes["batch"] = (
            "Logistic regression fitted on training samples, classes of batches weighed alike. "
            "Batches that hold other tissues can be told without any technical effect."
        )
    return notes


def _distinct_names(runs: list[Run]) -> list[str]:
    """Folder names, numbered where two runs share one."""
    total, seen = Counter(run.name for run in runs), Counter()
    names = []
    for run in runs:
        seen[run.name] += 1
        names.append(f"{run.name} ({seen[run.name]})" if total[run.name] > 1 else run.name)
    return names


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower() or "run"
