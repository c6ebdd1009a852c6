"""DeepCluster and DeepCluster-v2: cluster the training profiles as they are, predict the clusters.

DeepCluster (Caron et al. 2018, arXiv 1807.05520): every few epochs, k-means groups the embeddings,
and a fresh linear classifier is set to learn the groups from the views. Parameters: `encoder` and
`head`. Memory: `assignments` (samples) and `sizes` (clusters).

DeepCluster-v2 (Caron et al. 2020, arXiv 2006.09882, appendix): before every epoch, spherical
k-means groups the projections, once for every head; the centroids serve as prototypes, which no
gradient moves. The paper takes the last epoch's projections from a memory bank; encoding all
profiles anew is not stale, and by count of products a sixth of a pass of training on two views.
Parameters: `encoder`, `projection` and `prototypes`. Memory: `assignments` (heads, samples) and, by
head, `sizes` (clusters).
"""

from functools import partial
from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
import optax
from jaxtyping import PRNGKeyArray

from jaxssl.bounds import Count, Positive, Range, Temperature, optionclass
from jaxssl.methods.augment import NOISES
from jaxssl.methods.interface import Batch, Loss, Method, MethodConfig, Recipe, Start, Training
from jaxssl.methods.kmeans import kmeans
from jaxssl.methods.losses import l2_normalize, spread
from jaxssl.methods.stack import ProjectedConfig, Stack, init_heads, init_prototypes, score
from jaxssl.model import Network, make_head
from jaxssl.types import InputError, Params, Profiles, Samples

N_CLUSTERS = 50  # where their number is left to the data


@optionclass
class DeepClusterConfig(MethodConfig):
    """Options of DeepCluster."""

    MIN_VIEWS: ClassVar[int] = 1
    name: ClassVar[str] = "deepcluster"
    n_prototypes: tuple[Count, ...] = (0,)  # clusters, of one head; 0: 50, or from the data
    n_iterations: Annotated[int, Range(1, 100)] = 20  # of k-means
    # epochs, which are some 50 steps: a classifier must have time to learn
    cluster_every: Positive = 5

    def check_cohorts(self) -> None:
        """As `MethodConfig`: clusters are of all samples."""
        refuse_cohorts(self.name)

    def settle(self, batch_size: int, n_train: int) -> None:
        """As `MethodConfig`; one head, and no more clusters than samples."""
        if len(self.n_prototypes) != 1:
            raise InputError(
                f"`method.n_prototypes={self.n_prototypes}`: deepcluster has one number of "
                "clusters",
                "pass one, or take deepcluster_v2, which has several",
            )
        self.n_prototypes = settle_clusters(self.n_prototypes, n_train)


@optionclass
class DeepClusterV2Config(ProjectedConfig):
    """Options of DeepCluster-v2."""

    MIN_VIEWS: ClassVar[int] = 1
    name: ClassVar[str] = "deepcluster_v2"
    n_prototypes: tuple[Count, ...] = (0, 0, 0)  # clusters of every head; 0: 50, or from the data
    n_iterations: Annotated[int, Range(1, 100)] = 10  # of spherical k-means
    cluster_every: Positive = 1  # epochs
    temperature: Temperature = 0.1

    def check_cohorts(self) -> None:
        """As `MethodConfig`: clusters are of all samples."""
        refuse_cohorts(self.name)

    def settle(self, batch_size: int, n_train: int) -> None:
        """As `MethodConfig`; no more clusters than samples."""
        self.n_prototypes = settle_clusters(self.n_prototypes, n_train)


def refuse_cohorts(name: str) -> None:
    """Refuse mini-batches of one cohort: clusters would be platforms whatever the batches are."""
    raise InputError(
        f"`pretrain.batches=by_cohort` does not reach the clusters of {name}, which it finds "
        "among the training samples of all cohorts at once",
        "pass `pretrain.batches=mixed`, or take `method=swav`",
    )


def settle_clusters(counts: tuple[int, ...], n_train: int) -> tuple[int, ...]:
    """Clusters of every head; 0: from the data."""
    settled = tuple(k or min(N_CLUSTERS, n_train) for k in counts)
    if max(settled) > n_train:
        raise InputError(
            f"{max(settled)} clusters are more than the {n_train} training samples",
            "lower `method.n_prototypes`",
        )
    return settled


def deepcluster(options: DeepClusterConfig, training: Training) -> Method:
    """DeepCluster as a `Method`; `refresh` finds the clusters before the first step."""
    encoder, (k,) = training.encoder, options.n_prototypes
    head = make_head("linear", 0, k, encoder.precision)

    def init(key: PRNGKeyArray, x: Profiles) -> Start:
        assignments = jnp.zeros(training.n_samples, jnp.int32)
        params, _ = init_heads(encoder, {"head": head}, jax.random.split(key), x)
        return params, {"assignments": assignments, "sizes": jnp.zeros(k)}

    return Method(
        init=init,
        loss=partial(loss, encoder, head),
        refresh=partial(refresh, options, encoder, head),
        refresh_every=options.cluster_every,
        restart=("head",),
    )


