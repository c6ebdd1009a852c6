"""Encoder bundles on disk: all that using an encoder takes, verified on the way back."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from jaxtyping import PyTree

from jaxssl.arguments import checked
from jaxssl.config import Config, from_dict, to_dict
from jaxssl.data.presence import Classes, Named
from jaxssl.data.shift import Reference
from jaxssl.engine.description import (
    check_seal,
    kept_of,
    read_description,
    static_of,
    write_description,
)
from jaxssl.engine.diagnose import DIVERGED, HEALTHY, Diagnosis
from jaxssl.engine.leaves import (
    ARRAYS,
    Leaves,
    flatten,
    load_leaves,
    on_record,
    record,
    save_leaves,
    unflatten,
)
from jaxssl.files import complete_folder
from jaxssl.places import missing
from jaxssl.types import Calibration, Frame, InputError, Normalizer, Params

DESCRIPTION = "bundle.json"
FORMAT = 2  # tests/bundles holds one
BUNDLE = {r"bundle\.json|genes\.txt|MODEL_CARD\.md|history\.csv": None, "arrays": ARRAYS}
"""What lies in a bundle, with what runs and estimators put beside it."""


class Bundle:
    """What all bundles have."""

    config: Config
    normalizer: Normalizer
    provenance: dict[str, Any]
    reference: Reference | None
    calibration: Calibration | None
    classes: Classes | None

    @property
    def told_apart(self) -> Named | None:
        """What tells a classifier's classes apart, with their names, if it is kept."""
        return self.classes and Named(self.classes, tuple(self.provenance["classes"]))


@dataclass(frozen=True)
class EncoderBundle(Bundle):
    """A pretrained encoder with all that using it takes: the only thing fine-tuning receives."""

    config: Config
    normalizer: Normalizer
    params: Params  # "encoder", and whatever else the method trained
    provenance: dict[str, Any]  # seed, steps, versions, data hash, warnings
    reference: Reference | None = None  # of the training cohort; None: too few samples, or not kept
    calibration: Calibration | None = None  # of a classifier; None: no labels for it, or not kept
    classes: Classes | None = None  # of a classifier, on the genes that its reference looks at


def save_bundle(folder: Path, bundle: EncoderBundle) -> None:
    """Write an encoder bundle: `bundle.json`, `genes.txt` and the arrays, atomically.

    In place of one that is there; files that are no part of a bundle stay.
    """
    leaves = leaves_of(bundle, {"params": bundle.params})
    description = {
        "format": FORMAT,
        "config": to_dict(bundle.config),
        "expression_scale": bundle.normalizer.expression_scale,
        "frame": [bundle.normalizer.frame.name, bundle.normalizer.frame.cohorts],
        "provenance": bundle.provenance,
        "calibration": static_of(bundle.calibration),
        "leaves": record(leaves),
    }
    with complete_folder(folder, BUNDLE) as partial:
        save_leaves(partial / "arrays", leaves)
        write_description(partial / DESCRIPTION, description, bundle.normalizer.genes)


def is_bundle(folder: Path) -> bool:
    """Whether a folder is called one by what it holds."""
    return (folder / DESCRIPTION).is_file()


def bundles_below(folder: Path) -> list[Path]:
    """The bundles in a folder, in its folders and in theirs, in order."""
    found = (path for depth in (1, 2, 3) for path in folder.glob("*/" * depth + DESCRIPTION))
    return sorted(path.parent for path in found)


