"""Several opinions on the classes of samples as one: a log-linear pool with fitted weights.

Genest & Zidek 1986, doi 10.1214/ss/1177013825; weights by held-out labels are stacking (Wolpert
1992, doi 10.1016/S0893-6080(05)80023-1).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from jaxssl.evaluation.spaces import GENES

LEAST_OF_GENES, OF_GENES = 0.1, 1.6
"""Prior weight of the genes: the second by the number of classes, at least the first."""
OF_HEADS, OF_GRAPHS = 2, 1  # parts of what is left, of each other head and of each graph
PRIOR = 5.0  # how much these weights resist: nats by squared difference
MOST = 3.0  # weight of a head; that of a graph stays below its prior
OF_SHARES, MOST_OF_SHARES = 0.25, 1.0
"""Weight of the shares of the classes among the labels, where they are an opinion, and ceiling."""
FLOOR = 1e-3  # of a probability, so that one that is sure does not rule alone

Classes = Float[np.ndarray, "samples classes"]
Opinions = list[Classes]  # of the heads, then of the graphs


class Pool(NamedTuple):
    """How opinions are put together: log-linearly."""

    penalties: Int[np.ndarray, " heads"]  # positions in `PENALTIES`
    weights: Float[np.ndarray, " opinions"]
    held_out: Classes | None = None  # what was said of labels that were held out
    rows: Int[np.ndarray, " held_out"] | None = None  # which labels these are

    def __call__(self, opinions: Opinions) -> Classes:
        """Class probabilities."""
        return softmax(np.tensordot(self.weights, log_of(opinions), 1), axis=1)


def log_of(probabilities: Opinions | np.ndarray) -> Float[np.ndarray, "..."]:
    """Logarithms, none of less than `FLOOR`."""
    return np.log(np.clip(probabilities, FLOOR, None))


class Prior(NamedTuple):
    """Weights of opinions before labels are held out, and their ceilings."""

    weights: Float[np.ndarray, " opinions"]
    ceilings: Float[np.ndarray, " opinions"]


def prior_of(n_classes: int, heads: Sequence[str], graphs: Sequence[str]) -> Prior:
    """Weights of the opinions where no label can be held out; found on validation parts.

    Two classes are a contrast that cuts across the clusters of samples; many classes are clusters.
    So the fewer there are, the more the genes by themselves count. Graphs help where labels are
    few, and are surer than they are right: labels give them no more weight.

    Args:
        n_classes: that have a label.
        heads, graphs: names of their views.

    Returns:
        The prior of the heads, then of the graphs.

    Example:
        >>> prior_of(20, ["agreement", "genes"], ["agreement"]).weights
        array([0.6, 0.1, 0.3])
    """
    of_genes = min(1.0, max(LEAST_OF_GENES, OF_GENES / max(n_classes, 2)))
    parts = np.array([OF_HEADS * (name != GENES) for name in heads] + [OF_GRAPHS] * len(graphs))
    weights = (1 - of_genes) * parts / parts.sum()
    weights[heads.index(GENES)] = of_genes
    is_head = np.arange(len(parts)) < len(heads)
    return Prior(weights, np.where(is_head, MOST, weights))


def sets_of(n_heads: int, n_graphs: int) -> list[list[int]]:
    """Opinions that are pooled: all, unless fewer are better by two standard errors."""
    return [[*range(n_heads + n_graphs)], [*range(n_heads)], *([i] for i in range(n_heads))]


def fit_pool(
    penalties: Int[np.ndarray, " heads"],
    opinions: Opinions,
    codes: Int[np.ndarray, " labels"],
    weights: Float[np.ndarray, " labels"],
    prior: Prior,
    sets: Sequence[Sequence[int]],
    *,
    by_share: bool = False,
) -> Pool:
    """The first of some sets of opinions, unless another is right more often by two errors.

    Args:
        penalties: of the heads that say the first of these opinions.
        opinions: on labels that were held out, perhaps the shares of the classes after them.
        codes: classes of these labels.
        weights: how much each of them counts.
        prior, by_share: as in `fit_weights`.
        sets: positions of the opinions that are pooled.

    Returns:
        The pool, with what it says of these labels.
    """
    given = opinions, codes, weights, prior
    pools = [Pool(penalties, fit_weights(*given, of, by_share=by_share)) for of in sets]
    probabilities = [pool(opinions) for pool in pools]
    best = first_unless_beaten([(p.argmax(axis=1) == codes) * weights for p in probabilities])
    return pools[best]._replace(held_out=probabilities[best])


def fit_weights(
    opinions: Opinions,
    codes: Int[np.ndarray, " labels"],
    weights: Float[np.ndarray, " labels"],
    prior: Prior,
    of: Sequence[int],
    *,
    by_share: bool = False,
) -> Float[np.ndarray, " opinions"]:
    """Weights of the opinions `of` that minimise the log loss of labels, near to the prior.

    Minimises -sum_i w_i log softmax(sum_m v_m log p_m(x_i))[y_i] + `PRIOR` |v - v0|², v >= 0, which
    is convex; the other opinions have no weight. With `by_share` the last opinion is the shares of
    the classes, which is pooled with the others in any case.
    """
    of = list(of)
    start = with_shares(prior.weights[of] / prior.weights[of].sum(), OF_SHARES, on=by_share)
    ceilings = with_shares(prior.ceilings[of], MOST_OF_SHARES, on=by_share)
    of = [*of, *[len(prior.weights)] * by_share]
    log_p, rows = log_of(opinions)[of], np.arange(len(codes))

    def loss(v: np.ndarray) -> tuple[float, np.ndarray]:
        pooled = log_softmax(np.tensordot(v, log_p, 1), axis=1)
        right = log_p[:, rows, codes] - np.einsum("mnk,nk->mn", log_p, np.exp(pooled))
        away = v - start
        value = PRIOR * away @ away - weights @ pooled[rows, codes]
        return value, 2 * PRIOR * away - right @ weights

    bounds = [(0, ceiling) for ceiling in ceilings]
    found = np.zeros(len(opinions))
    found[of] = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    return found


def with_shares(
    weights: Float[np.ndarray, " opinions"], of_shares: float, *, on: bool
) -> Float[np.ndarray, " all"]:
    """Weights with that of the shares of the classes after them, where it is `on`."""
    return np.append(weights, of_shares) if on else weights


def first_unless_beaten(scores: Sequence[Float[np.ndarray, " labels"]]) -> int:
    """The first of some pools, unless another has a higher mean by two standard errors."""
    gains = [score - scores[0] for score in scores]
    margins = [gain.mean() - 2 * gain.std() / np.sqrt(len(gain)) for gain in gains]
    return int(np.argmax(margins)) if max(margins) > 0 else 0
