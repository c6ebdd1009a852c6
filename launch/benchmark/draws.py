"""Augmentation noise, drawn and added to a batch, beside `jax.random.normal`."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxssl.engine.ensemble import COMPILER_OPTIONS
from jaxssl.methods.noise import standard_normal
from launch.benchmark.section import Bench, Column, Row, Section
from launch.benchmark.timing import interleave

N_DRAWS = 20  # of one timed call, as steps of a compiled loop
N_VIEWS = 2


class Case(NamedTuple):
    """One size."""

    batch_size: int
    n_features: int


QUICK = (Case(256, 2_000),)
FULL = (Case(256, 100), Case(256, 2_000), Case(256, 20_000))


def measure(case: Case, bench: Bench) -> Row:
    """One row: nanoseconds a number."""
    shape = (N_VIEWS, *case)
    generators = {"jaxssl": standard_normal, "jax_random": jax.random.normal}
    tasks = {name: _adds(draw, shape) for name, draw in generators.items()}
    row: Row = case._asdict()
    for name, timing in interleave(tasks, bench.n_rounds).items():
        scale = 1e9 / (N_DRAWS * N_VIEWS * case.batch_size * case.n_features)
        row[f"{name}_ns"] = timing.median * scale
        row[f"{name}_ns_range"] = [timing.lowest * scale, timing.highest * scale]
    return row | {"times_jax_random": row["jax_random_ns"] / row["jaxssl_ns"]}


def _adds(draw: Callable, shape: tuple[int, ...]) -> Callable[[], Any]:
    key, start = jax.random.key(0), jnp.zeros(shape)

    def add(key, x):
        return jax.lax.fori_loop(
            0, N_DRAWS, lambda i, x: x + draw(jax.random.fold_in(key, i), shape), x
        )

    run = jax.jit(add, compiler_options=COMPILER_OPTIONS.get(jax.default_backend()))
    return lambda: run(key, start).block_until_ready()


COLUMNS = (
    Column("batch", "batch_size"),
    Column("genes", "n_features", ","),
    Column("ns a number", "jaxssl_ns", ".2f"),
    Column("`jax.random`", "jax_random_ns", ".2f"),
    Column("times", "times_jax_random", ".1f"),
)
SECTION = Section(COLUMNS, QUICK, FULL, measure)
