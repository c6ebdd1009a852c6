"""Interleaved timing: every candidate takes its turn in every round, so that drift hits all.

What must find nothing allocated or compiled before is measured in a process of its own.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import joblib
import numpy as np

GEMM_SIZE = 2048
COPY_BYTES = 2**28
GEMM, COPY = "gemm_gflop_per_s", "copy_gbyte_per_s"  # the limits
LAUNCH = str(__package__).removesuffix(".benchmark")
Found = TypeVar("Found")

Row = dict[str, Any]
References = Mapping[str, Callable[..., Any]]
"""The loop that a user would write instead, by its library: makes one of plan, config and pool."""

Tasks = Mapping[str, Callable[[], Any]]
"""What is timed, by name; a task returns when its work is done."""


class Timing(NamedTuple):
    """Seconds of one call over the rounds; the first call, which compiles, stands apart."""

    median: float
    lowest: float
    highest: float
    first: float


def interleave(tasks: Tasks, n_rounds: int) -> dict[str, Timing]:
    """Time the tasks in the order A B A B …, after a first call of each."""
    calls = [{name: seconds(task) for name, task in tasks.items()} for _ in range(n_rounds + 1)]
    timings = {}
    for name in tasks:
        first, *later = (call[name] for call in calls)
        timings[name] = Timing(statistics.median(later), min(later), max(later), first)
    return timings


def set_beside(timings: Mapping[str, Timing], unit: str, factor: float, n_seeds: int = 1) -> Row:
    """Times of the candidates in a unit, and how many times ours the others take.

    A call of ours is of `n_seeds`, and one of the others of one.
    """
    ours = timings["jaxssl"]
    row: Row = {"compile_seconds": ours.first - ours.median}
    for name, timing in timings.items():
        by = factor / n_seeds if timing is ours else factor
        row[f"{name}_{unit}"] = by * timing.median
        row[f"{name}_{unit}_range"] = [by * timing.lowest, by * timing.highest]
        if timing is not ours:
            row[f"times_{name}"] = row[f"{name}_{unit}"] / row[f"jaxssl_{unit}"]
    return row


def seconds(task: Callable[[], Any]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    task()
    return time.perf_counter() - started


class Bench:
    """What a measurement may use; and the limits of this machine, matrix products and copies.

    They take turns with what is held to them: a machine's clock drifts, so that each table row is
    held to the best of its own minutes.
    """

    def __init__(self, n_rounds: int, references: References) -> None:
        self.n_rounds, self.references = n_rounds, references  # turns of every candidate
        self.best: dict[str, float] = {}  # rates of all rows
        a = jnp.ones((GEMM_SIZE, GEMM_SIZE))
        product = jax.jit(lambda a: jnp.matmul(a, a, precision="highest"))
        n_cores = joblib.cpu_count()
        sources = np.array_split(np.ones(COPY_BYTES // 8), n_cores)
        targets = np.array_split(np.empty(COPY_BYTES // 8), n_cores)
        pool = ThreadPoolExecutor(n_cores)
        self.limits = {
            GEMM: lambda: product(a).block_until_ready(),
            COPY: lambda: list(pool.map(np.copyto, targets, sources)),
        }

    def interleave(self, tasks: Tasks) -> tuple[dict[str, Timing], float, float]:
        """Time the tasks in turns with the limits; timings, and the best rates of both limits."""
        timings = interleave({**tasks, **self.limits}, self.n_rounds)
        again = interleave(self.limits, self.n_rounds)
        work = {GEMM: 2 * GEMM_SIZE**3, COPY: 2 * COPY_BYTES}  # a copy reads and writes
        rates = {
            name: amount / 1e9 / min(timings.pop(name).lowest, again[name].lowest)
            for name, amount in work.items()
        }
        self.keep(rates)
        return timings, rates[GEMM], rates[COPY]

    def keep(self, rates: Mapping[str, float]) -> None:
        """Note rates of this machine, measured here or in another process."""
        self.best |= {name: max(rate, self.best.get(name, 0)) for name, rate in rates.items()}


def in_new_process(measure: Callable[..., Found], *arguments: object) -> Found:
    """Return what a function of a module finds for these arguments in a new process."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(measure, *arguments).result()


def command(verb: str, *flags: str) -> list[str]:
    return [sys.executable, "-m", f"{LAUNCH}.{verb}", *flags]


def run_verb(verb: str, *flags: str) -> None:
    """Run a verb to its end; raises RuntimeError with the end of its errors, if it fails."""
    done = subprocess.run(command(verb, *flags), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{verb} {' '.join(flags)} failed: {done.stderr[-2000:]}")
