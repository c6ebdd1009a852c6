"""A classifier of several encoders as one bundle: all that classifying later samples takes.

`jaxssl.adapt` makes one for the samples of a laboratory, with encoders of several frames;
`jaxssl.classify` one for a cohort, with encoders of one frame. They differ in the rule that turns
the encoders' outputs into class probabilities.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxssl.config import Config, from_dict, to_dict
from jaxssl.data.arrival import Arrival
from jaxssl.data.backed import pieces
from jaxssl.data.normalize import standardize_framed
from jaxssl.data.presence import Classes
from jaxssl.data.shift import Reference
from jaxssl.engine.bundle import Bundle, EncoderBundle, leaves_of
from jaxssl.engine.description import (
    check_seal,
    kept_of,
    read_description,
    static_of,
    write_description,
)
from jaxssl.engine.embed import outputs_of
from jaxssl.engine.leaves import (
    ARRAYS,
    load_leaves,
    on_record,
    record,
    save_leaves,
    unflatten,
)
from jaxssl.evaluation.adaptation import FrameEncoders, Head, Heads
from jaxssl.evaluation.classifier import logits, predict
from jaxssl.evaluation.recommended import Recommended, rule_of
from jaxssl.files import complete_folder
from jaxssl.types import Calibration, Frame, InputError, Normalizer

DESCRIPTION = "ensemble.json"
FORMAT = 4  # 3 had no class means; 2 had no hashes; of 1, the rule saw components as they are
ENSEMBLE = {r"ensemble\.json|genes\.txt|MODEL_CARD\.md": None, "arrays": ARRAYS}
"""What lies in the folder of one."""
ADAPTED, RECOMMENDED = "adapted", "recommended"  # rules
AGAIN = "make it anew with `adapt()` or `classify()`, whichever made it"


@dataclass(frozen=True)
class EnsembleBundle(Bundle):
    """All that classifying later samples takes."""

    config: Config
    frames: dict[str, FrameEncoders]
    rule: Heads | Recommended
    normalizer: Normalizer  # of the samples that later ones are held against
    reference: Reference | None  # of them; None: too few
    provenance: dict[str, Any]  # classes, numbers of samples and labels, warnings, and more
    calibration: Calibration | None = None  # None: no labels of these samples
    classes: Classes | None = None  # what tells them apart, on the genes the reference looks at

    @property
    def is_adapted(self) -> bool:
        """Whether it was adapted to a laboratory without labels of it."""
        return isinstance(self.rule, Heads)

    @property
    def recommended(self) -> Recommended:
        """The rule of one that is not adapted."""
        assert isinstance(self.rule, Recommended)
        return self.rule

    def opinion(
        self, arrival: Arrival
    ) -> tuple[Float[np.ndarray, "samples classes"], Float[np.ndarray, " samples"] | None]:
        """Class probabilities of samples as `receive` makes them for the normalizer.

        And the probability that a sample is of none of the classes; None: the rule does not tell.
        """
        if isinstance(self.rule, Heads):
            x, frames = arrival.framed, self.frames.items()
            cohorts = np.full(len(x), self.provenance["cohort"])
            outputs = {name: framed.outputs(self.config, x, cohorts) for name, framed in frames}
            return self.rule(outputs), None
        of_pieces = [self.rule.opinion(*seen) for seen in self._seen(arrival)]
        probabilities, none = zip(*of_pieces, strict=True)
        return np.concatenate(probabilities), np.concatenate(none)

    def rule_on(
        self, components: np.ndarray, genes: np.ndarray
    ) -> tuple[Float[np.ndarray, "samples classes"], Float[np.ndarray, " samples"]]:
        """As `opinion`, of samples that are normalised already."""
        return self.recommended.opinion(components, genes, self._outputs(components))

    def logits(self, arrival: Arrival) -> Float[np.ndarray, "samples classes"]:
        """Logarithms of class probabilities, as the calibration's scores are of."""
        assert isinstance(self.rule, Recommended), "an adapted classifier has no calibration"
        return np.concatenate([self.rule.logits(*seen) for seen in self._seen(arrival)])

    def _seen(self, arrival: Arrival) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Components, genes and encoder outputs, of as many samples as memory is to hold."""
        for rows in pieces(arrival.framed):
            genes = standardize_framed(arrival.normalizer, arrival.framed[rows])
            yield arrival.x[rows], genes, self._outputs(arrival.x[rows])

    def _outputs(self, components: np.ndarray) -> np.ndarray:
        (framed,) = self.frames.values()
        return outputs_of(self.config, framed.params, components)


Classifier = EncoderBundle | EnsembleBundle


def save_ensemble(folder: Path, bundle: EnsembleBundle) -> None:
    """Write a bundle: `ensemble.json`, `genes.txt` and the arrays, atomically."""
    frames = {name: framed._asdict() for name, framed in bundle.frames.items()}
    for framed in frames.values():
        if framed["normalizer"] is bundle.normalizer:  # once is enough
            del framed["normalizer"]
    leaves = leaves_of(bundle, {"frames": frames, "rule": bundle.rule})
    description = {
        "format": FORMAT,
        "rule": ADAPTED if bundle.is_adapted else RECOMMENDED,
        "config": to_dict(bundle.config),
        "scale": bundle.normalizer.expression_scale,
        "cohorts": {name: f.normalizer.frame.cohorts for name, f in bundle.frames.items()},
        "calibration": static_of(bundle.calibration),
        "provenance": bundle.provenance,
        "leaves": record(leaves),
    }
    with complete_folder(folder, ENSEMBLE) as partial:
        save_leaves(partial / "arrays", leaves)
        write_description(partial / DESCRIPTION, description, bundle.normalizer.genes)


def is_ensemble(folder: Path) -> bool:
    """Whether a folder is called one by what it holds."""
    return (folder / DESCRIPTION).is_file()


def load_ensemble(folder: Path) -> EnsembleBundle:
    """Read a classifier of several encoders and verify all its arrays.

    Args:
        folder: that `save_ensemble` wrote.

    Returns:
        The classifier as it was saved.

    Raises:
        InputError: if the folder is none, of another format, or does not hold what it says.
    """
    try:
        told, genes = read_description(folder / DESCRIPTION, FORMAT)
        config, leaves = from_dict(told["config"]), on_record(told["leaves"])
        cohorts, scale, provenance = told["cohorts"], told["scale"], told["provenance"]
        rule, calibrated = told["rule"], told["calibration"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, InputError):
            raise InputError(f"{folder}: {error}") from error
        raise InputError(f"{folder} is no classifier of an ensemble ({error})", AGAIN) from error
    check_seal(folder / DESCRIPTION, told, genes, AGAIN)
    tree = unflatten(load_leaves(folder / "arrays", leaves))
    normalizer, frames = Normalizer(genes, scale, **tree["normalizer"]), {}
    for name, of_frame in tree["frames"].items():
        own = normalizer
        if stored := of_frame.get("normalizer"):
            frame = Frame(name, tuple(cohorts[name]), **stored.pop("frame", {}))
            own = Normalizer(genes, "log2", frame=frame, **stored)
        members = of_frame["params"]
        encoders = tuple(members[str(i)] for i in range(len(members)))
        frames[name] = FrameEncoders(own, encoders)
    found = _heads(tree["rule"]) if rule == ADAPTED else rule_of(tree["rule"])
    reference, calibration, classes = kept_of(tree, calibrated)
    facts = reference, provenance, calibration, classes
    return EnsembleBundle(config, frames, found, normalizer, *facts)


def _heads(tree: dict[str, Any]) -> Heads:
    """The rule of an adaptation."""
    spread = {name: Head(**head) for name, head in tree["spread"].items()}
    return Heads(Head(**tree["linear"]), spread)


def opinion_of(
    classifier: Classifier, arrival: Arrival
) -> tuple[Float[np.ndarray, "samples classes"], Float[np.ndarray, " samples"] | None]:
    """Class probabilities of samples, and the probability that they are of none of the classes.

    Args:
        classifier: of one encoder or of several.
        arrival: samples as `receive` makes them for its normalizer.

    Returns:
        Probabilities (samples x classes), and that of none of the classes (samples); None where the
        classifier does not tell that.
    """
    if isinstance(classifier, EnsembleBundle):
        return classifier.opinion(arrival)
    return predict(classifier, arrival.x), None


def logits_of(classifier: Classifier, arrival: Arrival) -> Float[np.ndarray, "samples classes"]:
    """What the scores of a classifier's calibration are of."""
    if isinstance(classifier, EnsembleBundle):
        return classifier.logits(arrival)
    return logits(classifier, arrival.x)
