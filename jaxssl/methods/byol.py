"""BYOL: predict what a slow copy makes of the other view (Grill et al. 2020, arXiv 2006.07733).

Heads have LayerNorm in place of BatchNorm. Parameters: `encoder`, `projection` and `predictor`.
Memory: `target`, the slow copy of the first two.
"""

from functools import partial
from itertools import permutations
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxssl.bounds import Positive, Share, optionclass
from jaxssl.methods.augment import NOISES
from jaxssl.methods.interface import Batch, Loss, Method, Recipe, Start, Step, Training
from jaxssl.methods.losses import cosine_distance, spread
from jaxssl.methods.stack import ProjectedConfig, Stack, moving_average
from jaxssl.model import Head, Network, make_head
from jaxssl.types import Params, Profiles


@optionclass
class BYOLConfig(ProjectedConfig):
    """Options of BYOL."""

    name: ClassVar[str] = "byol"
    projection_dim: Positive = 256
    momentum: Share = 0.99  # of the target at first, rising to 1 by a cosine; 0.996 in the paper
    predictor: Head = "mlp"  # without one ("none") it collapses
    predictor_hidden: Positive = 256
    stop_gradient: bool = True  # False: the target is the online network, which collapses


def byol(options: BYOLConfig, training: Training) -> Method:
    """BYOL as a `Method`."""
    stack = Stack.of(options, training.encoder)
    return Method(
        init=partial(init, options, stack),
        loss=partial(loss, options, stack),
        remember=partial(remember, options, training.n_steps),
    )


def _predictor(options: BYOLConfig, stack: Stack, dim: int) -> Network:
    """From projection to projection."""
    kind, hidden, norm = options.predictor, options.predictor_hidden, options.projection_norm
    return make_head(kind, hidden, dim, stack.encoder.precision, norm)


def init(options: BYOLConfig, stack: Stack, key: PRNGKeyArray, x: Profiles) -> Start:
    """Random parameters; the target starts as they do."""
    keys = jax.random.split(key, 3)
    params, z = stack.init(keys[:2], x)
    target = jax.tree.map(jnp.copy, params)
    predictor = _predictor(options, stack, z.shape[1]).init(keys[2], z)
    return (params | {"predictor": predictor} if predictor else params), {"target": target}


def loss(options: BYOLConfig, stack: Stack, params: Params, batch: Batch) -> Loss:
    """2 - 2 cos between the prediction from one view and the target's projection of another.

    The loss falls where it collapses, and does not tell.
    """
    x = batch.views.x
    z = stack.project(params, x)
    if options.stop_gradient:
        targets = jax.lax.stop_gradient(stack.project(batch.memory["target"], x))
    else:
        targets = z
    predict = _predictor(options, stack, z.shape[2]).apply
    flat = predict(params.get("predictor", {}), z.reshape(-1, z.shape[2]))
    predicted = flat.reshape(z.shape)
    pairs = permutations(range(len(z)), 2)
    value = jnp.stack([cosine_distance(predicted[i], targets[j]) for i, j in pairs]).mean()
    return value, {"projection_spread": spread(z)}


def remember(options: BYOLConfig, n_steps: int, params: Params, batch: Batch) -> PyTree:
    """Let the target follow, ever more slowly."""
    target = batch.memory["target"]
    online = {name: params[name] for name in target}
    return {"target": moving_average(target, online, momentum(options, n_steps, batch.step))}


def momentum(options: BYOLConfig, n_steps: int, step: Step) -> Float[Array, ""]:
    """1 - (1 - momentum) (cos(pi step / n_steps) + 1) / 2: from `momentum` to 1."""
    share = jnp.asarray(step, jnp.float32) / n_steps
    return 1 - (1 - options.momentum) * 0.5 * (jnp.cos(jnp.pi * share) + 1)


BYOL = Recipe(BYOLConfig, byol, {"augment.noise": NOISES, "method.momentum": (0.97, 0.99)})
