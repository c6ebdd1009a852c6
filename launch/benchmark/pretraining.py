"""SwAV pretraining, per seed, beside a PyTorch loop, for growing seeds, genes and batches."""

import os
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np

from jaxssl.config import Config, resolve
from jaxssl.engine.ensemble import chunks, seed_keys, shard
from jaxssl.engine.pretrain import Plan, make_members, over_all_seeds, plan_pretraining
from jaxssl.engine.train import epoch_batches, streams
from jaxssl.types import Member, Pool
from launch.benchmark import references
from launch.benchmark.child import answer, ask
from launch.benchmark.machine import Limits, Rates
from launch.benchmark.section import Bench, Column, Row, Section
from launch.benchmark.timing import Timing, seconds
from launch.benchmark.work import work_of_step

N_SAMPLES = 1024
N_STEPS = 40  # of one timed call: an epoch as `make_schedule` cuts it
WIDE, N_STEPS_WIDE = 10_000, 8  # the same for this many features or more
N_CURVE, N_CURVE_STEPS = 3, 8  # calls whose mean losses are compared, and their steps


class Case(NamedTuple):
    """One size."""

    n_features: int
    batch_size: int
    n_seeds: int


BATCH_SIZES = (64, 256)
QUICK = tuple(Case(n, b, 4) for n in (100, 2_000) for b in BATCH_SIZES)
FULL = (
    *(Case(n, b, 10) for n in (100, 2_000, 20_000) for b in BATCH_SIZES),
    *(Case(56_537, b, 2) for b in BATCH_SIZES),
    *(Case(n, b, 1) for n in (100, 2_000, 20_000, 56_537) for b in BATCH_SIZES),
    *(Case(n, b, 50) for n in (100, 2_000) for b in BATCH_SIZES),
)

ON_GPU = (Case(57_387, 256, 50),)
"""The study's full width, all seeds at once."""


def measure(case: Case, bench: Bench) -> Row:
    """One row: per-seed step times, ratios, share of the machine's limits, agreement of losses.

    Fewer seeds than cores are measured in a process that makes one device a seed, as a run does.
    """
    if case.n_seeds >= jax.device_count() or jax.default_backend() != "cpu":
        return _measure_here(case, bench)
    devices = f"--xla_force_host_platform_device_count={case.n_seeds}"
    flags = f"{os.environ.get('XLA_FLAGS', '')} {devices}"
    names = list(bench.references)
    found = ask(__name__, case, bench.n_rounds, names, env={"XLA_FLAGS": flags.strip()})
    bench.limits.keep(Rates(*found["rates"]))
    return found["row"]


def _measure_here(case: Case, bench: Bench) -> Row:
    pool = make_pool(case.n_features)
    plan, config = plan_case(case, noise=1.0)
    n_seeds = min(case.n_seeds, plan.memory.chunk)  # one compiled call
    tasks = {"jaxssl": train_epochs(plan, pool, n_seeds)}
    per_call = {"jaxssl": n_seeds * plan.schedule.steps_per_epoch}
    row: Row = case._asdict() | {"at_once": n_seeds}
    loops = {name: _loop(r, plan, config, pool) for name, r in bench.references.items()}
    if "torch" in loops:
        loops["torch_compile"] = _loop(bench.references["torch"], plan, config, pool)
        loops["torch_compile"].loop.compile()
        try:
            row["torch_compile_seconds"] = seconds(loops["torch_compile"])
        except Exception as error:  # whatever its backend, a compiler or a header, lacks here
            row["torch_compile_error"] = f"{type(error).__name__}: {error}".splitlines()[0]
            del loops["torch_compile"]
    tasks |= loops
    per_call |= {name: len(loop.batches) for name, loop in loops.items()}
    timings, limits = bench.limits.interleave(tasks, bench.n_rounds)
    if "torch_compile" in loops:
        row["torch_compile_seconds"] -= timings["torch_compile"].median
    for name, reference in bench.references.items():
        row[f"{name}_loss_difference"] = _loss_difference(reference, case, pool)
    return row | _rates(case, plan, timings, per_call, limits)


def plan_case(case: Case, noise: float, n_steps: int = 0) -> tuple[Plan, Config]:
    """SwAV on genes with every option at its default but those of the case."""
    n_steps = n_steps or (N_STEPS if case.n_features < WIDE else N_STEPS_WIDE)
    config = Config()
    config.normalize.input = "genes"
    config.augment.noise = noise
    config.optimizer.schedule, config.optimizer.warmup_share = "constant", 0.0
    config.pretrain.batch_size, config.pretrain.n_steps = case.batch_size, n_steps
    config = resolve(config, N_SAMPLES)
    return plan_pretraining(config, N_SAMPLES, case.n_features, case.n_seeds), config


