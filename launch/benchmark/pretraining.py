"""SwAV pretraining, per seed, beside a PyTorch loop, for growing seeds, genes and batches."""

import json
import sys
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxssl.config import Config, resolve
from jaxssl.engine.ensemble import chunks, over_seeds, seed_keys, shard, use_cores
from jaxssl.engine.pretrain import Plan, plan_pretraining
from jaxssl.engine.train import epoch_batches, streams
from launch.benchmark import references as loops
from launch.benchmark.child import measure_in_child
from launch.benchmark.machine import Limits
from launch.benchmark.references import References
from launch.benchmark.timing import Timing, interleave, seconds

N_SAMPLES = 1024
N_STEPS = 40  # of one timed call: an epoch as `make_schedule` cuts it
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


def measure(case: Case, limits: Limits, n_rounds: int, references: References) -> dict[str, Any]:
    """One row: per-seed step times, ratios, share of the machine's limits, agreement of losses.

    Fewer seeds than devices are measured in a process of their own, whose devices they fill.
    """
    if case.n_seeds < jax.device_count():
        return measure_in_child(__name__, *case, n_rounds)
    pool = make_pool(case.n_features)
    plan, config = plan_case(case, noise=1.0)
    tasks = {"jaxssl": train_epochs(plan, pool, case.n_seeds)}
    per_call = {"jaxssl": case.n_seeds * plan.schedule.steps_per_epoch}
    row = case._asdict()
    for name, reference in references.items():
        loop, index, rows = _loop(reference, plan, config, pool)
        tasks[name] = partial(loop.run, rows, index)
        per_call[name] = len(index)
    if "torch" in references:
        compiled, index, rows = _loop(references["torch"], plan, config, pool)
        compiled.compile()
        try:
            row["torch_compile_seconds"] = seconds(lambda: compiled.run(rows, index))
            tasks["torch_compile"] = partial(compiled.run, rows, index)
            per_call["torch_compile"] = len(index)
        except Exception as error:
            row["torch_compile_error"] = f"{type(error).__name__}: {error}".splitlines()[0]
    limits.measure()
    timings = interleave(tasks, n_rounds)
    limits.measure()
    for name, reference in references.items():
        row[f"{name}_loss_difference"] = _loss_difference(reference, case, pool)
    return row | _rates(case, plan, timings, per_call, limits)


def step_flops(widths: tuple[int, ...], n_prototypes: int, rows: int) -> int:
    """Multiplications and additions of a step's matrix products: forward, backward, codes.

    Args:
        widths: of the input and of every layer.
        n_prototypes: of one head without projection.
        rows: views times batch.
    """
    products = [a * b for a, b in pairwise(widths)]
    # forward, gradient of the weights, gradient of the input, which the first layer does not need
    return 2 * rows * (3 * (sum(products) + widths[-1] * n_prototypes) - products[0])


def step_bytes(n_params: int, rows: int, n_features: int) -> int:
    """Bytes that a step must move at least: Adam's four arrays, three of them back, and the views.

    The weights are read by forward and backward products too; the views are written once and read
    by two products.
    """
    return 4 * (n_params * (7 + 3) + rows * n_features * 3)


class Work(NamedTuple):
    """What one step of one seed has to do."""

    flops: int
    bytes: int


def work_of_step(plan: Plan, batch_size: int, n_samples: int, n_features: int) -> Work:
    """Work of a step, from the shapes of the parameters."""
    pool = jax.ShapeDtypeStruct((n_samples, n_features), np.float32)
    params = jax.eval_shape(plan.trainer.init, jax.random.key(0), pool).params
    widths = (n_features, *(len(layer["dense"]["bias"]) for layer in params["encoder"].values()))
    n_prototypes = len(params["prototypes"]["head_0"])
    n_params = sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(params))
    rows = 2 * batch_size
    return Work(step_flops(widths, n_prototypes, rows), step_bytes(n_params, rows, n_features))


