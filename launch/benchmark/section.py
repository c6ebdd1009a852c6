"""What a table of the benchmark is made of, and what its measurements share."""

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from jaxssl.report.tables import as_markdown

from .timing import Limits

Row = dict[str, Any]
References = Mapping[str, Callable[..., Any]]
"""The loops that a user would write instead, by the library they are written in."""

NEEDS = {"torch": "torch", "lightly": "lightly.loss"}
"""Module that a reference needs."""

INSTALL = "pip install '.[bench]'"


def find_references() -> tuple[References, list[str]]:
    """Return the references that can be imported, and why the others cannot."""
    found, left_out = {}, []
    for name, module in NEEDS.items():
        try:
            importlib.import_module(module)
            found[name] = importlib.import_module(f"{__package__}.torch_reference").LOOPS[name]
        except (ImportError, RuntimeError) as error:  # a torchvision of another PyTorch: the latter
            left_out.append(f"{name} ({INSTALL}): {error}")
    return found, left_out


class Bench(NamedTuple):
    """What a measurement may use."""

    limits: Limits
    n_rounds: int  # turns of every candidate
    references: References


class Section(NamedTuple):
    """A table: how a row is measured, and the sizes of each suite."""

    measure: Callable[..., Row]  # takes a `Bench` and the numbers of a size
    quick: Sequence[tuple]
    full: Sequence[tuple]
    on_gpu: Sequence[tuple] = ()  # sizes that are added where there is a GPU

    def row(self, bench: Bench, size: tuple) -> Row:
        """Measure one size, and name its numbers as the arguments that they are."""
        names = list(inspect.signature(self.measure).parameters)[1:]
        return dict(zip(names, size, strict=True)) | self.measure(bench, *size)


def table(rows: Sequence[Row]) -> str:
    """Write the numbers and names of all rows in Markdown; lists are in `benchmark.json` alone."""
    shown = {name: "" for row in rows for name, value in row.items() if _is_shown(name, value)}
    cells = [[_text(row.get(name, "–")) for name in shown] for row in rows]
    return as_markdown([name.replace("_", " ") for name in shown], cells)


def _is_shown(name: str, value: Any) -> bool:
    return isinstance(value, str | int | float) and not name.endswith("_error")


def _text(value: str | int | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 100 else f"{value:.3g}"
