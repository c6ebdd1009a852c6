"""Sinkhorn-Knopp: from scores to codes that spread a batch evenly over the prototypes."""

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
) -> Float[Array, "batch prototypes"]:
    """Soft codes of a batch: rows sum to 1, each prototype holds about an equal share.

    In order: Q = exp(scores / epsilon) scaled to total mass 1; `n_iterations` times: each
    prototype's mass 1/K, then each sample's mass 1/B; rows scaled to sum to 1 (Caron et al. 2020,
    arXiv 2006.09882, section 3.1 and appendix A). Rows are exact, the balance of the prototypes
    approximate. Computed on logarithms, in float32 or wider: nothing overflows or underflows,
    whatever the epsilon. A sample or prototype whose scores are all -inf is treated as uniform.
    """
    scores = scores.astype(scores.dtype if scores.dtype == jnp.float64 else jnp.float32)
    n_samples, n_prototypes = scores.shape
    # global maximum, not per sample: three iterations do not forget a row scale
    log_mass = jnp.maximum((scores - scores.max()) / epsilon, LOG_OF_NOTHING)
    log_mass -= logsumexp(log_mass)

    def balance(_: Int[Array, ""], log_mass: Float[Array, "batch prototypes"]):
        log_mass -= logsumexp(log_mass, axis=0, keepdims=True) + jnp.log(n_prototypes)
        return log_mass - (logsumexp(log_mass, axis=1, keepdims=True) + jnp.log(n_samples))

    # a loop, not unrolled: compile time grows steeply with the length of such a chain
    return jax.nn.softmax(jax.lax.fori_loop(0, n_iterations, balance, log_mass), axis=1)
