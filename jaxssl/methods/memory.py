"""First-in-first-out queues of embeddings, as values."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxssl.methods.interface import Step


def push(
    queue: Float[Array, "views length dim"], z: Float[Array, "views batch dim"]
) -> Float[Array, "views length dim"]:
    """Put a batch at the front; as many leave at the back."""
    return jnp.concatenate([z, queue], axis=1)[:, : queue.shape[1]]


def is_ready(step: Step, batch_size: int, length: int, start: int) -> Bool[Array, ""]:
    """Whether a queue that got one batch per step is full, and `start` is reached.

    From the step number, not from a counter in memory: that would be batched over seeds, and
    `lax.cond` on a batched predicate computes both branches.
    """
    return jnp.asarray(step) >= max(start, -(-length // batch_size))
