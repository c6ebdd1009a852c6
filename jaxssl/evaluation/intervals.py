"""Intervals of scores: of repetitions, and of the test samples that these share."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

ALPHA = 0.05
SMALL_TEST = 100  # samples; fewer say little of a method, however often it is run
PROPORTIONS = ("accuracy", "balanced_accuracy")
RANGES = {"log_loss": (0.0, float("inf")), "mcc": (-1.0, 1.0)}  # of others: 0 to 1


def t_interval(
    values: Float[np.ndarray, " repetitions"], variance_scale: float = 1.0
) -> tuple[float, float]:
    """95 % t interval of the mean, NaN below two values; `variance_scale` multiplies s^2 / n."""
    n = len(values)
    if n < 2:
        return float("nan"), float("nan")
    half = stats.t.ppf(1 - ALPHA / 2, n - 1) * np.sqrt(variance_scale * values.var(ddof=1) / n)
    return float(values.mean() - half), float(values.mean() + half)


def wilson(share: float, n: float | int) -> tuple[float, float]:
    """95 % interval of a share of n samples (Wilson 1927).

    Inside 0 to 1 and never of zero width. It needs no whole number of hits, as a mean over
    repetitions is none, and covers near 95 % in the mean where Clopper and Pearson's interval
    covers more (Agresti & Coull 1998, The American Statistician 52).

    >>> "{:.3f} to {:.3f}".format(*wilson(1.0, 13))
    '0.772 to 1.000'
    """
    share = min(max(share, 0.0), 1.0)
    ends: Any = proportion_confint(share * n, n, alpha=ALPHA, method="wilson")
    low, high = ends
    return max(float(low), 0.0), min(float(high), 1.0)


def doubt_of_size(n: int, n_splits: int = 1) -> str:
    """What so few test samples cannot tell; "" where there are enough."""
    if not 0 < n < SMALL_TEST:
        return ""
    low, high = (f"{100 * end:.0f}" for end in wilson(0.8, n))
    tested = (
        f"{n} test samples are few" if n_splits == 1 else f"{n_splits} splits test on {n} samples"
    )
    found = f"{tested}: an accuracy of 80 % has a 95 % interval of {low} to {high} %"
    if n_splits > 1:
        return f"{found}, and more seeds do not narrow it"
    return f"{found}, which seeds do not narrow and other splits do: pass `splits=5`"


def score_interval(
    values: Float[np.ndarray, " repetitions"], metric: str, tested: Mapping[str, int] | None = None
) -> tuple[float, float]:
    """95 % interval of a mean score, inside the range of the metric and never of zero width.

    That of repetitions is Student's t. Repetitions share test samples, so (balanced) accuracy has
    the Wilson interval of a proportion of these samples too, and each end is the further one.
    Classes count alike in balanced accuracy: K^2 / sum(1 / n_k) samples have its variance where
    recalls are alike.

    Args:
        values: a score a repetition.
        metric: its name; `PROPORTIONS` are shares of test samples.
        tested: how many different test samples each class has; None: not known.

    Returns:
        Both ends; NaN of metrics that are no proportion where repetitions do not differ.

    Example:
        >>> score_interval(np.ones(3), "accuracy", {"a": 13}) == wilson(1.0, 13)
        True
    """
    low, high = t_interval(values)
    if tested and metric in PROPORTIONS and len(values):
        counts = np.array([n for n in tested.values() if n], float)
        n = counts.sum() if metric == "accuracy" else len(counts) ** 2 / np.sum(1 / counts)
        ends = wilson(float(values.mean()), float(n))
        low, high = float(np.fmin(low, ends[0])), float(np.fmax(high, ends[1]))
    if not low < high:
        return float("nan"), float("nan")
    least, most = RANGES.get(metric, (0.0, 1.0))
    return max(low, least), min(high, most)
