"""Pretraining of one seed as pure functions: `init` and one epoch."""

import itertools
from collections.abc import Callable, Mapping
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from jaxssl.engine.cohorts import Cohorts, batches_within, draw_cohorts
from jaxssl.engine.optimize import restart
from jaxssl.methods.augment import ViewsFn
from jaxssl.methods.interface import Batch, Method
from jaxssl.methods.losses import spread
from jaxssl.types import Member, Metrics, Params, Pool, Profiles, Samples, TrainState

MAX_STEPS = 100  # of a compiled call: a process that is told to end does so between two
PROBE_SAMPLES = 512  # training samples on which an epoch's embedding is measured


class Parts(NamedTuple):
    """What a training is made of."""

    method: Method
    encode: Callable[[Params, Profiles], Float[Array, "batch dim"]]
    make_views: ViewsFn
    optimizer: optax.GradientTransformation


class Streams(NamedTuple):
    """All random streams of a seed, derived anew from its root key wherever they are needed."""

    init: PRNGKeyArray
    order: PRNGKeyArray  # of the batches, by epoch
    step: PRNGKeyArray  # views, by step
    refresh: PRNGKeyArray  # by epoch
    fresh: PRNGKeyArray  # of fine-tuning: layers that are not transferred
    finetune: PRNGKeyArray  # head and batches


