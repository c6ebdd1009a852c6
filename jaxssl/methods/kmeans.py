"""k-means (Lloyd) and spherical k-means, as one pure function."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxssl.methods.losses import l2_normalize


class Clusters(NamedTuple):
    """What k-means found."""

    centroids: Float[Array, "clusters dim"]
    assignments: Int[Array, " samples"]
    sizes: Float[Array, " clusters"]  # samples of each; 0: empty


def kmeans(
    key: PRNGKeyArray,
    x: Float[Array, "samples dim"],
    n_clusters: int,
    n_iterations: int,
    spherical: bool = False,
) -> Clusters:
    """Start at random samples, then assign and average in turn; end with an assignment.

    An empty cluster keeps its centroid. Spherical: rows and centroids of unit length, assigned by
    cosine (Dhillon & Modha 2001).
    """
    x = l2_normalize(x) if spherical else x.astype(jnp.float32)
    first = jax.random.choice(key, x, (n_clusters,), replace=False)

    def update(_: Int[Array, ""], centroids: Float[Array, "clusters dim"]):
        nearest = assign(x, centroids)
        sizes = _sizes(nearest, n_clusters)[:, None]
        # a product: its sums have one order, a scatter's on a GPU do not
        members = jax.nn.one_hot(nearest, n_clusters, dtype=x.dtype)
        sums = jnp.matmul(members.T, x, precision="highest")
        means = sums / jnp.maximum(sizes, 1.0)
        return jnp.where(sizes > 0, l2_normalize(means) if spherical else means, centroids)

    centroids = jax.lax.fori_loop(0, n_iterations, update, first)
    nearest = assign(x, centroids)
    return Clusters(centroids, nearest, _sizes(nearest, n_clusters))


def assign(
    x: Float[Array, "samples dim"], centroids: Float[Array, "clusters dim"]
) -> Int[Array, " samples"]:
    """Position of the nearest centroid, the first of equals."""
    # |x - c|² without the |x|² that all centroids have in common
    half_norms = 0.5 * jnp.sum(centroids**2, axis=1)
    products = jnp.matmul(x, centroids.T, precision="highest")
    return jnp.argmax(products - half_norms[None, :], axis=1).astype(jnp.int32)


def _sizes(nearest: Int[Array, " samples"], n_clusters: int) -> Float[Array, " clusters"]:
    return jax.ops.segment_sum(jnp.ones(len(nearest)), nearest, n_clusters)
