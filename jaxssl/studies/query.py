"""Which samples to label next, and why."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Float, Int

from jaxssl.arguments import checked
from jaxssl.bounds import Positive, Seed, Share
from jaxssl.config import DataConfig
from jaxssl.data.arrival import judge
from jaxssl.data.formats.matrix import as_text
from jaxssl.data.samples import by_text, choose_columns, facts_of, some
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.engine.embed import embed_rows
from jaxssl.evaluation.label_orders import MARGIN, TYPICAL, class_probabilities, group_codes
from jaxssl.evaluation.queries import Pool, Query, directions_of, doubtful, margins, typical
from jaxssl.studies.data import Data
from jaxssl.studies.embedding import arrive
from jaxssl.studies.encoders import read_encoder
from jaxssl.studies.progress import SILENT, Hooks
from jaxssl.types import MAX_MISSING, REFUSE, InputError, OnShift

AUTO = "auto"
ENOUGH = 3  # labels a class, in the mean, from which on a model is asked what it doubts
By = Literal["auto", "typical", "margin"]


@checked
def query(
    encoder: str | Path | EncoderBundle,
    data: Data,
    n: Positive,
    hooks: Hooks = SILENT,
    *,
    by: By = AUTO,
    label: str = "",
    group: str = "",
    batch: str = "",
    seed: Seed = 0,
    max_missing: Share = MAX_MISSING,
    shift: OnShift = REFUSE,
) -> pd.DataFrame:
    """Find the samples whose labels would teach most.

    What `jaxssl query` does. With few labels or none these are typical samples: the embedding has
    as many clusters as there will be labels, and of each that has no label the sample in its middle
    is taken. With three labels a class and more they are those that a logistic regression on the
    embedding doubts most, unlike each other. No group is taken twice before all others, and in the
    middle of a cluster the cohort with the fewest labels comes first.

    Args:
        encoder: bundle or its folder, or run folder of `pretrain` or `study`: its first seed's.
        data: AnnData (samples x genes), a file, or "demo"; labelled samples and others.
        n: samples to label, at most those that have no label.
        hooks, max_missing, shift: as in `jaxssl.predict`.
        by: "typical", "margin" (between classes), or "auto".
        label, group, batch: columns of obs; by default those on record. Samples with an empty label
            are candidates; without a label column all are.
        seed: of the clusters.

    Returns:
        The samples in order: sample, group, batch, by, cluster and its size, and by margin the two
        most probable classes and the difference of their probabilities; why, in words.

    Raises:
        InputError: where fewer than `n` samples have no label, where "margin" has no two classes to
            go by, and on data that do not fit the encoder or have shifted.

    Example:
        >>> jaxssl.query("runs/mirna", adata, 20).head()  # doctest: +SKIP

    Sources: Hacohen et al. 2022, arXiv 2202.02794; Zhdanov 2019, arXiv 1901.05954.
    """
    bundle = read_encoder(encoder)
    adata, arrival = arrive(bundle, data, hooks, batch, max_missing, shift)
    judge(arrival, shift, "the encoder's")
    columns = _columns(adata, DataConfig(label=label, group=group, batch=batch))
    classes, codes = _coded(columns["label"])
    is_labelled, by = codes >= 0, _chosen(by, n, codes, len(classes))
    x = directions_of(embed_rows(bundle.config, bundle.params["encoder"], arrival.x))
    pool = Pool(x, group_codes(columns["group"]), pd.factorize(columns["batch"])[0])
    if by == TYPICAL:
        found = typical(pool, n, is_labelled, seed)
        why = _typical(found)
    else:
        probabilities = class_probabilities(x, codes, is_labelled, seed)
        found = doubtful(pool, n, is_labelled, probabilities, seed)
        why = _doubtful(probabilities[found.rows], classes)
    head = {"sample": adata.obs_names.to_numpy()[found.rows]}
    head |= {role: columns[role][found.rows] for role in ("group", "batch")}
    table = pd.DataFrame(head | {"cluster": found.cluster, "cluster_size": found.size} | why)
    for line in _told(table, columns, is_labelled):
        hooks.say(line)
    return table


def _columns(adata: AnnData, options: DataConfig) -> dict[str, np.ndarray]:
    """Label, group and batch of every sample, "" where unknown."""
    obs = by_text(cast(pd.DataFrame, adata.obs))
    chosen = choose_columns(obs.columns, options, facts_of(adata))
    text, nothing = as_text(obs), np.full(len(obs), "", object)
    return {role: text[name].to_numpy() if name else nothing for role, name in chosen.items()}


def _coded(labels: np.ndarray) -> tuple[list[str], Int[np.ndarray, " samples"]]:
    """Classes that have a label, and the code of every sample; -1: none."""
    classes = sorted(set(labels) - {""})
    return classes, pd.Index(classes).get_indexer(pd.Index(labels))


def _chosen(by: By, n: int, codes: Int[np.ndarray, " samples"], n_classes: int) -> By:
    """What is asked for, or what suits as many labels; refuses what cannot be asked."""
    free = int((codes < 0).sum())
    if n > free:
        raise InputError(
            f"`n={n:,}`, and {free:,} of {len(codes):,} samples have no label",
            "lower it" if free else "add samples without a label, or name another `label`",
        )
    if by == MARGIN and n_classes < 2:
        finding = f"`by=margin` with labels of {n_classes} class{'es' * (n_classes != 1)}"
        raise InputError(finding, "pass `by=typical` until two classes have a label")
    if by != AUTO:
        return by
    return MARGIN if n_classes > 1 and (codes >= 0).sum() >= ENOUGH * n_classes else TYPICAL


def _typical(found: Query) -> dict[str, Any]:
    """Why samples are typical."""
    nth = pd.Series(found.cluster).groupby(found.cluster).cumcount()
    reasons = [
        f"in the middle of a cluster of {size:,}" + f", the {i + 1}th of it" * (i > 0)
        for size, i in zip(found.size.tolist(), nth.tolist(), strict=True)
    ]
    return {"by": TYPICAL, "reason": reasons}


def _doubtful(p: Float[np.ndarray, "queried classes"], classes: list[str]) -> dict[str, Any]:
    """Between which classes samples are."""
    second, first = np.argsort(p, axis=1)[:, -2:].T
    names, at = np.array(classes, object), np.arange(len(p))
    pairs = zip(names[first], p[at, first], names[second], p[at, second], strict=True)
    reasons = [f"{a} {of_a:.2f} or {b} {of_b:.2f}" for a, of_a, b, of_b in pairs]
    own = {"first": names[first], "second": names[second], "margin": margins(p)}
    return {"by": MARGIN, **own, "reason": reasons}


def _told(
    table: pd.DataFrame, columns: dict[str, np.ndarray], is_labelled: np.ndarray
) -> Iterator[str]:
    """What the samples are, and which cohorts will have no label."""
    n, by = len(table), table["by"].iloc[0]
    what = "typical ones" if by == TYPICAL else "those between two classes"
    yield f"{n:,} samples to label, {what}; {int(is_labelled.sum()):,} have a label"
    twice = int(table["group"][table["group"] != ""].duplicated().sum())
    if twice:
        yield f"{twice:,} of them are of a group that is among them already: no other is left"
    without = set(columns["batch"]) - set(columns["batch"][is_labelled]) - set(table["batch"])
    if without:
        yield f"no label is in {len(without):,} cohorts: {some(sorted(without))}"