class Schedule(NamedTuple):
    """How the steps of a pretraining fall into epochs.

    An epoch is `passes` passes over the training set of `steps_per_pass` steps each, in one
    compiled call where that is not too long. Small training sets have several passes an epoch, so
    that a call is worth its overhead and its log line.
    """

    batch_size: int
    steps_per_pass: int
    passes: int
    n_epochs: int
    cohorts: Cohorts | None = None  # that mini-batches are of, one each; None: they are mixed

    @property
    def steps_per_epoch(self) -> int:
        """Optimisation steps of one epoch."""
        return self.steps_per_pass * self.passes

    def numbers(self, epoch: Int[Array, ""] | int) -> Int[Array, " steps"]:
        """Of the steps of an epoch, counted from the first of the pretraining."""
        return epoch * self.steps_per_epoch + jnp.arange(self.steps_per_epoch)

    def pieces(self, most: int = 0) -> list[slice]:
        """The steps of an epoch in even pieces of at most `most`, by default `MAX_STEPS`."""
        n = -(-self.steps_per_epoch // (most or MAX_STEPS))
        bounds = [i * self.steps_per_epoch // n for i in range(n + 1)]
        return [slice(*ends) for ends in itertools.pairwise(bounds)]

    @property
    def n_steps(self) -> int:
        """Optimisation steps of the whole pretraining."""
        return self.steps_per_epoch * self.n_epochs


def make_schedule(n_samples: int, batch_size: int, n_steps: int, min_steps: int = 40) -> Schedule:
    """Cut at least `n_steps` steps into even epochs of about `min_steps` steps or one pass.

    The last, incomplete batch of a pass is dropped; every pass draws a new order.
    """
    batch_size = min(batch_size, n_samples)
    steps_per_pass = n_samples // batch_size
    passes = -(-min(min_steps, n_steps) // steps_per_pass)
    n_passes = -(-n_steps // steps_per_pass)
    n_epochs = -(-n_passes // passes)
    return Schedule(batch_size, steps_per_pass, -(-n_passes // n_epochs), n_epochs)


Batches = Int[Array, "steps batch"]


class Trainer(NamedTuple):
    """Pure functions of one seed; `engine.ensemble` maps them over seeds."""

    init: Callable[[Member, Pool], TrainState]
    epoch: Callable[[TrainState, Int[Array, ""], Pool], tuple[TrainState, Metrics]]
    # an epoch in pieces: its beginning, which gives its batches; some of its steps; its end
    begin: Callable[[TrainState, Int[Array, ""], Pool], tuple[TrainState, Batches]]
    steps: Callable[[TrainState, Batches, Int[Array, " steps"], Pool], tuple[TrainState, Metrics]]
    end: Callable[[TrainState, Metrics, Pool], Metrics]


def make_trainer(make_parts: Callable[[Mapping[str, Array]], Parts], schedule: Schedule) -> Trainer:
    """The training of one seed; `make_parts` binds the values of a member's own options."""

    def init(member: Member, pool: Pool) -> TrainState:
        parts = make_parts(member.options)
        x = pool.x[: schedule.batch_size]
        params, memory = parts.method.init(streams(member.key).init, x)
        return TrainState(params, memory, parts.optimizer.init(params), member)

    def epoch(state: TrainState, epoch: Int[Array, ""], pool: Pool) -> tuple[TrainState, Metrics]:
        state, batches = begin(state, epoch, pool)
        state, metrics = steps(state, batches, schedule.numbers(epoch), pool)
        return state, end(state, metrics, pool)

    def begin(state: TrainState, epoch: Int[Array, ""], pool: Pool) -> tuple[TrainState, Batches]:
        keys, x, parts = streams(state.member.key), pool.x, make_parts(state.member.options)
        is_due = is_turn(epoch, parts.method.refresh_every, schedule.n_epochs)
        state = refresh(parts, state, is_due, jax.random.fold_in(keys.refresh, epoch), x)
        key_order = jax.random.fold_in(keys.order, epoch)
        return state, epoch_batches(key_order, len(x), schedule, pool.cohort)

    def steps(
        state: TrainState, batches: Batches, numbers: Int[Array, " steps"], pool: Pool
    ) -> tuple[TrainState, Metrics]:
        keys, parts = streams(state.member.key), make_parts(state.member.options)

        def step(state: TrainState, drawn: tuple[Array, Array]) -> tuple[TrainState, Metrics]:
            number, index = drawn
            # by step number, not by splitting a carried key: a resume needs only the step
            key_views, _ = jax.random.split(jax.random.fold_in(keys.step, number))  # no loss draws
            views = parts.make_views(key_views, samples_at(pool, index), index, pool)
            cohort = None if pool.cohort is None else pool.cohort[index[0]]
            return train_step(parts, state, Batch(views, state.memory, number, cohort))

        return jax.lax.scan(step, state, (numbers, batches))

    def end(state: TrainState, metrics: Metrics, pool: Pool) -> Metrics:
        parts = make_parts(state.member.options)
        return summarize(metrics, parts.encode(state.params["encoder"], probe_of(pool.x)))

    return Trainer(init, epoch, begin, steps, end)


def samples_at(pool: Pool, index: Int[Array, " batch"]) -> Profiles:
    """The samples of a batch, of a pool that has all or the rows that are named."""
    return pool.x[index if pool.rows is None else jnp.searchsorted(pool.rows, index)]


def probe_of(x: Samples) -> Float[Array, "probe features"]:
    """Samples at a fixed stride: neighbours in a file often share class and batch."""
    return x[probe_rows(len(x))]


def probe_rows(n_samples: int) -> slice:
    """Which samples an epoch's embedding is measured on; of these alone, all."""
    stride = max(n_samples // PROBE_SAMPLES, 1)
    return slice(0, stride * min(PROBE_SAMPLES, -(-n_samples // stride)), stride)


def is_turn(epoch: Int[Array, ""] | int, every: int, n_epochs: int) -> Bool[Array, ""]:
    """Whether an epoch begins a round of `every` epochs that ends before the training does."""
    epoch = jnp.asarray(epoch)
    return (epoch % every == 0) & ((epoch == 0) | (n_epochs - epoch >= every))


def refresh(
    parts: Parts, state: TrainState, is_due: Bool[Array, ""], key: PRNGKeyArray, x: Samples
) -> TrainState:
    """What a method does before an epoch, if it is due."""
    of_method, restarting = parts.method.refresh, parts.method.restart
    if of_method is None:
        return state

    def refreshed(state: TrainState) -> TrainState:
        params, memory = of_method(state.params, key, x)
        opt_state = restart(parts.optimizer, params, state.opt_state, restarting)
        return TrainState(params, memory, opt_state, state.member)

    if parts.method.refresh_every == 1:
        return refreshed(state)
    return jax.lax.cond(is_due, refreshed, lambda state: state, state)


def train_step(parts: Parts, state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
    """One update of parameters, optimizer and memory."""
    method = parts.method
    gradient = jax.value_and_grad(method.loss, has_aux=True)
    (loss, metrics), grads = gradient(state.params, batch)
    updates, opt_state = parts.optimizer.update(grads, state.opt_state, state.params)
    params = cast(Params, optax.apply_updates(state.params, updates))
    memory = method.remember(params, batch) if method.remember else state.memory
    return TrainState(params, memory, opt_state, state.member), metrics | {"loss": loss}


def streams(key: PRNGKeyArray) -> Streams:
    """The random streams of a seed."""
    return Streams(*jax.random.split(key, len(Streams._fields)))


def epoch_batches(
    key: PRNGKeyArray,
    n_samples: int,
    schedule: Schedule,
    cohort: Int[Array, " samples"] | None = None,
) -> Int[Array, "steps batch"]:
    """Positions of an epoch's batches: every pass is a fresh permutation without its remainder.

    With the `cohort` of every sample, batches are of one each, in the schedule's shares of the
    steps; where there is one cohort, they are as without.
    """
    if cohort is not None and schedule.cohorts and len(schedule.cohorts.names) > 1:
        key_steps, key_within = jax.random.split(key)
        drawn = draw_cohorts(key_steps, schedule.cohorts.shares, schedule.steps_per_epoch)
        return batches_within(key_within, drawn, schedule.cohorts, cohort, schedule.batch_size)
    n_used = schedule.steps_per_pass * schedule.batch_size
    orders = jax.vmap(lambda k: jax.random.permutation(k, n_samples)[:n_used])(
        jax.random.split(key, schedule.passes)
    )
    return orders.reshape(schedule.steps_per_epoch, schedule.batch_size)


def summarize(metrics: Metrics, embedding: Float[Array, "samples dim"]) -> Metrics:
    """Means over an epoch's steps, and spread and scatter matrix of its final embedding.

    `finite_steps` counts the steps before the first whose loss is no number.

    `diagnose.measure` takes the spectrum of that on the host: LAPACK's threads, called from inside
    the program, go on spinning on the cores that the next epoch needs.
    """
    means = {name: values.mean(axis=0) for name, values in metrics.items()}
    is_finite = jnp.isfinite(metrics["loss"]).astype(jnp.int32)
    means["finite_steps"] = jnp.cumprod(is_finite).sum()
    means["embedding_spread"] = spread(embedding)
    centred = embedding - embedding.mean(axis=0, keepdims=True)
    return means | {"scatter": centred.T @ centred}
