"""A source with labels and the samples of another laboratory, as an adaptation reads them."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Bool, Int

from jaxssl.config import Config, DataConfig
from jaxssl.data.adapting import FEW
from jaxssl.data.family import Cohort, cohort_of, cohorts_in
from jaxssl.data.frames import MIN_COHORT
from jaxssl.data.labels import (
    MIN_CLASS_SIZE,
    drop_small_classes,
    how_to_leave_out,
    too_small,
    with_sizes,
)
from jaxssl.data.samples import facts_of
from jaxssl.data.scale import finite_values, refuse_flat
from jaxssl.data.task import check_axes
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.engine.newcomers import column_of
from jaxssl.engine.prepared import hashes_of, is_among
from jaxssl.studies.data import read_data
from jaxssl.studies.encoders import read_classifier, with_data
from jaxssl.studies.job import Data
from jaxssl.studies.progress import Hooks
from jaxssl.types import InputError


class Asked(NamedTuple):
    """What an adaptation is asked for."""

    data: Data  # of the laboratory
    source: Data  # with labels; None: that of the classifier's training
    classifier: str | Path | EncoderBundle | None
    label: str
    batch: str  # column of the source's cohorts
    seeds: int


class Given(NamedTuple):
    """Cohorts with labels, and the samples to classify."""

    cohorts: list[Cohort]
    is_used: Bool[np.ndarray, " samples"]  # whether a label may be, in the order of the cohorts
    target: Cohort
    adata: AnnData  # of the target
    label: str  # column of the source that the classes come from
    min_class_size: int  # labels of smaller classes are not used

    def names(self) -> dict[str, Any]:
        """For the record; unlabelled samples of the target are in the pretraining."""
        source = [cohort.name for cohort in self.cohorts]
        return {"cohort": self.target.name, "source": source, "transductive": True}

    def codes(self) -> tuple[Int[np.ndarray, " samples"], tuple[str, ...]]:
        """Classes of all rows, those of the target last, and their names; -1: not used."""
        labels = np.concatenate([cohort.labels for cohort in self.cohorts])
        labels, _ = drop_small_classes(np.where(self.is_used, labels, ""), self.min_class_size)
        classes, sizes = np.unique(labels[labels != ""].astype(str), return_counts=True)
        if len(classes) < 2:
            raise InputError(
                f"the source has labels of {len(classes)} class{'es' * (len(classes) != 1)}",
                "name another column with `label=COLUMN`",
            )
        counts = dict(zip(map(str, classes), sizes.tolist(), strict=True))
        rare = too_small(counts)
        if rare and self.is_used.all():  # a classifier's labels are as few as it was given
            raise InputError(
                f"{len(rare)} of {len(classes)} classes of the source have fewer than "
                f"{MIN_CLASS_SIZE} labels, and every class counts alike: {with_sizes(rare)}",
                how_to_leave_out(counts),
            )
        labels = np.append(labels, np.full(len(self.target.labels), ""))
        codes = pd.Categorical(labels, categories=classes).codes.astype(np.int64)
        return codes, tuple(map(str, classes))


def read_given(asked: Asked, hooks: Hooks) -> Given:
    """The source and the data; refuses samples that are in both."""
    bundle = None if asked.classifier is None else read_classifier(asked.classifier)
    options = DataConfig() if bundle is None else bundle.config.data
    source = asked.source if asked.source is not None else options.path
    if isinstance(source, str) and not source:
        found = "no source is given" if bundle is None else "the classifier names no data file"
        raise InputError(found, "pass `source=FILE`, with the labels to learn from")
    roles = {"label": asked.label or options.label, "batch": asked.batch or options.batch}
    with_labels = read_data(with_data(Config(), **roles).data, hooks, source)
    cohorts = _cohorts_of(with_labels, roles, _name(source, "source"), is_asked=bool(asked.batch))
    adata = read_data(DataConfig(), hooks, asked.data)
    ids = np.concatenate([cohort.ids for cohort in cohorts if cohort.ids is not None])
    _check_target(adata, ids, asked.batch)
    name = _name(asked.data, "target")
    while name in {cohort.name for cohort in cohorts}:
        name += " (new)"
    is_used = _labels_used(bundle, ids, is_own=asked.source is None)
    recorded = facts_of(with_labels)
    label = roles["label"] or str(recorded["label"])  # else it had been refused
    least = int(recorded.get("min_class_size", 0))
    return Given(cohorts, is_used, cohort_of(adata, name), adata, label, least)


def _cohorts_of(
    adata: AnnData, roles: dict[str, str], name: str, *, is_asked: bool
) -> list[Cohort]:
    """The cohorts of the source; one, where a column that nobody asked for names none."""
    try:
        cohorts = cohorts_in(adata, with_data(Config(), **roles), name)
        _check_sources(cohorts)
    except InputError as error:
        if is_asked:
            raise
        label = with_data(Config(), label=roles["label"])
        cohorts = cohorts_in(adata, label, name, by_record=False)  # raises, if it was not for that
        warnings.warn(
            f"{error.finding}: the source is taken as one cohort; name their column with "
            "`batch=COLUMN`",
            stacklevel=4,
        )
    return cohorts


def _labels_used(
    bundle: EncoderBundle | None, ids: np.ndarray, *, is_own: bool
) -> Bool[np.ndarray, " samples"]:
    """Which samples' labels a classifier was fitted on; all, where none is given.

    Of another source that has none of them all are, too, which is warned of.
    """
    everything = np.ones(len(ids), bool)
    if bundle is None:
        return everything
    used = is_among(ids, bundle.provenance.get("labelled_ids", ""))
    if used is not None and used.any():
        return used
    found = "no sample of the source bears the id of one whose label the classifier was fitted on"
    if is_own:
        raise InputError(
            f"{found}, so the file is another by now, or its ids are numbers",
            "pass `source=FILE` with the labels to use, and no classifier",
        )
    warnings.warn(f"{found}: all labels of the source are used", stacklevel=4)
    return everything


def _check_sources(cohorts: Sequence[Cohort]) -> None:
    """Refuse cohorts of the source that are too small to have a frame of their own."""
    small = [cohort for cohort in cohorts if len(cohort.labels) < MIN_COHORT]
    if small:
        raise InputError(
            f"{len(small)} of {len(cohorts)} cohorts of the source have fewer than {MIN_COHORT} "
            f"samples (first: {small[0].name} with {len(small[0].labels)})",
            "name a coarser column with `batch=COLUMN`, or leave it out to take them as one",
        )


def _check_target(adata: AnnData, ids: np.ndarray, batch: str) -> None:
    """Refuse samples that are in the source, by their ids, and too few; warn of few, and of many.

    `batch` is the column of cohorts that is asked for.
    """
    check_axes(adata)
    refuse_flat(finite_values(adata), adata.obs_names)
    known = adata.obs_names.isin(ids if hashes_of(ids) else [])  # numbers of rows are no ids
    if known.any():
        raise InputError(
            f"{known.sum():,} of {len(known):,} samples of the data are in the source, by their "
            f"ids (first: {adata.obs_names[known][0]})",
            "leave them out, or rename them if they are others",
        )
    if adata.n_obs < MIN_COHORT:
        raise InputError(
            f"{adata.n_obs} samples are too few to adapt to",
            f"give at least {MIN_COHORT} of one laboratory at once",
        )
    if adata.n_obs < FEW:
        warnings.warn(
            f"every gene is standardised within {adata.n_obs} samples, which is coarse below {FEW}",
            stacklevel=4,
        )
    column = batch or str(facts_of(adata).get("batch", ""))
    values = set(column_of(adata, column)) - {""} if column in adata.obs else set()
    if len(values) > 1:
        warnings.warn(
            f"{column!r} has {len(values):,} values among the samples, which are standardised as "
            "one cohort: if these are laboratories, adapt to each by itself",
            stacklevel=4,
        )


def _name(data: Data, otherwise: str) -> str:
    return Path(data).stem if isinstance(data, str | Path) and str(data) else otherwise
