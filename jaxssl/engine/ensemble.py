"""Many seeds at once: one compiled program maps a pure function of one seed over a seed axis.

A seed's key is `fold_in(root, seed id)`, so its result does not depend on which other seeds run,
on how many, or on how they are cut into chunks that fit the memory. With several devices, the
seed axis of a chunk is sharded over all of them and the training matrix is replicated. The cores of
a CPU count as devices: seeds side by side fill them better than one seed cut into pieces. Where
seeds are fewer than the devices that pretrain them, the rows of every batch are split, too.
"""

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import joblib
from jax.sharding import Mesh
from jaxtyping import Array, Int, Key, PyTree

from jaxssl.engine.mesh import AXES, REPLICATED, ROWS, SEEDS, SPLIT, own_devices
from jaxssl.types import InputError

Axes = tuple[int | None, ...]
"""Of every argument, the seed axis (0) or none."""
MAX_CORES = 16  # as devices; each may hold a copy of the training matrix

SHORTEST, LONGEST = 0.0005, 0.05  # seconds of a sleep

SETTINGS = {
    "jax_enable_x64": False,
    "jax_threefry_partitionable": True,
    "jax_default_prng_impl": "threefry2x32",
}
"""Of JAX, as they are by default: each decides numbers."""

COMPILER_OPTIONS: dict[str, dict[str, bool | int | str]] = {
    "cpu": {"xla_cpu_prefer_vector_width": 512},
    "gpu": {"xla_gpu_enable_triton_gemm": False},
}
"""By backend. Half as wide is the compiler's default on a CPU, which leaves half of an AVX-512 core
idle; on a GPU it also writes and times products of its own, which takes three times as long as all
else and gains nothing on cuBLAS (docs/performance.md).
"""


def seed_keys(root_key: int, seed_ids: Sequence[int]) -> Key[Array, " seeds"]:
    """Root key of every seed, keyed by its id; shape (seeds,)."""
    root = jax.random.key(root_key)
    return jax.vmap(lambda seed: jax.random.fold_in(root, seed))(jnp.asarray(seed_ids))


def over_seeds(
    fn: Callable,
    seed_args: Sequence[bool],
    donate: int | None = None,
    vectorize: bool | None = None,
    mesh: Mesh | None = None,
) -> Callable:
    """Compile the pure function `fn` of one seed for a chunk of seeds.

    `seed_args` says which arguments have a leading seed axis; the others are shared (a step number,
    so that a branch on it stays a branch; the training matrix). The first of two results replaces
    the argument at `donate`, in its memory. `vectorize`: `vmap`, or a loop over a device's seeds.
    `mesh`: the devices, by default those of this process, all along the seeds.
    """
    if vectorize is None:
        vectorize = vectorizes()
    in_axes = tuple(0 if per_seed else None for per_seed in seed_args)
    if vectorize:
        on_device = jax.vmap(fn, in_axes=in_axes)
    elif donate is None:
        on_device = partial(_one_by_one, fn, in_axes)
    else:
        on_device = partial(_in_place, fn, in_axes, donate)

    def over_devices(*args: PyTree) -> PyTree:
        devices = mesh or own_devices()
        if devices.size == 1 or _length(args, in_axes) % devices.shape[SEEDS]:
            return on_device(*args)
        split = jax.shard_map(
            on_device,
            mesh=devices,
            in_specs=tuple(SPLIT if has_axis else REPLICATED for has_axis in seed_args),
            out_specs=SPLIT,
            # rows are split by the compiler, which sees to what they exchange; seeds do nothing
            axis_names={SEEDS} if devices.shape[ROWS] > 1 else set(AXES),
            check_vma=False,
        )
        return split(*args)

    over_devices.__name__ = fn.__name__  # so that compile logs and profiles tell programs apart
    program = jax.jit(
        over_devices,
        donate_argnums=() if donate is None else (donate,),
        compiler_options=COMPILER_OPTIONS.get(jax.default_backend()),
    )
    return Awaited(program)