def make_pool(n_features: int) -> np.ndarray:
    """A training matrix of `N_SAMPLES` rows."""
    return np.random.default_rng(0).normal(size=(N_SAMPLES, n_features)).astype(np.float32)


def train_epochs(plan: Plan, pool: np.ndarray, n_seeds: int, chunk: int = 0) -> Callable[[], Any]:
    """All seeds train one epoch at every call, `chunk` (0: the plan's) a compiled call.

    Returns the first seed's mean loss.
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


class Loop(NamedTuple):
    """A reference's training of one seed, an epoch a call."""

    loop: Any  # a `SwAVLoop`
    pool: Any
    batches: Any

    def __call__(self) -> list[float]:
        """Losses of the steps of an epoch."""
        return self.loop.run(self.pool, self.batches)


def _loop(reference: ModuleType, plan: Plan, config: Config, pool: np.ndarray) -> Loop:
    """The reference's loop of seed 0 from jaxssl's initial parameters, its batches and its data."""
    import torch  # pyright: ignore[reportMissingImports]

    key = seed_keys(0, [0])[0]
    state = jax.jit(plan.trainer.init)(Member(key, {}), Pool(jnp.asarray(pool), {}))
    params = jax.device_get(state.params)
    noise, rate = config.augment.noise, config.optimizer.learning_rate
    loop = reference.SwAVLoop(params, config.method, noise, rate)
    order = jax.random.fold_in(streams(key).order, 0)
    batches = np.array(epoch_batches(order, len(pool), plan.schedule))
    return Loop(loop, torch.from_numpy(pool), list(torch.tensor(batches, dtype=torch.int64)))


def _loss_difference(reference: ModuleType, case: Case, pool: np.ndarray) -> float:
    """Largest relative difference of the mean losses of the first epochs.

    Without noise, which each draws anew; the first epochs, because rounding grows with every step,
    on both sides.
    """
    of_curve = case._replace(n_seeds=jax.device_count())
    plan, config = plan_case(of_curve, noise=0.0, n_steps=N_CURVE_STEPS)
    run = train_epochs(plan, pool, jax.device_count())
    loop = _loop(reference, plan, config, pool)
    ours = np.array([run() for _ in range(N_CURVE)])
    theirs = np.array([np.mean(loop()) for _ in range(N_CURVE)])
    return float(np.max(np.abs(ours - theirs) / theirs))


def _rates(
    case: Case, plan: Plan, timings: dict[str, Timing], per_call: dict[str, int], limits: Rates
) -> Row:
    work = work_of_step(plan, case.batch_size, N_SAMPLES, case.n_features)
    row: Row = {"compile_seconds": timings["jaxssl"].first - timings["jaxssl"].median}
    for name, timing in timings.items():
        row[f"{name}_ms"] = 1e3 * timing.median / per_call[name]
        row[f"{name}_ms_range"] = [
            1e3 * t / per_call[name] for t in (timing.lowest, timing.highest)
        ]
    step = row["jaxssl_ms"] / 1e3
    row["samples_per_s"] = case.batch_size / step
    row["gemm_share"] = work.flops / step / limits.flops_per_s
    row["copy_share"] = work.traffic / step / limits.bytes_per_s
    row["gflop"], row["mbyte"] = work.flops / 1e9, work.traffic / 1e6
    for name in timings:
        if name != "jaxssl":
            row[f"times_{name}"] = row[f"{name}_ms"] / row["jaxssl_ms"]
    return row


def _main(case: list[int], n_rounds: int, names: list[str]) -> dict[str, Any]:
    found, _ = references.find(names)
    bench = Bench(Limits(), n_rounds, found)
    return {"row": _measure_here(Case(*case), bench), "rates": bench.limits.best}


COLUMNS = (
    Column("genes", "n_features", ","),
    Column("batch", "batch_size"),
    Column("seeds", "n_seeds"),
    Column("ms a step and seed", "jaxssl_ms", ".2f"),
    Column("PyTorch", "torch_ms", ".2f"),
    Column("compiled", "torch_compile_ms", ".2f"),
    Column("lightly", "lightly_ms", ".2f"),
    Column("× PyTorch", "times_torch", ".2f"),
    Column("× compiled", "times_torch_compile", ".2f"),
    Column("× lightly", "times_lightly", ".2f"),
    Column("`gemm_share`", "gemm_share", ".2f"),
    Column("`copy_share`", "copy_share", ".2f"),
    Column("loss apart, PyTorch", "torch_loss_difference", ".0e"),
    Column("lightly", "lightly_loss_difference", ".0e"),
    Column("s to compile", "compile_seconds", ".1f"),
    Column("PyTorch", "torch_compile_seconds", ".1f"),
)
SECTION = Section(COLUMNS, QUICK, FULL, measure, ON_GPU)


if __name__ == "__main__":
    answer(_main)
