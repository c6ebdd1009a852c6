"""Optimizers with warm-up, cosine decay and true freezing."""

from collections.abc import Collection, Hashable, Mapping
from typing import Any, cast

import jax
import optax
from jaxtyping import PyTree

from jaxssl.config import OptimizerConfig
from jaxssl.types import Params

LARS_MOMENTUM = 0.9  # You et al. 2017, arXiv 1708.03888


def make_schedule(options: OptimizerConfig, n_steps: int) -> optax.Schedule:
    """Linear warm-up from 0 over a share of the steps, then cosine to 0 or constant."""
    warmup = round(options.warmup_share * n_steps)
    after = {
        "cosine": optax.cosine_decay_schedule(options.learning_rate, max(n_steps - warmup, 1)),
        "constant": optax.constant_schedule(options.learning_rate),
    }[options.schedule]
    if warmup == 0:
        return after
    # the first step moves too: step t of the warm-up uses (t + 1) / warmup of the rate
    ramp = optax.linear_schedule(
        options.learning_rate / warmup, options.learning_rate, max(warmup - 1, 1)
    )
    return optax.join_schedules([ramp, after], [warmup])


def make_optimizer(
    options: OptimizerConfig,
    n_steps: int,
    freeze: Mapping[str, int],
    restarting: Collection[str] = (),
) -> optax.GradientTransformation:
    """Optimizer of a pretraining of `n_steps` steps.

    `restarting` names top-level keys of the parameters whose state `restart` may begin anew.
    `freeze` maps a top-level key of the parameters to a number of first steps in which neither
    that parameter nor its optimizer state is touched: under AdamW a zero gradient would still
    decay the weights and age the moments. The learning-rate schedule runs on meanwhile.
    """
    frozen = {name: steps for name, steps in freeze.items() if steps > 0}
    direction = _direction(options)
    if frozen or restarting:
        apart: dict[Hashable, optax.GradientTransformation] = {
            name: optax.transforms.conditionally_mask(
                direction, should_transform_fn=lambda step, least=least, **_: step >= least
            )
            for name, least in frozen.items()
        }
        apart |= dict.fromkeys(restarting, direction)
        direction = optax.partition(
            {"free": direction, **apart},
            lambda params: {name: name if name in apart else "free" for name in params},
        )
    return optax.chain(direction, optax.scale_by_learning_rate(make_schedule(options, n_steps)))


def restart(
    optimizer: optax.GradientTransformation,
    params: Params,
    opt_state: optax.OptState,
    restarting: Collection[str],
) -> optax.OptState:
    """The state of an optimizer of `make_optimizer`, begun anew for some keys of the parameters."""
    if not restarting:
        return opt_state
    fresh, now = cast(Any, optimizer.init(params)), cast(Any, opt_state)
    states = {
        name: (fresh if name in restarting else now)[0].inner_states[name]
        for name in now[0].inner_states
    }
    return (now[0]._replace(inner_states=states), *now[1:])


def _direction(options: OptimizerConfig) -> optax.GradientTransformation:
    """The update before the learning rate; decay applies to matrices, not to biases or norms."""
    decay = optax.add_decayed_weights(options.weight_decay, mask=_is_matrix)
    trust = optax.masked(optax.scale_by_trust_ratio(), _is_matrix)
    return {
        "adam": optax.scale_by_adam(),
        "adamw": optax.chain(optax.scale_by_adam(), decay),
        "lars": optax.chain(decay, trust, optax.trace(LARS_MOMENTUM)),
    }[options.name]


def _is_matrix(params: PyTree) -> PyTree:
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)
