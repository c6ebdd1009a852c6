"""The pretraining of many seeds: chunks, epochs, logs, checkpoints, diagnosis."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from jaxssl.config import Config
from jaxssl.data.backed import Rows
from jaxssl.engine import checkpoint, hosts
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.engine.diagnose import Diagnosis, Row, divergences, rows_of_epoch, verdicts
from jaxssl.engine.ensemble import chunks, member, over_seeds, seed_keys
from jaxssl.engine.mesh import mesh_for, shard
from jaxssl.engine.planning import Plan, Variant, with_cohorts
from jaxssl.engine.prepared import Prepared, fingerprint, record_of
from jaxssl.engine.request import Request, receive, receive_state, send, send_state
from jaxssl.engine.streaming import Source, make_source, pool_of
from jaxssl.engine.train import Schedule, Trainer
from jaxssl.types import GenePool, Member, Metrics, Params, Stopped, TrainState

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


def pretrain(
    plan: Plan,
    config: Config,
    pool: Rows,
    seed_ids: Sequence[int],
    log: LogFn = lambda rows, restored: None,
    checkpoints: Path | None = None,
    variants: Mapping[int, Variant] | None = None,
    stop: StopFn = lambda: False,
    genes: GenePool | None = None,
) -> Iterator[Pretrained]:
    """Pretrain all seeds on the training matrix, one chunk after the other; `genes` as in the plan.

    The matrix may be on disk: the rows of the next steps are read while others compute.
    Resumes from `checkpoints` where they exist. A resumed run is bitwise the uninterrupted one:
    every random number follows from the seed id and the step. With `variants`, the ids are those of
    members of a plan with `varied` options. A seed that diverges touches no other; once all of a
    chunk have, the chunk ends. Raises `Stopped` if `stop` said so, once the state is saved: after
    an epoch, or without one that is too long to end.
    """
    made = with_cohorts(pool_of(pool, config, genes), plan.schedule)
    request = Request(plan, config, made, seed_ids, variants)
    if hosts.is_joined():
        send(request)
    yield from _pretrain(request, log, checkpoints, stop)


def assist(stop: StopFn = lambda: False) -> None:
    """Compute with the first of several processes, until it has ended.

    Args:
        stop: as of `pretrain`; if one process is told to stop, all do.

    Raises:
        Stopped: then.
    """
    while (request := receive()) is not None:
        for _ in _pretrain(request, lambda rows, restored: None, None, stop):
            pass


def _pretrain(
    request: Request, log: LogFn, checkpoints: Path | None, stop: StopFn
) -> Iterator[Pretrained]:
    """`pretrain`; of several processes, in each of them."""
    plan, config, schedule = request.plan, request.config, request.plan.schedule
    mesh = mesh_for(plan.memory.chunk)
    trainer = over_all_seeds(plan.trainer, mesh)
    data = make_source(request.pool, mesh)
    first = data.first(schedule.batch_size)
    for ids in chunks(request.seeds, plan.memory.chunk):
        folder = checkpoints and checkpoints / f"seeds_{ids[0]}_{ids[-1]}_{len(set(ids))}"
        members = make_members(config.run.root_key, ids, request.variants)
        state = trainer.init(shard(members, per_seed=True, mesh=mesh), first)
        state, history = _resumed(state, folder, ids, mesh)
        if history:
            log(history, True)
        cadence = checkpoint.Cadence(config.pretrain.checkpoint_every)
        for epoch in range(len(history) // len(set(ids)), schedule.n_epochs):
            if divergences(history).keys() == set(ids):
                break
            started = time.perf_counter()
            state, metrics = train_epoch(trainer, schedule, state, epoch, data, stop)
            if metrics is not None:
                measured = hosts.on_host(metrics)
                rows = rows_of_epoch(ids, epoch, schedule.steps_per_epoch, measured, started)
                history = history + rows
                log(rows, False)
            must_stop = hosts.any_says(metrics is None or stop())
            is_due = must_stop or epoch + 1 == schedule.n_epochs or cadence.is_due(epoch)
            if hosts.any_says(folder is not None and is_due):
                with cadence.saving():
                    saved = hosts.on_host(state._replace(member=None))
                    if folder:
                        checkpoint.save_state(folder, saved, ids, history)
            if must_stop:
                raise Stopped
        params = hosts.on_host(state.params)
        of_seeds = {seed: member(params, i) for i, seed in enumerate(dict.fromkeys(ids))}
        yield Pretrained(of_seeds, verdicts(history, config), history)


def _resumed(
    fresh: TrainState, folder: Path | None, ids: list[int], mesh: Mesh
) -> tuple[TrainState, list[Row]]:
    """The state that a chunk goes on from, and its history; the first process has read it."""
    bare = fresh._replace(member=None)
    found = checkpoint.load_state(folder, bare, ids) if folder else (bare, [])
    if hosts.is_joined():
        if hosts.is_first():
            send_state(*found)
        else:
            found = receive_state(bare)
    state, history = found
    if not history:
        return fresh, []
    return shard(state, per_seed=True, mesh=mesh)._replace(member=fresh.member), history


def train_epoch(
    trainer: Trainer,
    schedule: Schedule,
    state: TrainState,
    epoch: int,
    data: Source,
    stop: StopFn,
) -> tuple[TrainState, Metrics | None]:
    """One epoch of a chunk; the state before it, and no metrics, if `stop` said so on the way."""
    if data.is_one_call(schedule):
        return trainer.epoch(state, jnp.int32(epoch), data.all)
    before, parts = hosts.on_host(state._replace(member=None)), []
    state, batches = trainer.begin(state, jnp.int32(epoch), data.all)
    numbers = schedule.numbers(epoch)
    for piece, samples in data.pieces(schedule, batches):
        if hosts.any_says(stop()):
            return before, None
        state, metrics = trainer.steps(state, batches[:, piece], numbers[piece], samples)
        parts.append(metrics)
    together = jax.tree.map(lambda *of_piece: jnp.concatenate(of_piece, axis=1), *parts)
    return state, trainer.end(state, together, data.probe)


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
def over_all_seeds(trainer: Trainer, mesh: Mesh | None = None) -> Trainer:
    """The trainer of a chunk of seeds, compiled; an epoch replaces the state that it is given."""
    return Trainer(
        init=over_seeds(trainer.init, [True, False], mesh=mesh),
        epoch=over_seeds(trainer.epoch, [True, False, False], donate=0, mesh=mesh),
        begin=over_seeds(trainer.begin, [True, False, False], donate=0, mesh=mesh),
        steps=over_seeds(trainer.steps, [True, True, False, False], donate=0, mesh=mesh),
        end=over_seeds(trainer.end, [True, True, False], mesh=mesh),
    )


def merge(chunks: Iterable[Pretrained]) -> Pretrained:
    """All chunks of a pretraining as one."""
    merged = Pretrained({}, {}, [])
    for chunk in chunks:
        merged.params.update(chunk.params)
        merged.diagnoses.update(chunk.diagnoses)
        merged.history.extend(chunk.history)
    return merged
