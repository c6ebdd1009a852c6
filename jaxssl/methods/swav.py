"""SwAV: predict the cluster code of one view from another (Caron et al. 2020, arXiv 2006.09882).

Parameters: `encoder`, `projection`, and `prototypes` = `{"head_0": (K, D), …}`, whose rows are
scaled to unit length before every use. Heads share the embeddings, hence one queue serves them all.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxssl.config import SwAVConfig
from jaxssl.methods.interface import Method, Step
from jaxssl.methods.losses import entropy, l2_normalize, swapped_prediction
from jaxssl.methods.memory import is_ready, push
from jaxssl.methods.sinkhorn import sinkhorn
from jaxssl.model import Network, make_projection
from jaxssl.types import Metrics, Params, Views

N_CODE_VIEWS = 2
"""Views that make codes, the first ones; all views predict."""


def swav(options: SwAVConfig, encoder: Network) -> Method:
    """SwAV as a `Method`.

    Metrics of `loss`: loss and loss_ratio (loss / ln K; 1: collapsed), means over the heads; of the
    first head code_entropy (soft codes, mean over samples, nats), code_entropy_ratio (/ ln K) and
    usage (K: share of embeddings nearest to each prototype; mean codes would be even by
    construction, collapsed or not).
    """
    projection = make_projection(
        options.projection, options.projection_hidden, options.projection_dim, encoder.precision
    )
    networks = (encoder, projection)
    has_queue = options.queue_length > 0
    method = Method(
        init=partial(init, options, networks),
        loss=partial(loss, options, networks),
        freeze={"prototypes": options.freeze_steps},
        scores=partial(scores, networks),
    )
    return method._replace(remember=partial(remember, networks)) if has_queue else method


def init(
    options: SwAVConfig,
    networks: tuple[Network, Network],
    key: PRNGKeyArray,
    x: Float[Array, "batch features"],
) -> tuple[Params, PyTree]:
    """Random parameters, prototypes uniform on the sphere, and an empty queue if there is one."""
    key_encoder, key_projection, key_prototypes = jax.random.split(key, 3)
    encoder, projection = networks
    params = {"encoder": encoder.init(key_encoder, x)}
    embeddings = encoder.apply(params["encoder"], x)
    projection_params = projection.init(key_projection, embeddings)
    dim = projection.apply(projection_params, embeddings).shape[1]
    if projection_params:  # an identity has none, and a checkpoint keeps no empty branches
        params["projection"] = projection_params
    params["prototypes"] = {
        f"head_{i}": l2_normalize(
            jax.random.normal(jax.random.fold_in(key_prototypes, i), (k, dim))
        )
        for i, k in enumerate(options.n_prototypes)
    }
    if options.queue_length == 0:
        return params, {}
    return params, {"queue": jnp.zeros((N_CODE_VIEWS, options.queue_length, dim))}


def embed(
    networks: tuple[Network, Network], params: Params, x: Float[Array, "views batch features"]
) -> Float[Array, "views batch dim"]:
    """L2-normalised projections z of all views, through one stacked matrix product per layer."""
    encoder, projection = networks
    flat = x.reshape(-1, x.shape[-1])
    z = projection.apply(params.get("projection", {}), encoder.apply(params["encoder"], flat))
    return l2_normalize(z).reshape(*x.shape[:2], -1)


def score(
    z: Float[Array, "*rows dim"], prototypes: Float[Array, "prototypes dim"]
) -> Float[Array, "*rows prototypes"]:
    """Cosine of every embedding with every prototype."""
    # full float32: epsilon divides these by 0.05 and less
    return jnp.matmul(z, l2_normalize(prototypes).T, precision="highest")


def scores(
    networks: tuple[Network, Network], params: Params, x: Float[Array, "batch features"]
) -> Float[Array, "batch prototypes"]:
    """Scores of samples on the first head's prototypes; the arg-max is the assigned one."""
    return score(embed(networks, params, x[None])[0], params["prototypes"]["head_0"])


def soft_codes(
    options: SwAVConfig,
    z: Float[Array, "code_views batch dim"],
    prototypes: Float[Array, "prototypes dim"],
    memory: PyTree,
    step: Step,
) -> Float[Array, "code_views batch prototypes"]:
    """Codes of the batch, balanced together with the queue once that is full; no gradient."""
    z, prototypes = jax.lax.stop_gradient((z, prototypes))
    to_codes = jax.vmap(
        partial(sinkhorn, epsilon=options.epsilon, n_iterations=options.n_iterations)
    )
    batch_size = z.shape[1]

    def without_queue() -> Float[Array, "code_views batch prototypes"]:
        return to_codes(score(z, prototypes))

    def with_queue() -> Float[Array, "code_views batch prototypes"]:
        # embeddings are stored, not scores: the prototypes have moved since
        everything = jnp.concatenate([z, memory["queue"]], axis=1)
        return to_codes(score(everything, prototypes))[:, :batch_size]

    if options.queue_length == 0:
        return without_queue()
    ready = is_ready(step, batch_size, options.queue_length, options.queue_start)
    return jax.lax.cond(ready, with_queue, without_queue)


def loss(
    options: SwAVConfig,
    networks: tuple[Network, Network],
    params: Params,
    memory: PyTree,
    step: Step,
    key: PRNGKeyArray,
    views: Views,
) -> tuple[Float[Array, ""], Metrics]:
    """Swapped prediction, averaged over the prototype heads."""
    del key  # the views hold all of SwAV's randomness
    z = embed(networks, params, views.x)
    heads = [params["prototypes"][f"head_{i}"] for i in range(len(options.n_prototypes))]
    head_scores = [score(z, prototypes) for prototypes in heads]
    head_codes = [soft_codes(options, z[:N_CODE_VIEWS], c, memory, step) for c in heads]
    targets = [harden(codes) for codes in head_codes] if options.hard_codes else head_codes
    losses = jnp.stack(
        [
            swapped_prediction(codes, head, options.temperature)
            for codes, head in zip(targets, head_scores, strict=True)
        ]
    )
    log_k = jnp.log(jnp.array(options.n_prototypes))
    code_entropy = entropy(head_codes[0]).mean()
    return losses.mean(), {
        "loss": losses.mean(),
        "loss_ratio": (losses / log_k).mean(),
        "code_entropy": code_entropy,
        "code_entropy_ratio": code_entropy / log_k[0],
        "usage": nearest(head_scores[0]).mean(axis=(0, 1)),
    }


def harden(x: Float[Array, "*rows prototypes"]) -> Float[Array, "*rows prototypes"]:
    """One-hot rows: all mass on the arg-max (the first of equals)."""
    return jax.nn.one_hot(x.argmax(axis=-1), x.shape[-1], dtype=x.dtype)


def nearest(scores: Float[Array, "*rows prototypes"]) -> Float[Array, "*rows prototypes"]:
    """One-hot rows at the largest score; equals share it."""
    # by comparison: a compiler takes maxima in vectors, positions of maxima one by one
    is_nearest = (scores == scores.max(axis=-1, keepdims=True)).astype(scores.dtype)
    return is_nearest / is_nearest.sum(axis=-1, keepdims=True)


def remember(
    networks: tuple[Network, Network], params: Params, memory: PyTree, views: Views
) -> PyTree:
    """Push the embeddings of the code views."""
    z = embed(networks, params, views.x[:N_CODE_VIEWS])
    return {"queue": push(memory["queue"], jax.lax.stop_gradient(z))}
