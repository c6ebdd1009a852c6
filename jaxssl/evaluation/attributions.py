"""What scores of a network rest on, gene by gene, and whether that can be believed.

A gene's attribution to a target, such as a prototype or a class, is the mean integrated gradient
from samples of the others to samples of the target: what the gene adds to the difference of their
scores. `stability` says whether other encoders rank genes alike, `deletion` whether the score falls
once the genes are gone.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

from jaxssl.data.backed import Expression
from jaxssl.data.normalize import standardize_framed
from jaxssl.engine.attribution import (
    NODES,
    Scores,
    features_of,
    path_gradients,
    target_scores,
)
from jaxssl.types import Normalizer, Params

SAMPLES, PAIRS = 50, 100  # of each side at most, and how many of them are held against each other
MEMBERS = 3  # fewest samples of a target
RANDOM_ORDERS = 5

PerGene = Float[np.ndarray, " genes"]


class Target(NamedTuple):
    """What is explained."""

    index: int  # among the network's scores
    members: Int[np.ndarray, " members"]  # samples of it


class Explained(NamedTuple):
    """A target's genes, by one encoder."""

    attribution: PerGene  # adds up to `gap`
    level: PerGene  # of its samples over that of others, in standard deviations
    gap: float  # mean score of its samples less that of others
    apart: float  # share of `gap` by which the attributions miss it


