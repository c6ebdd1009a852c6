"""What a table of the benchmark is made of, and what its measurements share."""

from collections.abc import Callable
from typing import Any, NamedTuple

from launch.benchmark.machine import Limits
from launch.benchmark.references import References

Row = dict[str, Any]


class Bench(NamedTuple):
    """What a measurement may use."""

    limits: Limits
    n_rounds: int  # turns of every candidate
    references: References


class Section(NamedTuple):
    """A table: its sizes, and how a row is measured."""

    quick: tuple[Any, ...]
    full: tuple[Any, ...]
    measure: Callable[[Any, Bench], Row]
    on_gpu: tuple[Any, ...] = ()  # sizes that are added where there is a GPU

    def cases(self, *, full: bool, gpu: bool) -> tuple[Any, ...]:
        """The sizes of a suite."""
        return (*(self.full if full else self.quick), *(self.on_gpu if gpu else ()))