def refresh(
    options: DeepClusterConfig,
    encoder: Network,
    head: Network,
    params: Params,
    key: PRNGKeyArray,
    data: Samples,
) -> Start:
    """Cluster the embeddings, scaled to unit length, and begin with a fresh classifier.

    Of the profiles as they are, and without the paper's PCA: the input is conditioned already.
    """
    key_clusters, key_head = jax.random.split(key)
    embeddings = encoder.apply(params["encoder"], data)
    (k,) = options.n_prototypes
    clusters = kmeans(key_clusters, l2_normalize(embeddings), k, options.n_iterations)
    params = params | {"head": head.init(key_head, embeddings[:1])}
    return params, {"assignments": clusters.assignments, "sizes": clusters.sizes}


def loss(encoder: Network, head: Network, params: Params, batch: Batch) -> Loss:
    """Cross-entropy of every view against its sample's cluster.

    Clusters weigh alike whatever their size, as if drawn evenly: else one that holds most samples
    would be a solution.
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
        "loss_ratio": value / jnp.log(float(len(sizes))),
        "usage": sizes / jnp.maximum(sizes.sum(), 1.0),
        "empty_clusters": len(sizes) - n_filled,
    }


def deepcluster_v2(options: DeepClusterV2Config, training: Training) -> Method:
    """DeepCluster-v2 as a `Method`; `refresh` finds the clusters before the first step."""
    stack, counts = Stack.of(options, training.encoder), options.n_prototypes

    def init(key: PRNGKeyArray, x: Profiles) -> Start:
        keys = jax.random.split(key, 3)
        params, z = stack.init(keys[:2], x)
        params["prototypes"] = init_prototypes(keys[2], counts, z.shape[1])
        return params, {
            "assignments": jnp.zeros((len(counts), training.n_samples), jnp.int32),
            "sizes": {f"head_{i}": jnp.zeros(k) for i, k in enumerate(counts)},
        }

    return Method(
        init=init,
        loss=partial(loss_v2, options, stack),
        refresh=partial(refresh_v2, options, stack),
        refresh_every=options.cluster_every,
        freeze={"prototypes": training.n_steps},
        scores=stack.first_scores,
    )


def refresh_v2(
    options: DeepClusterV2Config, stack: Stack, params: Params, key: PRNGKeyArray, data: Samples
) -> Start:
    """Cluster the projections anew for every head; centroids become prototypes."""
    z = l2_normalize(stack.project(params, data[None])[0])
    found = {
        f"head_{i}": kmeans(jax.random.fold_in(key, i), z, k, options.n_iterations, spherical=True)
        for i, k in enumerate(options.n_prototypes)
    }
    params = params | {"prototypes": {name: c.centroids for name, c in found.items()}}
    return params, {
        "assignments": jnp.stack([c.assignments for c in found.values()]),
        "sizes": {name: c.sizes for name, c in found.items()},
    }


def loss_v2(options: DeepClusterV2Config, stack: Stack, params: Params, batch: Batch) -> Loss:
    """Cross-entropy of every view against its sample's cluster, averaged over the heads.

    `usage` is of the first head, `empty_clusters` of all.
    """
    views, memory = batch.views, batch.memory
    z = stack.embed(params, views.x)
    prototypes = jax.lax.stop_gradient(params["prototypes"])
    clusters = memory["assignments"][:, views.index]
    losses = []
    for i in range(len(options.n_prototypes)):
        logits = score(z, prototypes[f"head_{i}"]) / options.temperature
        targets = jnp.broadcast_to(clusters[i][None, :], logits.shape[:2])
        losses.append(optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean())
    by_head = jnp.stack(losses)
    log_k = jnp.log(jnp.array(options.n_prototypes, jnp.float32))
    sizes = memory["sizes"]["head_0"]
    empty = [jnp.sum((s == 0).astype(jnp.float32)) for s in memory["sizes"].values()]
    return by_head.mean(), {
        "loss_ratio": (by_head / log_k).mean(),
        "projection_spread": spread(z),
        "usage": sizes / jnp.maximum(sizes.sum(), 1.0),
        "empty_clusters": jnp.stack(empty).sum(),
    }


DEEPCLUSTER = Recipe(
    DeepClusterConfig, deepcluster, {"augment.noise": NOISES, "method.n_prototypes": ((20,), (50,))}
)
DEEPCLUSTER_V2 = Recipe(
    DeepClusterV2Config, deepcluster_v2, {"augment.noise": NOISES, "method.temperature": (0.1, 0.2)}
)