def plan_case(case: Case, noise: float, n_steps: int = N_STEPS) -> tuple[Plan, Config]:
    """SwAV on genes with every option at its default but those of the case."""
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
    """All seeds train one epoch at every call, `chunk` (0: all) a compiled call.

    Returns the first seed's mean loss.
    """
    data = shard(pool, per_seed=False)
    init = over_seeds(plan.trainer.init, [True, False])
    epoch = over_seeds(plan.trainer.epoch, [True, False, False], donate=0)
    cut = chunks(range(n_seeds), chunk or n_seeds)
    states = [init(shard(seed_keys(0, ids), per_seed=True), data) for ids in cut]

    def run() -> float:
        losses = []
        for i, state in enumerate(states):
            states[i], metrics = epoch(state, np.int32(0), data)
            losses.append(np.asarray(metrics["loss"])[0])
        return float(losses[0])

    return run


def _loop(reference: ModuleType, plan: Plan, config: Config, pool: np.ndarray):
    """The reference's loop of seed 0 from jaxssl's initial parameters, its batches and its data."""
    import torch  # pyright: ignore[reportMissingImports]

    key = seed_keys(0, [0])[0]
    params = jax.device_get(jax.jit(plan.trainer.init)(key, jnp.asarray(pool)).params)
    noise, rate = config.augment.noise, config.optimizer.learning_rate
    loop = reference.SwAVLoop(params, config.method, noise, rate)
    order = jax.random.fold_in(streams(key).order, 0)
    batches = np.array(epoch_batches(order, len(pool), plan.schedule))
    return loop, list(torch.tensor(batches, dtype=torch.int64)), torch.from_numpy(pool)


def _loss_difference(reference: ModuleType, case: Case, pool: np.ndarray) -> float:
    """Largest relative difference of the two loss curves; without noise, which each draws anew.

    Over the first steps: rounding grows with every further one, on both sides.
    """
    of_curve = case._replace(n_seeds=jax.device_count())
    plan, config = plan_case(of_curve, noise=0.0, n_steps=N_CURVE_STEPS)
    run = train_epochs(plan, pool, jax.device_count())
    loop, index, rows = _loop(reference, plan, config, pool)
    ours = np.array([run() for _ in range(N_CURVE)])
    theirs = np.array([np.mean(loop.run(rows, index)) for _ in range(N_CURVE)])
    return float(np.max(np.abs(ours - theirs) / theirs))


def _rates(
    case: Case, plan: Plan, timings: dict[str, Timing], per_call: dict[str, int], limits: Limits
) -> dict[str, Any]:
    work = work_of_step(plan, case.batch_size, N_SAMPLES, case.n_features)
    row: dict[str, Any] = {"compile_seconds": timings["jaxssl"].first - timings["jaxssl"].median}
    for name, timing in timings.items():
        row[f"{name}_ms"] = 1e3 * timing.median / per_call[name]
        row[f"{name}_ms_range"] = [
            1e3 * t / per_call[name] for t in (timing.lowest, timing.highest)
        ]
    step = row["jaxssl_ms"] / 1e3
    row["samples_per_s"] = case.batch_size / step
    row["gemm_share"] = work.flops / step / limits.flops_per_s
    row["copy_share"] = work.bytes / step / limits.bytes_per_s
    row["gflop"], row["mbyte"] = work.flops / 1e9, work.bytes / 1e6
    for name in timings:
        if name != "jaxssl":
            row[f"times_{name}"] = row[f"{name}_ms"] / row["jaxssl_ms"]
    return row


def _main(n_features: int, batch_size: int, n_seeds: int, n_rounds: int) -> dict[str, Any]:
    use_cores(n_seeds)
    found, _ = loops.find()
    return measure(Case(n_features, batch_size, n_seeds), Limits(), n_rounds, found)


if __name__ == "__main__":
    print(json.dumps(_main(*map(int, sys.argv[1:]))))
