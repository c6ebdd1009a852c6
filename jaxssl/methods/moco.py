"""MoCo v2: tell a sample's other view from a queue of earlier ones (He et al. 2020, 1911.05722).

Parameters: `encoder` and `projection`. Memory: `target`, the slowly moving copy of both that makes
the keys; `queue`, keys; `index`, the sample of each key, -1 where there is none yet.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxssl.methods.interface import Extent, Method, Step
from jaxssl.methods.losses import info_nce, l2_normalize, spread
from jaxssl.methods.memory import moving_average, push
from jaxssl.methods.stack import Stack, init_stack, make_stack, project
from jaxssl.model import Network
from jaxssl.options import MoCoConfig
from jaxssl.types import Metrics, Params, Views


def moco(options: MoCoConfig, encoder: Network, extent: Extent) -> Method:
    """MoCo v2 as a `Method`: the first view asks, the second is its key.

    Metrics of `loss`: loss, loss_ratio (of the loss where all views are alike; 1: collapsed) and
    projection_spread (of `losses.spread`; 0: collapsed).
    """
    del extent
    stack = make_stack(options, encoder)
    return Method(
        init=partial(init, options, stack),
        loss=partial(loss, options, stack),
        remember=partial(remember, options, stack),
    )


def init(
    options: MoCoConfig, stack: Stack, key: PRNGKeyArray, x: Float[Array, "batch features"]
) -> tuple[Params, PyTree]:
    """Random parameters, the same for the keys, and an empty queue."""
    params, z = init_stack(stack, jax.random.split(key), x)
    queue = jnp.zeros((options.queue_length, z.shape[1]))
    index = jnp.full(options.queue_length, -1, jnp.int32)
    return params, {"target": jax.tree.map(jnp.copy, params), "queue": queue, "index": index}


def make_keys(stack: Stack, memory: PyTree, views: Views) -> Float[Array, "batch dim"]:
    """Keys of the batch: its second view under the slow copy."""
    return jax.lax.stop_gradient(l2_normalize(project(stack, memory["target"], views.x[1:2])[0]))


def loss(
    options: MoCoConfig,
    stack: Stack,
    params: Params,
    memory: PyTree,
    step: Step,
    key: PRNGKeyArray,
    views: Views,
) -> tuple[Float[Array, ""], Metrics]:
    """InfoNCE of the batch against the queue, older keys of the same sample left out."""
    del step, key
    z = l2_normalize(project(stack, params, views.x[:1])[0])
    held = memory["index"][None, :]
    allowed = (held >= 0) & (held != views.index[:, None])
    value = info_nce(z, make_keys(stack, memory, views), memory["queue"], allowed,
                     options.temperature)  # fmt: skip
    chance = jnp.log1p(jnp.maximum(allowed.sum(axis=1).astype(jnp.float32), 1)).mean()
    return value, {"loss": value, "loss_ratio": value / chance, "projection_spread": spread(z)}


def remember(
    options: MoCoConfig, stack: Stack, params: Params, memory: PyTree, step: Step, views: Views
) -> PyTree:
    """Push the keys that the loss has seen, then let the slow copy follow."""
    del step
    # the same keys as in the loss, under the same parameters: a compiler computes them once
    keys = make_keys(stack, memory, views)
    return {
        "target": moving_average(memory["target"], params, options.momentum),
        "queue": push(memory["queue"], keys),
        "index": push(memory["index"], views.index.astype(jnp.int32)),
    }
