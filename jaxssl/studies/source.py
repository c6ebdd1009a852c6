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
from jaxssl.data.samples import facts_of
from jaxssl.data.scale import finite_values
from jaxssl.engine.bundle import EncoderBundle
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

    def names(self) -> dict[str, Any]:
        """For the record; unlabelled samples of the target are in the pretraining."""
        source = [cohort.name for cohort in self.cohorts]
        return {"cohort": self.target.name, "source": source, "transductive": True}

    def codes(self) -> tuple[Int[np.ndarray, " samples"], tuple[str, ...]]:
        """Classes of all rows, those of the target last, and their names; -1: not used."""
        labels = np.concatenate([cohort.labels for cohort in self.cohorts])
        labels = np.where(self.is_used, labels, "").astype(str)
        classes = tuple(sorted(set(labels) - {""}))
        if len(classes) < 2:
            raise InputError(
                f"the source has labels of {len(classes)} class{'es' * (len(classes) != 1)}",
                "name another column with `label=COLUMN`",
            )
        labels = np.append(labels, np.full(len(self.target.labels), ""))
        return pd.Categorical(labels, categories=list(classes)).codes.astype(np.int64), classes


def read_given(asked: Asked, hooks: Hooks) -> Given:
    """The source and the data; refuses samples that are in both."""
    bundle = None if asked.classifier is None else read_classifier(asked.classifier)
    options = DataConfig() if bundle is None else bundle.config.data
    source = asked.source if asked.source is not None else options.path
    if isinstance(source, str) and not source:
        found = "no source is given" if bundle is None else "the classifier names no data file"
        raise InputError(found, "pass `source=FILE`, with the labels to learn from")
    roles = {"label": asked.label or options.label, "batch": asked.batch or options.batch}
    config = with_data(Config(), **roles)
    with_labels = read_data(config.data, hooks, source)
    cohorts = cohorts_in(with_labels, config, _name(source, "source"))
    _check_sources(cohorts)
    adata = read_data(DataConfig(), hooks, asked.data)
    ids = np.concatenate([cohort.ids for cohort in cohorts if cohort.ids is not None])
    _check_target(adata, ids)
    name = _name(asked.data, "target")
    while name in {cohort.name for cohort in cohorts}:
        name += " (new)"
    used = is_among(ids, bundle.provenance.get("labelled_ids", "")) if bundle else None
    is_used = np.ones(len(ids), bool) if used is None or not used.any() else used
    label = roles["label"] or str(facts_of(with_labels)["label"])  # else it had been refused
    return Given(cohorts, is_used, cohort_of(adata, name), adata, label)


def _check_sources(cohorts: Sequence[Cohort]) -> None:
    """Refuse cohorts of the source that are too small to have a frame of their own."""
    small = [cohort for cohort in cohorts if len(cohort.labels) < MIN_COHORT]
    if small:
        raise InputError(
            f"{len(small)} of {len(cohorts)} cohorts of the source have fewer than {MIN_COHORT} "
            f"samples (first: {small[0].name} with {len(small[0].labels)})",
            "name a coarser column with `batch=COLUMN`",
        )


def _check_target(adata: AnnData, ids: np.ndarray) -> None:
    """Refuse samples that are in the source, by their ids, and too few; warn of few."""
    x = finite_values(adata)
    flat = np.flatnonzero((x == x[:, :1]).all(axis=1))
    if len(flat) and x.shape[1] > 1:
        raise InputError(
            f"{len(flat):,} of {len(x):,} samples have one value for all genes (first: "
            f"{adata.obs_names[flat[0]]})",
            "leave them out",
        )
    known = adata.obs_names.isin(ids if hashes_of(ids) else [])  # numbers of rows are no ids
    if known.any():
        raise InputError(
            f"{known.sum():,} of {len(known):,} samples of the data are in the source, by their "
            f"ids (first: {adata.obs_names[known][0]})",
            "leave them out",
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


def _name(data: Data, otherwise: str) -> str:
    return Path(data).stem if isinstance(data, str | Path) and str(data) else otherwise
