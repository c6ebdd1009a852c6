"""A pretraining, as the first of several processes asks the others to compute it with it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxssl.config import Config, from_dict, to_dict, with_options
from jaxssl.engine import hosts
from jaxssl.engine.leaves import by_path, flatten, unflatten
from jaxssl.engine.planning import Plan, Variant, plan_pretraining
from jaxssl.types import GenePool, Pool, TrainState


class Request(NamedTuple):
    """Which members are to be trained, by which plan, on what."""

    plan: Plan
    config: Config
    pool: Pool
    seeds: Sequence[int]  # or ids of variants
    variants: Mapping[int, Variant] | None = None  # none where several processes take part


def send(request: Request) -> None:
    """Ask all other processes; the first alone calls it."""
    assert request.variants is None, "members that differ are not sent"
    plan, cohorts = request.plan, request.plan.schedule.cohorts
    named = np.asarray(cohorts.names)[cohorts.of_samples].tolist() if cohorts else None
    message = {
        "config": to_dict(with_options(request.config, {"run.chunk": plan.memory.chunk})),
        "seeds": list(map(int, request.seeds)),
        "batches": named,
    }
    hosts.broadcast(message, flatten(request.pool))


def receive() -> Request | None:
    """What the first process asks for; None once it asks for nothing more."""
    message, arrays = hosts.receive()
    if message is None:
        return None
    config = from_dict(message["config"])
    tree: dict[str, Any] = {"autoencoder": {}} | unflatten(arrays)
    if "genes" in tree:
        tree["genes"] = GenePool(**tree["genes"])
    pool = Pool(**tree)
    batches = message["batches"] and np.asarray(message["batches"])
    seeds = message["seeds"]
    plan = plan_pretraining(
        config, *pool.x.shape, n_seeds=len(seeds), batches=batches, genes=pool.genes
    )
    return Request(plan, config, pool, seeds)


def send_state(state: TrainState, history: list) -> None:
    """Tell all other processes from where a chunk goes on; the first alone calls it."""
    hosts.broadcast(history, flatten(state) if history else {})


def receive_state(fresh: TrainState) -> tuple[TrainState, list]:
    """A chunk's state, in the structure of `fresh`, and its history."""
    history, arrays = hosts.receive()
    leaves = [arrays[name] for name in by_path(fresh)] if history else jax.tree.leaves(fresh)
    return jax.tree.unflatten(jax.tree.structure(fresh), leaves), history