def explain_target(
    scores: Scores,
    params: Params,
    normalizer: Normalizer,
    framed: Expression,
    target: Target,
    n_nodes: int = NODES,
) -> Explained:
    """Attribute the score of a target to genes.

    Args:
        scores: of a network.
        params: of the network.
        normalizer: of its encoder.
        framed: expression of the encoder's genes in its frame (samples x genes).
        target: with its samples, at least one; all others are what they are compared with.
        n_nodes: points of the quadrature; 0: gradient times difference.

    Returns:
        The attribution of every gene.

    Example:
        >>> explain_target(scores, bundle.params, normalizer, x, target).gap  # doctest: +SKIP
        0.41
    """
    left, right = _sides(target, len(framed))
    z, of_others = (standardize_framed(normalizer, framed[rows]) for rows in (left, right))
    first = np.resize(np.arange(len(left)), PAIRS)
    second = (np.arange(PAIRS) + np.arange(PAIRS) // len(left)) % len(right)  # other pairs a round
    x, baseline = (features_of(normalizer, side) for side in (z, of_others))
    ends = (x[first], baseline[second])
    gradient = np.asarray(path_gradients(scores, params, *ends, np.int32(target.index), n_nodes))
    difference = z[first] - of_others[second]
    attribution = _mean_product(normalizer, difference, gradient)
    own, other = (_score(scores, params, side, target.index) for side in ends)
    gap = float((own - other).mean())
    apart = abs(float(attribution.sum()) - gap) / max(abs(gap), 1e-12)
    weight = 1 if normalizer.weight is None else np.maximum(normalizer.weight, 1e-12)
    return Explained(attribution, difference.mean(axis=0) / weight, gap, apart)


def deletion(
    scores: Scores,
    params: Params,
    normalizer: Normalizer,
    framed: Expression,
    target: Target,
    orders: Mapping[str, Int[np.ndarray, " genes"]],
    counts: Sequence[int],
) -> dict[str, list[float]]:
    """How much of a target's score is left when genes are taken away, the first of an order first.

    A gene is taken away by giving it the mean of the other samples. Where there are more samples
    than `explain_target` looks at, they are drawn anew.

    Args:
        scores, params, normalizer, framed, target: as in `explain_target`.
        orders: genes, the most important first, by name; "random" is added.
        counts: numbers of genes, ascending.

    Returns:
        Of every order, the score at each count, from 1 (of its samples) to 0 (of the others).

    Source: Petsiuk et al. 2018, arXiv 1806.07421.
    """
    left, right = _sides(target, len(framed), seed=1)
    z, others = (standardize_framed(normalizer, framed[rows]) for rows in (left, right))
    base, rng = others.mean(axis=0), np.random.default_rng(0)
    x = features_of(normalizer, z)
    own = _score(scores, params, x, target.index).mean()
    low = _score(scores, params, features_of(normalizer, others), target.index).mean()

    def curve(order: Int[np.ndarray, " genes"]) -> np.ndarray:
        at, done, left_over = x, 0, []
        for count in counts:
            gone = order[done:count]
            at = at - _carried(normalizer, z[:, gone] - base[gone], gone, x.shape[1])
            done = max(done, count)
            score = _score(scores, params, at, target.index).mean()
            left_over.append((score - low) / (own - low))
        return np.array(left_over)

    found = {name: curve(order).tolist() for name, order in orders.items()}
    chance = [curve(rng.permutation(len(base))) for _ in range(RANDOM_ORDERS)]
    return found | {"random": np.mean(chance, axis=0).tolist()}


def stability(attributions: Float[np.ndarray, "encoders genes"]) -> float:
    """Mean rank correlation of the attributions of a target by pairs of encoders; of one, NaN.

    Example:
        >>> stability(np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 9.0]]))
        1.0
    """
    if len(attributions) < 2:
        return float("nan")
    ranks = np.corrcoef(rankdata(attributions, axis=1))
    return float(ranks[np.triu_indices(len(ranks), 1)].mean())


def match(
    first: Int[np.ndarray, " samples"], other: Int[np.ndarray, " samples"], n: int
) -> Int[np.ndarray, " prototypes"]:
    """For every prototype of one encoder, that of another which shares most samples with it.

    Each is taken once, so that the samples in common are as many as can be.

    Example:
        >>> match(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0]), 2).tolist()
        [1, 0]
    """
    shared = np.zeros((n, n))
    np.add.at(shared, (first, other), 1)
    return linear_sum_assignment(shared, maximize=True)[1]


def counts_of(n_genes: int) -> list[int]:
    """Numbers of genes at which a deletion is looked at: 1, 2, 5, 10 … up to half of them."""
    found = [base * 10**power for power in range(6) for base in (1, 2, 5)]
    return [count for count in found if count <= max(1, n_genes // 2)]


def direction_scores(apply: Callable) -> Scores:
    """Cosines of an encoder's output with directions, such as mean outputs of classes.

    The network's parameters are {"encoder": …, "directions": targets x dim}.
    """

    def scores(params: Params, x):
        output = apply(params["encoder"], x)
        unit = output / (output**2).sum(axis=1, keepdims=True) ** 0.5
        return unit @ params["directions"].T

    return scores


def mean_directions(
    outputs: Float[np.ndarray, "samples dim"], codes: Int[np.ndarray, " samples"], n: int
) -> Float[np.ndarray, "classes dim"]:
    """Mean outputs of classes, on the unit sphere; a code below 0 is of none."""
    unit = outputs / np.linalg.norm(outputs, axis=1, keepdims=True)
    sums = np.stack([unit[codes == k].sum(axis=0) for k in range(n)])
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.divide(sums, lengths, out=np.zeros_like(sums), where=lengths > 0).astype(np.float32)


def _sides(
    target: Target, n: int, seed: int = 0
) -> tuple[Int[np.ndarray, " own"], Int[np.ndarray, " others"]]:
    """Samples of a target and of the others, as many as are looked at."""
    rng = np.random.default_rng(seed)
    others = np.setdiff1d(np.arange(n), target.members)
    sides = (rng.permutation(rows)[:SAMPLES] for rows in (target.members, others))
    left, right = sides
    return left, right


def _score(scores: Scores, params: Params, x: np.ndarray, index: int) -> np.ndarray:
    return np.asarray(target_scores(scores, params, x, np.int32(index)))


def _mean_product(
    normalizer: Normalizer,
    difference: Float[np.ndarray, "pairs genes"],
    gradient: Float[np.ndarray, "pairs features"],
) -> PerGene:
    """Mean over pairs of difference times gradient, the gradient carried back to genes."""
    if normalizer.rotation is None:
        return (difference * gradient).mean(axis=0)
    # genes x components in the place of pairs x genes
    return ((difference.T @ gradient) * normalizer.rotation).sum(axis=1) / len(gradient)


def _carried(
    normalizer: Normalizer, change: np.ndarray, genes: Int[np.ndarray, " gone"], width: int
) -> np.ndarray:
    """A change of some genes as one of the encoder's input."""
    if normalizer.rotation is not None:
        return change @ normalizer.rotation[genes]
    out = np.zeros((len(change), width), np.float32)
    out[:, genes] = change
    return out
