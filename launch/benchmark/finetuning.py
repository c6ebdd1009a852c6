"""Fine-tuning sweeps, fits per second, beside the sequential PyTorch loop."""

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

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
from launch.benchmark.section import Bench, Column, Row, Section
from launch.benchmark.work import step_flops

N_TRAIN, N_HELD_OUT, N_CLASSES = 6_500, 2_800, 20  # as the miRNA set


class Case(NamedTuple):
    """One size: input width, seeds at once, labels."""

    n_features: int
    n_seeds: int
    n_labelled: int


QUICK = (Case(100, 10, 650), Case(680, 10, 650))
FULL = tuple(Case(g, s, n) for g in (100, 680) for s, n in ((10, 65), (10, 6_500), (50, 650)))


def measure(case: Case, bench: Bench) -> Row:
    """One row: seconds a fit of the `scratch` arm, predictions on the held-out rows included."""
    inputs = make_case_inputs(case)
    config = resolve(Config(), N_TRAIN)
    fit = make_fit_network(config, inputs, N_CLASSES)

    def fit_seeds() -> Any:
        return fit(SCRATCH, None, case.n_labelled, range(case.n_seeds))

    tasks: dict[str, Callable[[], Any]] = {"jaxssl": fit_seeds}
    row: Row = case._asdict()
    if "torch" in bench.references:
        tasks["torch"] = _torch_fit(bench.references["torch"], case, config, inputs)
    timings, limits = bench.limits.interleave(tasks, bench.n_rounds)
    per_call = {"jaxssl": case.n_seeds, "torch": 1}
    for name, timing in timings.items():
        row[f"{name}_s"] = timing.median / per_call[name]
        row[f"{name}_s_range"] = [t / per_call[name] for t in (timing.lowest, timing.highest)]
    row["compile_seconds"] = timings["jaxssl"].first - timings["jaxssl"].median
    row["fits_per_s"] = 1 / row["jaxssl_s"]
    row["gemm_share"] = _fit_flops(case, config) / row["jaxssl_s"] / limits.flops_per_s
    if "torch" in tasks:
        ours, theirs = fit_seeds()[0][0], tasks["torch"]()
        row["prediction_difference"] = float(np.abs(ours - theirs).mean())
        row["times_torch"] = row["torch_s"] / row["jaxssl_s"]
    return row


def make_case_inputs(case: Case) -> Inputs:
    """Gaussian classes around random centres, far enough apart to be learnt."""
    rng = np.random.default_rng(0)
    n = N_TRAIN + N_HELD_OUT
    codes = rng.integers(0, N_CLASSES, n).astype(np.int32)
    centres = rng.normal(size=(N_CLASSES, case.n_features))
    features = (0.5 * centres[codes] + rng.normal(size=(n, case.n_features))).astype(np.float32)
    train = np.arange(N_TRAIN)
    orders = {seed: np.random.default_rng(seed).permutation(train) for seed in range(case.n_seeds)}
    return Inputs(features, None, codes, orders, train, {"test": np.arange(N_TRAIN, n)})


def _torch_fit(reference: ModuleType, case: Case, config: Config, inputs: Inputs):
    """The fit of seed 0 in PyTorch, from the same initial parameters and on the same batches."""
    import torch  # pyright: ignore[reportMissingImports]

    options, keys = config.finetune, streams(seed_keys(config.run.root_key, [0])[0])
    encoder = make_encoder(config.encoder, config.run.precision)
    head = make_classifier(N_CLASSES, config.run.precision)
    x = jnp.asarray(inputs.features[:1])
    encoder_params = jax.jit(encoder.init)(keys.fresh, x)
    key_head, _, key_train = jax.random.split(keys.finetune, 3)
    head_params = head.init(key_head, encoder.apply(encoder_params, x))
    n, size = jnp.int32(case.n_labelled), options.batch_size

    words = jax.random.bits(key_train, (2,))

    def positions_at(step: Array) -> Array:
        return batch_positions(words, step, n, size)

    positions = jax.jit(jax.vmap(positions_at))(jnp.arange(options.scratch_steps))
    rows = inputs.orders[0][np.asarray(positions)]
    batches = list(torch.tensor(rows, dtype=torch.int64))
    features = torch.from_numpy(inputs.features)
    y = torch.from_numpy(inputs.codes).long()
    held_out = features[torch.from_numpy(inputs.held_out)]
    params = jax.device_get((encoder_params, head_params))
    return lambda: reference.fit_scratch(*params, features, y, batches, held_out, options)


def _fit_flops(case: Case, config: Config) -> float:
    """Multiplications and additions of the products of training and prediction."""
    widths = (case.n_features, *config.encoder.hidden)
    step = step_flops(widths, N_CLASSES, config.finetune.batch_size)
    forward = 2 * sum(a * b for a, b in zip(widths, (*widths[1:], N_CLASSES), strict=True))
    return config.finetune.scratch_steps * step + N_HELD_OUT * forward


COLUMNS = (
    Column("features", "n_features"),
    Column("seeds", "n_seeds"),
    Column("labels", "n_labelled", ","),
    Column("s a fit", "jaxssl_s", ".3f"),
    Column("PyTorch", "torch_s", ".3f"),
    Column("× PyTorch", "times_torch", ".2f"),
    Column("fits a second", "fits_per_s", ".2f"),
    Column("`gemm_share`", "gemm_share", ".2f"),
    Column("predictions apart", "prediction_difference", ".0e"),
    Column("s to compile", "compile_seconds", ".1f"),
)
SECTION = Section(COLUMNS, QUICK, FULL, measure)
