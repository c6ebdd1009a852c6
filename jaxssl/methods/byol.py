"""BYOL: predict what a slow copy makes of the other view (Grill et al. 2020, arXiv 2006.07733).

Parameters: `encoder`, `projection` and `predictor`. Memory: `target`, the slow copy of the first
two.
"""

from functools import partial
from itertools import permutations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from jaxssl.methods.interface import Extent, Method, Step
from jaxssl.methods.losses import cosine_distance, spread
from jaxssl.methods.memory import moving_average
from jaxssl.methods.stack import Stack, init_stack, make_stack, project
from jaxssl.model import Network, make_projection
from jaxssl.options import BYOLConfig
from jaxssl.types import Metrics, Params, Views


def byol(options: BYOLConfig, encoder: Network, extent: Extent) -> Method:
    """BYOL as a `Method`.

    Metrics of `loss`: loss and projection_spread (of `losses.spread`; 0: collapsed; the loss falls
    where it collapses, and does not tell).
    """
    stack = make_stack(options, encoder)
    return Method(
        init=partial(init, options, stack),
        loss=partial(loss, options, stack),
        remember=partial(remember, options, extent.n_steps),
    )


def _predictor(options: BYOLConfig, stack: Stack, dim: int) -> Network:
    """From projection to projection."""
    norm = options.projection_norm
    return make_projection(
        options.predictor, options.predictor_hidden, dim, stack.encoder.precision, norm
    )


def init(
    options: BYOLConfig, stack: Stack, key: PRNGKeyArray, x: Float[Array, "batch features"]
) -> tuple[Params, PyTree]:
    """Random parameters; the target starts as they do."""
    keys = jax.random.split(key, 3)
    params, z = init_stack(stack, keys[:2], x)
    target = jax.tree.map(jnp.copy, params)
    predictor = _predictor(options, stack, z.shape[1]).init(keys[2], z)
    return (params | {"predictor": predictor} if predictor else params), {"target": target}


def loss(
    options: BYOLConfig,
    stack: Stack,
    params: Params,
    memory: PyTree,
    step: Step,
    key: PRNGKeyArray,
    views: Views,
) -> tuple[Float[Array, ""], Metrics]:
    """2 - 2 cos between the prediction from one view and the target's projection of another."""
    del step, key
    z = project(stack, params, views.x)
    if options.stop_gradient:
        targets = jax.lax.stop_gradient(project(stack, memory["target"], views.x))
    else:
        targets = z
    predict = _predictor(options, stack, z.shape[2]).apply
    flat = predict(params.get("predictor", {}), z.reshape(-1, z.shape[2]))
    predicted = flat.reshape(z.shape)
    pairs = permutations(range(len(z)), 2)
    value = jnp.stack([cosine_distance(predicted[i], targets[j]) for i, j in pairs]).mean()
    return value, {"loss": value, "projection_spread": spread(z)}


def remember(
    options: BYOLConfig, n_steps: int, params: Params, memory: PyTree, step: Step, views: Views
) -> PyTree:
    """Let the target follow, ever more slowly."""
    del views
    online = {name: params[name] for name in memory["target"]}
    return {"target": moving_average(memory["target"], online, momentum(options, n_steps, step))}


def momentum(options: BYOLConfig, n_steps: int, step: Step) -> Float[Array, ""]:
    """1 - (1 - momentum) (cos(pi step / n_steps) + 1) / 2: from `momentum` to 1."""
    share = jnp.asarray(step, jnp.float32) / n_steps
    return 1 - (1 - options.momentum) * 0.5 * (jnp.cos(jnp.pi * share) + 1)
