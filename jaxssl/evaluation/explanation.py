"""Explanations of all prototypes and classes of a model, as tables."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from jaxssl.config import Config
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
from jaxssl.evaluation.enrichment import GeneSets, as_in_sets, over_represented
from jaxssl.evaluation.logistic import fit_logistic
from jaxssl.evaluation.targets import CLASSES, Source
from jaxssl.types import InputError, Normalizer

N_NEAREST = 3  # targets
N_TOP = 100  # genes of a target that a table names, and among which sets are looked for
PER_CLASS = 30  # samples of a class that the linear model is fitted on
LEFT = "left_"  # before an order: mean score left while genes are taken away in it


class Explanation(NamedTuple):
    """What `explain` found."""

    targets: pd.DataFrame  # a row a prototype or class
    genes: pd.DataFrame  # a row a target and one of its first genes
    ranks: pd.DataFrame  # genes x targets: attribution, with the sign of the level
    deletion: pd.DataFrame  # a row a target, order and number of genes
    sets: pd.DataFrame | None  # a row a target and gene set
    genes_are: str  # the kind of names that the genes have
    config: Config  # of the model


class Samples(NamedTuple):
    """The samples that are explained."""

    framed: Expression
    normalizer: Normalizer
    columns: Mapping[str, np.ndarray]  # label and batch of every sample, "" where unknown

    @property
    def genes(self) -> np.ndarray:
        """Names of the genes."""
        return np.array(self.normalizer.genes, dtype=object)


class Found(NamedTuple):
    """What is found of a target."""

    row: dict[str, Any]
    genes: pd.DataFrame
    deletion: pd.DataFrame
    rank: PerGene
    sets: pd.DataFrame | None


def explain_sources(
    sources: Sequence[Source],
    samples: Samples,
    config: Config,
    sets: GeneSets | None = None,
    log: Callable[[str], None] = lambda _: None,
) -> Explanation:
    """Explain every prototype and class that has enough samples.

    Args:
        sources: what has scores.
        samples: that are explained.
        config: of the model, for the record.
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
            weights = None if linear is None else linear[:, k]
            found.append(_explain(source, k, samples, weights, sets))
            log(f"{source.kind} {name}")
    found = [one for one in found if one]
    if not found:
        raise InputError(
            f"no prototype or class has {MEMBERS} samples and as many others",
            "give more samples, or a `label`",
        )
    rows, genes, deleted, ranks, of_sets = zip(*found, strict=True)
    targets, ranked = pd.DataFrame(list(rows)), np.stack(ranks, axis=1)
    names = targets["kind"] + "_" + targets["target"]
    return Explanation(
        targets.assign(nearest=_nearest(ranked, targets)),
        pd.concat(genes, ignore_index=True),
        pd.DataFrame(ranked, pd.Index(samples.genes, name="gene"), names),
        pd.concat(deleted, ignore_index=True),
        None if sets is None else pd.concat(of_sets, ignore_index=True),
        id_type(samples.genes) or "names of an unknown kind",
        config,
    )


def _explain(
    source: Source, k: int, samples: Samples, weights: PerGene | None, sets: GeneSets | None
) -> Found | None:
    """One target; None: it has too few samples."""
    head = {"kind": source.kind, "target": source.names[k]}
    targets = [
        Target(int(order[k]), np.flatnonzero(codes == order[k]))
        for codes, order in zip(source.codes, source.orders, strict=True)
    ]
    sizes = [min(len(t.members), len(samples.framed) - len(t.members)) for t in targets]
    if min(sizes) < MEMBERS:
        return None
    data = samples.normalizer, samples.framed
    each = [
        explain_target(source.scores, params, *data, target)
        for params, target in zip(source.params, targets, strict=True)
    ]
    attributions = np.stack([one.attribution for one in each])
    mean, level = attributions.mean(axis=0), np.mean([one.level for one in each], axis=0)
    order = np.argsort(-mean, kind="stable")
    weight = 1 if samples.normalizer.weight is None else samples.normalizer.weight
    orders = {"attribution": order}
    orders["difference"] = np.argsort(-np.abs(level * weight), kind="stable")
    if weights is not None:
        orders["logreg"] = np.argsort(-np.abs(weights), kind="stable")
    counts = counts_of(len(mean))
    left = deletion(source.scores, source.params[0], *data, targets[0], orders, counts)
    row = head | _described(targets[0].members, samples.columns)
    row |= {"score_gap": each[0].gap, "adds_up_within": max(one.apart for one in each)}
    row |= {"stability": stability(attributions)}
    row |= {f"{LEFT}{by}": float(np.mean(values)) for by, values in left.items()}
    curves = pd.DataFrame(left).assign(n_genes=counts).melt("n_genes", None, "order", "score_left")
    genes = _first(samples.genes, order[:N_TOP], attributions, level)
    high = order[(mean[order] > 0) & (level[order] > 0)][:N_TOP]
    of_sets = None if sets is None else _in_sets(samples.genes, high, sets, head)
    return Found(row, _with(head, genes), _with(head, curves), mean * np.sign(level), of_sets)


def _nearest(ranked: Float[np.ndarray, "genes targets"], targets: pd.DataFrame) -> list[str]:
    """Of every target, those of its kind whose genes are most alike, by correlation."""
    kinds, names = targets["kind"].to_numpy(), targets["target"].to_numpy()
    alike = np.atleast_2d(np.corrcoef(ranked, rowvar=False))
    alike[kinds[:, None] != kinds] = -np.inf
    np.fill_diagonal(alike, -np.inf)
    order = np.argsort(-alike, axis=1, kind="stable")[:, :N_NEAREST]
    return [
        ", ".join(names[k] for k in of if np.isfinite(alike[row, k]))
        for row, of in enumerate(order)
    ]


def _first(
    names: np.ndarray,
    top: Int[np.ndarray, " top"],
    attributions: Float[np.ndarray, "encoders genes"],
    level: PerGene,
) -> pd.DataFrame:
    """The first genes, with their spread over encoders."""
    several = len(attributions) > 1
    spread = attributions.std(axis=0, ddof=1) if several else np.full(len(level), np.nan)
    values = {"attribution": attributions.mean(axis=0), "sd": spread, "level": level}
    head = {"rank": np.arange(1, len(top) + 1), "gene": names[top]}
    return pd.DataFrame(head | {name: value[top] for name, value in values.items()})


def _in_sets(
    names: np.ndarray, high: Int[np.ndarray, " high"], sets: GeneSets, head: Mapping[str, str]
) -> pd.DataFrame:
    """Sets that are over-represented among genes that are high and count."""
    called = as_in_sets(names)
    return _with(head, over_represented(called[high], called, sets))


def _with(head: Mapping[str, str], table: pd.DataFrame) -> pd.DataFrame:
    """A table with its target in front."""
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


def _linear_weights(source: Source, samples: Samples) -> Float[np.ndarray, "genes targets"]:
    """Coefficients of logistic regression on genes, of some samples of each class."""
    codes, n, rng = source.codes[0], len(source.names), np.random.default_rng(0)
    each = [rng.permutation(np.flatnonzero(codes == k))[:PER_CLASS] for k in range(n)]
    rows = np.concatenate(each)
    z = standardize_framed(samples.normalizer, samples.framed[rows])
    return fit_logistic(z, np.eye(n)[codes[rows]]).linear()[0]