@checked
def load_bundle(folder: Path | str) -> EncoderBundle:
    """Read an encoder bundle and verify name, shape, dtype and hash of all leaves, and the genes.

    A training that diverged leaves a bundle too, for the record: its arrays may be no numbers, and
    `usable` refuses it.

    Args:
        folder: such as `RUN/encoder/seed_000`, or a classifier's.

    Returns:
        Options, normalizer, parameters and where they come from, as they were saved.

    Raises:
        InputError: if the folder is no bundle, of another format, or does not hold what it says.

    Example:
        bundle = jaxssl.load_bundle("runs/mirna/encoder/seed_000")
    """
    folder = Path(folder)
    if not is_bundle(folder):
        _refuse(folder)
    for path in folder.rglob("*"):
        if path.is_symlink():  # what comes from elsewhere must not point at other files of the disk
            raise InputError(f"{path} is a link, and a bundle has none", "copy the file itself")
    try:
        description, genes = read_description(folder / DESCRIPTION, FORMAT)
        config = from_dict(description["config"])
        scale, provenance = description["expression_scale"], description["provenance"]
        frame, cohorts = description.get("frame", [Frame.name, []])
        calibrated = description.get("calibration", {})
        leaves = on_record(description["leaves"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, InputError):
            raise InputError(f"{folder}: {error}") from error
        raise InputError(
            f"{folder} is no bundle ({error})",
            "pass an encoder such as RUN/encoder/seed_000, or a classifier that `finetune()` wrote",
        ) from error
    again = "take a copy of the bundle from where it was made"
    check_seal(folder / DESCRIPTION, description, genes, again)
    tree = unflatten(load_leaves(folder / "arrays", leaves))
    of_frame = Frame(frame, tuple(cohorts), **tree["normalizer"].pop("frame", {}))
    normalizer = Normalizer(
        genes=genes, expression_scale=scale, frame=of_frame, **tree["normalizer"]
    )
    _verify_widths(folder, normalizer, tree["params"], config)
    bundle = EncoderBundle(
        config, normalizer, tree["params"], provenance, *kept_of(tree, calibrated)
    )
    if not has_diverged(bundle):
        _verify_numbers(folder, bundle.params)
    return bundle


def leaves_of(bundle: Bundle, tree: dict[str, Any]) -> Leaves:
    """Arrays of a bundle: a tree of its own, its normalizer and what not every bundle has."""
    kept = {name: getattr(bundle, name) for name in ("reference", "calibration", "classes")}
    own = {name: value for name, value in kept.items() if value}
    return flatten({"normalizer": bundle.normalizer} | tree | own)


def _verify_numbers(folder: Path, params: Params) -> None:
    for name, leaf in flatten({"params": params}).items():
        if not np.isfinite(leaf).all():
            raise InputError(
                f"{folder}: {name} holds values that are no numbers, in the bundle of a training "
                "that did not diverge",
                "take a copy of it, or make it anew",
            )


def _refuse(folder: Path) -> NoReturn:
    """Say what a place that is no bundle is, and where the nearest bundle lies."""
    what = "is a file, no folder" if folder.is_file() else "is no bundle"
    what = what if folder.exists() else missing(folder)
    near = [folder.parent] if is_bundle(folder.parent) else bundles_below(folder)
    fix = "pass an encoder such as RUN/encoder/seed_000, or a classifier that `finetune()` wrote"
    raise InputError(f"{folder} {what}", f"pass {near[0]}" if near else fix)


def diagnosis_of(bundle: EncoderBundle) -> Diagnosis:
    """The verdict on its pretraining; one that has none is taken for healthy."""
    told = {name: bundle.provenance.get(name) for name in Diagnosis._fields}
    return HEALTHY._replace(**{name: value for name, value in told.items() if value})


def has_diverged(bundle: EncoderBundle) -> bool:
    """Whether its training left the range of floats, so that it is on record only."""
    return diagnosis_of(bundle).status == DIVERGED


def usable(bundle: EncoderBundle) -> EncoderBundle:
    """The bundle, unless its training diverged."""
    if has_diverged(bundle):
        raise InputError(
            f"the training of this encoder diverged ({bundle.provenance['cause']})",
            f"use another seed, or pretrain anew: {bundle.provenance['fix']}",
        )
    return bundle


def _verify_widths(folder: Path, normalizer: Normalizer, params: PyTree, config: Config) -> None:
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
        layer = params["encoder"].get(f"layer_{i}", {}).get("dense", {})
        found = layer["kernel"].shape if "kernel" in layer else "missing"
        if found != shape:
            raise InputError(f"{folder}: encoder layer {i} is {found}, its config says {shape}")
