"""What the engine asks of a pretraining method: a struct of pure functions for one seed."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from jaxssl.types import Metrics, Params, Views

Step = int | Int[Array, ""]
"""Optimisation steps done; unbatched under vmap, so that `lax.cond` on it stays a branch."""


class Extent(NamedTuple):
    """How much a method is trained on, and for how long."""

    n_samples: int
    n_steps: int


def keep_after_step(params: Params, memory: PyTree, step: Step, views: Views) -> PyTree:
    """`remember` of a method whose memory doesn't change from step to step."""
    del params, step, views
    return memory


def keep_after_epoch(
    params: Params, memory: PyTree, key: PRNGKeyArray, data: Float[Array, "samples features"]
) -> tuple[Params, PyTree]:
    """`refresh` of a method that changes nothing from epoch to epoch."""
    del key, data
    return params, memory


class Method(NamedTuple):
    """A pretraining method; it closes over its options, its encoder and its extent.

    `loss` is differentiated in `params`; its metrics are float32 arrays. The engine calls `loss`,
    then `remember` with the new parameters on the same views once per step, and `refresh` before
    the first epoch and every `refresh_every` epochs. Memory holds what no gradient trains: a queue,
    a target network, clusters.
    """

    init: Callable[[PRNGKeyArray, Float[Array, "batch features"]], tuple[Params, PyTree]]
    loss: Callable[[Params, PyTree, Step, PRNGKeyArray, Views], tuple[Float[Array, ""], Metrics]]
    remember: Callable[[Params, PyTree, Step, Views], PyTree] = keep_after_step
    refresh: Callable[
        [Params, PyTree, PRNGKeyArray, Float[Array, "samples features"]], tuple[Params, PyTree]
    ] = keep_after_epoch
    refresh_every: int = 1  # epochs; the last round is as long as any, or longer
    # top-level keys of params that `refresh` draws anew; their optimizer state starts anew too
    restart: tuple[str, ...] = ()
    # top-level key of params -> first steps in which it and its optimizer state stay untouched
    freeze: Mapping[str, int] = MappingProxyType({})
    # scores of the first prototype head; None for a method without prototypes
    scores: (
        Callable[[Params, Float[Array, "batch features"]], Float[Array, "batch prototypes"]] | None
    ) = None
