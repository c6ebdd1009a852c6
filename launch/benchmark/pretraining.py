"""SwAV pretraining, per seed, beside a PyTorch loop; and the noise that it draws."""

from collections.abc import Callable
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from jaxssl.config import Config, resolve
from jaxssl.engine.ensemble import COMPILER_OPTIONS, chunks, use_cores
from jaxssl.engine.mesh import shard
from jaxssl.engine.planning import Plan, plan_pretraining
from jaxssl.engine.pretrain import make_members, over_all_seeds
from jaxssl.methods.noise import standard_normal
from jaxssl.types import Pool

from .timing import Bench, References, Row, in_new_process, interleave, seconds, set_beside
from .work import work_of_step

N_SAMPLES = 1024
N_STEPS = 40  # of one timed call: an epoch as `make_schedule` cuts it
WIDE, N_STEPS_WIDE = 10_000, 8  # the same for this many features or more
N_CURVE, N_CURVE_STEPS = 3, 8  # calls whose mean losses are compared, and their steps
BATCH_SIZES = (64, 256)
N_DRAWS = 20  # of one timed call, as steps of a compiled loop
N_VIEWS = 2


def plan_swav(
    n_features: int, batch_size: int, n_seeds: int, noise: float = 1.0, n_steps: int = 0
) -> tuple[Plan, Config]:
    """Plan SwAV on genes, with every other option at its default."""
    config = Config()
    config.normalize.input = "genes"
    config.augment.noise = noise
    config.optimizer.schedule, config.optimizer.warmup_share = "constant", 0.0
    config.pretrain.batch_size = batch_size
    config.pretrain.n_steps = n_steps or (N_STEPS if n_features < WIDE else N_STEPS_WIDE)
    config = resolve(config, N_SAMPLES)
    return plan_pretraining(config, N_SAMPLES, n_features, n_seeds), config


def make_pool(n_features: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(N_SAMPLES, n_features)).astype(np.float32)


def train_epochs(plan: Plan, pool: np.ndarray, n_seeds: int, chunk: int = 0) -> Callable[[], float]:
    """Return a function that trains all seeds for one more epoch, and returns the first's loss.

    `chunk` is seeds a compiled call, 0 for the plan's.
    """
    data, trainer = shard(Pool(cast(Any, pool), {}), per_seed=False), over_all_seeds(plan.trainer)
    cut = chunks(range(n_seeds), chunk or plan.memory.chunk)
    states = [trainer.init(shard(make_members(0, ids), per_seed=True), data) for ids in cut]

    def run() -> float:
        losses = []
        for i, state in enumerate(states):
            states[i], metrics = trainer.epoch(state, jnp.int32(0), data)
            losses.append(np.asarray(metrics["loss"])[0])
        return float(losses[0])

    return run


def measure(bench: Bench, n_features: int, batch_size: int, n_seeds: int) -> Row:
    """Per-seed step times, ratios, share of the machine's limits, agreement of losses.

    Fewer seeds than cores are measured in a process that makes one device a seed, as a run does.
    """
    size = (n_features, batch_size, n_seeds)
    if n_seeds >= jax.device_count() or jax.default_backend() != "cpu":
        return _measure_here(bench, *size)
    row, rates = in_new_process(_measure_few_seeds, bench.n_rounds, bench.references, *size)
    bench.keep(rates)
    return row


def _measure_few_seeds(
    n_rounds: int, references: References, n_features: int, batch_size: int, n_seeds: int
) -> tuple[Row, dict[str, float]]:
    use_cores(n_seeds)
    bench = Bench(n_rounds, references)
    return _measure_here(bench, n_features, batch_size, n_seeds), bench.best


def _measure_here(bench: Bench, n_features: int, batch_size: int, n_seeds: int) -> Row:
    pool = make_pool(n_features)
    plan, config = plan_swav(n_features, batch_size, n_seeds)
    at_once = min(n_seeds, plan.memory.chunk)  # one compiled call
    row: Row = {"at_once": at_once}
    tasks: dict[str, Callable[[], Any]] = {"jaxssl": train_epochs(plan, pool, at_once)}
    for name, make_loop in bench.references.items():
        tasks[name] = make_loop(plan, config, pool)
    if "torch" in bench.references:
        compiled = bench.references["torch"](plan, config, pool, compiled=True)
        try:
            row["torch_compile_seconds"] = seconds(compiled)
            tasks["torch_compile"] = compiled
        except Exception as error:  # whatever its backend, a compiler or a header, lacks here
            row["torch_compile_error"] = f"{type(error).__name__}: {error}".splitlines()[0]
    timings, gemm, copy = bench.interleave(tasks)
    if "torch_compile" in timings:
        row["torch_compile_seconds"] -= timings["torch_compile"].median
    for name, make_loop in bench.references.items():
        row[f"{name}_loss_difference"] = _loss_difference(make_loop, n_features, batch_size, pool)
    row |= set_beside(timings, "ms", 1e3 / plan.schedule.steps_per_epoch, at_once)
    flops, traffic = work_of_step(plan, batch_size, N_SAMPLES, n_features)
    row["samples_per_s"] = 1e3 * batch_size / row["jaxssl_ms"]
    row["gemm_share"] = flops / 1e6 / row["jaxssl_ms"] / gemm
    row["copy_share"] = traffic / 1e6 / row["jaxssl_ms"] / copy
    return row | {"gflop": flops / 1e9, "mbyte": traffic / 1e6}


def _loss_difference(
    make_loop: Callable[..., Any], n_features: int, batch_size: int, pool: np.ndarray
) -> float:
    """Return the largest relative difference of the mean losses of the first epochs.

    Without noise, which each draws anew; the first epochs, because rounding grows with every step,
    on both sides.
    """
    n_seeds = jax.device_count()
    plan, config = plan_swav(n_features, batch_size, n_seeds, noise=0.0, n_steps=N_CURVE_STEPS)
    run, loop = train_epochs(plan, pool, n_seeds), make_loop(plan, config, pool)
    ours = np.array([run() for _ in range(N_CURVE)])
    theirs = np.array([np.mean(loop()) for _ in range(N_CURVE)])
    return float(np.max(np.abs(ours - theirs) / theirs))


def measure_draws(bench: Bench, batch_size: int, n_features: int) -> Row:
    """Nanoseconds a number of noise, drawn and added to a batch, beside `jax.random.normal`."""
    shape = (N_VIEWS, batch_size, n_features)
    generators = {"jaxssl": standard_normal, "jax_random": jax.random.normal}
    tasks = {name: _add_noise(draw, shape) for name, draw in generators.items()}
    timings = interleave(tasks, bench.n_rounds)
    return set_beside(timings, "ns", 1e9 / (N_DRAWS * N_VIEWS * batch_size * n_features))


def _add_noise(draw: Callable, shape: tuple[int, ...]) -> Callable[[], Any]:
    key, start = jax.random.key(0), jnp.zeros(shape)

    def add(key, x):
        return jax.lax.fori_loop(
            0, N_DRAWS, lambda i, x: x + draw(jax.random.fold_in(key, i), shape), x
        )

    run = jax.jit(add, compiler_options=COMPILER_OPTIONS.get(jax.default_backend()))
    return lambda: run(key, start).block_until_ready()
