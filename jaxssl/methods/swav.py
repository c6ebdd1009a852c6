"""SwAV: predict the cluster code of one view from another (Caron et al. 2020, arXiv 2006.09882).

Parameters: `encoder`, `projection` and `prototypes`. Heads share the embeddings, hence one queue
serves them all.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxssl.methods.interface import Extent, Method, Step
from jaxssl.methods.losses import entropy, l2_normalize, swapped_prediction
from jaxssl.methods.memory import is_ready, push
from jaxssl.methods.prototypes import first_scores, init_prototypes, nearest, score
from jaxssl.methods.sinkhorn import sinkhorn
from jaxssl.methods.stack import Stack, init_stack, make_stack, project
from jaxssl.model import Network
from jaxssl.options import SwAVConfig
from jaxssl.types import Metrics, Params, Views

N_CODE_VIEWS = 2
"""Views that make codes, the first ones; all views predict."""


def swav(options: SwAVConfig, encoder: Network, extent: Extent) -> Method:
    """SwAV as a `Method`.

    Metrics of `loss`: loss and loss_ratio (loss / ln K; 1: collapsed), means over the heads; of the
    first head code_entropy (soft codes, mean over samples, nats), code_entropy_ratio (/ ln K) and
    usage (K: share of embeddings nearest to each prototype; mean codes would be even by
    construction, collapsed or not).
    """
    del extent
    stack = make_stack(options, encoder)
    has_queue = options.queue_length > 0
    method = Method(
        init=partial(init, options, stack),
        loss=partial(loss, options, stack),
        freeze={"prototypes": options.freeze_steps},
        scores=partial(first_scores, stack),
    )
    return method._replace(remember=partial(remember, stack)) if has_queue else method


def init(
    options: SwAVConfig, stack: Stack, key: PRNGKeyArray, x: Float[Array, "batch features"]
) -> tuple[Params, PyTree]:
    """Random parameters, prototypes uniform on the sphere, and an empty queue if there is one."""
    keys = jax.random.split(key, 3)
    params, z = init_stack(stack, keys[:2], x)
    params["prototypes"] = init_prototypes(keys[2], options.n_prototypes, z.shape[1])
    if options.queue_length == 0:
        return params, {}
    return params, {"queue": jnp.zeros((N_CODE_VIEWS, options.queue_length, z.shape[1]))}


def embed(
    stack: Stack, params: Params, x: Float[Array, "views batch features"]
) -> Float[Array, "views batch dim"]:
    """L2-normalised projections z of all views."""
    return l2_normalize(project(stack, params, x))


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
    stack: Stack,
    params: Params,
    memory: PyTree,
    step: Step,
    key: PRNGKeyArray,
    views: Views,
) -> tuple[Float[Array, ""], Metrics]:
    """Swapped prediction, averaged over the prototype heads."""
    del key  # the views hold all of SwAV's randomness
    z = embed(stack, params, views.x)
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


def remember(stack: Stack, params: Params, memory: PyTree, step: Step, views: Views) -> PyTree:
    """Push the embeddings of the code views."""
    del step
    z = embed(stack, params, views.x[:N_CODE_VIEWS])
    return {"queue": jax.vmap(push)(memory["queue"], jax.lax.stop_gradient(z))}
