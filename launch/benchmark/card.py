"""A GPU: how long all seeds at once take to compile and to train a step, and in what memory."""

import statistics

import jax
import jax.numpy as jnp

from .pretraining import N_SAMPLES, make_pool, plan_swav, train_epochs
from .timing import Bench, Row, in_new_process, seconds
from .work import work_of_step

PRODUCT = 8192  # columns and rows of the product that steps are held to


def measure(bench: Bench, n_features: int, batch_size: int, n_seeds: int) -> Row:
    """SwAV beside the card's best product, and the peak of its memory beside the plan.

    In a process of its own: the peak is of all that one allocates.
    """
    return in_new_process(_measure, bench.n_rounds, n_features, batch_size, n_seeds)


def _measure(n_rounds: int, n_features: int, batch_size: int, n_seeds: int) -> Row:
    plan, _ = plan_swav(n_features, batch_size, n_seeds)
    run = train_epochs(plan, make_pool(n_features), n_seeds)
    first = seconds(run)
    calls = [seconds(run) for _ in range(n_rounds)]
    epoch = statistics.median(calls)
    flops, _ = work_of_step(plan, batch_size, N_SAMPLES, n_features)
    ms = 1e3 * epoch / plan.schedule.steps_per_epoch
    stats = jax.local_devices()[0].memory_stats() or {}
    peak = stats.get("peak_bytes_in_use", float("nan"))  # CPUs do not say
    rate = flops * n_seeds / ms / 1e9
    return {
        "at_once": plan.memory.chunk,
        "compile_seconds": first - epoch,
        "ms_a_step": ms,
        "ms_a_step_and_seed": ms / n_seeds,
        "tflop_per_s": rate,
        "gemm_share": rate / _product_rate(n_rounds),
        "peak_gb": peak / 1e9,
        "planned_gb": plan.memory.total / 1e9,
    }


def _product_rate(n_rounds: int) -> float:
    """TFLOP/s of the best of some products in float32."""
    a = jnp.ones((PRODUCT, PRODUCT))
    product = jax.jit(lambda a: jnp.matmul(a, a, precision="highest"))
    taken = [seconds(lambda: product(a).block_until_ready()) for _ in range(n_rounds + 1)]
    return 2 * PRODUCT**3 / min(taken[1:]) / 1e12
