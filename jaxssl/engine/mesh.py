"""Which device has what: the seeds along one axis, the rows of their batches along another."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, PyTree

SEEDS, ROWS = AXES = "seeds", "rows"
"""Of a mesh of devices: the seeds, and the rows that an encoder is given."""
SPLIT, REPLICATED = PartitionSpec(SEEDS), PartitionSpec()


def shard(tree: PyTree, per_seed: bool, mesh: Mesh | None = None) -> PyTree:
    """Place arrays on all devices of a mesh, by default of this process.

    With `per_seed` the seed axis is split over them, else all is replicated. On devices of several
    processes, each of which must have the arrays.
    """
    if mesh is None and jax.local_device_count() == 1:
        return jax.device_put(tree)
    mesh = mesh or own_devices()
    split = per_seed and len(jax.tree.leaves(tree)[0]) % mesh.shape[SEEDS] == 0
    sharding = NamedSharding(mesh, SPLIT if split else REPLICATED)
    if sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)
    return jax.tree.map(partial(_place, sharding), tree)


def _place(sharding: NamedSharding, leaf: Any) -> Array:
    """An array on devices of several processes, none of which looks at what the others have."""
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(_place(sharding, jax.random.key_data(leaf)))
    here = np.asarray(leaf)
    return jax.make_array_from_callback(here.shape, sharding, lambda index: here[index])


def mesh_for(n_seeds: int) -> Mesh:
    """All devices of all processes: as many along the seeds of a chunk as these divide into.

    The others split rows.
    """
    n = jax.device_count()
    return jax.make_mesh(
        (math.gcd(n_seeds, n), n // math.gcd(n_seeds, n)), AXES, axis_types=(AxisType.Auto,) * 2
    )


def own_devices() -> Mesh:
    """Those of this process, along the seeds."""
    devices = jax.local_devices()
    return Mesh(np.array(devices)[:, None], AXES, axis_types=(AxisType.Auto,) * 2)


def by_rows(apply: Callable[..., Array]) -> Callable[..., Array]:
    """A network's function whose rows are split over the devices that seeds leave, if any.

    Whatever is computed of them, codes over a whole batch, say, is what it is on one device: the
    compiler exchanges what that takes.
    """

    def split(params: PyTree, x: Array) -> Array:
        devices = jax.sharding.get_abstract_mesh()
        if devices.empty or devices.shape.get(ROWS, 1) == 1:
            return apply(params, x)
        rows = PartitionSpec(ROWS)
        x = jax.lax.with_sharding_constraint(x, rows)
        return jax.lax.with_sharding_constraint(apply(params, x), rows)

    return split
