"""A classifier for the samples of another laboratory: labels of one cohort, profiles of both."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from jaxssl.arguments import checked
from jaxssl.bounds import Positive
from jaxssl.data.family import Joint, join
from jaxssl.data.formats.matrix import as_text
from jaxssl.data.laboratory import guard_of
from jaxssl.data.overlap import refuse_copies
from jaxssl.data.presence import fit_classes, measure
from jaxssl.data.samples import by_text
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.engine.ensemble import check_session
from jaxssl.evaluation.adaptation import N_SEEDS, fit_heads, pretrain_frames, recipe
from jaxssl.evaluation.ensemble_bundle import EnsembleBundle, save_ensemble
from jaxssl.evaluation.predictions import counted, pack, score
from jaxssl.files import read_json, write_json, write_table
from jaxssl.runs import kinds, layout
from jaxssl.runs.identity import Origin, versions, write_identity
from jaxssl.runs.notes import Notes
from jaxssl.runs.output import Output, check_folder, open_folder, released
from jaxssl.studies.job import Data, hooks_of, warn_again
from jaxssl.studies.progress import Hooks
from jaxssl.studies.source import Asked, Given, read_given
from jaxssl.studies.start import announce

Classes = Float[np.ndarray, "samples classes"]


@checked
def adapt(
    data: Data,
    *,
    out: str | Path,
    classifier: str | Path | EncoderBundle | None = None,
    source: Data = None,
    label: str = "",
    batch: str = "",
    seeds: Positive = N_SEEDS,
    overwrite: bool = False,
    progress: bool | Callable = True,
) -> pd.DataFrame:
    """Classify the samples of another laboratory by the labels of a source.

    What `jaxssl adapt` does, with the same numbers. Encoders are pretrained on the profiles of
    both, in three frames; heads are fitted on the source's labels, softly balanced over the new
    samples. `jaxssl.transfer` measures what that is worth among cohorts.

    Args:
        data: samples of one laboratory, at least 10; their labels, if they have some, are only
            held against the predictions.
        out: folder for predictions, summary and the adapted classifier, which `predict` reads for
            later samples of that laboratory.
        classifier: whose source, label and labelled samples are used; its encoder is not.
        source: samples with labels; by default the data that the classifier was trained on.
        label: column of the source; by default the classifier's, or what is on record.
        batch: column of the source's cohorts; by default the same way. Without, it is one cohort.
        seeds: encoders a frame and way of batching, of two.
        overwrite, progress: as in `jaxssl.study`.

    Returns:
        A row a sample: sample_id, predicted, max_probability and p_CLASS for every class.

    Raises:
        InputError: on data without genes in common, on fewer than 10 samples, and on samples that
            are in the source too.

    Example:
        >>> jaxssl.adapt("new.h5ad", classifier="runs/clf", out="runs/adapted")  # doctest: +SKIP
    """
    files = {"classifier": classifier, "source": source, "data": data}
    inputs = tuple((n, f) for n, f in files.items() if isinstance(f, str | Path) and str(f))
    output = Output(str(out), False, overwrite, can_resume=False, inputs=inputs, kind=kinds.ADAPT)
    asked = Asked(data, source, classifier, label, batch, seeds)
    with released(out):
        table = run_adaptation(asked, output, hooks_of(progress))
    warn_again(read_json(Path(out) / layout.SUMMARY))
    return table


def run_adaptation(asked: Asked, output: Output, hooks: Hooks) -> pd.DataFrame:
    """Read source and target, pretrain, fit, predict, write."""
    check_session()
    check_folder(output)
    notes, config = Notes(hooks.say), recipe()
    with notes.stage("read"):
        given = read_given(asked, hooks)
        joint = join([*given.cohorts, given.target])
        refuse_copies(joint)
        codes, classes = given.codes()
        rows = np.flatnonzero(joint.cohorts == given.target.name)
        _warn_of_one_class(joint, rows, codes, classes)
    announce(config, hooks)
    n, labelled = len(joint.genes), np.flatnonzero(codes >= 0)
    of = len(given.cohorts[0].genes), len(given.target.genes)
    hooks.say(f"genes: {n:,} that source and data share, of {of[0]:,} and {of[1]:,}")
    hooks.say(f"labels: {len(labelled):,} of the source, {len(classes)} classes")
    x = joint.expression, joint.cohorts
    hooks.say("classes are softly balanced over the samples: one alone would have others made up")
    with notes.stage("pretrain"):
        frames = pretrain_frames(*x, joint.genes, config, range(asked.seeds))
    with notes.stage("fit"):
        outputs = {name: framed.outputs(config, *x) for name, framed in frames.items()}
        probabilities, heads = fit_heads(outputs, labelled, codes[labelled], rows, len(classes))
    hooks.say(f"predicted: {counted(np.asarray(classes)[probabilities.argmax(axis=1)])}")
    counts = {"n_labelled": len(labelled), "n_target": len(rows)}
    provenance = {"classes": list(classes), **given.names(), **counts, "versions": versions()}
    guard = guard_of(joint, rows, given.target.scale, config.normalize)
    if guard[1] is None:
        hooks.say(f"{len(rows)} samples are too few to hold later ones against: none is refused")
    adapted = EnsembleBundle(config, frames, heads, *guard, provenance)
    table = as_table(given.adata.obs_names.to_numpy(), classes, probabilities)
    summary = provenance | _measured(given, classes, probabilities, hooks)
    folder = open_folder(output)
    write_identity(folder, config, Origin(), hooks.command, kind=output.kind)
    save_ensemble(folder / layout.CLASSIFIER, adapted)
    write_table(folder / layout.CLASSIFIED, table)
    write_json(folder / layout.SUMMARY, summary | notes.found() | {"timings": notes.timings()})
    notes.close()
    hooks.say(f"wrote {folder / layout.CLASSIFIED} and {folder / layout.CLASSIFIER}")
    return table


def _warn_of_one_class(
    joint: Joint,
    target: Int[np.ndarray, " rows"],
    codes: Int[np.ndarray, " samples"],
    classes: tuple[str, ...],
) -> None:
    """Warn where the target shows nothing of what tells the source's classes apart."""
    source = np.setdiff1d(np.arange(len(codes)), target)
    learnt = fit_classes(joint.expression[source], joint.cohorts[source], codes[source])
    found = learnt and measure(learnt, joint.expression[target])
    if found and found.margin < 0:
        warnings.warn(found.sentence(classes), stacklevel=3)


