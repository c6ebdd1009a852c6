"""What a classifier says of new samples."""

import warnings
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Bool, Float, Float32, Int, Shaped

from jaxssl.arguments import checked
from jaxssl.bounds import Coverage, Share
from jaxssl.config import DataConfig
from jaxssl.data.arrival import Arrival, judge, receive
from jaxssl.data.formats.matrix import as_text
from jaxssl.data.samples import by_text, facts_of, require_column
from jaxssl.engine.bundle import Bundle, EncoderBundle
from jaxssl.engine.newcomers import column_of
from jaxssl.engine.prepared import is_among
from jaxssl.evaluation import conformal
from jaxssl.evaluation.calibration import nonconformity, sentence
from jaxssl.evaluation.classifier import warn_of_one_class
from jaxssl.evaluation.ensemble_bundle import Classifier, EnsembleBundle, logits_of, opinion_of
from jaxssl.evaluation.novelty import NONE, told_of_none
from jaxssl.evaluation.predictions import counted
from jaxssl.studies.data import read_data
from jaxssl.studies.embedding import arrive
from jaxssl.studies.encoders import read_any_classifier
from jaxssl.studies.job import Data
from jaxssl.studies.progress import SILENT, Hooks
from jaxssl.studies.target import as_table
from jaxssl.types import ADAPT, MAX_MISSING, REFUSE, InputError, OnShift


@checked
def predict(
    classifier: str | Path | EncoderBundle | EnsembleBundle,
    data: Data,
    hooks: Hooks = SILENT,
    *,
    max_missing: Share = MAX_MISSING,
    shift: OnShift = REFUSE,
    coverage: Coverage | None = None,
    label: str = "",
    batch: str = "",
) -> pd.DataFrame:
    """Class probabilities of new samples, and sets of classes; genes are matched by name.

    Args:
        classifier: folder of `finetune`, `classify` or `adapt`, the classifier in it, or a bundle.
        data: AnnData (samples x genes), a file, "demo" or "synthetic".
        hooks: told what is found.
        batch: column with the cohort of every sample, each of 10 or more; "": they are of one. Each
            is held against the training cohort, standardised with `shift="adapt"`, and put into a
            frame of cohorts (`normalize.frame`) on its own.
        max_missing: share of the classifier's genes that the data may lack.
        shift: what to do about samples that lie further from the training's than held-out ones of
            the same cohort do: "refuse" them; "warn"; "adapt": whatever they are, every gene is
            standardised within them, which takes 10 samples of one cohort, better 25, of several
            classes.
        coverage: share of the samples of every class whose set of classes is to hold the true one,
            such as 0.9. Promised for new samples of the cohort that the classifier's calibration
            labels are of, not for another's; a class with too few of them, which is warned of, is
            in every set. None: no sets.
        label: column with the true classes of some samples: how well the classifier does on them is
            told, as measured, of every cohort of `batch`, or of the column on record. It changes no
            prediction.

    Returns:
        A row a sample: sample_id, predicted, max_probability, out_of_distribution (share of
        held-out samples of the training cohort that lie nearer to it; NaN where the classifier
        keeps none), of a classifier of `classify` none_of_the_classes (the probability that it is
        of no class that had labels, by which the others are drawn towards equal ones), with
        `coverage` prediction_set (classes, the most probable first, joined by " | ") and set_size,
        with `label` that column as label, and p_CLASS for every class. Probabilities have the
        temperature that validation labels ask for, if the classifier keeps one.

    Raises:
        InputError: on a folder without a classifier, on data that do not fit it, on samples that
            have shifted, and on `coverage` of a classifier that keeps no calibration labels.

    Example:
        >>> jaxssl.predict("runs/clf", new, coverage=0.9)  # doctest: +SKIP
    """
    bundle = read_any_classifier(classifier)
    if isinstance(bundle, EnsembleBundle) and bundle.is_adapted:
        own = (bundle, data, hooks, coverage, label, batch)
        return _predict_adapted(*own, max_missing=max_missing, shift=shift)
    classes, calibration = tuple(bundle.provenance["classes"]), bundle.calibration
    limits = None if coverage is None else conformal.limits_of(calibration, classes, coverage)
    adata, arrival = arrive(bundle, data, hooks, batch, max_missing, shift, may_stay=True)
    truth = _truth_of(adata, classes, label, batch) if label else None
    _warn_of_labelled(adata, bundle)
    probabilities, none = opinion_of(bundle, arrival)
    named = np.asarray(classes)[probabilities.argmax(axis=1)]
    is_pooled = isinstance(bundle, EnsembleBundle)
    hooks.say(POOLED if is_pooled else sentence(calibration))
    hooks.say(f"predicted: {counted(named)}")
    judge(arrival, shift, "the classifier's", f"it takes {counted(named)}")
    warn_of_one_class(bundle, named, arrival.cohorts)
    sets, table = None, {"out_of_distribution": arrival.outlying} | _of_none(none, bundle, hooks)
    if coverage is not None and limits is not None:
        sets, columns = _sets_of(bundle, arrival, limits)
        table |= columns
        is_other = arrival.is_shifted or shift == ADAPT
        conformal.warn_of_other(calibration, is_other=is_other)
        hooks.say(conformal.told(sets, calibration, coverage, is_other=is_other))
    if truth is not None:
        table["label"] = truth.labels
        _tell(probabilities, truth, sets, hooks)
    return as_table(adata.obs_names.to_numpy(), classes, probabilities, **table)