def check_session() -> None:
    """Refuse settings of JAX under which the numbers are others, or types do not fit."""
    for name, value in SETTINGS.items():
        found = getattr(jax.config, name)
        if found != value:
            raise InputError(
                f"this session has set JAX's {name} to {found}, and jaxssl computes with {value}",
                f"call jax.config.update({name!r}, {value!r})",
            )


class Awaited:
    """A compiled program that a signal can interrupt, whose results are there when it returns.

    Who waits inside the runtime instead hears of no signal before it is over.
    """

    def __init__(self, program: Any):
        self.program = program

    def __call__(self, *args: PyTree) -> PyTree:
        """Run it to its end."""
        check_session()
        return wait(self.program(*args))


def wait(tree: PyTree) -> PyTree:
    """The arrays once they are computed; sleeps, so that Python's handlers of signals can run."""
    started = time.perf_counter()
    computed: list[Any] = [leaf for leaf in jax.tree.leaves(tree) if hasattr(leaf, "is_ready")]
    for leaf in computed:
        while not leaf.is_ready():
            # for a hundredth of the time so far, so that waiting costs less than that
            time.sleep(min(max((time.perf_counter() - started) / 100, SHORTEST), LONGEST))
    return tree


def vectorizes() -> bool:
    """Whether the seeds of a device run as one wide computation.

    Not on CPUs, where one seed's products fill a core and a batched product is slower (and rounds
    differently): there they run one after the other.
    """
    return jax.default_backend() != "cpu"


def _one_by_one(fn: Callable, in_axes: Axes, *args: PyTree) -> PyTree:
    """`fn` for one seed after the other, results stacked."""
    return jax.lax.map(lambda i: fn(*_pick(args, in_axes, i)), jnp.arange(_length(args, in_axes)))


def _in_place(fn: Callable, in_axes: Axes, donate: int, *args: PyTree) -> PyTree:
    """`_one_by_one`, each first result written where its argument was: no second copy of all."""

    def update(kept: PyTree, i: Int[Array, ""]) -> tuple[PyTree, PyTree]:
        now = (*args[:donate], kept, *args[donate + 1 :])
        new, rest = fn(*_pick(now, in_axes, i))
        put = partial(jax.lax.dynamic_update_index_in_dim, index=i, axis=0)
        return jax.tree.map(put, kept, new), rest

    return jax.lax.scan(update, args[donate], jnp.arange(_length(args, in_axes)))


def _pick(args: Sequence[PyTree], in_axes: Axes, i: Int[Array, ""]) -> list[PyTree]:
    """The arguments of seed `i`."""
    take = partial(jax.lax.dynamic_index_in_dim, index=i, keepdims=False)
    return [
        arg if axis is None else jax.tree.map(take, arg)
        for arg, axis in zip(args, in_axes, strict=True)
    ]


def _length(args: Sequence[PyTree], in_axes: Axes) -> int:
    """Seeds of the arguments that have a seed axis."""
    return len(jax.tree.leaves(args[in_axes.index(0)])[0])


def use_cores(n_seeds: int) -> None:
    """Make devices of a CPU's cores, at most one a seed; without effect once JAX has started."""
    if "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", ""):
        return  # the user's choice
    with contextlib.suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", min(joblib.cpu_count(), n_seeds, MAX_CORES))


def chunks(seed_ids: Sequence[int], size: int) -> list[list[int]]:
    """Cut seed ids into chunks of `size`; the last one is filled up by repeating its last id."""
    cut = [list(seed_ids[start : start + size]) for start in range(0, len(seed_ids), size)]
    cut[-1] += [cut[-1][-1]] * (size - len(cut[-1]))
    return cut


def member(tree: PyTree, i: int) -> PyTree:
    """One seed out of a tree with a leading seed axis."""
    return jax.tree.map(lambda leaf: leaf[i], tree)
