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

OF_MEANS, OF_GRAPHS, OF_GENES = 0.3, 0.2, 0.1
"""Prior weight of all class means, of all graphs, and of the head of genes; other heads share what
is left. Chosen on validation parts (docs/best.md)."""
PRIOR = 5.0  # how much these weights resist: nats by squared difference
MOST = 3.0  # weight of a mean or head; that of a graph stays below its prior
OF_SHARES, MOST_OF_SHARES = 0.25, 1.0
"""Weight of the shares of the classes among the labels, where they are an opinion, and ceiling."""
FLOOR = 1e-3  # of a probability, so that one that is sure does not rule alone

Classes = Float[np.ndarray, "samples classes"]
Opinions = list[Classes]  # of the class means, then of the heads, then of the graphs


class Pool(NamedTuple):
    """How opinions are put together: log-linearly."""

    weights: Float[np.ndarray, " opinions"]

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


def prior_of(means: Sequence[str], heads: Sequence[str], graphs: Sequence[str]) -> Prior:
    """Weights of the opinions where no label can be held out.

    Graphs help where labels are few, and are surer than they are right: labels give them no more
    weight.

    Args:
        means, heads, graphs: names of their views.

    Returns:
        The prior of the means, then of the heads, then of the graphs.

    Example:
        >>> prior_of(["components"], ["agreement", "genes"], ["agreement"]).weights
        array([0.3, 0.4, 0.1, 0.2])
    """
    of_other = (1 - OF_MEANS - OF_GRAPHS - OF_GENES) / sum(name != GENES for name in heads)
    weights = np.array(
        [OF_MEANS / len(means)] * len(means)
        + [OF_GENES if name == GENES else of_other for name in heads]
        + [OF_GRAPHS / len(graphs)] * len(graphs)
    )
    is_graph = np.arange(len(weights)) >= len(means) + len(heads)
    return Prior(weights, np.where(is_graph, weights, MOST))


def fit_weights(
    opinions: Opinions,
    codes: Int[np.ndarray, " labels"],
    weights: Float[np.ndarray, " labels"],
    prior: Prior,
    *,
    by_share: bool = False,
) -> Float[np.ndarray, " opinions"]:
    """Weights of opinions that minimise the log loss of labels, near to the prior.

    Minimises -sum_i w_i log softmax(sum_m v_m log p_m(x_i))[y_i] + `PRIOR` |v - v0|², v >= 0, which
    is convex.

    Args:
        opinions: on labels that were held out.
        codes: classes of these labels.
        weights: how much each of them counts.
        prior: v0, and what v is at most.
        by_share: whether the last opinion is the shares of the classes, which `prior` has not.
    """
    start = with_shares(prior.weights, OF_SHARES, on=by_share)
    ceilings = with_shares(prior.ceilings, MOST_OF_SHARES, on=by_share)
    log_p, rows = log_of(opinions), np.arange(len(codes))

    def loss(v: np.ndarray) -> tuple[float, np.ndarray]:
        pooled = log_softmax(np.tensordot(v, log_p, 1), axis=1)
        right = log_p[:, rows, codes] - np.einsum("mnk,nk->mn", log_p, np.exp(pooled))
        away = v - start
        value = PRIOR * away @ away - weights @ pooled[rows, codes]
        return value, 2 * PRIOR * away - right @ weights

    bounds = [(0, ceiling) for ceiling in ceilings]
    return minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x


def with_shares(
    weights: Float[np.ndarray, " opinions"], of_shares: float, *, on: bool
) -> Float[np.ndarray, " all"]:
    """Weights with that of the shares of the classes after them, where it is `on`."""
    return np.append(weights, of_shares) if on else weights
