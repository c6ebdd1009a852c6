"""Arrays by name on disk, by orbax, verified leaf by leaf on the way back.

Saved from and restored to NumPy, so they open on any machine and device layout. No pickle.
"""

import hashlib
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import jax
import numpy as np
from jaxtyping import PyTree
from orbax.checkpoint import v1 as ocp

from jaxssl.types import InputError

Leaves = dict[str, np.ndarray]
ARRAYS: dict[str, Any] = {
    r"_[A-Z_]+|_sharding|commit_success\.txt|orbax\.checkpoint": None,
    r"manifest\.ocdbt|[0-9a-f]{32}": None,
}
"""What orbax calls its files, as a `files.Tree`; its folders hold the same."""
ARRAYS[r"state|d|array_metadatas|process_\d+|ocdbt\.process_\d+"] = ARRAYS


_ASKS_ALL = "orbax.checkpoint.experimental.v1._src.saving.execution._check_directory_consistency"


class Leaf(NamedTuple):
    """What is on record of an array."""

    shape: tuple[int, ...]
    dtype: str
    sha256: str = ""  # of its bytes in C order; "": not compared


def flatten(tree: PyTree) -> Leaves:
    """Leaves on the host by dotted path, such as `params.encoder.layer_0.dense.kernel`."""
    return {name: np.asarray(leaf) for name, leaf in by_path(tree).items()}


def by_path(tree: PyTree) -> dict[str, Any]:
    """Leaves by dotted path, as they are, in the order of the tree's."""
    with_path, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in with_path
    }


def unflatten(leaves: Leaves) -> dict[str, Any]:
    """Nested dict from dotted paths."""
    tree: dict[str, Any] = {}
    for name, leaf in leaves.items():
        *parents, last = name.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = leaf
    return tree


def record(leaves: Leaves) -> dict[str, Leaf]:
    """Shape, dtype and hash of every leaf."""
    return {name: Leaf(leaf.shape, str(leaf.dtype), _hash(leaf)) for name, leaf in leaves.items()}


def on_record(recorded: Mapping[str, Any]) -> dict[str, Leaf]:
    """What `record` said, after a round trip through JSON."""
    return {
        name: Leaf(tuple(shape), dtype, sha256) for name, (shape, dtype, sha256) in recorded.items()
    }


def _hash(leaf: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(leaf).reshape(-1).view(np.uint8).data).hexdigest()


def save_leaves(path: Path, leaves: Leaves) -> None:
    """Write arrays as the folder `path`."""
    context = _context()
    context.memory.deepcopy_host_arrays = False  # nothing writes to the arrays meanwhile
    context.array.saving.use_compression = False  # weights hardly shrink
    # it asks all processes about the folder, whichever are active (orbax-checkpoint 0.12.8)
    is_one = not jax.distributed.is_initialized()
    with context, nullcontext() if is_one else patch(_ASKS_ALL, lambda folder: None):
        ocp.save(str(path), leaves)


def _context() -> ocp.Context:
    """Of orbax, which waits for no other process: who writes or reads has all arrays."""
    context = ocp.Context()
    if jax.distributed.is_initialized():  # which starts no device
        own = jax.process_index()
        context.multiprocessing.primary_host = own
        context.multiprocessing.active_processes = {own}
        context.multiprocessing.barrier_sync_key_prefix = f"process_{own}"
    return context


def load_leaves(path: Path, expected: Mapping[str, Leaf]) -> Leaves:
    """Read arrays and compare each with what is expected of it."""
    try:
        with _context():
            stored = ocp.load(str(path.absolute()))
        found: Leaves = {name: np.asarray(leaf) for name, leaf in stored.items()}
    except Exception as error:  # orbax, tensorstore and JSON raise many kinds for a damaged folder
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        words = words.partition(" [tensorstore_spec")[0]  # pages of JSON
        raise InputError(
            f"{path} cannot be restored: {words}", "take a copy of it, or make it anew"
        ) from error
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            raise InputError(f"{path} lacks the array {name}; it belongs to another configuration")
        if name not in expected:
            raise InputError(f"{path} holds an unexpected array {name}")
        shape, dtype, recorded = expected[name]
        leaf = found[name]
        if (leaf.shape, str(leaf.dtype)) != (shape, dtype):
            raise InputError(
                f"{path}: {name} is {leaf.dtype}{list(leaf.shape)}, "
                f"expected {dtype}{list(shape)}; it belongs to another configuration"
            )
        if recorded and recorded != _hash(leaf):
            raise InputError(
                f"{path}: {name} is damaged: its bytes are not those that were written",
                "take a copy of it, or make it anew",
            )
    return found
