"""The report as a file: HTML that needs no other file, or Markdown with its figures beside it."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from jaxssl.files import write_text
from jaxssl.report.page import SECTIONS, make_pages
from jaxssl.report.templates import TEMPLATES, template
from jaxssl.runs.layout import FIGURES
from jaxssl.runs.merge import expand, merge_parts
from jaxssl.runs.result import StudyResult, read_run

SUFFIXES = (".html", ".md")


def build_report(run_folders: Sequence[Path], out: Path) -> None:
    """Write the report of run folders; shards and splits of one run are shown as that run.

    Raises:
        InputError: for a folder that holds no run.
    """
    write_report(merge_parts([read_run(path) for path in expand(run_folders)]), out)


def write_report(runs: Sequence[StudyResult], out: Path) -> None:
    """Write `out`, in the format of its suffix, and beside it figures/*.png, .svg and .csv."""
    pages = make_pages(runs, out.parent / FIGURES)
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    digest = hashlib.sha256(script.encode()).digest()  # the page's policy lets no other script run
    text = template(f"report{out.suffix}").render(
        runs=pages,
        sections=SECTIONS,
        script=Markup(script),
        script_hash=base64.b64encode(digest).decode(),
    )
    write_text(out, text)
