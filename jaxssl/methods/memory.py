"""What a method remembers from step to step, as values: queues and slowly moving networks."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree, Shaped

from jaxssl.methods.interface import Step


def push(
    queue: Shaped[Array, "length *item"], new: Shaped[Array, "batch *item"]
) -> Shaped[Array, "length *item"]:
    """Put a batch at the front; as many leave at the back."""
    return jnp.concatenate([new, queue])[: len(queue)]


def is_ready(step: Step, batch_size: int, length: int, start: int) -> Bool[Array, ""]:
    """Whether a queue that got one batch per step is full, and `start` is reached.

    From the step number, not from a counter in memory: that would be batched over seeds, and
    `lax.cond` on a batched predicate computes both branches.
    """
    return jnp.asarray(step) >= max(start, -(-length // batch_size))


def moving_average(
    slow: PyTree, fast: PyTree, momentum: float | Float[Array, ""]
) -> PyTree[Float[Array, "..."]]:
    """momentum · slow + (1 - momentum) · fast, leaf by leaf."""
    return jax.tree.map(lambda s, f: momentum * s + (1 - momentum) * f, slow, fast)
