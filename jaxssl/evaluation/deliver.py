"""The recommended classifier of a cohort: fitted on all labels, with what to expect of it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxssl.data.groups import join_groups
from jaxssl.data.task import columns_of
from jaxssl.engine.embed import outputs_of
from jaxssl.engine.prepared import Prepared, fingerprint, record_of
from jaxssl.evaluation.adaptation import FrameEncoders
from jaxssl.evaluation.calibration import calibrate
from jaxssl.evaluation.classifier import tell_apart
from jaxssl.evaluation.ensemble_bundle import EnsembleBundle
from jaxssl.evaluation.ensembles import MEMBERS
from jaxssl.evaluation.expectation import groups_of, hold_out, outer_folds
from jaxssl.evaluation.novelty import fit_novelty
from jaxssl.evaluation.pooling import FLOOR
from jaxssl.evaluation.recommended import fit_recommended, lowered, see
from jaxssl.evaluation.spaces import OUTPUTS
from jaxssl.evaluation.worth import Worth, worth_of
from jaxssl.types import Calibration, InputError, Params

Classes = Float[np.ndarray, "labelled classes"]


class Delivered(NamedTuple):
    """A classifier, what to expect of it, and what was said of labels that were held out."""

    bundle: EnsembleBundle
    worth: Worth
    labelled: Int[np.ndarray, " labelled"]  # rows
    held_out: Classes  # probabilities, lowered as the classifier's are
    none: Float[np.ndarray, " labelled"]  # probability of none of the classes


def deliver(
    prepared: Prepared,
    encoders: Sequence[Params],
    seed: int,
    versions: dict[str, str],
    say: Callable[[str], None] = lambda _: None,
) -> Delivered:
    """Fit the recommended classifier on all labels, and estimate its worth.

    Args:
        prepared: a task without a split: all samples, with or without a label.
        encoders: pretrained on the samples.
        seed: of the encoders, and of the folds.
        versions: of what made it, for the record.
        say: told how many folds there are.

    Returns:
        The bundle to write, with the estimate.

    Raises:
        InputError: where the pretraining diverged.

    Example:
        >>> deliver(prepared, encoders, 0, {}).worth.accuracy  # doctest: +SKIP
        Estimate(value=0.83, low=0.72, high=0.91)
    """
    task, features = prepared.task, prepared.features
    n_classes, labelled = len(task.classes), task.labelled_train
    outputs = outputs_of(prepared.config, encoders, features)
    if not np.isfinite(outputs).all():
        raise InputError("the pretraining diverged, so that nothing can be fitted", "pass `seed`")
    spaces, sight = see(features, prepared.genes, outputs)
    y = task.codes[labelled].astype(np.int64)
    groups = groups_of(join_groups(task.groups, task.twins)[labelled])
    folds = outer_folds(y, groups, seed)
    say(f"estimate: {len(y):,} labels in {folds.max() + 1} folds, each by a fit without it")
    held_out = hold_out(spaces, labelled, y, n_classes, folds)
    worth = worth_of(held_out.named(y), y, groups)
    novelty = fit_novelty(spaces.views[OUTPUTS].of(spaces.train), labelled, y, groups)
    rule = fit_recommended(spaces, sight, labelled, y, n_classes, novelty)
    bundle = EnsembleBundle(
        prepared.config,
        {"training": FrameEncoders(prepared.normalizer, tuple(encoders))},
        rule,
        prepared.normalizer,
        prepared.reference,
        _origin(prepared, labelled, y, seed, versions) | {"expected": worth.facts()},
        _calibration(held_out.ours, y),
    )
    columns = columns_of(task, prepared.normalizer)
    x = task.expression if columns is None else task.expression[:, columns]
    bundle = tell_apart(bundle, x, task.codes.astype(np.int64), None)
    none = novelty.held_out(groups)
    return Delivered(bundle, worth, labelled, lowered(held_out.ours, none), none)


def _calibration(held_out: Classes, y: Int[np.ndarray, " labelled"]) -> Calibration | None:
    """Scores of labels whose class the fold's classifier knew; no class is below `FLOOR`."""
    known = held_out[np.arange(len(y)), y] > 0
    found = calibrate(np.log(np.clip(held_out[known], FLOOR**2, None)), y[known], is_held_out=False)
    return found and Calibration(found.scores, found.codes, 1.0, is_held_out=False)


def _origin(
    prepared: Prepared,
    labelled: Int[np.ndarray, " labelled"],
    y: Int[np.ndarray, " labelled"],
    seed: int,
    versions: dict[str, str],
) -> dict[str, object]:
    """Where a classifier comes from."""
    task = prepared.task
    return {
        "seed": seed,
        "method": ", ".join(MEMBERS),
        "dataset": task.dataset,
        **({"unlabelled": task.joined.sentence} if task.joined.files else {}),
        "n_train": len(task.split.train),
        "training_samples": fingerprint(task),
        "training_ids": record_of(task.ids, task.split.train),
        "classes": list(task.classes),
        "n_labelled": len(y),
        "class_counts": np.bincount(y, minlength=len(task.classes)).tolist(),
        "labelled_ids": record_of(task.sample_ids, labelled),
        "versions": versions,
    }
