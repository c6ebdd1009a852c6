"""Several smooth convex functions minimised side by side: L-BFGS whose steps share one evaluation.

Every function takes a step of its own in each round, whether it goes on or tries a shorter step, so
that a round is one evaluation of all. A search that is nested in the rounds, as that of
`optax.lbfgs`, costs all functions whatever the slowest needs, ten times as much. Step lengths are
accepted by the approximate Wolfe conditions of Hager & Zhang (2005, doi 10.1137/030601880), which
hold in single precision near the minimum; the memory is Nocedal's (1980,
doi 10.1090/S0025-5718-1980-0572855-7).
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Shaped

MEMORY = 6
DECREASE = 1e-4  # of the slope, by which a step must descend
SLACK = 1e-6  # of the value: what single precision cannot tell apart
PATIENCE = 30  # rounds without a smaller gradient, after which rounding hides the minimum

Points = Float[Array, "coordinates functions outputs"]
Values = Float[Array, " functions"]


class _State(NamedTuple):
    at: Points
    value: Values
    gradient: Points
    moves: Float[Array, "memory coordinates functions outputs"]
    turns: Float[Array, "memory coordinates functions outputs"]  # of the gradients
    inverse: Float[Array, "memory functions"]  # of move · turn; 0 where a round has none
    scale: Values  # of the first guess of the inverse Hessian
    direction: Points
    length: Values
    steepest: Values  # the least there was of the largest entry of a gradient
    since: Int[Array, " functions"]  # rounds since then
    n: Int[Array, ""]


def minimize(
    evaluate: Callable[[Points], tuple[Values, Points]],
    start: Points,
    tolerance: float | Values,
    max_rounds: int = 1000,
) -> Points:
    """Minimise functions of their own points.

    Args:
        evaluate: the values of all functions and their gradients, each at its point.
        start: points (coordinates x functions x outputs), in coordinates that condition them.
        tolerance: the largest entry of a gradient at which a function is done, of each or of all;
            or where `PATIENCE` ends.
        max_rounds: evaluations after which all end.

    Returns:
        The minima.

    Example:
        >>> half = lambda x: (0.5 * (x**2).sum((0, 2)), x)
        >>> minimize(half, jnp.ones((3, 1, 1)), 1e-6).ravel()
        Array([0., 0., 0.], dtype=float32)
    """
    # the first round is a step of length 0, so that the program holds a single evaluation
    zeros, none = jnp.zeros_like(start), jnp.zeros((MEMORY, start.shape[1]))
    memory, infinite = jnp.zeros((MEMORY, *start.shape)), jnp.full(start.shape[1], jnp.inf)
    state = start, infinite, zeros, memory, memory, none, none[0] + 1, zeros, none[0]
    ever = infinite, jnp.zeros(start.shape[1], jnp.int32)

    def unfinished(state: _State) -> Array:
        return (state.n < max_rounds) & _is_unfinished(state, tolerance).any()

    def next_round(state: _State) -> _State:
        return _next_round(evaluate, state, tolerance)

    return jax.lax.while_loop(unfinished, next_round, _State(*state, *ever, jnp.int32(0))).at


def _next_round(evaluate: Callable, state: _State, tolerance: float | Values) -> _State:
    """Try a step of each function, keep what descends, and remember how its gradient turned."""
    at = state.at + _wide(state.length) * state.direction
    value, gradient = evaluate(at)
    slope, then = _dot(state.gradient, state.direction), _dot(gradient, state.direction)
    is_lower = value <= state.value + DECREASE * state.length * slope
    is_level = value <= state.value + SLACK * jnp.abs(state.value)
    is_good = is_lower | (is_level & (then <= (2 * DECREASE - 1) * slope))
    accepts = is_good & _is_unfinished(state, tolerance)
    move, turn = at - state.at, gradient - state.gradient
    along, own = _dot(move, turn), _dot(turn, turn)
    is_curved = accepts & (along > 1e-8 * own)
    place = state.n % MEMORY
    put = partial(jax.lax.dynamic_update_index_in_dim, index=place, axis=0)
    new = state._replace(
        at=jnp.where(_wide(accepts), at, state.at),
        value=jnp.where(accepts, value, state.value),
        gradient=jnp.where(_wide(accepts), gradient, state.gradient),
        moves=put(state.moves, move),
        turns=put(state.turns, turn),
        inverse=put(state.inverse, jnp.where(is_curved, 1 / jnp.maximum(along, 1e-30), 0.0)),
        scale=jnp.where(is_curved, along / jnp.maximum(own, 1e-30), state.scale),
        n=state.n + 1,
    )
    largest = jnp.abs(new.gradient).max((0, 2))
    is_less = largest < state.steepest
    # the minimum of the parabola through both values and the slope, within bounds
    rise = value - state.value - state.length * slope
    shorter = -slope * state.length**2 / 2 / jnp.maximum(rise, 1e-30)
    shorter = jnp.clip(shorter, 0.1 * state.length, 0.5 * state.length)
    # the first direction is the gradient, which does not know how long a step is
    unit = jax.lax.rsqrt(jnp.maximum(_dot(gradient, gradient), 1.0))
    return new._replace(
        direction=jnp.where(_wide(is_good), _direction(new), state.direction),
        length=jnp.where(is_good, jnp.where(state.n == 0, unit, 1.0), shorter),
        steepest=jnp.minimum(state.steepest, largest),
        since=jnp.where(is_less, 0, state.since + 1),
    )


def _is_unfinished(state: _State, tolerance: float | Values) -> Array:
    is_steep = (jnp.abs(state.gradient).max((0, 2)) > tolerance) | (state.n == 0)
    return is_steep & (state.since < PATIENCE)


def _direction(state: _State) -> Points:
    """Minus the inverse Hessian, as remembered, times the gradient: the two loops of Nocedal."""

    def newest_first(i: Array, carry: tuple[Points, Array]) -> tuple[Points, Array]:
        left, steps = carry
        j = (state.n - 1 - i) % MEMORY
        step = state.inverse[j] * _dot(state.moves[j], left)
        return left - _wide(step) * state.turns[j], steps.at[j].set(step)

    def oldest_first(i: Array, found: Points) -> Points:
        j = (state.n + i) % MEMORY
        step = steps[j] - state.inverse[j] * _dot(state.turns[j], found)
        return found + _wide(step) * state.moves[j]

    none = state.gradient, jnp.zeros_like(state.inverse)
    left, steps = jax.lax.fori_loop(0, MEMORY, newest_first, none)
    return -jax.lax.fori_loop(0, MEMORY, oldest_first, _wide(state.scale) * left)


def _dot(a: Points, b: Points) -> Values:
    """Inner products, by function."""
    return jnp.sum(a * b, axis=(0, 2))


def _wide(values: Shaped[Array, " functions"]) -> Shaped[Array, "1 functions 1"]:
    """A number a function, beside points."""
    return values[None, :, None]
