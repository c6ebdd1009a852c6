"""Fine-tuning sweeps, fits per second, beside the sequential PyTorch loop."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from jaxssl.config import Config, resolve
from jaxssl.evaluation.arms import SCRATCH, Inputs
from jaxssl.evaluation.network import make_fit_network

from .timing import GEMM, Bench, Row
from .work import step_flops

N_TRAIN, N_HELD_OUT, N_CLASSES = 6_500, 2_800, 20  # as the miRNA set


def measure(bench: Bench, n_features: int, n_seeds: int, n_labelled: int) -> Row:
    """Seconds a fit of the `scratch` arm, predictions on the held-out rows included."""
    inputs = make_inputs(n_features, n_seeds)
    config = resolve(Config(), N_TRAIN)
    fit = make_fit_network(config, inputs, N_CLASSES)

    def fit_seeds() -> Any:
        return fit(SCRATCH, None, n_labelled, range(n_seeds))

    tasks: dict[str, Callable[[], Any]] = {"jaxssl": fit_seeds}
    if "torch" in bench.references:
        from .torch_reference import scratch_fit

        tasks["torch"] = scratch_fit(config, inputs, N_CLASSES, n_labelled)
    timings, limits = bench.limits.interleave(tasks, bench.n_rounds)
    row: Row = timings["jaxssl"].fields("jaxssl_s", 1 / n_seeds)
    row["compile_seconds"] = timings["jaxssl"].first - timings["jaxssl"].median
    row["fits_per_s"] = 1 / row["jaxssl_s"]
    row["gemm_share"] = _fit_flops(n_features, config) / 1e9 / row["jaxssl_s"] / limits[GEMM]
    if "torch" in tasks:
        row |= timings["torch"].fields("torch_s", 1)
        row["times_torch"] = row["torch_s"] / row["jaxssl_s"]
        ours, theirs = fit_seeds()[0][0], tasks["torch"]()
        row["prediction_difference"] = float(np.abs(ours - theirs).mean())
    return row


def make_inputs(n_features: int, n_seeds: int) -> Inputs:
    """Draw Gaussian classes around random centres, far enough apart to be learnt."""
    rng = np.random.default_rng(0)
    n = N_TRAIN + N_HELD_OUT
    codes = rng.integers(0, N_CLASSES, n).astype(np.int32)
    centres = rng.normal(size=(N_CLASSES, n_features))
    features = (0.5 * centres[codes] + rng.normal(size=(n, n_features))).astype(np.float32)
    train = np.arange(N_TRAIN)
    orders = {seed: np.random.default_rng(seed).permutation(train) for seed in range(n_seeds)}
    return Inputs(features, None, codes, orders, train, {"test": np.arange(N_TRAIN, n)})


def _fit_flops(n_features: int, config: Config) -> float:
    """Multiplications and additions of the products of training and prediction."""
    widths = (n_features, *config.encoder.hidden)
    step = step_flops(widths, N_CLASSES, config.finetune.batch_size)
    forward = 2 * sum(a * b for a, b in pairwise((*widths, N_CLASSES)))
    return config.finetune.scratch_steps * step + N_HELD_OUT * forward
