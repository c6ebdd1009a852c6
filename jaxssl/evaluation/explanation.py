"""Explanations of all targets of a model, as tables."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from jaxssl.data.backed import Expression
from jaxssl.data.genes import id_type
from jaxssl.data.normalize import standardize_framed
from jaxssl.evaluation.attributions import (
    MEMBERS,
    PerGene,
    Target,
    counts_of,
    deletion,
    explain_target,
    stability,
)
from jaxssl.evaluation.enrichment import GeneSets, over_represented
from jaxssl.evaluation.logistic import fit_logistic
from jaxssl.evaluation.targets import CLASSES, Source
from jaxssl.types import InputError, Normalizer

N_TOP = 100  # genes of a target that a table names, and among which sets are looked for
PER_CLASS = 30  # samples of a class that the linear model is fitted on


class Explanation(NamedTuple):
    """What `explain` found."""

    targets: pd.DataFrame  # a row a prototype or class
    genes: pd.DataFrame  # a row a target and one of its first genes
    ranks: pd.DataFrame  # genes x targets: attribution, with the sign of the level
    deletion: pd.DataFrame  # a row a target, order and number of genes
    sets: pd.DataFrame | None  # a row a target and gene set
    genes_are: str  # the kind of names that the genes have


class Names(NamedTuple):
    """Names of genes, and as gene sets have them."""

    genes: np.ndarray

    @property
    def called(self) -> np.ndarray:
        """Upper case, of symbol|Entrez and "symbol (Entrez)" the symbol."""
        return np.array([re.split(r"[|]| [(]", gene)[0].upper() for gene in self.genes], object)


class Samples(NamedTuple):
    """The samples that are explained."""

    framed: Expression
    normalizer: Normalizer
    columns: Mapping[str, np.ndarray]  # label and batch of every sample, "" where unknown


class Found(NamedTuple):
    """What is found of a target."""

    row: dict[str, Any]
    top: pd.DataFrame
    curves: pd.DataFrame
    signed: PerGene
    sets: pd.DataFrame | None


def explain_sources(
    sources: Sequence[Source],
    samples: Samples,
    names: Names,
    sets: GeneSets | None = None,
    log: Callable[[str], None] = lambda _: None,
) -> Explanation:
    """Explain every prototype and class that has enough samples.

    Args:
        sources: what has scores.
        samples: that are explained.
        names: of the genes.
        sets: gene sets, looked for among the first genes of each target.
        log: told the target that is done.

    Returns:
        The tables.

    Raises:
        InputError: where none has enough samples.
    """
    found = []
    for source in sources:
        linear = _linear_weights(source, samples) if source.kind == CLASSES else None
        for k, name in enumerate(source.names):
            found.append(_explain(source, k, samples, names, linear, sets))
            log(f"{source.kind} {name}")
    return _joined([one for one in found if one], names)


def _explain(
    source: Source,
    k: int,
    samples: Samples,
    names: Names,
    linear: Float[np.ndarray, "genes targets"] | None,
    sets: GeneSets | None,
) -> Found | None:
    """One target; None: it has too few samples."""
    head = {"kind": source.kind, "target": source.names[k]}
    targets = [
        Target(int(order[k]), np.flatnonzero(codes == order[k]))
        for codes, order in zip(source.codes, source.orders, strict=True)
    ]
    n = len(samples.framed)
    if min(min(len(t.members), n - len(t.members)) for t in targets) < MEMBERS:
        return None
    words = samples.normalizer, samples.framed
    each = [
        explain_target(source.scores, params, *words, target)
        for params, target in zip(source.params, targets, strict=True)
    ]
    mean = np.mean([one.attribution for one in each], axis=0)
    level = np.mean([one.level for one in each], axis=0)
    order = np.argsort(-mean, kind="stable")
    orders = {"attribution": order}
    if linear is not None:
        orders["logreg"] = np.argsort(-np.abs(linear[:, k]), kind="stable")
    counts = counts_of(len(names.genes))
    left = deletion(source.scores, source.params[0], *words, targets[0], orders, counts)
    curves = pd.DataFrame(left).assign(n_genes=counts).melt("n_genes", None, "order", "score_left")
    row = head | _described(targets[0].members, samples.columns)
    row |= {
        "score_gap": each[0].gap,
        "adds_up_within": max(one.apart for one in each),
        "stability": stability(np.stack([one.attribution for one in each])),
        **{f"left_{by}": float(np.mean(values)) for by, values in left.items()},
    }
    spread = (
        np.std([one.attribution for one in each], axis=0, ddof=1) if each[1:] else mean + np.nan
    )
    top = order[:N_TOP]
    values = {"gene": names.genes[top], "attribution": mean[top], "sd": spread[top]}
    table = pd.DataFrame(values | {"level": level[top]})
    table.insert(0, "rank", np.arange(1, len(top) + 1))
    above = order[(mean[order] > 0) & (level[order] > 0)][:N_TOP]
    of_sets = None if sets is None else over_represented(names.called[above], names.called, sets)
    signed, of_sets = mean * np.sign(level), of_sets if of_sets is None else _headed(of_sets, head)
    return Found(row, _headed(table, head), _headed(curves, head), signed, of_sets)


def _headed(table: pd.DataFrame, head: Mapping[str, str]) -> pd.DataFrame:
    """With the target's columns first."""
    return table.assign(**head)[[*head, *table.columns]]


def _described(
    rows: Int[np.ndarray, " members"], columns: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """How many samples a target has, and which label and batch most of them have."""
    card: dict[str, Any] = {"n_samples": len(rows)}
    for name, values in columns.items():
        known = pd.Series(values[rows][values[rows] != ""]).value_counts()
        card[name] = known.index[0] if len(known) else ""
        card[f"{name}_share"] = known.iloc[0] / known.sum() if len(known) else np.nan
    return card


def _joined(found: Sequence[Found], names: Names) -> Explanation:
    """The tables of all targets."""
    if not found:
        raise InputError(
            f"no prototype or class has {MEMBERS} samples and as many others",
            "give more samples, or a `label`",
        )
    rows, tops, curves, signed, sets = zip(*found, strict=True)
    targets = pd.DataFrame(list(rows))
    columns = targets["kind"] + "_" + targets["target"]
    ranks = pd.DataFrame(np.stack(signed, axis=1), pd.Index(names.called, name="gene"), columns)
    of_sets = None if sets[0] is None else pd.concat(sets, ignore_index=True)
    tables = (pd.concat(parts, ignore_index=True) for parts in (tops, curves))
    kind = id_type(names.genes) or "names of an unknown kind"
    genes, deleted = tables
    return Explanation(targets, genes, ranks, deleted, of_sets, kind)


def _linear_weights(source: Source, samples: Samples) -> Float[np.ndarray, "genes targets"] | None:
    """Coefficients of logistic regression on genes, of some samples of each class."""
    codes, rng = source.codes[0], np.random.default_rng(0)
    each = [
        rng.permutation(np.flatnonzero(codes == k))[:PER_CLASS] for k in range(len(source.names))
    ]
    rows = np.concatenate(each)
    z = standardize_framed(samples.normalizer, samples.framed[rows])
    return fit_logistic(z, np.eye(len(source.names))[codes[rows]]).linear()[0]
