"""Arrays by name on disk, by orbax, verified leaf by leaf on the way back.

Saved from and restored to NumPy, so they open on any machine and device layout. No pickle.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import jax
import numpy as np
from jaxtyping import PyTree
from orbax.checkpoint import v1 as ocp

from jaxssl.data.presence import Classes
from jaxssl.data.shift import Reference
from jaxssl.types import Calibration, InputError

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


def write_genes(folder: Path, genes: Sequence[str]) -> None:
    """Write the names of genes beside arrays by gene."""
    (folder / "genes.txt").write_text("\n".join(genes) + "\n", encoding="utf-8")


def read_genes(folder: Path) -> tuple[str, ...]:
    """The names that `write_genes` wrote."""
    return tuple((folder / "genes.txt").read_text(encoding="utf-8").split("\n")[:-1])


def seal(description: dict[str, Any], genes: Sequence[str]) -> dict[str, Any]:
    """A description with the hashes of the genes' names and of itself, for `check_seal`."""
    named = description | {"genes_sha256": hash_of_genes(genes)}
    return named | {"sha256": hash_of_description(named)}


def check_seal(file: Path, description: dict[str, Any], genes: Sequence[str], again: str) -> None:
    """Refuse a description, or genes beside it, that are not as they were written.

    Args:
        file: that holds the description.
        description: of `seal`, as it was read.
        genes: as `read_genes` read them.
        again: what to do then.

    Raises:
        InputError: if one is not, naming the file.
    """
    found = {
        "genes.txt": (description.get("genes_sha256"), hash_of_genes(genes)),
        file.name: (description.get("sha256"), hash_of_description(description)),
    }
    for name, (recorded, own) in found.items():
        if recorded != own:
            raise InputError(f"{file.parent}: {name} is not as it was written", again)


def hash_of_description(description: dict[str, Any]) -> str:
    """Hash of all that a description says, but for this hash."""
    rest = {name: value for name, value in description.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def hash_of_genes(genes: Sequence[str]) -> str:
    """Hash of names of genes, in their order."""
    return hashlib.sha256("\n".join(genes).encode()).hexdigest()


def static_of(calibration: Calibration | None) -> dict[str, Any]:
    """What of a calibration is no array."""
    names = ("temperature", "is_held_out") if calibration else ()
    return {name: getattr(calibration, name) for name in names}


def check_format(description: dict[str, Any], readable: int) -> None:
    """Refuse a bundle of another format, which may say the rest in other words."""
    if description["format"] != readable:
        raise InputError(
            f"bundle format {description['format']}, this version reads format {readable}",
            "read it with the jaxssl that wrote it",
        )


def kept_of(
    tree: dict[str, Any], calibrated: dict[str, Any]
) -> tuple[Reference | None, Calibration | None, Classes | None]:
    """What not every bundle has, from its arrays and what of a calibration is no array."""
    reference = Reference(**tree["reference"]) if "reference" in tree else None
    calibration = Calibration(**tree["calibration"], **calibrated) if calibrated else None
    return reference, calibration, Classes(**tree["classes"]) if "classes" in tree else None
