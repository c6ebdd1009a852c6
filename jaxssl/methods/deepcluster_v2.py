"""DeepCluster-v2: cluster the projections, predict the clusters (Caron et al. 2020, appendix).

Before every epoch, spherical k-means groups the projections of all training profiles as they are,
once for every head; the centroids serve as prototypes, which no gradient moves. The paper takes the
last epoch's projections from a memory bank; encoding all profiles anew is not stale, and by count
of products a sixth of a pass of training on two views. Parameters: `encoder`, `projection` and
`prototypes`. Memory: `assignments` (heads, samples) and, by head, `sizes` (clusters).
"""

from functools import partial
from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxssl.bounds import Positive, Range, Temperature, optionclass
from jaxssl.methods.interface import NOISES, Batch, Method, Recipe, Training
from jaxssl.methods.kmeans import kmeans, settle_clusters
from jaxssl.methods.losses import l2_normalize, spread
from jaxssl.methods.prototypes import first_scores, init_prototypes, score
from jaxssl.methods.stack import ProjectedConfig, Stack, init_stack, make_stack, project
from jaxssl.types import Metrics, Params


@optionclass
class DeepClusterV2Config(ProjectedConfig):
    """Options of DeepCluster-v2."""

    MIN_VIEWS: ClassVar[int] = 1
    name: ClassVar[str] = "deepcluster_v2"
    n_prototypes: tuple[int, ...] = (0, 0, 0)  # clusters of every head; 0: 50, or from the data
    n_iterations: Annotated[int, Range(1, 100)] = 10  # of spherical k-means
    cluster_every: Positive = 1  # epochs
    temperature: Temperature = 0.1

    def settle(self, batch_size: int, n_train: int) -> None:
        """As `MethodConfig`; no more clusters than samples."""
        self.n_prototypes = settle_clusters(self.n_prototypes, n_train)


def deepcluster_v2(options: DeepClusterV2Config, training: Training) -> Method:
    """DeepCluster-v2 as a `Method`."""
    stack = make_stack(options, training.encoder)
    return Method(
        init=partial(init, options, stack, training.n_samples),
        loss=partial(loss, options, stack),
        refresh=partial(refresh, options, stack),
        refresh_every=options.cluster_every,
        freeze={"prototypes": training.n_steps},
        scores=partial(first_scores, stack),
    )


def init(
    options: DeepClusterV2Config,
    stack: Stack,
    n_samples: int,
    key: PRNGKeyArray,
    x: Float[Array, "batch features"],
) -> tuple[Params, PyTree]:
    """Random parameters; `refresh` finds the clusters before the first step."""
    keys = jax.random.split(key, 3)
    params, z = init_stack(stack, keys[:2], x)
    counts = options.n_prototypes
    params["prototypes"] = init_prototypes(keys[2], counts, z.shape[1])
    return params, {
        "assignments": jnp.zeros((len(counts), n_samples), jnp.int32),
        "sizes": {f"head_{i}": jnp.zeros(k) for i, k in enumerate(counts)},
    }


def refresh(
    options: DeepClusterV2Config,
    stack: Stack,
    params: Params,
    key: PRNGKeyArray,
    data: Float[Array, "samples features"],
) -> tuple[Params, PyTree]:
    """Cluster the projections anew for every head; centroids become prototypes."""
    z = l2_normalize(project(stack, params, data[None])[0])
    found = {
        f"head_{i}": kmeans(jax.random.fold_in(key, i), z, k, options.n_iterations, spherical=True)
        for i, k in enumerate(options.n_prototypes)
    }
    params = params | {"prototypes": {name: c.centroids for name, c in found.items()}}
    return params, {
        "assignments": jnp.stack([c.assignments.astype(jnp.int32) for c in found.values()]),
        "sizes": {name: c.sizes for name, c in found.items()},
    }


def loss(
    options: DeepClusterV2Config, stack: Stack, params: Params, batch: Batch
) -> tuple[Float[Array, ""], Metrics]:
    """Cross-entropy of every view against its sample's cluster, averaged over the heads.

    Metrics: loss, loss_ratio (/ ln K) and projection_spread, means over the heads; usage (K: shares
    of the samples by cluster) of the first head; empty_clusters of all heads.
    """
    views, memory = batch.views, batch.memory
    z = l2_normalize(project(stack, params, views.x))
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
        "loss": by_head.mean(),
        "loss_ratio": (by_head / log_k).mean(),
        "projection_spread": spread(z),
        "usage": sizes / jnp.maximum(sizes.sum(), 1.0),
        "empty_clusters": jnp.stack(empty).sum(),
    }


RECIPE = Recipe(
    DeepClusterV2Config,
    deepcluster_v2,
    {"augment.noise": NOISES, "method.temperature": (0.1, 0.2)},
)
