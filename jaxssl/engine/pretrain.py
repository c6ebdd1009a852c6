"""The pretraining of many seeds: chunks, epochs, logs, checkpoints, diagnosis."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxssl.config import Config, RunConfig, with_options
from jaxssl.engine import checkpoint
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.engine.cohorts import find_cohorts
from jaxssl.engine.diagnose import Diagnosis, Row, divergences, rows_of_epoch, verdicts
from jaxssl.engine.ensemble import chunks, member, over_seeds, seed_keys, shard, wait
from jaxssl.engine.footprint import Footprint, MemoryPlan, bytes_of, plan_memory
from jaxssl.engine.optimize import make_optimizer
from jaxssl.engine.prepared import Prepared, fingerprint, record_of
from jaxssl.engine.train import Parts, Schedule, Trainer, make_schedule, make_trainer
from jaxssl.methods import METHODS
from jaxssl.methods.augment import make_pool, make_views
from jaxssl.methods.interface import Training
from jaxssl.model import make_encoder
from jaxssl.types import GenePool, Member, Metrics, Params, Pool, Stopped, TrainState

LogFn = Callable[[list[Row], bool], None]
"""Told after every epoch a row a seed; or, flagged as restored, all rows of a checkpoint."""
StopFn = Callable[[], bool]
"""Asked after every epoch, and within a long one, whether to save and end."""


class Pretrained(NamedTuple):
    """What a chunk of seeds leaves: parameters and verdict per seed id, every epoch's metrics."""

    params: dict[int, Params]
    diagnoses: dict[int, Diagnosis]
    history: list[Row]


def make_bundle(
    prepared: Prepared, pretrained: Pretrained, seed: int, versions: dict[str, str]
) -> EncoderBundle:
    """What one seed hands to fine-tuning, with where it comes from."""
    task, diagnosis = prepared.task, pretrained.diagnoses[seed]
    provenance = {
        "seed": seed,
        "method": prepared.config.method.name,
        "dataset": task.dataset,
        **({"unlabelled": task.joined.sentence} if task.joined.files else {}),
        "n_train": len(task.split.train),
        "training_samples": fingerprint(task),
        "training_ids": record_of(task.ids, task.split.train),
        **diagnosis._asdict(),
        "versions": versions,
    }
    fitted = prepared.normalizer, pretrained.params[seed]
    return EncoderBundle(prepared.config, *fitted, provenance, prepared.reference)


class Plan(NamedTuple):
    """A pretraining before it runs."""

    trainer: Trainer
    schedule: Schedule
    memory: MemoryPlan


class Variant(NamedTuple):
    """A member that is no plain seed: the seed whose random streams it follows, and its options."""

    seed: int
    options: dict[str, float]  # of `evaluation.grid.traced_options`, where members vary


def plan_pretraining(
    config: Config,
    n_samples: int,
    n_features: int,
    n_seeds: int,
    varied: Sequence[str] = (),
    batches: np.ndarray | None = None,
    genes: GenePool | None = None,
) -> Plan:
    """Build the functions and the memory plan for a resolved configuration; allocates nothing.

    `varied`: options out of `evaluation.grid.traced_options` in which the members differ.
    `batches`: the technical batch of each sample, for mini-batches of one cohort. `genes`: those of
    components, or structs of their shapes, for views that lack some.
    """
    schedule = make_schedule(n_samples, config.pretrain.batch_size, config.pretrain.n_steps)
    cohorts = find_cohorts(config.pretrain, batches)
    schedule = schedule._replace(cohorts=cohorts)
    sections = ("encoder", "augment", "method", "optimizer")
    read = {name: getattr(config, name) for name in sections}
    of_programs = Config(**read, run=RunConfig(precision=config.run.precision))
    # which sample is of which cohort is an argument
    fixed = schedule._replace(cohorts=cohorts and cohorts._replace(of_samples=()))
    trainer = _trainer(of_programs, n_samples, fixed)
    x = jax.ShapeDtypeStruct((n_samples, n_features), np.float32)
    assert genes or not config.augment.drop_genes or config.normalize.input == "genes"
    pool = jax.eval_shape(partial(make_pool, options=config.augment, root_key=0), x, genes=genes)
    pool = with_cohorts(pool, schedule)
    member = Member(jax.random.key(0), {name: jnp.float32(0) for name in varied})
    state = jax.eval_shape(trainer.init, member, pool)
    matrices = [leaf for leaf in jax.tree.leaves(state.params) if len(leaf.shape) > 1]
    # the views, and what every layer makes of them, kept for the backward pass
    widths = n_features + 2 * sum(matrix.shape[1] for matrix in matrices)
    widths += 2 * genes.z.shape[1] if genes else 0  # with the mask
    activations = 4 * widths * schedule.batch_size * config.augment.n_views
    refreshes = _make_parts(of_programs, n_samples, fixed, {}).method.refresh is not None
    all_at_once = 4 * n_samples * sum(config.encoder.hidden) if refreshes else 0
    working = 2 * bytes_of(state.params) + max(activations, all_at_once)  # 2: gradients, updates
    per_seed = bytes_of(state)
    footprint = Footprint(bytes_of(pool), per_seed, working, copied=per_seed)
    memory = plan_memory(footprint, n_seeds, config.run.memory_gb, config.run.chunk)
    return Plan(trainer, schedule, memory)


@lru_cache(maxsize=32)
def _trainer(config: Config, n_samples: int, schedule: Schedule) -> Trainer:
    """Kept by what its programs are of: the same training of other values finds them compiled."""
    return make_trainer(partial(_make_parts, config, n_samples, schedule), schedule)


