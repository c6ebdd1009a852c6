"""Losses that methods share, and the unit sphere most of them live on."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int
from optax.losses import softmax_cross_entropy


def l2_normalize(x: Float[Array, "*rows dim"]) -> Float[Array, "*rows dim"]:
    """Rows of unit length, in float32; a zero row stays zero, with a finite gradient."""
    x = x.astype(jnp.float32)
    squared_norm = jnp.sum(x**2, axis=-1, keepdims=True)
    return x * jax.lax.rsqrt(jnp.maximum(squared_norm, 1e-12))


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
    codes, scores = codes.astype(jnp.float32), scores.astype(jnp.float32)
    pairs = [(i, j) for i in range(len(codes)) for j in range(len(scores)) if i != j]
    losses = [softmax_cross_entropy(scores[j] / temperature, codes[i]).mean() for i, j in pairs]
    return jnp.stack(losses).mean()


def nt_xent(
    first: Float[Array, "batch dim"],
    second: Float[Array, "batch dim"],
    temperature: float | Float[Array, ""],
    decoupled: bool = False,
    index: Int[Array, " batch"] | None = None,
) -> Float[Array, ""]:
    """Normalised temperature-scaled cross-entropy over the 2 x batch views, both directions.

    Every view is told from the others of its batch by the other view of its sample (Chen et al.
    2020, equation 1); rows are of unit length. `decoupled` leaves the positive out of the
    denominator (Yeh et al. 2022, arXiv 2110.06848, equation 6). With the `index` of every row's
    sample, further copies of a sample in the batch are no negatives.
    """
    n, z = len(first), jnp.concatenate([first, second])
    similarity = jnp.matmul(z, z.T, precision="highest") / temperature
    positive = jnp.diagonal(similarity, n)
    row, column = jnp.arange(2 * n)[:, None], jnp.arange(2 * n)[None, :]
    # the sample itself, and where it is decoupled its other view too
    left_out = (row % n == column % n) if decoupled else row == column
    if index is not None:
        is_copy = index[:, None] == index[None, :]
        left_out |= jnp.tile(is_copy, (2, 2)) & (row % n != column % n)
    total = jax.nn.logsumexp(jnp.where(left_out, -jnp.inf, similarity), axis=1)
    return jnp.mean(total - jnp.concatenate([positive, positive]))


def nt_xent_of_chance(batch_size: int, decoupled: bool = False) -> float:
    """`nt_xent` of views that are all alike."""
    return math.log(2 * batch_size - (2 if decoupled else 1))


def info_nce(
    queries: Float[Array, "batch dim"],
    keys: Float[Array, "batch dim"],
    negatives: Float[Array, "length dim"],
    allowed: Bool[Array, "batch length"],
    temperature: float | Float[Array, ""],
) -> Float[Array, ""]:
    """Every query told from its allowed negatives by its own key (van den Oord et al. 2018).

    Rows are of unit length.
    """
    positive = jnp.sum(queries * keys, axis=1)[:, None] / temperature
    others = jnp.matmul(queries, negatives.T, precision="highest") / temperature
    logits = jnp.concatenate([positive, jnp.where(allowed, others, -jnp.inf)], axis=1)
    return jnp.mean(jax.nn.logsumexp(logits, axis=1) - positive[:, 0])


def cosine_distance(a: Float[Array, "*rows dim"], b: Float[Array, "*rows dim"]) -> Float[Array, ""]:
    """Mean of 2 - 2 cos, the squared distance of the rows scaled to unit length."""
    return jnp.mean(2 - 2 * jnp.sum(l2_normalize(a) * l2_normalize(b), axis=-1))


def spread(x: Float[Array, "*rows dim"]) -> Float[Array, ""]:
    """Root mean square distance from their mean of rows scaled to unit length.

    0: all point the same way, which is a collapse; 1: their directions cancel.
    """
    z = l2_normalize(x).reshape(-1, x.shape[-1])
    return jnp.sqrt(jnp.maximum(1 - jnp.sum(z.mean(axis=0) ** 2), 0.0))


def squared_error(
    values: Float[Array, "*rows features"],
    targets: Float[Array, "*rows features"],
    counted: Float[Array, "*rows features"] | None = None,
) -> Float[Array, ""]:
    """Mean squared error over all entries, or over those that are counted (0 or 1)."""
    errors = (values - targets) ** 2
    if counted is None:
        return errors.mean()
    return jnp.sum(counted * errors) / jnp.maximum(counted.sum(), 1.0)