def as_table(
    ids: np.ndarray, classes: tuple[str, ...], probabilities: Classes, **columns: Any
) -> pd.DataFrame:
    """Predictions, a row a sample."""
    named = np.asarray(classes)[probabilities.argmax(axis=1)]
    head = {"sample_id": ids, "predicted": named, "max_probability": probabilities.max(axis=1)}
    return pd.DataFrame(head | columns | pack(classes, probabilities))


def _measured(
    given: Given, classes: tuple[str, ...], probabilities: Classes, hooks: Hooks
) -> dict[str, Any]:
    """Scores on labels that the data have in the column of that name; {} where there are none."""
    label = given.label
    if label not in given.adata.obs:
        return {}
    labels = as_text(by_text(cast(pd.DataFrame, given.adata.obs)))[label].to_numpy()
    codes = pd.Categorical(labels, categories=list(classes)).codes.astype(np.int64)
    rows = codes >= 0
    others = labels[(codes < 0) & (labels != "")]
    if len(others):
        warnings.warn(
            f"{len(others):,} samples are of classes that the source does not have, and count in "
            f"no measure: {', '.join(map(repr, dict.fromkeys(others)))}; it has "
            f"{', '.join(map(repr, classes))}",
            stacklevel=3,
        )
    if not rows.any():
        return {}
    found = score(codes[rows], probabilities[rows])
    hooks.say(
        f"of {rows.sum():,} samples whose {label} is known, and was not used: accuracy "
        f"{found['accuracy']:.3f}, balanced {found['balanced_accuracy']:.3f}"
    )
    return {"measured": found}
