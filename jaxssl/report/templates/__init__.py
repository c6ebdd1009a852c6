"""Templates of pages and cards, with what comes from the data made harmless in each format."""

import re
import tomllib
from pathlib import Path

import jinja2
from markupsafe import Markup

TEMPLATES = Path(__file__).parent
TEXTS = tomllib.loads((TEMPLATES / "texts.toml").read_text(encoding="utf-8"))
"""Words of the report's sections (title, absent, note) and figures (section, title, caption)."""


def template(name: str) -> jinja2.Template:
    """The template of a file, such as "report.md"."""
    is_markdown = name.endswith(".md")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=not is_markdown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=markdown_text if is_markdown else None,
    )
    return environment.get_template(f"{name}.jinja")


def markdown_text(value: object) -> object:
    """Text that no Markdown reader takes for a command; `Markup` as it is."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return re.sub(r"([\\`*_{}\[\]<>#|$&~])", r"\\\1", " ".join(value.splitlines()))
