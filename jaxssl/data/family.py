"""A family of cohorts that ask one question, and its transfers: labels of some, samples of another.

A cohort is the samples of one laboratory, platform and processing. A transfer has the labels of its
source only; those of its target measure what came of it.
"""

import math
import warnings
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple, cast

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Bool, Float, Int

from jaxssl.config import Config
from jaxssl.data.caveats import nameless_classes
from jaxssl.data.formats.matrix import as_text
from jaxssl.data.frames import MIN_COHORT
from jaxssl.data.labels import label_order
from jaxssl.data.normalize import log2_expression
from jaxssl.data.samples import by_text, choose_columns, facts_of
from jaxssl.data.scale import finite_values, recorded_scale
from jaxssl.data.task import check_axes
from jaxssl.types import InputError

MIN_LABELS = 4  # of a class in source and in target
FLAT = 1e-5  # standard deviation of a gene that does not vary
PROTOCOLS = ("pairs", "leave_cohort_out")


class Cohort(NamedTuple):
    """Log2 expression of one cohort, with its labels as text."""

    name: str
    expression: Float[np.ndarray, "samples genes"]
    genes: np.ndarray
    labels: np.ndarray  # "" where unknown
    scale: str  # of the file: one of `data.scale.SCALES`
    ids: np.ndarray | None = None  # of the samples; None: nobody asks
    groups: np.ndarray | None = None  # of the samples, "" where unknown; None: not known


class Joint(NamedTuple):
    """Several cohorts as one matrix, of the genes that all share and that vary in each."""

    genes: np.ndarray
    expression: Float[np.ndarray, "samples genes"]  # log2
    cohorts: np.ndarray  # of every row
    labels: np.ndarray  # "" where unknown


class Transfer(NamedTuple):
    """Labels of some cohorts of a joint matrix for the samples of another."""

    source: str
    target: str
    rows_of_source: Int[np.ndarray, " source"]
    rows_of_target: Int[np.ndarray, " target"]
    codes: Int[np.ndarray, " samples"]  # -1: unlabelled, or of a class that is not compared
    classes: tuple[str, ...]

    @property
    def tested(self) -> Int[np.ndarray, " tested"]:
        """Rows of the target that have a label."""
        return self.rows_of_target[self.codes[self.rows_of_target] >= 0]

    def labelled(self, share: float, seed: int) -> Int[np.ndarray, " labelled"]:
        """Rows of a class-proportional share of the source's labels; shares of a seed are nested.

        Every class has a label at least.
        """
        rows = self.rows_of_source[self.codes[self.rows_of_source] >= 0]
        order = rows[label_order(self.codes[rows], len(self.classes), seed)]
        n = max(math.ceil(share * len(rows) - 1e-9), len(self.classes))
        return np.sort(order[:n])


def cohort_of(adata: AnnData, name: str) -> Cohort:
    """A data set as one cohort, whatever labels it has left out."""
    x = finite_values(adata)
    scale = recorded_scale(adata, x)
    genes, unknown = adata.var_names.to_numpy(), np.full(adata.n_obs, "", object)
    ids = adata.obs_names.to_numpy()
    return Cohort(name, log2_expression(x, scale), genes, unknown, scale, ids)


def cohorts_in(
    adata: AnnData, config: Config, name: str = "", *, by_record: bool = True
) -> list[Cohort]:
    """The cohorts of a data set by its batch column; all of one where there is none.

    Args:
        adata: samples x genes.
        config: `data.label` and `data.batch` are read, else what was recorded of the file.
        name: of the cohort, where no column tells them apart.
        by_record: whether a column that is on record does, beside one that is named.

    Raises:
        InputError: if no label column is known, or samples lack a cohort while others have one.
    """
    check_axes(adata)
    recorded = facts_of(adata)
    obs = as_text(by_text(cast(pd.DataFrame, adata.obs)))
    columns = choose_columns(obs.columns, config.data, recorded)
    if not columns["label"]:
        raise InputError(
            f"no label column is known, and the data have {', '.join(obs.columns) or 'none'}",
            "name one with `label=COLUMN`",
        )
    labels = obs[columns["label"]].to_numpy()
    for told in nameless_classes(labels):
        warnings.warn(told, stacklevel=3)
    column = columns["batch"] if by_record else config.data.batch
    batches = obs[column].to_numpy() if column else np.full(len(obs), name)
    nameless = int((batches == "").sum())
    if nameless:
        raise InputError(
            f"{nameless:,} of {len(obs):,} samples have no cohort in {column!r}",
            "leave them out, or name another column with `batch=COLUMN`",
        )
    all_of, group = cohort_of(adata, name)._replace(labels=labels), columns["group"]
    all_of = all_of._replace(groups=obs[group].to_numpy() if group else None)
    return [
        rows_of(all_of, rows)._replace(name=str(own))
        for own in np.unique(batches)
        if (rows := batches == own).any()
    ]


