"""Losses on scores and codes, and the unit sphere they live on; float32 whatever comes in."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def l2_normalize(x: Float[Array, "*rows dim"]) -> Float[Array, "*rows dim"]:
    """Rows of unit length, in float32; a zero row stays zero, with a finite gradient."""
    x = x.astype(jnp.float32)
    squared_norm = jnp.sum(x**2, axis=-1, keepdims=True)
    return x * jax.lax.rsqrt(jnp.maximum(squared_norm, 1e-12))


def soft_cross_entropy(
    targets: Float[Array, "*rows classes"], logits: Float[Array, "*rows classes"]
) -> Float[Array, "*rows"]:
    """Cross-entropy of softmax(logits) against target distributions, per row, in nats."""
    log_probs = jax.nn.log_softmax(logits.astype(jnp.float32))
    return -jnp.sum(targets.astype(jnp.float32) * log_probs, axis=-1)


def entropy(probs: Float[Array, "*rows classes"]) -> Float[Array, "*rows"]:
    """Shannon entropy per row, in nats; 0 log 0 = 0."""
    return jnp.sum(jax.scipy.special.entr(probs.astype(jnp.float32)), axis=-1)


def swapped_prediction(
    codes: Float[Array, "code_views batch prototypes"],
    scores: Float[Array, "views batch prototypes"],
    temperature: float | Float[Array, ""],
) -> Float[Array, ""]:
    """Mean over ordered view pairs (i, j), i ≠ j, of CE(codes of i, softmax(scores of j / τ)).

    The code views are the first of the views; all views predict (Caron et al. 2020, equations 1
    and 2, with multi-crop).
    """
    pairs = [(i, j) for i in range(len(codes)) for j in range(len(scores)) if i != j]
    losses = [soft_cross_entropy(codes[i], scores[j] / temperature).mean() for i, j in pairs]
    return jnp.stack(losses).mean()
