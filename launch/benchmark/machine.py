"""What the machine can do at best: matrix products and memory copies, in the same run."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import joblib
import numpy as np

from launch.benchmark.timing import interleave
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


class Limits:
    """Best rates of this machine, kept as the best of every call: other programs only lower it."""

    def __init__(self, flops_per_s: float = 0.0, bytes_per_s: float = 0.0) -> None:
        self.flops_per_s, self.bytes_per_s = flops_per_s, bytes_per_s
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

    def measure(self) -> None:
        """Try again, next to the measurement that will be held against it."""
        timings = interleave(self.tasks, 3)
        gemm, copy = (timings[name].lowest for name in ("gemm", "copy"))
        self.keep(2 * GEMM_SIZE**3 / gemm, 2 * COPY_BYTES / copy)  # a copy reads and writes

    def keep(self, flops_per_s: float, bytes_per_s: float) -> None:
        """Note rates of this machine that were measured elsewhere."""
        self.flops_per_s = max(self.flops_per_s, flops_per_s)
        self.bytes_per_s = max(self.bytes_per_s, bytes_per_s)

    def rates(self) -> dict[str, float]:
        """The best rates so far, by name and unit."""
        return {
            "gemm_gflop_per_s": self.flops_per_s / 1e9,
            "copy_gbyte_per_s": self.bytes_per_s / 1e9,
        }
