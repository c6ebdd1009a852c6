"""Interleaved timing: every candidate takes its turn in every round, so that drift hits all."""

import os
import statistics
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import joblib
import numpy as np

from jaxssl.runs.identity import PACKAGES, versions

GEMM_SIZE = 2048
COPY_BYTES = 2**28
BESIDE = ("torch", "torchvision", "lightly")

Tasks = Mapping[str, Callable[[], Any]]
"""What is timed, by name; a task returns when its work is done."""


class Timing(NamedTuple):
    """Seconds of one call over the rounds; the first call, which compiles, stands apart."""

    median: float
    lowest: float
    highest: float
    first: float

    def fields(self, name: str, factor: float) -> dict[str, Any]:
        """Median and range times a factor, as fields of a row."""
        extremes = [factor * self.lowest, factor * self.highest]
        return {name: factor * self.median, f"{name}_range": extremes}


def interleave(tasks: Tasks, n_rounds: int) -> dict[str, Timing]:
    """Time the tasks in the order A B A B …, after a first call of each."""
    calls = [{name: seconds(task) for name, task in tasks.items()} for _ in range(n_rounds + 1)]
    timings = {}
    for name in tasks:
        first, *later = (call[name] for call in calls)
        timings[name] = Timing(statistics.median(later), min(later), max(later), first)
    return timings


def seconds(task: Callable[[], Any]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    task()
    return time.perf_counter() - started


class Rates(NamedTuple):
    """Multiplications and additions, and bytes copied, a second."""

    flops_per_s: float = 0.0
    bytes_per_s: float = 0.0


class Limits:
    """The best matrix products and copies of this machine, taking turns with what is held to them.

    A machine's clock drifts, so that each table row is held to the best of its own minutes.
    """

    def __init__(self) -> None:
        self.best = Rates()  # of all rows
        a = jnp.ones((GEMM_SIZE, GEMM_SIZE))
        product = jax.jit(lambda a: jnp.matmul(a, a, precision="highest"))
        n_cores = joblib.cpu_count()
        sources = np.array_split(np.ones(COPY_BYTES // 8), n_cores)
        targets = np.array_split(np.empty(COPY_BYTES // 8), n_cores)
        pool = ThreadPoolExecutor(n_cores)
        self.tasks = {
            "gemm": lambda: product(a).block_until_ready(),
            "copy": lambda: list(pool.map(np.copyto, targets, sources)),
        }

    def interleave(self, tasks: Tasks, n_rounds: int) -> tuple[dict[str, Timing], Rates]:
        """Time the tasks in turns with the limits; timings, and the best rates meanwhile."""
        timings = interleave({**tasks, **self.tasks}, n_rounds)
        again = interleave(self.tasks, n_rounds)
        fastest = {name: min(timings.pop(name).lowest, again[name].lowest) for name in self.tasks}
        # a copy reads and writes
        rates = Rates(2 * GEMM_SIZE**3 / fastest["gemm"], 2 * COPY_BYTES / fastest["copy"])
        self.keep(rates)
        return timings, rates

    def keep(self, rates: Rates) -> None:
        """Note rates of this machine, measured here or in another process."""
        self.best = Rates(*map(max, self.best, rates))

    def best_by_unit(self) -> dict[str, float]:
        """The best rates; empty if no section asked for them."""
        named = {
            "gemm_gflop_per_s": self.best.flops_per_s / 1e9,
            "copy_gbyte_per_s": self.best.bytes_per_s / 1e9,
        }
        return {name: rate for name, rate in named.items() if rate}


def describe_machine() -> dict[str, Any]:
    """Threads, devices, versions; every candidate gets all the cores."""
    return {
        "cores": joblib.cpu_count(),
        "devices": [f"{device.device_kind} ({device.platform})" for device in jax.devices()],
        "load_average": os.getloadavg()[0],
        "versions": versions((*PACKAGES, *BESIDE)),
    }
