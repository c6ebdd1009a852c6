"""What the machine can do at best: matrix products and memory copies, in the same run."""

import os
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

    def __init__(self) -> None:
        a = jnp.ones((GEMM_SIZE, GEMM_SIZE))
        product = jax.jit(lambda a: jnp.matmul(a, a, precision="highest"))
        source = np.ones(COPY_BYTES // 8)
        target = np.empty_like(source)
        self.tasks = {
            "gemm": lambda: product(a).block_until_ready(),
            "copy": lambda: np.copyto(target, source),
        }
        self.flops_per_s = 0.0
        self.bytes_per_s = 0.0

    def measure(self) -> None:
        """Try again, next to the measurement that will be held against it."""
        timings = interleave(self.tasks, 3)
        self.flops_per_s = max(self.flops_per_s, 2 * GEMM_SIZE**3 / timings["gemm"].lowest)
        # a copy reads and writes
        self.bytes_per_s = max(self.bytes_per_s, 2 * COPY_BYTES / timings["copy"].lowest)

    def rates(self) -> dict[str, float]:
        """The best rates so far, by name and unit."""
        return {
            "gemm_gflop_per_s": self.flops_per_s / 1e9,
            "copy_gbyte_per_s": self.bytes_per_s / 1e9,
        }