def check_family(cohorts: Sequence[Cohort]) -> list[Cohort]:
    """The cohorts that have samples enough; a family with fewer than two of them is refused."""
    names = [cohort.name for cohort in cohorts]
    if len(names) < 2:
        raise InputError(
            f"the data are of one cohort ({names[0]}), and a transfer takes two",
            "name the column of cohorts with `batch=COLUMN`, or pass several files",
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            f"two files have a cohort called {twice[0]}",
            "pass each file once; rename one of them if they are of two cohorts",
        )
    small = [cohort for cohort in cohorts if len(cohort.labels) < MIN_COHORT]
    n_kept = len(cohorts) - len(small)
    if n_kept < max(2, len(small)):
        raise InputError(
            f"{len(small)} of {len(cohorts)} cohorts have fewer than {MIN_COHORT} samples (first: "
            f"{small[0].name} with {len(small[0].labels)})",
            "leave them out, or name a coarser column with `batch=COLUMN`",
        )
    return [cohort for cohort in cohorts if len(cohort.labels) >= MIN_COHORT]


def drawn(cohort: Cohort, max_samples: int) -> Cohort:
    """At most so many samples of a cohort, drawn at random but always the same; 0: all."""
    n = len(cohort.labels)
    if not 0 < max_samples < n:
        return cohort
    return rows_of(cohort, np.sort(np.random.default_rng(0).choice(n, max_samples, replace=False)))


def rows_of(
    cohort: Cohort, rows: Bool[np.ndarray, " samples"] | Int[np.ndarray, " rows"]
) -> Cohort:
    """Some samples of a cohort."""
    named = {"expression", "labels", "ids", "groups"}
    own = {name: value for name, value in cohort._asdict().items() if name in named}
    return cohort._replace(**{n: None if v is None else v[rows] for n, v in own.items()})


def join(cohorts: Sequence[Cohort]) -> Joint:
    """Cohorts as one matrix.

    Raises:
        InputError: if they share no gene that varies in each of them.
    """
    shared = pd.Index(cohorts[0].genes)
    for cohort in cohorts[1:]:
        shared = shared.intersection(pd.Index(cohort.genes), sort=False)
    columns = [pd.Index(cohort.genes).get_indexer(shared) for cohort in cohorts]
    parts = [c.expression[:, at] for c, at in zip(cohorts, columns, strict=True)]
    # a gene that is constant in a cohort says nothing of its samples
    varies = np.all([part.std(axis=0) > FLAT for part in parts], axis=0)
    names = " and ".join(cohort.name for cohort in cohorts[:2])
    if varies.sum() < 2:
        raise InputError(
            f"{names} have {'one' if len(shared) else 'no'} gene in common"
            if len(shared) < 2
            else f"{'one' if varies.any() else 'no'} gene varies in each of {names}",
            "bring the names of their genes to one vocabulary by `read(gene_map=TABLE)`",
        )
    return Joint(
        genes=shared.to_numpy()[varies],
        expression=np.concatenate([part[:, varies] for part in parts]),
        cohorts=np.repeat([c.name for c in cohorts], [len(c.labels) for c in cohorts]),
        labels=np.concatenate([cohort.labels for cohort in cohorts]),
    )


def sets_of(cohorts: Sequence[Cohort], protocol: str) -> list[tuple[Cohort, ...]]:
    """The sets of cohorts that transfers are among: every two, or all at once."""
    return list(combinations(cohorts, 2)) if protocol == "pairs" else [tuple(cohorts)]


def transfers(joint: Joint) -> tuple[list[Transfer], list[str]]:
    """Every cohort as the target of all others, and sentences on those that cannot be.

    What is compared are the classes with `MIN_LABELS` labels in source and in target.
    """
    found, left_out = [], []
    for target in np.unique(joint.cohorts):
        is_target = joint.cohorts == target
        names = np.unique(joint.cohorts[~is_target])
        source, told = "+".join(names), names[0] if len(names) == 1 else "the others"
        counts = [pd.Series(joint.labels[rows]).value_counts() for rows in (~is_target, is_target)]
        shared = sorted(name for name in counts[0].index.intersection(counts[1].index) if name)
        classes = tuple(name for name in shared if min(c[name] for c in counts) >= MIN_LABELS)
        if len(classes) < 2:
            left_out.append(
                f"{told} to {target}: fewer than two classes have {MIN_LABELS} labels in both"
            )
            continue
        codes = pd.Categorical(joint.labels, categories=list(classes)).codes.astype(np.int64)
        rows = np.flatnonzero(~is_target), np.flatnonzero(is_target)
        found.append(Transfer(source, str(target), *rows, codes, classes))
    return found, left_out
