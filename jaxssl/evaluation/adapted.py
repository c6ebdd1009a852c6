"""A classifier that was adapted to a laboratory: encoders of several frames, their heads, a guard.

It is for samples of that laboratory alone. What it keeps of them are means and deviations, by which
later samples are brought into its frames, and the profiles that these are held against.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxssl.config import Config, from_dict, to_dict
from jaxssl.data.shift import Reference
from jaxssl.engine.leaves import (
    ARRAYS,
    flatten,
    load_leaves,
    on_record,
    record,
    save_leaves,
    unflatten,
)
from jaxssl.evaluation.adaptation import FrameEncoders, Head, Heads
from jaxssl.files import complete_folder
from jaxssl.types import Frame, InputError, Normalizer

DESCRIPTION = "adapted.json"
FORMAT = 1
ADAPTED = {r"adapted\.json|genes\.txt": None, "arrays": ARRAYS}
"""What lies in the folder of one."""


@dataclass(frozen=True)
class AdaptedClassifier:
    """All that classifying later samples of the laboratory takes."""

    config: Config
    frames: dict[str, FrameEncoders]
    heads: Heads
    guard: Normalizer  # of the laboratory's own samples
    reference: Reference | None  # of them; None: too few
    provenance: dict[str, Any]  # classes, cohort, source, numbers of samples and labels, warnings

    def predict(
        self, x: Float[np.ndarray, "samples genes"]
    ) -> Float[np.ndarray, "samples classes"]:
        """Class probabilities of log2 expression of the guard's genes, NaN for missing ones."""
        cohorts = np.full(len(x), self.provenance["cohort"])
        frames = self.frames.items()
        outputs = {name: framed.outputs(self.config, x, cohorts) for name, framed in frames}
        return self.heads(outputs)


def save_adapted(folder: Path, adapted: AdaptedClassifier) -> None:
    """Write an adapted classifier: `adapted.json`, `genes.txt` and the arrays, atomically."""
    tree: dict[str, Any] = {
        "frames": {name: framed._asdict() for name, framed in adapted.frames.items()},
        "linear": adapted.heads.linear._asdict(),
        "spread": {name: head._asdict() for name, head in adapted.heads.spread.items()},
        "guard": adapted.guard,
    }
    leaves = flatten(tree | ({"reference": adapted.reference} if adapted.reference else {}))
    description = {
        "format": FORMAT,
        "config": to_dict(adapted.config),
        "scale": adapted.guard.expression_scale,
        "cohorts": {name: f.normalizer.frame.cohorts for name, f in adapted.frames.items()},
        "provenance": adapted.provenance,
        "leaves": record(leaves),
    }
    with complete_folder(folder, ADAPTED) as partial:
        save_leaves(partial / "arrays", leaves)
        text = "\n".join(adapted.guard.genes) + "\n"
        (partial / "genes.txt").write_text(text, encoding="utf-8")
        (partial / DESCRIPTION).write_text(json.dumps(description, indent=2))


def is_adapted(folder: Path) -> bool:
    """Whether a folder is called one by what it holds."""
    return (folder / DESCRIPTION).is_file()


def load_adapted(folder: Path) -> AdaptedClassifier:
    """Read an adapted classifier and verify all its arrays."""
    try:
        told = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        genes = tuple((folder / "genes.txt").read_text(encoding="utf-8").split("\n")[:-1])
        if told["format"] != FORMAT:
            raise InputError(
                f"{folder} has format {told['format']}, this version reads format {FORMAT}",
                "read it with the jaxssl that wrote it",
            )
        config, leaves = from_dict(told["config"]), on_record(told["leaves"])
        cohorts, scale, provenance = told["cohorts"], told["scale"], told["provenance"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{folder} is no adapted classifier ({error})", "make it anew with `adapt()`"
        ) from error
    tree = unflatten(load_leaves(folder / "arrays", leaves))
    frames = {}
    for name, of_frame in tree["frames"].items():
        stored = of_frame["normalizer"]
        own = Frame(name, tuple(cohorts[name]), **stored.pop("frame", {}))
        members = of_frame["params"]
        encoders = tuple(members[str(i)] for i in range(len(members)))
        frames[name] = FrameEncoders(Normalizer(genes, "log2", frame=own, **stored), encoders)
    spread = {name: Head(**head) for name, head in tree["spread"].items()}
    reference = Reference(**tree["reference"]) if "reference" in tree else None
    heads, guard = Heads(Head(**tree["linear"]), spread), Normalizer(genes, scale, **tree["guard"])
    if any(len(f.normalizer.mean) != len(genes) for f in frames.values()):
        raise InputError(
            f"{folder}: genes.txt is not as it was written", "make it anew with `adapt()`"
        )
    return AdaptedClassifier(config, frames, heads, guard, reference, provenance)
