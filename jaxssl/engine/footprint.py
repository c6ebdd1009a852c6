"""What a chunk of seeds needs in memory, before anything is allocated, and the chunk that fits."""

import math
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import psutil
from jaxtyping import PyTree

from jaxssl.engine.ensemble import vectorizes

FREE_SHARE = 0.7  # of the free memory that one chunk may take
KEPT_FREE = 100_000_000  # bytes a CPU device; see `MemoryPlan.kept_free`


class Footprint(NamedTuple):
    """Bytes that a device needs."""

    shared: int  # what all seeds share: the training matrix
    per_seed: int  # what a seed keeps between compiled calls
    working: int  # what a seed needs while it is computed: gradients, activations
    copied: int = 0  # what is copied of a seed to the host between calls: its checkpoint


class MemoryPlan(NamedTuple):
    """The chunk of seeds that fits, and what it is expected to take."""

    footprint: Footprint
    budget: int  # bytes of one device
    chunk: int  # seeds of one compiled call, over all devices
    n_devices: int
    vectorized: bool  # whether the seeds of a device are computed together

    @property
    def total(self) -> int:
        """Bytes on all devices together."""
        at_once = self.chunk // math.gcd(self.chunk, self.n_devices)
        return self.n_devices * self.on_device(at_once)

    @property
    def kept_free(self) -> int:
        """Bytes of freed blocks that a host's allocator keeps, by `launch.benchmark`, memory."""
        return 0 if self.vectorized else KEPT_FREE

    def on_device(self, n_seeds: int) -> int:
        """Bytes that `n_seeds` seeds of a device need; a CPU device shares the host's memory."""
        shared, per_seed, working, copied = self.footprint
        if self.vectorized:
            return shared + n_seeds * (per_seed + working)
        # one after the other, each taken out of the stack and put back
        computing = (n_seeds + (n_seeds > 1)) * per_seed + working
        copying = n_seeds * (per_seed + copied)
        return shared + max(computing, copying) + self.kept_free

    def sentence(self, n_seeds: int) -> str:
        """One line for the log."""
        shared, per_seed, working, copied = (f"{size * 1e-9:.3f}" for size in self.footprint)
        return (
            f"memory: {n_seeds} seeds in chunks of {self.chunk} take {self.total * 1e-9:.2f} GB of "
            f"{self.n_devices} x {self.budget * 1e-9:.1f} GB; data {shared}, a seed {per_seed}, "
            f"its computation {working}, its checkpoint {copied}, kept by the allocator "
            f"{self.kept_free * 1e-9:.1f} GB a device"
        )


def plan_memory(
    footprint: Footprint,
    n_seeds: int,
    memory_gb: float = 0.0,
    chunk: int = 0,
    n_devices: int = 0,
    vectorized: bool | None = None,
    *,
    splits_rows: bool = False,
) -> MemoryPlan:
    """Choose the chunk size: given, or the largest even cut of the seeds that fits.

    A chunk is rounded up to a multiple of the devices, but with `splits_rows` where it has fewer
    seeds than these, on GPUs or of several processes. By default, a device may take a share of
    what is free on it, and devices are all that this process computes with.
    """
    budget = int(memory_gb * 1e9) or int(FREE_SHARE * free_memory())
    n_devices = n_devices or jax.device_count()
    vectorized = vectorizes() if vectorized is None else vectorized
    plan = MemoryPlan(footprint, budget, chunk, n_devices, vectorized)
    if not chunk:
        most = -(-n_seeds // n_devices)
        fitting = [n for n in range(2, most + 1) if plan.on_device(n) <= budget]
        n_chunks = -(-n_seeds // min(max(fitting, default=1) * n_devices, n_seeds))
        # even chunks, so that one compiled program serves all
        chunk = -(-n_seeds // n_chunks)
    # cores of one CPU do better by seeds
    if splits_rows and chunk < n_devices and (vectorized or jax.process_count() > 1):
        return plan._replace(chunk=chunk)
    return plan._replace(chunk=-(-chunk // n_devices) * n_devices)


def free_memory() -> int:
    """Bytes free on the first device; CPU devices share the host's."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    return free_on_host() // jax.device_count()


def free_on_host() -> int:
    """Bytes free in the host's memory, and in the control group of a container or Slurm job."""
    return min(psutil.virtual_memory().available, *_left_in_groups(Path("/")))


def _left_in_groups(root: Path) -> list[int]:
    """Bytes that each control group of this process has left; those without a limit are left out.

    What a group holds of files counts as free, as it does in the host's memory.
    """
    groups, found = root / "proc/self/cgroup", []
    lines = groups.read_text().splitlines() if groups.is_file() else []
    for _, kind, own in (line.split(":", 2) for line in lines):
        top = root / "sys/fs/cgroup" / ("" if not kind else "memory")
        words = ("memory.max", "memory.current", "inactive_file")
        if kind:  # of the first version
            words = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        if kind not in ("", "memory"):
            continue
        for folder in {top, top / own.lstrip("/")}:
            try:
                limit, used = ((folder / name).read_text().strip() for name in words[:2])
                stat = dict(map(str.split, (folder / "memory.stat").read_text().splitlines()))
            except (OSError, ValueError):
                continue
            if limit.isdigit():
                found.append(int(limit) - int(used) + int(stat.get(words[2], 0)))
    return found


def bytes_of(tree: PyTree) -> int:
    """Bytes of all leaves of arrays or of shape structs; random keys are not counted."""
    return sum(
        int(np.prod(leaf.shape)) * np.dtype(leaf.dtype).itemsize
        for leaf in jax.tree.leaves(tree)
        if not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    )