def _make_parts(
    config: Config, n_samples: int, schedule: Schedule, options: Mapping[str, Array]
) -> Parts:
    """What a member of a plan trains with; `options` are those in which members differ."""
    own = with_options(config, options)
    n_cohorts = len(schedule.cohorts.names) if schedule.cohorts else 0
    encoder = make_encoder(own.encoder, own.run.precision)
    training = Training(encoder, n_samples, schedule.n_steps, n_cohorts)
    method = METHODS[own.method.name].make(own.method, training)
    optimizer = make_optimizer(own.optimizer, schedule.n_steps, method.freeze, method.restart)
    return Parts(method, encoder.apply, make_views(own.augment), optimizer)


def pretrain(
    plan: Plan,
    config: Config,
    pool: Float[np.ndarray, "samples features"],
    seed_ids: Sequence[int],
    log: LogFn = lambda rows, restored: None,
    checkpoints: Path | None = None,
    variants: Mapping[int, Variant] | None = None,
    stop: StopFn = lambda: False,
    genes: GenePool | None = None,
) -> Iterator[Pretrained]:
    """Pretrain all seeds on the training matrix, one chunk after the other; `genes` as in the plan.

    Resumes from `checkpoints` where they exist. A resumed run is bitwise the uninterrupted one:
    every random number follows from the seed id and the step. With `variants`, the ids are those of
    members of a plan with `varied` options. A seed that diverges touches no other; once all of a
    chunk have, the chunk ends. Raises `Stopped` if `stop` said so, once the state is saved: after
    an epoch, or without one that is too long to end.
    """
    trainer, schedule = over_all_seeds(plan.trainer), plan.schedule
    made = make_pool(pool, config.augment, config.run.root_key, genes)
    data = wait(shard(with_cohorts(made, schedule), per_seed=False))
    for ids in chunks(seed_ids, plan.memory.chunk):
        folder = checkpoints and checkpoints / f"seeds_{ids[0]}_{ids[-1]}_{len(set(ids))}"
        members = make_members(config.run.root_key, ids, variants)
        state = trainer.init(shard(members, per_seed=True), data)
        state, history = checkpoint.load_state(folder, state, ids) if folder else (state, [])
        if history:
            log(history, True)
        cadence = checkpoint.Cadence(config.pretrain.checkpoint_every)
        for epoch in range(len(history) // len(set(ids)), schedule.n_epochs):
            if divergences(history).keys() == set(ids):
                break
            started = time.perf_counter()
            state, metrics = train_epoch(trainer, schedule, state, epoch, data, stop)
            if metrics is not None:
                rows = rows_of_epoch(ids, epoch, schedule.steps_per_epoch, metrics, started)
                history = history + rows
                log(rows, False)
            must_stop = metrics is None or stop()
            if folder and (must_stop or epoch + 1 == schedule.n_epochs or cadence.is_due(epoch)):
                with cadence.saving():
                    checkpoint.save_state(folder, state, ids, history)
            if must_stop:
                raise Stopped
        params = jax.device_get(state.params)
        of_seeds = {seed: member(params, i) for i, seed in enumerate(dict.fromkeys(ids))}
        yield Pretrained(of_seeds, verdicts(history, config), history)


def with_cohorts(pool: Pool, schedule: Schedule) -> Pool:
    """A pool that says of which cohort a sample is, where mini-batches are of one."""
    if schedule.cohorts is None:
        return pool
    return pool._replace(cohort=jnp.asarray(schedule.cohorts.of_samples, jnp.int32))


def train_epoch(
    trainer: Trainer, schedule: Schedule, state: TrainState, epoch: int, data: Pool, stop: StopFn
) -> tuple[TrainState, Metrics | None]:
    """One epoch of a chunk; the state before it, and no metrics, if `stop` said so on the way."""
    pieces = schedule.pieces()
    if len(pieces) == 1:
        return trainer.epoch(state, jnp.int32(epoch), data)
    before, parts = jax.device_get(state._replace(member=None)), []
    state, batches = trainer.begin(state, jnp.int32(epoch), data)
    numbers = schedule.numbers(epoch)
    for piece in pieces:
        if stop():
            return before, None
        state, metrics = trainer.steps(state, batches[:, piece], numbers[piece], data)
        parts.append(metrics)
    together = jax.tree.map(lambda *of_piece: jnp.concatenate(of_piece, axis=1), *parts)
    return state, trainer.end(state, together, data)


def make_members(
    root_key: int, ids: Sequence[int], variants: Mapping[int, Variant] | None = None
) -> Member:
    """The members of a chunk, stacked: plain seeds, or what `variants` says of each id."""
    of_ids = [variants[i] if variants else Variant(i, {}) for i in ids]
    options = {
        name: jnp.asarray([variant.options[name] for variant in of_ids], jnp.float32)
        for name in of_ids[0].options
    }
    return Member(seed_keys(root_key, [variant.seed for variant in of_ids]), options)


@lru_cache(maxsize=32)  # so that a plan that goes on is not compiled again
def over_all_seeds(trainer: Trainer) -> Trainer:
    """The trainer of a chunk of seeds, compiled; an epoch replaces the state that it is given."""
    return Trainer(
        init=over_seeds(trainer.init, [True, False]),
        epoch=over_seeds(trainer.epoch, [True, False, False], donate=0),
        begin=over_seeds(trainer.begin, [True, False, False], donate=0),
        steps=over_seeds(trainer.steps, [True, True, False, False], donate=0),
        end=over_seeds(trainer.end, [True, True, False]),
    )


def merge(chunks: Iterable[Pretrained]) -> Pretrained:
    """All chunks of a pretraining as one."""
    merged = Pretrained({}, {}, [])
    for chunk in chunks:
        merged.params.update(chunk.params)
        merged.diagnoses.update(chunk.diagnoses)
        merged.history.extend(chunk.history)
    return merged