def _of_none(none: np.ndarray | None, bundle: Classifier, hooks: Hooks) -> dict[str, Any]:
    """The column of samples that are of none of the classes, where the classifier tells these."""
    if none is None or not isinstance(bundle, EnsembleBundle):
        return {}
    hooks.say(told_of_none(none, bundle.recommended.novelty))
    return {NONE: none}


def _predict_adapted(
    adapted: EnsembleBundle,
    data: Data,
    hooks: Hooks,
    coverage: float | None,
    label: str,
    batch: str,
    *,
    max_missing: float,
    shift: OnShift,
) -> pd.DataFrame:
    """As `predict`, by a classifier that was adapted to the samples' laboratory."""
    laboratory, classes = adapted.provenance["cohort"], tuple(adapted.provenance["classes"])
    _refuse_for_adapted(laboratory, coverage, shift)
    adata = read_data(DataConfig(), hooks, data)
    cohorts = column_of(adata, batch) if batch else None
    fitted = adapted.normalizer, adapted.reference
    arrival = receive(adata, *fitted, max_missing=max_missing, shift=shift, cohorts=cohorts)
    hooks.say(arrival.sentence)
    if adapted.reference is None:
        warnings.warn(
            f"{laboratory} had too few samples to tell those of others apart: whether these are of "
            "that laboratory, processed alike, is for you to know",
            stacklevel=3,
        )
    truth = _truth_of(adata, classes, label, batch) if label else None
    probabilities, _ = adapted.opinion(arrival)
    named = np.asarray(classes)[probabilities.argmax(axis=1)]
    hooks.say(sentence(None))
    hooks.say(f"predicted: {counted(named)}")
    judge(arrival, shift, f"those of {laboratory}", f"it takes {counted(named)}", READAPT)
    ids, columns = adata.obs_names.to_numpy(), {"out_of_distribution": arrival.outlying}
    if truth is not None:
        columns["label"] = truth.labels
        _tell(probabilities, truth, None, hooks)
    return as_table(ids, classes, probabilities, **columns)


def _refuse_for_adapted(laboratory: str, coverage: float | None, shift: OnShift) -> None:
    """Refuse what a classifier that was adapted to a laboratory cannot do."""
    if shift == ADAPT:
        raise InputError(
            f"this classifier is adapted to {laboratory}, and not by `shift=adapt` to others",
            READAPT,
        )
    if coverage is not None:
        raise InputError(
            f"`coverage={coverage}` needs labels of {laboratory}, and no classifier that is "
            "adapted without them can promise any",
            "drop it",
        )


POOLED = "calibration: by the weights of the pool, chosen by cross-validation on the labels"
READAPT = "adapt a classifier to them by `adapt()`, or pass `shift=warn` to go on"


class Truth(NamedTuple):
    """What is known of the samples that are predicted."""

    labels: Shaped[np.ndarray, " samples"]  # as text; "": none
    codes: Int[np.ndarray, " samples"]  # of the classifier's classes; -1: none of them
    cohorts: Shaped[np.ndarray, " samples"]


def _tell(
    probabilities: Float[np.ndarray, "samples classes"],
    truth: Truth,
    sets: Bool[np.ndarray, "samples classes"] | None,
    hooks: Hooks,
) -> None:
    """Tell of every cohort how well the classifier does on its labels."""
    measured = conformal.by_cohort(probabilities, truth.codes, truth.cohorts, sets)
    for row in measured.to_dict("records"):
        hooks.say(conformal.measured(row))


def _sets_of(
    bundle: Classifier,
    arrival: Arrival,
    limits: Float32[np.ndarray, " classes"],
) -> tuple[Bool[np.ndarray, "samples classes"], dict[str, Any]]:
    """Sets of classes of samples, and their columns in the table."""
    scores = nonconformity(logits_of(bundle, arrival))
    sets = conformal.prediction_sets(scores, limits)
    texts = conformal.in_words(bundle.provenance["classes"], sets, scores)
    return sets, {"prediction_set": texts, "set_size": sets.sum(axis=1)}


def _truth_of(adata: AnnData, classes: tuple[str, ...], label: str, batch: str) -> Truth:
    """True classes and cohorts, by their columns."""
    obs = as_text(by_text(cast(pd.DataFrame, adata.obs)))
    batch = batch or str(facts_of(adata).get("batch", ""))
    for role, name in {"label": label, "batch": batch}.items():
        if name:
            require_column(obs.columns, name, role)
    labels = obs[label].to_numpy(object)
    codes = pd.Categorical(labels, categories=classes).codes.astype(np.int64)
    others = list(dict.fromkeys(labels[(codes < 0) & (labels != "")]))
    if (codes < 0).all():
        raise InputError(
            f"no value of the column {label!r} is a class of the classifier",
            f"name a column for `label` that has some of {', '.join(classes)}",
        )
    if others:
        n = int(((codes < 0) & (labels != "")).sum())
        warnings.warn(
            f"{n:,} samples are of classes that the classifier does not know, and count in no "
            f"measure: {', '.join(others)}",
            stacklevel=4,
        )
    cohorts = obs[batch].to_numpy(object) if batch else np.full(len(obs), "all", object)
    return Truth(labels, codes, cohorts)


def _warn_of_labelled(adata: AnnData, bundle: Bundle) -> None:
    """Warn of samples whose label the classifier was fitted on."""
    known = is_among(adata.obs_names.to_numpy(), bundle.provenance.get("labelled_ids", ""))
    if known is not None and known.any():
        warnings.warn(
            f"{known.sum():,} of {len(known):,} samples bear the id of one whose label the "
            "classifier was trained on: how well it does on them is no measure of new ones",
            stacklevel=4,
        )
