"""Sinkhorn-Knopp: from scores to codes that spread a batch over the prototypes, evenly or not."""

import jax
import jax.numpy as jnp
from jax.nn import logsumexp
from jaxtyping import Array, Float, Int

LOG_OF_NOTHING = -1e30
"""Stands for log 0: finite, so that a sample or prototype without mass divides by something."""


def sinkhorn(
    scores: Float[Array, "batch prototypes"],
    epsilon: float | Float[Array, ""] = 0.05,
    n_iterations: int = 3,
    marginals: Float[Array, " prototypes"] | None = None,
) -> Float[Array, "batch prototypes"]:
    """Soft codes of a batch: rows sum to 1, each prototype holds about its share.

    In order: Q = exp(scores / epsilon) scaled to total mass 1; `n_iterations` times: each
    prototype's mass 1/K, then each sample's mass 1/B; rows scaled to sum to 1 (Caron et al. 2020,
    arXiv 2006.09882, section 3.1 and appendix A). Rows are exact, the balance of the prototypes
    approximate. Computed on logarithms, in float32 or wider: nothing overflows or underflows,
    whatever the epsilon. A sample or prototype whose scores are all -inf is treated as uniform.

    With marginals r, the same for max_Q tr(Q S^T) + epsilon H(Q) over the Q whose rows have mass
    1/B and whose column k has mass r_k in place of 1/K (Cuturi 2013, arXiv 1306.0895; for codes,
    Asano et al. 2020, arXiv 2006.13662). Where the derivative of the Lagrangian vanishes,
    S_bk - epsilon (log Q_bk + 1) = u_b + v_k; hence Q = diag(a) exp(S / epsilon) diag(c), of
    which the condition on columns gives c by a and the one on rows a by c: the two steps of an
    iteration.

    Args:
        scores: of every sample on every prototype (batch x prototypes).
        epsilon: weight of the entropy; small: hard codes.
        n_iterations: of both steps.
        marginals: share of the mass that each prototype is to hold; they sum to 1, a share of 0
            leaves it empty. None: 1/K each.

    Returns:
        Codes (batch x prototypes); every row sums to 1.

    Example:
        >>> import jax.numpy as jnp
        >>> scores = jnp.array([[0.9, 0.1], [0.8, 0.1], [0.7, 0.1], [0.1, 0.6]])
        >>> sinkhorn(scores, n_iterations=50, marginals=jnp.array([0.75, 0.25])).round(2).tolist()
        [[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    """
    scores = scores.astype(scores.dtype if scores.dtype == jnp.float64 else jnp.float32)
    n_samples, n_prototypes = scores.shape
    # global maximum, not per sample: three iterations do not forget a row scale
    log_mass = jnp.maximum((scores - scores.max()) / epsilon, LOG_OF_NOTHING)
    log_mass -= logsumexp(log_mass)
    lacks = jnp.log(n_prototypes)  # of a prototype's mass to 1, on logarithms
    if marginals is not None:
        lacks = -jnp.maximum(jnp.log(marginals), LOG_OF_NOTHING).astype(scores.dtype)[None, :]

    def balance(_: Int[Array, ""], log_mass: Float[Array, "batch prototypes"]):
        log_mass -= logsumexp(log_mass, axis=0, keepdims=True) + lacks
        return log_mass - (logsumexp(log_mass, axis=1, keepdims=True) + jnp.log(n_samples))

    # a loop, not unrolled: compile time grows steeply with the length of such a chain
    return jax.nn.softmax(jax.lax.fori_loop(0, n_iterations, balance, log_mass), axis=1)


def mix_marginals(
    usage: Float[Array, "*heads prototypes"], balance: float | Float[Array, ""]
) -> Float[Array, "*heads prototypes"]:
    """Shares of the prototypes between what a cohort uses (0) and even use (1).

    r = balance / K + (1 - balance) usage. At 0, codes ask of a cohort no other composition than it
    shows, and nothing forbids that all of it shares one prototype; any balance b above leaves no
    prototype less than b / K.
    """
    return balance / usage.shape[-1] + (1 - balance) * usage
