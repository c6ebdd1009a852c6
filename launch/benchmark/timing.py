"""Interleaved timing: every candidate takes its turn in every round, so that drift hits all."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Timing(NamedTuple):
    """Seconds of one call over the rounds; the first call, which compiles, stands apart."""

    median: float
    lowest: float
    highest: float
    first: float


def interleave(tasks: Mapping[str, Callable[[], Any]], n_rounds: int) -> dict[str, Timing]:
    """Time the tasks in the order A B A B …; a task returns when its work is done."""
    first = {name: seconds(task) for name, task in tasks.items()}
    rounds = [{name: seconds(task) for name, task in tasks.items()} for _ in range(n_rounds)]
    return {name: _timing(first[name], [r[name] for r in rounds]) for name in tasks}


def seconds(task: Callable[[], Any]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    task()
    return time.perf_counter() - started


def _timing(first: float, values: list[float]) -> Timing:
    return Timing(statistics.median(values), min(values), max(values), first)
