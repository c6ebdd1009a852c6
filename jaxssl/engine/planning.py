"""A pretraining before it runs: its programs, how its steps fall into epochs, what it will take."""

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxssl.config import Config, RunConfig, with_options
from jaxssl.engine.cohorts import find_cohorts
from jaxssl.engine.footprint import Footprint, MemoryPlan, bytes_of, plan_memory
from jaxssl.engine.mesh import by_rows
from jaxssl.engine.optimize import make_optimizer
from jaxssl.engine.streaming import AT_ONCE
from jaxssl.engine.train import Parts, Schedule, Trainer, make_schedule, make_trainer
from jaxssl.methods import METHODS
from jaxssl.methods.augment import make_pool, make_views
from jaxssl.methods.interface import Training
from jaxssl.model import make_encoder
from jaxssl.types import GenePool, Member, Pool


class Plan(NamedTuple):
    """A pretraining before it runs."""

    config: Config  # what its programs read of the options
    n_samples: int
    schedule: Schedule
    memory: MemoryPlan

    @property
    def trainer(self) -> Trainer:
        """Its functions, of one seed."""
        return _trainer(self.config, self.n_samples, _without_samples(self.schedule))


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
    *,
    is_streamed: bool = False,
) -> Plan:
    """Build the functions and the memory plan for a resolved configuration; allocates nothing.

    `varied`: options out of `evaluation.grid.traced_options` in which the members differ.
    `batches`: the technical batch of each sample, for mini-batches of one cohort. `genes`: those of
    components, or structs of their shapes, for views that lack some. `is_streamed`: samples stay on
    disk.
    """
    schedule = make_schedule(n_samples, config.pretrain.batch_size, config.pretrain.n_steps)
    schedule = schedule._replace(cohorts=find_cohorts(config.pretrain, batches))
    sections = ("encoder", "augment", "method", "optimizer")
    read = {name: getattr(config, name) for name in sections}
    of_programs = Config(**read, run=RunConfig(precision=config.run.precision))
    x = jax.ShapeDtypeStruct((n_samples, n_features), np.float32)
    assert genes or not config.augment.drop_genes or config.normalize.input == "genes"
    pool = jax.eval_shape(partial(make_pool, options=config.augment, root_key=0), x, genes=genes)
    pool = with_cohorts(pool, schedule)
    footprint = _footprint(of_programs, schedule, pool, varied, is_streamed=is_streamed)
    memory = plan_memory(
        footprint, n_seeds, config.run.memory_gb, config.run.chunk, splits_rows=True
    )
    return Plan(of_programs, n_samples, schedule, memory)


def _footprint(
    config: Config, schedule: Schedule, pool: Pool, varied: Sequence[str], *, is_streamed: bool
) -> Footprint:
    """What a pretraining takes of a device's memory; `pool` may be shapes alone."""
    n_samples, n_features = pool.x.shape
    fixed = _without_samples(schedule)
    member = Member(jax.random.key(0), {name: jnp.float32(0) for name in varied})
    state = jax.eval_shape(_trainer(config, n_samples, fixed).init, member, pool)
    matrices = [leaf for leaf in jax.tree.leaves(state.params) if len(leaf.shape) > 1]
    # the views, and what every layer makes of them, kept for the backward pass
    widths = n_features + 2 * sum(matrix.shape[1] for matrix in matrices)
    widths += 2 * pool.genes.z.shape[1] if pool.genes else 0  # with the mask
    activations = 4 * widths * schedule.batch_size * config.augment.n_views
    refreshes = _make_parts(config, n_samples, fixed, {}).method.refresh is not None
    all_at_once = 4 * n_samples * sum(config.encoder.hidden) if refreshes else 0
    working = 2 * bytes_of(state.params) + max(activations, all_at_once)  # 2: gradients, updates
    per_seed = bytes_of(state)
    shared = bytes_of(pool)
    if is_streamed:  # what trains, what is read meanwhile, and of each a batch at the least
        shared = shared - bytes_of(pool.x) + 2 * AT_ONCE
        working += 2 * 4 * schedule.batch_size * n_features
    return Footprint(shared, per_seed, working, copied=per_seed)


def _without_samples(schedule: Schedule) -> Schedule:
    """What a program is of: which sample is of which cohort is an argument."""
    cohorts = schedule.cohorts
    return schedule._replace(cohorts=cohorts and cohorts._replace(of_samples=()))


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
    encoder = encoder._replace(apply=by_rows(encoder.apply))
    training = Training(encoder, n_samples, schedule.n_steps, n_cohorts)
    method = METHODS[own.method.name].make(own.method, training)
    optimizer = make_optimizer(own.optimizer, schedule.n_steps, method.freeze, method.restart)
    return Parts(method, encoder.apply, make_views(own.augment), optimizer)


def with_cohorts(pool: Pool, schedule: Schedule) -> Pool:
    """A pool that says of which cohort a sample is, where mini-batches are of one."""
    if schedule.cohorts is None:
        return pool
    return pool._replace(cohort=jnp.asarray(schedule.cohorts.of_samples, jnp.int32))
