"""Fine-tuning sweeps, fits per second, beside the sequential PyTorch loop."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxssl.config import Config, resolve
from jaxssl.engine.ensemble import seed_keys
from jaxssl.engine.train import streams
from jaxssl.evaluation.arms import SCRATCH, Inputs
from jaxssl.evaluation.finetune import batch_positions
from jaxssl.evaluation.network import make_fit_network
from jaxssl.model import make_classifier, make_encoder

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
        tasks["torch"] = _torch_fit(config, inputs, n_labelled)
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


def _torch_fit(config: Config, inputs: Inputs, n_labelled: int) -> Callable[[], np.ndarray]:
    """The fit of seed 0 in PyTorch, from the same initial parameters and on the same batches."""
    import torch  # pyright: ignore[reportMissingImports]

    from .torch_reference import fit_scratch

    options, keys = config.finetune, streams(seed_keys(config.run.root_key, [0])[0])
    encoder = make_encoder(config.encoder, config.run.precision)
    head = make_classifier(N_CLASSES, config.run.precision)
    x = jnp.asarray(inputs.features[:1])
    encoder_params = jax.jit(encoder.init)(keys.fresh, x)
    key_head, _, key_train = jax.random.split(keys.finetune, 3)
    head_params = head.init(key_head, encoder.apply(encoder_params, x))
    words = jax.random.bits(key_train, (2,))

    def positions_at(step: Array) -> Array:
        return batch_positions(words, step, jnp.int32(n_labelled), options.batch_size)

    positions = jax.jit(jax.vmap(positions_at))(jnp.arange(options.scratch_steps))
    rows = inputs.orders[0][np.asarray(positions)]
    batches = list(torch.tensor(rows, dtype=torch.int64))
    features = torch.from_numpy(inputs.features)
    y = torch.from_numpy(inputs.codes).long()
    held_out = features[torch.from_numpy(inputs.held_out)]
    encoder_params, head_params = jax.device_get((encoder_params, head_params))
    return lambda: fit_scratch(encoder_params, head_params, features, y, batches, held_out, options)


def _fit_flops(n_features: int, config: Config) -> float:
    """Multiplications and additions of the products of training and prediction."""
    widths = (n_features, *config.encoder.hidden)
    step = step_flops(widths, N_CLASSES, config.finetune.batch_size)
    forward = 2 * sum(a * b for a, b in pairwise((*widths, N_CLASSES)))
    return config.finetune.scratch_steps * step + N_HELD_OUT * forward
