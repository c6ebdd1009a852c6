"""What is written from templates: the report of runs, and the card that goes with a bundle.

A report is HTML that needs no other file, or Markdown with its figures beside it.
"""

import base64
import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from jaxssl.data.missing import CURVE
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.evaluation.calibration import sentence
from jaxssl.evaluation.ensemble_bundle import EnsembleBundle
from jaxssl.evaluation.novelty import UNTOLD
from jaxssl.evaluation.stats import summarize
from jaxssl.evaluation.worth import Worth
from jaxssl.files import write_text
from jaxssl.places import refuse_tilde
from jaxssl.report import facts, tables
from jaxssl.report.templates import TEMPLATES, TEXTS, template
from jaxssl.runs.layout import FIGURES, REPORT
from jaxssl.runs.output import check_file
from jaxssl.runs.previous import why_no_run
from jaxssl.runs.result import StudyResult
from jaxssl.types import InputError

SUFFIXES = (".html", ".md")
PARTS_OF = {"classes": "class", "batch": "batch"}  # what the rows of a section's tables are


def check_place(out: Path, runs: Iterable[Path], *, overwrite: bool) -> None:
    """Refuse a report on runs where another file lies, or figures, unless `overwrite` says so.

    What a run wrote, but for its own report, is never replaced.
    """
    refuse_tilde(out)
    folders = [folder.resolve() for folder in runs]
    if out.suffix not in SUFFIXES or out.is_dir():
        raise InputError(f"{out} is no HTML or Markdown file", "name it report.html, say")
    if out.name != REPORT:
        check_file(out)
    if out.exists() and not overwrite:
        raise InputError(f"{out} exists", "pass `overwrite` to replace it, or name another")
    figures, place = out.parent / FIGURES, out.parent.resolve()
    if place not in folders and place.is_dir() and not why_no_run(place):
        raise InputError(
            f"{out.parent} is the folder of another run, whose figures this report's would replace",
            "name a file in another folder",
        )
    if figures.exists() and not (overwrite or folders == [place]):
        raise InputError(
            f"{figures} has the figures of another report, and this one's would go there",
            "name a file in another folder, or pass `overwrite`",
        )


def write_report(runs: Sequence[StudyResult], out: Path) -> None:
    """Write the report of runs that were read; a part that one lacks is named as missing."""
    folder = out.parent / FIGURES
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder} cannot be made ({error.strerror})", "name a report in another folder"
        ) from error
    pages, total, seen = [], Counter(run.name for run in runs), Counter()
    taken: set[str] = set()
    for run in runs:
        seen[run.name] += 1
        name = f"{run.name} ({seen[run.name]})" if total[run.name] > 1 else run.name
        slug = unlike(re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower() or "run", taken)
        taken.add(slug)
        figures = _figures(run, f"{slug}_" if len(runs) > 1 else "", folder)
        pages.append({"name": name, "anchor": slug, "figures": figures} | _texts(run))
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    digest = hashlib.sha256(script.encode()).digest()  # the page's policy lets no other script run
    own = {"script": Markup(script), "script_hash": base64.b64encode(digest).decode()}
    page = template(f"report{out.suffix}")
    write_text(out, page.render(runs=pages, sections=TEXTS["sections"], **own))


def unlike(slug: str, taken: Collection[str]) -> str:
    """The slug, with a number where another run's is the same."""
    numbered = (f"{slug}-{number}" for number in itertools.count(2))
    return slug if slug not in taken else next(s for s in numbered if s not in taken)


def _figures(run: StudyResult, prefix: str, folder: Path) -> list[tuple[Any, ...]]:
    """Every figure with its SVG and its tables."""
    from jaxssl.report.drawing import save
    from jaxssl.report.figures import draw_run

    shown = []
    for drawing in draw_run(run, prefix):
        parts = tables.part_tables(drawing.data, PARTS_OF.get(drawing.section, ""))
        shown.append((drawing, save(drawing, folder), parts))
    return shown


def _texts(run: StudyResult) -> dict[str, Any]:
    """Words and tables by their name in the templates; tables with the task that they are of."""
    summary = None if run.results is None else summarize(run.results, run.tested)
    tested = facts.tested_arms(run)
    return {
        "headlines": facts.headlines(run),
        "verdict": run.verdict.get("sentences", []),
        "all_labels": [(k, tables.comparison_tables(t)) for k, t in facts.tasks(run.all_labels)],
        "status": run.pretraining.get("status", "warning"),
        "alarms": run.pretraining.get("messages", []),
        "warnings": run.summary.get("warnings", []),
        "endpoint": [(k, tables.comparison_tables(t)) for k, t in facts.tasks(run.endpoint)],
        "scores": [(task, tables.score_tables(t, tested)) for task, t in facts.tasks(summary)],
        "differences": [(k, tables.comparison_tables(t)) for k, t in facts.tasks(run.statistics)],
        "batch_told": tables.batch_told(run.batch),
        "controlled": facts.controlled(run),
        "facts": facts.facts(run),
        "command": run.environment.get("command", ""),
        "options": facts.options(run.config),
        "notes": facts.notes(run),
    }


def model_card(bundle: EncoderBundle, summary: Mapping[str, Any]) -> str:
    """What a bundle is, was made from and is worth, in Markdown; `summary` is the run's."""
    normalizer, method = bundle.normalizer, bundle.config.method.name
    rotation = normalizer.rotation
    return template("model_card.md").render(
        config=bundle.config,
        origin={"training_ids": "", "unlabelled": "", **bundle.provenance},  # not always written
        genes=normalizer.genes,
        scale=normalizer.expression_scale,
        n_features=len(normalizer.genes) if rotation is None else rotation.shape[1],
        widths="-".join(map(str, bundle.config.encoder.hidden)),
        classes=bundle.provenance.get("classes", []),
        headline=summary.get("headline", ""),
        scores=summary.get("arms", {}).get(method, {}),  # of the method's own arm, by share
        of_classifier=summary.get("classifier", {}),
        missing=bundle.provenance.get(CURVE),
        calibration=sentence(bundle.calibration),
        limits=_limits(bundle, summary),
    )


def ensemble_card(bundle: EnsembleBundle, worth: Worth) -> str:
    """What a recommended classifier is, was made from and is worth, in Markdown."""
    origin = bundle.provenance
    untold = [] if bundle.recommended.novelty.tells else [UNTOLD[:1].upper() + UNTOLD[1:]]
    return template("ensemble_card.md").render(
        origin={"training_ids": "", "unlabelled": "", **origin},  # not always written
        labels=dict(zip(origin["classes"], origin["class_counts"], strict=True)),
        genes=bundle.normalizer.genes,
        scale=bundle.normalizer.expression_scale,
        expected=worth.lines(),
        limits=list(dict.fromkeys([*untold, *origin["allowed_leaks"], *origin["warnings"]])),
    )


def _limits(bundle: EncoderBundle, summary: Mapping[str, Any]) -> list[str]:
    """What was let pass and warned of where the bundle was made, and let pass by the run."""
    origin = bundle.provenance
    leaks = [*origin.get("allowed_leaks", []), *summary.get("allowed_leaks", [])]
    known = [origin["overlap"]] if "overlap" in origin else []
    return list(dict.fromkeys([*leaks, *origin.get("warnings", []), *known]))
