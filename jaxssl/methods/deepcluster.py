"""DeepCluster: cluster the embeddings, predict the clusters (Caron et al. 2018, arXiv 1807.05520).

Every few epochs, k-means groups the embeddings of all training profiles as they are, and a fresh
linear classifier is set to learn the groups from their views. Parameters: `encoder` and `head`.
Memory: `assignments` (samples) and `sizes` (clusters).
"""

from functools import partial
from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxssl.bounds import Positive, Range, optionclass
from jaxssl.methods.interface import NOISES, Batch, Method, MethodConfig, Recipe, Training
from jaxssl.methods.kmeans import kmeans, settle_clusters
from jaxssl.methods.losses import l2_normalize
from jaxssl.methods.stack import init_heads
from jaxssl.model import Network, make_classifier
from jaxssl.types import InputError, Metrics, Params


@optionclass
class DeepClusterConfig(MethodConfig):
    """Options of DeepCluster."""

    MIN_VIEWS: ClassVar[int] = 1
    name: ClassVar[str] = "deepcluster"
    n_prototypes: tuple[int, ...] = (0,)  # clusters, of one head; 0: 50, or from the data
    n_iterations: Annotated[int, Range(1, 100)] = 20  # of k-means
    # epochs, which are some 50 steps: a classifier must have time to learn
    cluster_every: Positive = 5

    def settle(self, batch_size: int, n_train: int) -> None:
        """As `MethodConfig`; one head, and no more clusters than samples."""
        if len(self.n_prototypes) != 1:
            raise InputError(
                f"`method.n_prototypes={self.n_prototypes}`: deepcluster has one number of "
                "clusters",
                "pass one, or take deepcluster_v2, which has several",
            )
        self.n_prototypes = settle_clusters(self.n_prototypes, n_train)


def deepcluster(options: DeepClusterConfig, training: Training) -> Method:
    """DeepCluster as a `Method`."""
    encoder = training.encoder
    head = make_classifier(options.n_prototypes[0], encoder.precision)
    return Method(
        init=partial(init, options, training, head),
        loss=partial(loss, encoder, head),
        refresh=partial(refresh, options, encoder, head),
        refresh_every=options.cluster_every,
        restart=("head",),
    )


def init(
    options: DeepClusterConfig,
    training: Training,
    head: Network,
    key: PRNGKeyArray,
    x: Float[Array, "batch features"],
) -> tuple[Params, PyTree]:
    """Random parameters; `refresh` finds the clusters before the first step."""
    (k,) = options.n_prototypes
    assignments = jnp.zeros(training.n_samples, jnp.int32)
    params = init_heads(training.encoder, {"head": head}, key, x)
    return params, {"assignments": assignments, "sizes": jnp.zeros(k)}


def refresh(
    options: DeepClusterConfig,
    encoder: Network,
    head: Network,
    params: Params,
    key: PRNGKeyArray,
    data: Float[Array, "samples features"],
) -> tuple[Params, PyTree]:
    """Cluster the embeddings, scaled to unit length, and begin with a fresh classifier.

    Of the profiles as they are, and without the paper's PCA: the input is conditioned already.
    """
    key_clusters, key_head = jax.random.split(key)
    embeddings = encoder.apply(params["encoder"], data)
    (k,) = options.n_prototypes
    clusters = kmeans(key_clusters, l2_normalize(embeddings), k, options.n_iterations)
    params = params | {"head": head.init(key_head, embeddings[:1])}
    assignments = clusters.assignments.astype(jnp.int32)
    return params, {"assignments": assignments, "sizes": clusters.sizes}


def loss(
    encoder: Network, head: Network, params: Params, batch: Batch
) -> tuple[Float[Array, ""], Metrics]:
    """Cross-entropy of every view against its sample's cluster.

    Clusters weigh alike whatever their size, as if drawn evenly: else one that holds most samples
    would be a solution. Metrics: loss, loss_ratio (/ ln K), usage (K: shares of the samples by
    cluster) and empty_clusters.
    """
    views, memory = batch.views, batch.memory
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


RECIPE = Recipe(
    DeepClusterConfig,
    deepcluster,
    {"augment.noise": NOISES, "method.n_prototypes": ((20,), (50,))},
)
