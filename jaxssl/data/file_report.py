"""What was found in a file, for people and for programs."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class FileReport:
    """What `inspect` found in a file; `str` says it in about ten lines.

    Attributes:
        options: keywords of `read` that import the file; upper case stands for what is to choose.
        problems: what would stop `read` without them, and what it cannot solve.
        columns: name of a column about the samples → its role, "label" or "group", and its values.
        rules: a `label_rule` that fits the samples → its classes, with their sizes.
    """

    file: str
    kind: str  # "expression", or "samples" for a table about samples
    n_samples: int
    columns: dict[str, dict[str, Any]]
    options: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    n_genes: int = 0
    format: str = ""
    orientation: str = ""  # "": cannot be told
    orientation_reason: str = ""
    scale: str = ""  # "": cannot be told
    scale_reason: str = ""
    gene_id_type: str = ""
    gene_examples: list[str] = field(default_factory=list)
    sample_id_type: str = ""
    sample_examples: list[str] = field(default_factory=list)
    zero_share: float = 0.0
    missing_share: float = 0.0
    n_genes_with_missing: int = 0
    n_infinite: int = 0
    n_constant_genes: int = 0
    n_duplicate_genes: int = 0
    n_duplicate_samples: int = 0
    n_alike_samples: int = 0  # whose id is another's, too
    no_expression: list[str] = field(
        default_factory=list
    )  # names of what is neither gene nor sample
    is_joined: bool = False  # the labels know the samples
    join: str = ""  # how many of them
    rules: dict[str, dict[str, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def alike(self) -> str:
        """What `duplicate_samples` does with samples called alike: copies are few."""
        return "number" if 2 * self.n_alike_samples > self.n_samples else "first"

    def to_dict(self) -> dict[str, Any]:
        """All findings, ready for JSON."""
        return dataclasses.asdict(self)

    def lines(self) -> Iterator[str]:
        """The findings in English, a line each."""
        if self.kind == "samples":
            yield f"{self.file}: a table of {self.n_samples:,} samples"
            yield from _column_lines(self.columns)
            yield from (f"problem      {problem}" for problem in self.problems)
            return
        yield f"{self.file}: {self.format}, {self.n_samples:,} samples x {self.n_genes:,} genes"
        yield from (f"note         {note}" for note in self.notes)
        yield f"orientation  {self.orientation or 'unknown'}: {self.orientation_reason}"
        genes, samples = ", ".join(self.gene_examples), ", ".join(self.sample_examples)
        yield f"gene ids     {self.gene_id_type or 'unknown kind'}: {genes}, ..."
        yield f"sample ids   {self.sample_id_type or 'unknown kind'}: {samples}, ..."
        yield f"scale        {self.scale or 'unknown'}: {self.scale_reason}"
        yield (
            f"values       {self.zero_share:.1%} zeros, {self.missing_share:.2%} missing (in "
            f"{self.n_genes_with_missing:,} genes), {self.n_constant_genes:,} constant genes "
            "(dropped when training)"
        )
        yield (
            f"duplicates   {self.n_duplicate_genes} gene ids, {self.n_duplicate_samples} sample ids"
        )
        if self.join:
            yield f"labels       {self.join}"
        yield from _column_lines(self.columns)
        for rule, classes in self.rules.items():
            more = ", ..." if len(classes) > 4 else ""
            yield f"  `label_rule={rule}`: {len(classes)} classes ({_first_of(classes)}{more})"
        yield from (f"problem      {problem}" for problem in self.problems)

    def __str__(self) -> str:
        named = [f"{name}={value!r}" for name, value in self.options.items()]
        call = f"read({', '.join([repr(self.file), *named])})"
        if self.kind == "samples":
            call = f"inspect(EXPRESSION_FILE, labels={self.file!r})"
        return "\n".join([*self.lines(), f"next: jaxssl.{call}"])


def _column_lines(columns: dict[str, dict[str, Any]]) -> Iterator[str]:
    """A line a column: its classes with counts, or how many groups."""
    for name, column in columns.items():
        if column["role"] == "group":
            yield f"  {name}: {column['n_groups']:,} groups"
            continue
        counts = column["classes"]
        rest = f", ... {list(counts)[-1]} {list(counts.values())[-1]}" if len(counts) > 4 else ""
        total = f"{len(counts)} classes, {column['n_labelled']:,} labelled"
        yield f"  {name}: {total} ({_first_of(counts)}{rest})"


def _first_of(counts: dict[str, int]) -> str:
    return ", ".join(f"{value} {count}" for value, count in list(counts.items())[:4])
