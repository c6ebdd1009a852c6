"""DeepCluster: cluster the embeddings, predict the clusters (Caron et al. 2018, arXiv 1807.05520).

Every few epochs, k-means groups the embeddings of all training profiles as they are, and a fresh
linear classifier is set to learn the groups from their views. Parameters: `encoder` and `head`.
Memory: `assignments` (samples) and `sizes` (clusters).
"""

from functools import partial

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxssl.methods.interface import Extent, Method, Step
from jaxssl.methods.kmeans import kmeans
from jaxssl.methods.losses import l2_normalize
from jaxssl.model import Network, make_classifier
from jaxssl.options import DeepClusterConfig
from jaxssl.types import Metrics, Params, Views


def deepcluster(options: DeepClusterConfig, encoder: Network, extent: Extent) -> Method:
    """DeepCluster as a `Method`.

    Metrics of `loss`: loss, loss_ratio (/ ln K), usage (K: shares of the samples by cluster) and
    empty_clusters.
    """
    head = make_classifier(options.n_prototypes[0], encoder.precision)
    return Method(
        init=partial(init, options, encoder, head, extent.n_samples),
        loss=partial(loss, encoder, head),
        refresh=partial(refresh, options, encoder, head),
        refresh_every=options.cluster_every,
        restart=("head",),
    )


def init(
    options: DeepClusterConfig,
    encoder: Network,
    head: Network,
    n_samples: int,
    key: PRNGKeyArray,
    x: Float[Array, "batch features"],
) -> tuple[Params, PyTree]:
    """Random parameters; `refresh` finds the clusters before the first step."""
    key_encoder, key_head = jax.random.split(key)
    params = {"encoder": encoder.init(key_encoder, x)}
    params["head"] = head.init(key_head, encoder.apply(params["encoder"], x))
    (k,) = options.n_prototypes
    return params, {"assignments": jnp.zeros(n_samples, jnp.int32), "sizes": jnp.zeros(k)}


def refresh(
    options: DeepClusterConfig,
    encoder: Network,
    head: Network,
    params: Params,
    memory: PyTree,
    key: PRNGKeyArray,
    data: Float[Array, "samples features"],
) -> tuple[Params, PyTree]:
    """Cluster the embeddings, scaled to unit length, and begin with a fresh classifier.

    Of the profiles as they are, and without the paper's PCA: the input is conditioned already.
    """
    del memory
    key_clusters, key_head = jax.random.split(key)
    embeddings = encoder.apply(params["encoder"], data)
    (k,) = options.n_prototypes
    clusters = kmeans(key_clusters, l2_normalize(embeddings), k, options.n_iterations)
    params = params | {"head": head.init(key_head, embeddings[:1])}
    assignments = clusters.assignments.astype(jnp.int32)
    return params, {"assignments": assignments, "sizes": clusters.sizes}


def loss(
    encoder: Network,
    head: Network,
    params: Params,
    memory: PyTree,
    step: Step,
    key: PRNGKeyArray,
    views: Views,
) -> tuple[Float[Array, ""], Metrics]:
    """Cross-entropy of every view against its sample's cluster.

    Clusters weigh alike whatever their size, as if drawn evenly: else one that holds most samples
    would be a solution.
    """
    del step, key
    n_views, batch_size, n_features = views.x.shape
    embeddings = encoder.apply(params["encoder"], views.x.reshape(-1, n_features))
    logits = head.apply(params["head"], embeddings).reshape(n_views, batch_size, -1)
    clusters, sizes = memory["assignments"][views.index], memory["sizes"]
    n_filled = jnp.sum((sizes > 0).astype(jnp.float32))
    weights = sizes.sum() / (n_filled * jnp.maximum(sizes, 1.0))
    targets = jnp.broadcast_to(clusters[None, :], (n_views, batch_size))
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
    value = jnp.mean(weights[clusters][None, :] * losses)
    return value, {
        "loss": value,
        "loss_ratio": value / jnp.log(float(len(sizes))),
        "usage": sizes / jnp.maximum(sizes.sum(), 1.0),
        "empty_clusters": len(sizes) - n_filled,
    }
