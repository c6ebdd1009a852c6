"""Prototypes: unit vectors that embeddings are scored against, and how evenly they are used.

`{"head_0": (K, D), …}`; rows are scaled to unit length before every use.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxssl.methods.losses import l2_normalize
from jaxssl.methods.stack import Stack, project
from jaxssl.types import Params


def init_prototypes(key: PRNGKeyArray, counts: Sequence[int], dim: int) -> Params:
    """Prototypes of every head, uniform on the sphere."""
    return {
        f"head_{i}": l2_normalize(jax.random.normal(jax.random.fold_in(key, i), (k, dim)))
        for i, k in enumerate(counts)
    }


def score(
    z: Float[Array, "*rows dim"], prototypes: Float[Array, "prototypes dim"]
) -> Float[Array, "*rows prototypes"]:
    """Cosine of every embedding of unit length with every prototype."""
    # full float32: a temperature divides these by 0.05 and less
    return jnp.matmul(z, l2_normalize(prototypes).T, precision="highest")


def first_scores(
    stack: Stack, params: Params, x: Float[Array, "batch features"]
) -> Float[Array, "batch prototypes"]:
    """Scores of samples on the first head's prototypes; the arg-max is the assigned one."""
    z = l2_normalize(project(stack, params, x[None])[0])
    return score(z, params["prototypes"]["head_0"])


def nearest(scores: Float[Array, "*rows prototypes"]) -> Float[Array, "*rows prototypes"]:
    """One-hot rows at the largest score; equals share it."""
    # by comparison: a compiler takes maxima in vectors, positions of maxima one by one
    is_nearest = (scores == scores.max(axis=-1, keepdims=True)).astype(scores.dtype)
    return is_nearest / is_nearest.sum(axis=-1, keepdims=True)
