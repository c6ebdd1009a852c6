"""What a chunk of seeds needs in memory, before anything is allocated, and the chunk that fits."""

import sys
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import psutil
from jaxtyping import PyTree

from jaxssl.engine.ensemble import vectorizes

FREE_SHARE = 0.7  # of the free memory that one chunk may take
KEPT_FREE = 100_000_000  # bytes of freed blocks that a host's allocator keeps, for each CPU device


class Footprint(NamedTuple):
    """Bytes that a device needs."""

    shared: int  # what all seeds share: the training matrix
    per_seed: int  # what a seed keeps between compiled calls
    working: int  # what a seed needs while it is computed: gradients, activations


class MemoryPlan(NamedTuple):
    """The chunk of seeds that fits, and what it is expected to take."""

    footprint: Footprint
    budget: int  # bytes of one device
    chunk: int  # seeds of one compiled call, over all devices
    n_devices: int

    @property
    def total(self) -> int:
        """Bytes on all devices together."""
        return self.n_devices * _on_device(self.footprint, self.chunk // self.n_devices)

    def sentence(self, n_seeds: int) -> str:
        """One line for the log."""
        shared, per_seed, working = (size * 1e-9 for size in self.footprint)
        return (
            f"memory: {n_seeds} seeds in chunks of {self.chunk} take {self.total * 1e-9:.2f} GB of "
            f"{self.n_devices} x {self.budget * 1e-9:.1f} GB; a device holds {shared:.2f} GB of "
            f"data and {per_seed:.3f} GB a seed, and computes in {working:.3f} GB"
            f"{' a seed' * vectorizes()}"
        )


def plan_memory(
    footprint: Footprint, n_seeds: int, memory_gb: float = 0.0, chunk: int = 0
) -> MemoryPlan:
    """Choose the chunk size: given, or the largest even cut of the seeds that fits.

    Args:
        footprint: of a device.
        n_seeds: seeds to run.
        memory_gb: budget of a device; 0 for a share of what is free on it.
        chunk: seeds per compiled call, rounded up to a multiple of the devices; 0 to choose.
    """
    budget = int(memory_gb * 1e9) or int(FREE_SHARE * free_memory())
    n_devices = jax.device_count()
    if not chunk:
        most = -(-n_seeds // n_devices)
        fitting = [n for n in range(2, most + 1) if _on_device(footprint, n) <= budget]
        n_chunks = -(-n_seeds // min(max(fitting, default=1) * n_devices, n_seeds))
        # even chunks, so that one compiled program serves all
        chunk = -(-n_seeds // n_chunks)
    chunk = -(-chunk // n_devices) * n_devices
    return MemoryPlan(footprint, budget, chunk, n_devices)


def _on_device(footprint: Footprint, n_seeds: int) -> int:
    """Bytes that `n_seeds` seeds of a device need; a CPU device shares the host's memory."""
    shared, per_seed, working = footprint
    if vectorizes():
        return shared + n_seeds * (per_seed + working)
    # one after the other, each taken out of the stack and put back
    training = (n_seeds + (n_seeds > 1)) * per_seed + working
    checkpointing = 2 * n_seeds * per_seed  # from a copy
    return shared + max(training, checkpointing) + KEPT_FREE


def free_memory() -> int:
    """Bytes free on the first device; CPU devices share the host's."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    return min(psutil.virtual_memory().available, _container_limit()) // jax.device_count()


def bytes_of(tree: PyTree) -> int:
    """Bytes of all leaves of arrays or of shape structs; random keys are not counted."""
    return sum(
        int(np.prod(leaf.shape)) * np.dtype(leaf.dtype).itemsize
        for leaf in jax.tree.leaves(tree)
        if not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    )


def _container_limit() -> int:
    """Memory limit of the control group, which a container or a Slurm job sets; bytes."""
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.exists() else "max"
    return int(text) if text.isdigit() else sys.maxsize
