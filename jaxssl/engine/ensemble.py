"""Many seeds at once: one compiled program maps a pure function of one seed over a seed axis.

A seed's key is `fold_in(root, seed id)`, so its result does not depend on which other seeds run,
on how many, or on how they are cut into chunks that fit the memory. With several devices, the
seed axis of a chunk is sharded over all of them and the training matrix is replicated. The cores of
a CPU count as devices: seeds side by side fill them better than one seed cut into pieces.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import joblib
import numpy as np
import psutil
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Key, PyTree

FREE_SHARE = 0.7  # of the free memory that one chunk may take
MAX_CORES = 16  # as devices; each may hold a copy of the training matrix

COMPILER_OPTIONS = {"cpu": {"xla_cpu_prefer_vector_width": 512}}
"""By backend. Half as wide is the compiler's default, which leaves half of an AVX-512 core idle."""


class MemoryPlan(NamedTuple):
    """What a chunk of seeds is expected to need, in bytes, and the chunk size that follows."""

    per_seed: int
    shared: int
    budget: int
    chunk: int

    def sentence(self, n_seeds: int) -> str:
        """One line for the log."""
        gb = 1e-9
        return (
            f"memory: {self.shared * gb:.2f} GB of data + {self.per_seed * gb:.3f} GB a seed, "
            f"{self.budget * gb:.1f} GB to use: {n_seeds} seeds in chunks of {self.chunk}"
        )


def seed_keys(root_key: int, seed_ids: Sequence[int]) -> Key[Array, " seeds"]:
    """Root key of every seed, keyed by its id; shape (seeds,)."""
    root = jax.random.key(root_key)
    return jax.vmap(lambda seed: jax.random.fold_in(root, seed))(jnp.asarray(seed_ids))


def over_seeds(
    fn: Callable,
    seed_args: Sequence[bool],
    donate: int | None = None,
    vectorize: bool | None = None,
) -> Callable:
    """Compile `fn` of one seed for a chunk of seeds.

    Args:
        fn: a pure function.
        seed_args: for each argument, whether it has a leading seed axis; the others are shared
            (a step number, so that a branch on it stays a branch; the training matrix).
        donate: position of the argument whose buffers the result may reuse.
        vectorize: `vmap` (True) or a compiled loop over a device's seeds (False). By default a
            loop on CPUs, where one seed's products fill a core and a batched product is slower (and
            rounds differently), `vmap` everywhere else.
    """
    if vectorize is None:
        vectorize = jax.default_backend() != "cpu"
    in_axes = tuple(0 if per_seed else None for per_seed in seed_args)

    def loop(*args: PyTree) -> PyTree:
        per_seed = [arg for arg, has_axis in zip(args, seed_args, strict=True) if has_axis]

        def one(seed_values: list[PyTree]) -> PyTree:
            remaining = iter(seed_values)
            return fn(
                *[
                    next(remaining) if has_axis else arg
                    for arg, has_axis in zip(args, seed_args, strict=True)
                ]
            )

        return jax.lax.map(one, per_seed)

    on_device = jax.vmap(fn, in_axes=in_axes) if vectorize else loop
    of_args = tuple(
        PartitionSpec("seeds") if has_axis else PartitionSpec() for has_axis in seed_args
    )

    def over_devices(*args: PyTree) -> PyTree:
        n_seeds = len(jax.tree.leaves(args[seed_args.index(True)])[0])
        if jax.device_count() == 1 or n_seeds % jax.device_count():
            return on_device(*args)
        split = jax.shard_map(
            on_device,
            mesh=_mesh(),
            in_specs=of_args,
            out_specs=PartitionSpec("seeds"),
            check_vma=False,  # nothing is exchanged between devices
        )
        return split(*args)

    over_devices.__name__ = fn.__name__  # so that compile logs and profiles tell programs apart
    return jax.jit(
        over_devices,
        donate_argnums=() if donate is None else (donate,),
        compiler_options=COMPILER_OPTIONS.get(jax.default_backend()),
    )


def use_cores(n_seeds: int) -> None:
    """Make devices of a CPU's cores, at most one a seed; without effect once JAX has started."""
    if "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", ""):
        return  # the user's choice
    with contextlib.suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", min(joblib.cpu_count(), n_seeds, MAX_CORES))


def plan_memory(
    per_seed: int, shared: int, n_seeds: int, memory_gb: float = 0.0, chunk: int = 0
) -> MemoryPlan:
    """Choose the chunk size: given, or the largest even cut of the seeds that fits.

    Args:
        per_seed: bytes of one seed's state, gradients and activations.
        shared: bytes of what all seeds share.
        n_seeds: seeds to run.
        memory_gb: budget; 0 for a share of what is free on the device.
        chunk: seeds per compiled call, rounded up to a multiple of the devices; 0 to choose.
    """
    budget = int(memory_gb * 1e9) or int(FREE_SHARE * free_memory())
    n_devices = jax.device_count()
    if not chunk:
        widest = max((budget - shared) // max(per_seed, 1), 1) * n_devices
        n_chunks = -(-n_seeds // min(widest, n_seeds))
        # even chunks, so that one compiled program serves all
        chunk = -(-n_seeds // n_chunks)
    chunk = -(-chunk // n_devices) * n_devices
    return MemoryPlan(per_seed, shared, budget, chunk)


def free_memory() -> int:
    """Bytes free on the first device; CPU devices share the host's."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    return min(psutil.virtual_memory().available, _container_limit()) // jax.device_count()


def _container_limit() -> int:
    """Memory limit of the control group, which a container or a Slurm job sets; bytes."""
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.exists() else "max"
    return int(text) if text.isdigit() else sys.maxsize


def bytes_of(tree: PyTree) -> int:
    """Bytes of all leaves of arrays or of shape structs; random keys are not counted."""
    return sum(
        int(np.prod(leaf.shape)) * np.dtype(leaf.dtype).itemsize
        for leaf in jax.tree.leaves(tree)
        if not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    )


def chunks(seed_ids: Sequence[int], size: int) -> list[list[int]]:
    """Cut seed ids into chunks of `size`; the last one is filled up by repeating its last id."""
    cut = [list(seed_ids[start : start + size]) for start in range(0, len(seed_ids), size)]
    cut[-1] += [cut[-1][-1]] * (size - len(cut[-1]))
    return cut


def shard(tree: PyTree, per_seed: bool) -> PyTree:
    """Place arrays on all devices: seed axis split over them, or replicated."""
    n_devices = jax.device_count()
    if n_devices == 1:
        return jax.device_put(tree)
    n_seeds = len(jax.tree.leaves(tree)[0]) if per_seed else 0
    split = per_seed and n_seeds % n_devices == 0
    return jax.device_put(
        tree, NamedSharding(_mesh(), PartitionSpec("seeds") if split else PartitionSpec())
    )


def _mesh() -> Mesh:
    return jax.make_mesh((jax.device_count(),), ("seeds",), axis_types=(AxisType.Auto,))


def member(tree: PyTree, i: int) -> PyTree:
    """One seed out of a tree with a leading seed axis."""
    return jax.tree.map(lambda leaf: leaf[i], tree)
