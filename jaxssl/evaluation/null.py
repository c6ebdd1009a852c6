"""Type-I audit: an arm against itself, which a sound procedure calls a difference 5 times of 100.

Both sides have the same split, the same labels and the same recipe; they differ in the initial
weights and the order of the batches alone.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import stats as distributions

from jaxssl.data.labels import label_budget
from jaxssl.data.task import Task
from jaxssl.engine.prepared import Prepared
from jaxssl.evaluation.arms import SCRATCH, Fits, make_inputs
from jaxssl.evaluation.metrics import score
from jaxssl.evaluation.network import make_fit_network
from jaxssl.evaluation.stats import ALPHA, compare

TESTS = ("p_t", "p_wilcoxon")
METRICS = ("accuracy", "balanced_accuracy")
BLOCK = 100  # fits whose probabilities are held at once


class Audit(NamedTuple):
    """Share of null comparisons that a test rejects, with its exact 95 % interval."""

    test: str
    n_comparisons: int
    rejected: float
    low: float
    high: float


def audit(
    first: Float[np.ndarray, "comparisons repetitions"],
    second: Float[np.ndarray, "comparisons repetitions"],
) -> list[Audit]:
    """Compare two sides that differ by chance alone, once a row, by every paired test."""
    table = pd.DataFrame([compare(a - b) for a, b in zip(first, second, strict=True)])
    return [_audit(test, table[test].to_numpy()) for test in TESTS]


def _audit(test: str, p: Float[np.ndarray, " comparisons"]) -> Audit:
    rejections = int((p <= ALPHA).sum())
    exact = distributions.binomtest(rejections, len(p)).proportion_ci(0.95, method="exact")
    return Audit(test, len(p), rejections / len(p), float(exact.low), float(exact.high))


def silent(n_fits: int) -> None:
    """Say nothing of the fits that are done."""


def null_scores(
    prepared: Prepared,
    share: float,
    n_repetitions: int,
    n: int,
    log: Callable[[int], None] = silent,
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Test scores of both sides of `n` null comparisons of the `scratch` arm.

    Every comparison has its own seeds, and so its own label subsets; its sides have other root
    keys.

    Args:
        prepared: data, options and normalizer.
        share: of the labels.
        n_repetitions: of a comparison.
        n: comparisons.
        log: told how many more fits are done.

    Returns:
        Of each of `METRICS`, two arrays (comparisons, repetitions).
    """
    seeds = range(n * n_repetitions)
    task, config, inputs = prepared.task, prepared.config, make_inputs(prepared, seeds)
    n_labels = label_budget(share, len(task.labelled_train), len(task.classes))
    sides: list[dict[str, list[float]]] = []
    for side in (0, 1):
        run = dataclasses.replace(config.run, root_key=config.run.root_key + side)
        fit = make_fit_network(dataclasses.replace(config, run=run), inputs, len(task.classes))
        scores: dict[str, list[float]] = {metric: [] for metric in METRICS}
        for start in range(0, len(seeds), BLOCK):
            block = seeds[start : start + BLOCK]
            found = scores_on_test(task, fit(SCRATCH, None, n_labels, block))
            scores = {metric: scores[metric] + found[metric] for metric in METRICS}
            log(len(block))
        sides.append(scores)
    first, second = sides
    shape = (n, n_repetitions)
    return {m: (np.reshape(first[m], shape), np.reshape(second[m], shape)) for m in METRICS}


def sides_table(
    first: Float[np.ndarray, "comparisons repetitions"],
    second: Float[np.ndarray, "comparisons repetitions"],
) -> pd.DataFrame:
    """Both sides' scores, a row a repetition, so that any other test can be run on them."""
    comparison, repetition = np.indices(first.shape)
    columns = {"comparison": comparison, "repetition": repetition}
    columns |= {"first": first, "second": second}
    return pd.DataFrame({name: values.ravel() for name, values in columns.items()})


def scores_on_test(task: Task, fits: Fits) -> dict[str, list[float]]:
    """Scores on the test part, of every fit in turn."""
    codes = task.codes[task.split.test]
    found = [score(codes, p[: len(codes)]) for p, _ in fits.values()]
    return {metric: [values[metric] for values in found] for metric in METRICS}
