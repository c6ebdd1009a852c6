"""MoCo v2: tell a sample's other view from a queue of earlier ones.

He et al. 2020, arXiv 1911.05722; Chen et al. 2020, arXiv 2003.04297. Parameters: `encoder` and
`projection`. Memory: `target`, the slowly moving copy of both that makes the keys; `queue`, keys;
`index`, the sample of each key, -1 where there is none yet. Where mini-batches are of one cohort
each, every cohort has a queue of its own, so that negatives are of the sample's cohort.
"""

from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from jaxssl.bounds import Positive, Share, Temperature, optionclass
from jaxssl.methods.augment import NOISES
from jaxssl.methods.interface import Batch, Loss, Method, Recipe, Start, Training
from jaxssl.methods.losses import info_nce, l2_normalize, spread
from jaxssl.methods.stack import ProjectedConfig, Stack, moving_average, push
from jaxssl.types import Params, Profiles


@optionclass
class MoCoConfig(ProjectedConfig):
    """Options of MoCo v2."""

    name: ClassVar[str] = "moco"
    queue_length: Positive = 1024  # keys, the negatives
    momentum: Share = 0.99  # of the key encoder; 0.999 in the paper, which has more steps
    temperature: Temperature = 0.2


def moco(options: MoCoConfig, training: Training) -> Method:
    """MoCo v2 as a `Method`: the first view asks, the second is its key."""
    stack = Stack.of(options, training.encoder)
    return Method(
        init=partial(init, options, stack, training.n_cohorts),
        loss=partial(loss, options, stack),
        remember=partial(remember, options, stack),
    )


def init(
    options: MoCoConfig, stack: Stack, n_cohorts: int, key: PRNGKeyArray, x: Profiles
) -> Start:
    """Random parameters, the same for the keys, and an empty queue, or one a cohort."""
    params, z = stack.init(jax.random.split(key), x)
    shape = (n_cohorts, options.queue_length) if n_cohorts else (options.queue_length,)
    queue, index = jnp.zeros((*shape, z.shape[1])), jnp.full(shape, -1, jnp.int32)
    return params, {"target": jax.tree.map(jnp.copy, params), "queue": queue, "index": index}


def make_keys(stack: Stack, batch: Batch) -> Float[Array, "batch dim"]:
    """Keys of the batch: its second view under the slow copy."""
    z = stack.project(batch.memory["target"], batch.views.x[1:2])[0]
    return jax.lax.stop_gradient(l2_normalize(z))


def loss(options: MoCoConfig, stack: Stack, params: Params, batch: Batch) -> Loss:
    """InfoNCE of the batch against the queue, older keys of the same sample left out."""
    views, memory = batch.views, batch.memory
    z = l2_normalize(stack.project(params, views.x[:1])[0])
    queue, index = own_queue(memory, batch.cohort)
    keys, held = make_keys(stack, batch), index[None, :]
    allowed = (held >= 0) & (held != views.index[:, None])
    value = info_nce(z, keys, queue, allowed, options.temperature)
    chance = jnp.log1p(jnp.maximum(allowed.sum(axis=1).astype(jnp.float32), 1)).mean()
    return value, {"loss_ratio": value / chance, "projection_spread": spread(z)}


def remember(options: MoCoConfig, stack: Stack, params: Params, batch: Batch) -> PyTree:
    """Push the keys that the loss has seen, then let the slow copy follow."""
    memory = batch.memory
    # the same keys as in the loss, under the same parameters: a compiler computes them once
    keys = make_keys(stack, batch)
    queue, index = own_queue(memory, batch.cohort)
    queue, index = push(queue, keys), push(index, batch.views.index.astype(jnp.int32))
    if batch.cohort is not None:
        queue = memory["queue"].at[batch.cohort].set(queue)
        index = memory["index"].at[batch.cohort].set(index)
    return {
        "target": moving_average(memory["target"], params, options.momentum),
        "queue": queue,
        "index": index,
    }


def own_queue(
    memory: PyTree, cohort: Int[Array, ""] | None
) -> tuple[Float[Array, "length dim"], Int[Array, " length"]]:
    """Keys and samples of the queue: the only one, or that of the batch's cohort."""
    queue, index = memory["queue"], memory["index"]
    return (queue, index) if cohort is None else (queue[cohort], index[cohort])


MOCO = Recipe(MoCoConfig, moco, {"augment.noise": NOISES, "method.temperature": (0.1, 0.2)})
