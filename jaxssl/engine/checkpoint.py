"""Training states and encoder bundles on disk, by orbax; every leaf is verified on the way back.

Arrays are saved from and restored to NumPy, so a checkpoint opens on any machine and device
layout. No pickle. A folder appears under its final name only when it is complete.
"""

import dataclasses
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree
from orbax.checkpoint import v1 as ocp

from jaxssl import config as configs
from jaxssl.types import EncoderBundle, InputError, Normalizer, TrainState

FORMAT = 1  # of a bundle; a reader refuses what it does not know
Leaves = dict[str, np.ndarray]


def save_state(folder: Path, state: TrainState, progress: Mapping[str, Any]) -> None:
    """Write a chunk's state with its progress (JSON: epoch, seeds, metrics so far), atomically."""
    leaves = flatten(state._replace(member=None))
    with _complete_folder(folder) as partial:
        _save_leaves(partial / "state", leaves)
        (partial / "progress.json").write_text(json.dumps(dict(progress)))


def load_progress(folder: Path) -> dict[str, Any] | None:
    """Progress of a saved chunk, or None if nothing was saved."""
    file = folder / "progress.json"
    return json.loads(file.read_text()) if file.exists() else None


def load_state(folder: Path, template: TrainState) -> TrainState:
    """Restore a chunk's state into the structure of `template`, whose members are kept.

    Raises:
        InputError: if a leaf is missing, unexpected, or of another shape or dtype.
    """
    bare = template._replace(member=None)
    leaves = _load_leaves(folder / "state", _signature(flatten(bare)))
    restored = jax.tree.unflatten(
        jax.tree.structure(bare), [leaves[name] for name in flatten(bare)]
    )
    return restored._replace(member=template.member)


def save_bundle(folder: Path, bundle: EncoderBundle) -> None:
    """Write an encoder bundle: `bundle.json`, `genes.txt` and the arrays, atomically."""
    leaves = flatten({"params": bundle.params, "normalizer": _arrays(bundle.normalizer)})
    description = {
        "format": FORMAT,
        "config": configs.to_dict(bundle.config),
        "expression_scale": bundle.normalizer.expression_scale,
        "provenance": bundle.provenance,
        "leaves": {
            name: [list(shape), dtype] for name, (shape, dtype) in _signature(leaves).items()
        },
    }
    with _complete_folder(folder) as partial:
        _save_leaves(partial / "arrays", leaves)
        (partial / "genes.txt").write_text("\n".join(bundle.normalizer.genes) + "\n")
        (partial / "bundle.json").write_text(json.dumps(description, indent=2))


def load_bundle(folder: Path | str) -> EncoderBundle:
    """Read an encoder bundle and verify names, shapes and dtypes of all leaves and the gene count.

    Raises:
        InputError: if the folder is no bundle, of a newer format, or does not hold what it says.
    """
    folder = Path(folder)
    try:
        description = json.loads((folder / "bundle.json").read_text())
        genes = tuple((folder / "genes.txt").read_text().splitlines())
        config = configs.from_dict(description["config"])
        scale, provenance = description["expression_scale"], description["provenance"]
        signature = {
            name: (tuple(shape), dtype) for name, (shape, dtype) in description["leaves"].items()
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{folder} is not an encoder bundle ({error}); pass one such as RUN/encoder/seed_000"
        ) from error
    if description.get("format") != FORMAT:
        raise InputError(
            f"{folder} has bundle format {description.get('format')}, this version reads {FORMAT}; "
            "update jaxssl"
        )
    tree = unflatten(_load_leaves(folder / "arrays", signature))
    normalizer = Normalizer(genes=genes, expression_scale=scale, **tree["normalizer"])
    _verify_widths(folder, normalizer, tree["params"], config)
    return EncoderBundle(config, normalizer, tree["params"], provenance)


def flatten(tree: PyTree) -> Leaves:
    """Leaves on the host by dotted path, such as `params.encoder.layer_0.dense.kernel`."""
    with_path, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): np.asarray(leaf)
        for path, leaf in with_path
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


def _signature(leaves: Leaves) -> dict[str, tuple[tuple[int, ...], str]]:
    return {name: (leaf.shape, str(leaf.dtype)) for name, leaf in leaves.items()}


def _save_leaves(path: Path, leaves: Leaves) -> None:
    context = ocp.Context()
    context.memory.deepcopy_host_arrays = False  # nothing writes to the arrays meanwhile
    context.array.saving.use_compression = False  # weights hardly shrink
    with context:
        ocp.save(str(path), leaves)


def _load_leaves(path: Path, expected: Mapping[str, tuple[tuple[int, ...], str]]) -> Leaves:
    """Read leaves and compare each with what is expected of it."""
    try:
        found: Leaves = {
            name: np.asarray(leaf) for name, leaf in ocp.load(str(path.absolute())).items()
        }
    except Exception as error:  # orbax, tensorstore and JSON raise many kinds for a damaged folder
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} cannot be restored: {first_line}") from error
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            raise InputError(f"{path} lacks the array {name}; it belongs to another configuration")
        if name not in expected:
            raise InputError(f"{path} holds an unexpected array {name}")
        shape, dtype = expected[name]
        leaf = found[name]
        if (leaf.shape, str(leaf.dtype)) != (shape, dtype):
            raise InputError(
                f"{path}: {name} is {leaf.dtype}{list(leaf.shape)}, "
                f"expected {dtype}{list(shape)}; it belongs to another configuration"
            )
    return found


def _verify_widths(folder: Path, normalizer: Normalizer, params: PyTree, config: Any) -> None:
    """Check that genes, normalizer, encoder layers and config speak of the same widths."""
    if len(normalizer.genes) != len(normalizer.mean):
        raise InputError(
            f"{folder}: genes.txt names {len(normalizer.genes)} genes, "
            f"the normalizer has {len(normalizer.mean)}"
        )
    rotation = normalizer.rotation
    widths = [len(normalizer.genes) if rotation is None else rotation.shape[1]]
    widths += list(config.encoder.hidden)
    for i, shape in enumerate(itertools.pairwise(widths)):
        found = params["encoder"][f"layer_{i}"]["dense"]["kernel"].shape
        if found != shape:
            raise InputError(f"{folder}: encoder layer {i} is {found}, its config says {shape}")


def _arrays(normalizer: Normalizer) -> dict[str, np.ndarray]:
    fields = [field.name for field in dataclasses.fields(normalizer)]
    values = {name: getattr(normalizer, name) for name in fields}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


@contextmanager
def _complete_folder(folder: Path) -> Iterator[Path]:
    """A temporary sibling that takes the folder's name once the block is through."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    # absolute: orbax refuses any other path
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent.absolute()))
    try:
        yield partial
        partial.chmod(0o755)  # as any other folder, not as a temporary one
        if folder.exists():
            with tempfile.TemporaryDirectory(prefix=partial.name, dir=partial.parent) as replaced:
                os.replace(folder, Path(replaced) / folder.name)
                os.replace(partial, folder)
        else:
            os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
