"""One encoder and labels to a classifier, and what a classifier says of new samples."""

import dataclasses
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int

from jaxssl.arguments import checked
from jaxssl.bounds import LabelShare, Share, check_value
from jaxssl.config import Config, FinetuneConfig
from jaxssl.data.arrival import Arrival
from jaxssl.data.labels import label_budget, label_order
from jaxssl.data.missing import CURVE, measure_curve
from jaxssl.data.task import Task
from jaxssl.engine.bundle import EncoderBundle, diagnosis_of, save_bundle
from jaxssl.engine.prepared import fingerprint, is_among, record_of, settle_in
from jaxssl.evaluation.arms import Fit
from jaxssl.evaluation.calibration import facts, sentence
from jaxssl.evaluation.classifier import fit_classifier, tell_apart, with_calibration
from jaxssl.evaluation.classifier import predict as predict_rows
from jaxssl.evaluation.fits import of_one, settle
from jaxssl.evaluation.predictions import score
from jaxssl.files import read_json, write_json, write_table, write_text
from jaxssl.report.render import model_card
from jaxssl.runs import layout
from jaxssl.runs.journal import predictions_frame
from jaxssl.runs.notes import Notes
from jaxssl.runs.output import Output, check_folder, open_folder, released
from jaxssl.studies.data import Data, read_data
from jaxssl.studies.encoders import read_encoder, set_options
from jaxssl.studies.job import Job, hooks_of, make_job, warn_again
from jaxssl.studies.progress import Hooks
from jaxssl.studies.question import pose
from jaxssl.studies.receiving import receive_to_fit
from jaxssl.studies.start import announce, inherit_columns
from jaxssl.types import MAX_MISSING, REFUSE, ROLES, OnShift
from jaxssl.validate import validate


@checked
def finetune(
    encoder: str | Path | EncoderBundle,
    data: Data = None,
    *,
    out: str | Path,
    share: LabelShare = 1.0,
    label: str = "",
    group: str = "",
    batch: str = "",
    allow_leaks: Sequence[str] = (),
    max_missing: Share = MAX_MISSING,
    shift: OnShift = REFUSE,
    options: FinetuneConfig | Mapping[str, Any] | None = None,
    overwrite: bool = False,
    progress: bool | Callable = True,
) -> EncoderBundle:
    """Fine-tune an encoder on labels, by the split of its pretraining, and keep the classifier.

    What `jaxssl finetune` does, with the same numbers. `SSLClassifier` fits all its samples.

    Args:
        encoder: bundle or its folder, or run folder of `pretrain` or `study`.
        data: as in `jaxssl.study`; by default that of the pretraining.
        out: folder for the classifier, its held-out probabilities and its scores.
        share: of the training labels.
        label, group, batch, allow_leaks, overwrite, progress: as in `jaxssl.study`; what the
            pretraining was allowed is not allowed here.
        max_missing: share of the encoder's genes that the data may lack.
        shift: as in `jaxssl.predict`; with "adapt" the classifier keeps means and deviations of the
            training part, and new samples are held against these data.
        options: of the fine-tuning, or a dict such as {"finetune.n_steps": 500}, which may name the
            "split.protocol" of data that are not the pretraining's; by default the encoder's.

    Returns:
        The classifier, which `predict` reads from `out`.

    Raises:
        InputError: where encoder, data, labels or options do not allow it.

    Example:
        >>> jaxssl.finetune("runs/encoders", adata, out="runs/clf", share=0.05)  # doctest: +SKIP
    """
    bundle = read_encoder(encoder)
    if isinstance(options, FinetuneConfig):
        own = dataclasses.replace(bundle.config, finetune=options)
    else:
        own = set_options(bundle.config, options, "finetune")
    config = own_options(bundle, own, own.finetune)
    inputs = () if isinstance(encoder, EncoderBundle) else (("encoder", encoder),)
    output = Output(str(out), overwrite=overwrite, inputs=inputs)
    asked = {
        "label": label,
        "group": group,
        "batch": batch,
        "allow_leaks": allow_leaks,
        "reader": "finetune",
    }
    job = make_job(config, data, output, hooks_of(progress), **asked)
    with released(out):
        classifier = run_finetuning(job, bundle, share, max_missing, shift)
    warn_again({"warnings": read_json(Path(out) / layout.SUMMARY)["warnings"]})
    return classifier


def own_options(bundle: EncoderBundle, config: Config, finetune: FinetuneConfig) -> Config:
    """The options of an encoder for a fine-tuning, which is to be allowed its leaks itself.

    Columns that its pretraining named are not asked of the data; see `start.inherit_columns`.
    """
    split, named = dataclasses.replace(config.split, allow_leaks=()), vars(bundle.config.data)
    inherited = {role: "" for role in ROLES if getattr(config.data, role) == named[role]}
    data = dataclasses.replace(config.data, **inherited)
    return dataclasses.replace(config, data=data, finetune=finetune, split=split)


