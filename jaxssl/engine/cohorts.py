"""Batches of one cohort: which cohort a step is of, and which of its samples."""

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray

from jaxssl.config import PretrainConfig
from jaxssl.data.frames import MIN_COHORT
from jaxssl.types import InputError


class Cohorts(NamedTuple):
    """The cohorts of the training samples; a compiled program is of their sizes and shares."""

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    shares: tuple[float, ...]  # of the steps
    of_samples: Int[np.ndarray, " samples"]

    @property
    def starts(self) -> list[int]:
        """Where each begins, once the samples are in the order of their cohorts."""
        return [0, *itertools.accumulate(self.sizes)][:-1]


def find_cohorts(options: PretrainConfig, batches: np.ndarray | None) -> Cohorts | None:
    """The cohorts that mini-batches are drawn within; None where these are mixed.

    Args:
        options: `batches` and `cohort_draw` are read.
        batches: technical batch of each training sample, "" where unknown: all of these are one
            cohort. None: nobody knows.

    Raises:
        InputError: if no batch is known, or one has fewer than `MIN_COHORT` training samples.
    """
    if options.batches == "mixed":
        return None
    if batches is None or not np.any(batches != ""):
        raise InputError(
            "`pretrain.batches=by_cohort`, but no training sample's cohort is known",
            "name the column with `batch=COLUMN`, join cohorts with `unlabelled=FILE`, or pass "
            "`pretrain.batches=mixed`",
        )
    names, of_samples, sizes = np.unique(
        batches.astype(str), return_inverse=True, return_counts=True
    )
    small = [f"{name or 'without a name'} ({n})" for name, n in zip(names, sizes, strict=True)]
    small = [text for text, n in zip(small, sizes, strict=True) if n < MIN_COHORT]
    if small:
        raise InputError(
            f"`pretrain.batches=by_cohort`, but {len(small)} of {len(names)} cohorts have fewer "
            f"than {MIN_COHORT} training samples (first: {small[0]}), too few to be spread over "
            "prototypes",
            "name a coarser column with `batch=COLUMN`, or pass `pretrain.batches=mixed`",
        )
    weights = sizes if options.cohort_draw == "size" else np.ones(len(sizes))
    shares = tuple((weights / weights.sum()).tolist())
    return Cohorts(tuple(names.tolist()), tuple(sizes.tolist()), shares, of_samples)


def draw_cohorts(
    key: PRNGKeyArray, shares: tuple[float, ...], n_steps: int
) -> Int[Array, " steps"]:
    """The cohort of every step, in random order: one with share p has n p steps, up or down to one.

    By systematic sampling, whose expected counts are n p exactly: a cohort that is worth less than
    a step has its turn in some epochs.
    """
    key_offset, key_order = jax.random.split(key)
    ends = n_steps * np.cumsum(shares)[:-1]  # the last has what is left
    at = jnp.arange(n_steps, dtype=jnp.float32) + jax.random.uniform(key_offset)
    drawn = jnp.searchsorted(jnp.asarray(ends, jnp.float32), at, side="right")
    return jax.random.permutation(key_order, drawn.astype(jnp.int32))


def batches_within(
    key: PRNGKeyArray,
    of_steps: Int[Array, " steps"],
    cohorts: Cohorts,
    of_samples: Int[Array, " samples"],
    batch_size: int,
) -> Int[Array, "steps batch"]:
    """Positions of the samples of every step, of its cohort alone.

    A cohort is gone through in passes, each a fresh permutation without its remainder. One that is
    smaller than a batch fills it by repeating its permutation: every sample equally often, up to
    one.
    """
    sizes = np.asarray(cohorts.sizes)
    per_pass = np.maximum(sizes // batch_size, 1)  # steps
    n_most = np.floor(len(of_steps) * np.asarray(cohorts.shares)).astype(int) + 1
    n_passes = -(-n_most // per_pass)
    # all passes, one after the other: each cohort's samples as often as it is gone through
    lengths = np.repeat(sizes, n_passes)
    own = np.concatenate([np.tile(np.arange(n), k) for n, k in zip(sizes, n_passes, strict=True)])
    places = np.repeat(np.repeat(cohorts.starts, n_passes), lengths) + own
    passes = jnp.asarray(np.repeat(np.arange(len(lengths)), lengths), jnp.int32)
    shuffled = jnp.lexsort((jax.random.bits(key, passes.shape), passes))
    rows = jnp.argsort(of_samples)[jnp.asarray(places, jnp.int32)[shuffled]]
    is_of = of_steps[:, None] == jnp.arange(len(sizes))[None, :]
    turn = jnp.sum(jnp.where(is_of, jnp.cumsum(is_of, axis=0) - 1, 0), axis=1)  # of its cohort's
    begins = np.cumsum(sizes * n_passes) - sizes * n_passes
    size, begin, rounds = (
        jnp.asarray(of_cohort, jnp.int32)[of_steps] for of_cohort in (sizes, begins, per_pass)
    )
    first = batch_size * (turn % rounds)
    within = (first[:, None] + jnp.arange(batch_size)[None, :]) % size[:, None]
    return rows[(begin + size * (turn // rounds))[:, None] + within]
