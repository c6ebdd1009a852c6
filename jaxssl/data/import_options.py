"""How an expression file is read: every choice once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_type_hints

from jaxssl.arguments import choose, read_argument
from jaxssl.bounds import Count, Share
from jaxssl.data import rules
from jaxssl.data.orientation import ORIENTATIONS
from jaxssl.data.scale import SCALES
from jaxssl.types import InputError

Paths = str | Path | Sequence[str | Path]
CHOICES = {
    "orientation": ("auto", *ORIENTATIONS),
    "scale": ("auto", *SCALES),
    "duplicates": ("error", "mean", "max", "sum", "first"),
    "duplicate_samples": ("error", "first", "number"),
    "impute": ("error", "mean", "zero", "drop_genes"),
    "label_rule": ("", *rules.RULES),
}
"""What an option may be, where it is one of a few."""

NEEDS = {"sample_column": "labels", "min_match": "labels", "gene_column": "gene_map"}
"""Option → the table that it is about."""


@dataclass(frozen=True)
class ImportOptions:
    """How a file is read; what the file itself tells need not be said."""

    labels: Paths | None = None  # tables of samples, joined by id
    label: str = ""  # of the table, else of the file or its obs
    group: str = ""
    batch: str = ""
    sample_column: str = ""  # of the table; "": found by match
    label_rule: str = ""  # a key in `rules.RULES`, which derives columns
    id_column: str = (
        ""  # of the file, with the ids of its rows; "": the first, unless it numbers them
    )
    text_columns: Sequence[str] = ()  # of the file, beside expression: kept as text
    no_header: bool = False  # the first line of a csv or tsv is data
    layer: str = ""  # which matrix of a file that holds several
    sheet: str = ""  # of a workbook
    orientation: str = "auto"
    scale: str = "auto"
    read_length: str = ""  # bases, or a column of the table: recount3's sums are divided by it
    gene_map: str | Path | None = None  # a table that renames genes
    gene_column: str = ""  # of that table, with the new names; "": of symbols
    duplicates: str = "error"  # of genes
    duplicate_samples: str = "error"
    impute: str = "error"
    rename_classes: Sequence[str] = ()  # OLD=NEW, of the label
    min_class_size: Count = 0
    min_match: Share = 0.5  # share of samples that the table must know

    def __post_init__(self):
        for name, declared in get_type_hints(type(self), include_extras=True).items():
            value = read_argument(name, getattr(self, name), declared)
            object.__setattr__(self, name, value)
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise InputError(
                    f"`{name}={value}` is unknown",
                    choose(value, filter(None, choices), "use"),
                )
        for name, needed in NEEDS.items():
            if getattr(self, name) != getattr(type(self), name) and not getattr(self, needed):
                finding = f"`{name}={getattr(self, name)}` says nothing without `{needed}`"
                raise InputError(finding, f"pass `{needed}` too, or drop it")


def paths_of(given: Paths | None) -> list[Path]:
    """One path, several, or none, as a list."""
    given = read_argument("path", given, Paths | None)
    if not given:
        return []
    return [Path(given)] if isinstance(given, str | Path) else [Path(path) for path in given]
