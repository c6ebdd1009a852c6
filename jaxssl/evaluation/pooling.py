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

WEIGHTS = np.array([0.5, 0.1, 0.1, 0.15, 0.15])
"""Of the heads and graphs where no label can be held out; found on validation parts."""
PRIOR = 5.0  # how much these weights resist: nats by squared difference
CEILINGS = np.array([3.0, 3.0, 3.0, 0.15, 0.15])
"""Of the weights. Graphs help where labels are few, and are surer than they are right."""
SETS: tuple[tuple[int, ...], ...] = ((0, 1, 2, 3, 4), (0, 1, 2), (0,), (1,), (2,))
"""Opinions that are pooled: all, unless fewer are better by two standard errors."""
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


def fit_weights(
    opinions: Opinions,
    codes: Int[np.ndarray, " labels"],
    weights: Float[np.ndarray, " labels"],
    of: Sequence[int],
    *,
    by_share: bool = False,
) -> Float[np.ndarray, " opinions"]:
    """Weights of some opinions that minimise the log loss of held-out labels, near to `WEIGHTS`.

    Minimises -sum_i w_i log softmax(sum_m v_m log p_m(x_i))[y_i] + `PRIOR` |v - v0|², v >= 0, which
    is convex; v0 are `WEIGHTS`, scaled to a sum of 1.

    Args:
        opinions: class probabilities of the labelled samples, by fits that did not see their label.
        codes: classes of the labels.
        weights: w, how much each label counts.
        of: positions of the opinions that are pooled; the others have no weight.
        by_share: whether the last opinion is the shares of the classes among the labels, which is
            pooled in any case.

    Returns:
        v, a weight an opinion, none above `CEILINGS`.
    """
    start = with_shares(WEIGHTS[list(of)] / WEIGHTS[list(of)].sum(), OF_SHARES, on=by_share)
    ceilings = with_shares(CEILINGS[list(of)], MOST_OF_SHARES, on=by_share)
    of = [*of, *[len(WEIGHTS)] * by_share]
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