def run_finetuning(
    job: Job, bundle: EncoderBundle, share: float, max_missing: float, shift: OnShift = REFUSE
) -> EncoderBundle:
    """Split, fine-tune on a share of the training labels, score the held-out parts, write all.

    The job has the encoder's options, with the data and the fine-tuning options to use.
    """
    config, hooks, output = job.config, job.hooks, job.output._replace(can_resume=False)
    validate(config)
    check_value("share", share, LabelShare)
    check_folder(output)  # before the data are read
    notes = Notes(hooks.say)
    with notes.stage("read"):
        adata = read_data(config.data, hooks, job.data)
        config = inherit_columns(config, adata, bundle)
        arrival = receive_to_fit(adata, bundle, job, config, max_missing, shift)
        task = pose(adata, config, hooks, notes)
    bundle, arrival = settle_in(bundle, arrival, shift, task.split, task.groups, task.batches)
    notes.inherit(bundle.provenance.get("allowed_leaks", []))
    announce(config, hooks)
    overlap = _overlap(task, bundle, notes)
    classifier, order = _fit(bundle, config, task, arrival, share)
    hooks.say(sentence(classifier.calibration))
    found = notes.found() | {"overlap": overlap["overlap"]}
    found["warnings"] = list(dict.fromkeys(bundle.provenance.get("warnings", []) + notes.warnings))
    origin = classifier.provenance | found | {"labelled_ids": record_of(task.sample_ids, order)}
    curve = _missing_genes(classifier, task, arrival)
    classifier = dataclasses.replace(classifier, provenance=origin | {CURVE: curve})
    folder = open_folder(output)  # now: a fit that diverged leaves what is there
    save_bundle(folder / layout.CLASSIFIER, classifier)
    with notes.stage("score"):
        scores = _score_parts(classifier, task, arrival.x, folder, hooks)
    found["warnings"] = list(dict.fromkeys(found["warnings"] + notes.warnings))
    summary = {"classes": list(task.classes), "n_labelled": len(order), "share": share} | scores
    told = {CURVE: curve, "calibration": facts(classifier.calibration)}
    summary |= {**overlap, **found, **told, "pretraining": diagnosis_of(bundle)._asdict()}
    write_json(folder / layout.SUMMARY, summary)
    (folder / layout.KEPT).unlink(missing_ok=True)  # a run is there again
    card = model_card(classifier, {"classifier": scores})
    write_text(folder / layout.CLASSIFIER / layout.CARD, card)
    notes.close()
    return classifier


def _missing_genes(
    classifier: EncoderBundle, task: Task, arrival: Arrival
) -> dict[str, Any] | None:
    """How accurate the classifier is on held-out samples that lack genes."""
    rows = np.concatenate([task.split.validation, task.split.test])

    def name(x: np.ndarray) -> np.ndarray:
        return predict_rows(classifier, x).argmax(axis=1)

    return measure_curve(classifier.normalizer, arrival.framed[rows], task.codes[rows], name)


def _fit(
    bundle: EncoderBundle, config: Config, task: Task, arrival: Arrival, share: float
) -> tuple[EncoderBundle, Int[np.ndarray, " labelled"]]:
    """A classifier of a class-proportional share of the training labels, whose rows follow.

    It is calibrated on the labels of validation.
    """
    labelled, n_classes = task.labelled_train, len(task.classes)
    n, seed = label_budget(share, len(labelled), n_classes), int(bundle.provenance["seed"])
    order = labelled[label_order(task.codes[labelled], n_classes, seed)][:n]
    train, held_out, x = task.split.train, task.split.validation, arrival.x
    of_train = x[train], task.codes[train], task.classes, np.searchsorted(train, order)  # sorted
    classifier = fit_classifier(bundle, config, *of_train, seed)
    codes = np.full(len(x), -1)
    codes[order] = task.codes[order]
    cohorts = None if arrival.cohorts is None else np.asarray(arrival.cohorts)[train]
    classifier = tell_apart(classifier, arrival.expression[train], codes[train], cohorts)
    return with_calibration(classifier, x[held_out], task.codes[held_out]), order


def _overlap(task: Task, bundle: EncoderBundle, notes: Notes) -> dict[str, Any]:
    """What is known of held-out samples in the pretraining: counts by part, and in words."""
    facts = {"split_of_pretraining": True, "seen_in_pretraining": {"validation": 0, "test": 0}}
    if fingerprint(task) == bundle.provenance["training_samples"]:
        return facts | {"overlap": "the split is that of the pretraining, by the samples' ids"}
    start = "this split is not that of the pretraining"
    seen = is_among(task.sample_ids, bundle.provenance.get("training_ids", ""))
    if seen is None:
        counts = None
        text = (
            f"{start}, and ids do not tell which samples were seen there (those of the bundle or "
            "of the data are absent, or numbers of rows): if the data are the same, held-out "
            "samples were, without their labels"
        )
    else:
        counts = {n: int(seen[getattr(task.split, n)].sum()) for n in facts["seen_in_pretraining"]}
        n_held_out = len(task.split.validation) + len(task.split.test)
        text = (
            f"{start}, and {sum(counts.values()):,} of {n_held_out:,} held-out samples bear the "
            "id of a sample that was seen there, without its label"
        )
    if counts is None or any(counts.values()):
        notes.warn(text)
    else:
        text += "; a sample under another id would not be noticed"
    return {"split_of_pretraining": False, "seen_in_pretraining": counts, "overlap": text}


def _score_parts(
    classifier: EncoderBundle, task: Task, x: np.ndarray, folder: Path, hooks: Hooks
) -> dict[str, Any]:
    """Scores on the held-out parts, whose probabilities are written."""
    seed, tables, scores = int(classifier.provenance["seed"]), [], {}
    for part in ("validation", "test"):
        rows = getattr(task.split, part)
        probabilities = predict_rows(classifier, x[rows])
        probabilities, state = settle(task.codes[rows], Fit(probabilities, 0.0))
        if state:
            warnings.warn(f"{part}: {of_one(state)}", stacklevel=3)
        scores[part] = score(task.codes[rows], probabilities)
        tables.append(predictions_frame(task, rows, seed, probabilities).assign(part=part))
        hooks.say(f"{part}: accuracy {scores[part]['accuracy']:.3f} on {len(rows):,} samples")
    write_table(folder / layout.CLASSIFIED, pd.concat(tables))
    return scores
