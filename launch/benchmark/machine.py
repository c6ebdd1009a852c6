"""What the machine can do at best: matrix products and memory copies, in the same run."""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import joblib
import numpy as np

from launch.benchmark.timing import Timing, interleave
from launch.identity import PACKAGES, versions

GEMM_SIZE = 2048
COPY_BYTES = 2**28
BESIDE = ("torch", "torchvision", "lightly")


def describe() -> dict[str, Any]:
    """Threads, devices, versions; every candidate gets all the cores."""
    return {
        "cores": joblib.cpu_count(),
        "devices": [f"{device.device_kind} ({device.platform})" for device in jax.devices()],
        "load_average": os.getloadavg()[0],
        "versions": versions((*PACKAGES, *BESIDE)),
    }


class Rates(NamedTuple):
    """Multiplications and additions, and bytes copied, a second."""

    flops_per_s: float = 0.0
    bytes_per_s: float = 0.0

    def in_words(self) -> dict[str, float]:
        """By name and unit."""
        return {
            "gemm_gflop_per_s": self.flops_per_s / 1e9,
            "copy_gbyte_per_s": self.bytes_per_s / 1e9,
        }


class Limits:
    """The best products and copies of this machine, taking their turns with what is held to them.

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

    def interleave(
        self, tasks: Mapping[str, Callable[[], Any]], n_rounds: int
    ) -> tuple[dict[str, Timing], Rates]:
        """Time the tasks in turns with the limits; timings, and the best rates meanwhile."""
        timings = interleave({**tasks, **self.tasks}, n_rounds)
        fastest = {name: timings.pop(name).lowest for name in self.tasks}
        for name, timing in interleave(self.tasks, n_rounds).items():
            fastest[name] = min(fastest[name], timing.lowest)
        # a copy reads and writes
        rates = Rates(2 * GEMM_SIZE**3 / fastest["gemm"], 2 * COPY_BYTES / fastest["copy"])
        self.keep(rates)
        return timings, rates

    def keep(self, rates: Rates) -> None:
        """Note rates of this machine, measured here or in another process."""
        self.best = Rates(*map(max, self.best, rates))
