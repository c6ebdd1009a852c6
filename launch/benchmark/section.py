"""What a table of the benchmark is made of, and what its measurements share."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from jaxssl.report.tables import as_markdown
from launch.benchmark.machine import Limits
from launch.benchmark.references import References

Row = dict[str, Any]


class Bench(NamedTuple):
    """What a measurement may use."""

    limits: Limits
    n_rounds: int  # turns of every candidate
    references: References


class Column(NamedTuple):
    """A column of the printed table; `benchmark.json` holds every field."""

    title: str
    field: str
    format: str = ""


class Section(NamedTuple):
    """A table: its columns and sizes, and how a row is measured."""

    columns: tuple[Column, ...]
    quick: tuple[Any, ...]
    full: tuple[Any, ...]
    measure: Callable[[Any, Bench], Row]
    on_gpu: tuple[Any, ...] = ()  # sizes that are added where there is a GPU

    def cases(self, *, full: bool, gpu: bool) -> tuple[Any, ...]:
        """The sizes of a suite."""
        return (*(self.full if full else self.quick), *(self.on_gpu if gpu else ()))

    def table(self, rows: Sequence[Row]) -> str:
        """The rows in Markdown; columns of which no row has anything are left out."""
        columns = [c for c in self.columns if any(c.field in row for row in rows)]
        cells = [
            [format(row[c.field], c.format) if c.field in row else "–" for c in columns]
            for row in rows
        ]
        return as_markdown([column.title for column in columns], cells)
