"""Which genes a score rests on: gradients between samples, carried back to genes.

From a gene to the encoder's input everything is linear (`data.normalize`), but for the clipping of
extremes, which is left out here. So a gradient passes back to genes exactly.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxssl.types import Normalizer, Params

Scores = Callable[[Params, Float[Array, "batch features"]], Float[Array, "batch targets"]]
"""A network's scores of its targets, such as prototypes or classes."""
NODES = 16  # of the quadrature: attributions add up to the difference of scores within 1 %


def features_of(
    normalizer: Normalizer, z: Float[np.ndarray, "samples genes"]
) -> Float[np.ndarray, "samples features"]:
    """Encoder input of standardised genes, whose components are not clipped."""
    return z if normalizer.rotation is None else z @ normalizer.rotation


@partial(jax.jit, static_argnums=0)
def target_scores(
    scores: Scores, params: Params, x: Float[Array, "batch features"], target: Int[Array, ""]
) -> Float[Array, " batch"]:
    """Scores of a target less their mean over targets: a softmax sees no more of them."""
    of_all = scores(params, x)
    return of_all[:, target] - of_all.mean(axis=1)


@partial(jax.jit, static_argnums=(0, 5))
def path_gradients(
    scores: Scores,
    params: Params,
    x: Float[Array, "pairs features"],
    baseline: Float[Array, "pairs features"],
    target: Int[Array, ""],
    n_nodes: int = NODES,
) -> Float[Array, "pairs features"]:
    """Mean gradient of a target's score on the straight line from a baseline to a sample.

    Times `x - baseline` it is the integrated gradient, which adds up to the difference of the two
    scores. Baselines are samples, not zeros: after LayerNorm a score hardly depends on the length
    of a profile, so that a line from the mean profile would say what happens near it.

    Args:
        scores: of a network; one function compiles once.
        params: of the network.
        x: encoder input of samples.
        baseline: encoder input of the samples that they are compared with, pair by pair.
        target: which of the scores, less the mean of all.
        n_nodes: points of the Gauss-Legendre quadrature; 0: the gradient at `x`.

    Returns:
        Gradients with respect to encoder input.

    Example:
        >>> linear = lambda params, x: x @ params["kernel"]
        >>> params, x = {"kernel": jnp.array([[1.0, -1.0], [3.0, 1.0]])}, jnp.ones((1, 2))
        >>> path_gradients(linear, params, x, 0 * x, 0).round(3).tolist()
        [[1.0, 1.0]]

    Source: Sundararajan et al. 2017, arXiv 1703.01365; samples as baselines: Erion et al. 2021,
    arXiv 1906.10670.
    """
    gradient = jax.grad(lambda at: target_scores(scores, params, at, target).sum())
    if not n_nodes:
        return gradient(x)
    nodes, weights = np.polynomial.legendre.leggauss(n_nodes)

    def add(total: Float[Array, "pairs features"], node: Float[Array, "2"]):
        return total + node[1] * gradient(baseline + node[0] * (x - baseline)), None

    points = jnp.asarray(np.stack([(nodes + 1) / 2, weights / 2], axis=1), x.dtype)
    return jax.lax.scan(add, jnp.zeros_like(x), points)[0]
