"""The report as a file: HTML that needs no other file, or Markdown with its figures beside it."""

import base64
import hashlib
from pathlib import Path

from markupsafe import Markup

from jaxssl.files import write_text
from jaxssl.report.page import SECTIONS, make_pages
from jaxssl.report.templates import TEMPLATES, template

SUFFIXES = (".html", ".md")


def build_report(run_folders: list[Path], out: Path) -> None:
    """Write `out`, in the format of its suffix, and beside it figures/*.png, .svg and .csv.

    Raises:
        InputError: for a folder that holds no run.
    """
    pages = make_pages(run_folders, out.parent / "figures")
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    digest = hashlib.sha256(script.encode()).digest()  # the page's policy lets no other script run
    text = template(f"report{out.suffix}").render(
        runs=pages,
        sections=SECTIONS,
        script=Markup(script),
        script_hash=base64.b64encode(digest).decode(),
    )
    write_text(out, text)
