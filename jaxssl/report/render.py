"""The report as a file: HTML that needs no other file, or Markdown with its figures beside it."""

import base64
import hashlib
import os
import re
from pathlib import Path

import jinja2
from markupsafe import Markup

from jaxssl.report.page import SECTIONS, make_pages

TEMPLATES = Path(__file__).parent / "templates"
SUFFIXES = (".html", ".md")


def build_report(run_folders: list[Path], out: Path) -> None:
    """Write `out`, in the format of its suffix, and beside it figures/*.png, .svg and .csv.

    Raises:
        InputError: for a folder that holds no run.
    """
    pages = make_pages(run_folders, out.parent / "figures")
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    digest = hashlib.sha256(script.encode()).digest()  # the page's policy lets no other script run
    text = (
        _environment(out.suffix)
        .get_template(f"report{out.suffix}.jinja")
        .render(
            runs=pages,
            sections=SECTIONS,
            script=Markup(script),
            script_hash=base64.b64encode(digest).decode(),
        )
    )
    partial = out.with_name(f".{out.name}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, out)


def _environment(suffix: str) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=suffix == ".html",
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Markdown has its own special characters, and reads HTML's too
        finalize=markdown_text if suffix == ".md" else None,
    )
    return environment


def markdown_text(value: object) -> object:
    """Text of the data that no Markdown reader takes for a command."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return re.sub(r"([\\`*_{}\[\]<>#|$&])", r"\\\1", value)
