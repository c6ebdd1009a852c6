"""What held-out labels say of a classifier's worth: shares with intervals, and a plain advice."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import norm
from statsmodels.stats.contingency_tables import mcnemar

from jaxssl.evaluation.intervals import ALPHA, wilson

MARGIN = 0.02  # of accuracy, within which the simpler classifier is as good
N_DRAWS = 10_000
MOST_OF_PRIOR = 5.0  # labels that a prior counts as
BETTER, LEVEL_WITH, UNTOLD, CHANCE = "better", "as good", "untold", "chance"

Hits = Float[np.ndarray, " labels"]
Labels = Int[np.ndarray, " labels"]


class Estimate(NamedTuple):
    """A share and its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def accuracy_of(hits: Hits, y: Labels) -> Estimate:
    """The share of labels that are named right, with an interval for what the classifier will do.

    Wilson's, but wider: labels that happen to be the second of their class make the classifier
    better on all of that class, and the estimate does not know. Of n labels and k classes with two,
    the variance is 2 k / n² larger (Esty 1983, doi 10.1214/aos/1176346066, for the share of
    samples whose class has a label).

    >>> str(accuracy_of(np.ones(20), np.arange(20) % 2))
    '1.000 (0.839 to 1.000)'
    """
    n, n_pairs = len(hits), int((np.bincount(y) == 2).sum())
    share = (hits.sum() + 2) / (n + 4)
    n_effective = n / (1 + 2 * n_pairs / (n * share * (1 - share)))
    return Estimate(float(hits.mean()), *wilson(float(hits.mean()), n_effective))


def balanced_accuracy_of(hits: Hits, y: Labels) -> Estimate:
    """The mean recall of the classes that have labels, with an interval inside 0 to 1.

    A class of n labels was found again by fits with n - 1 of them, so its hits and misses count
    (n - 1) / n: not at all where n is 1. Its recall is drawn from a Beta posterior. The prior has
    the mean m over classes, drawn by the Bayesian bootstrap (Rubin 1981, doi
    10.1214/aos/1176345338), each class weighing as n - 1, and the rarer outcome counts half a label
    in it, as in Jeffreys'. So no width is zero, and a class with one label is taken to be as the
    others are.

    >>> str(balanced_accuracy_of(np.ones(80), np.arange(80) % 4))
    '0.997 (0.978 to 1.000)'
    """
    n = np.bincount(y)
    right, n = np.bincount(y, weights=hits)[n > 0], n[n > 0]
    counts = np.array([right, n - right]) * (n - 1) / n
    rng, shape = np.random.default_rng(0), (N_DRAWS, len(n))
    weights = rng.gamma(np.maximum(n - 1, 0.01) / 2, size=shape) + 1e-300
    weights /= weights.sum(axis=1, keepdims=True)
    recalls = rng.beta(*(counts + 0.25), size=shape)
    mean = np.clip((weights * recalls).sum(axis=1, keepdims=True), 0.01, 0.99)
    size = np.minimum(0.5 / np.minimum(mean, 1 - mean), MOST_OF_PRIOR)
    drawn = rng.beta(counts[0] + size * mean, counts[1] + size * (1 - mean)).mean(axis=1)
    low, high = np.quantile(drawn, [ALPHA / 2, 1 - ALPHA / 2])
    return Estimate(float(drawn.mean()), float(low), float(high))


def gain_of(hits: Hits, others: Hits) -> Estimate:
    """The difference of two accuracies on the same labels, by Agresti & Min's interval.

    Half a label is added to each cell of the table of both, so that it has a width where the two
    agree on all labels.

    Source: Agresti & Min 2005, doi 10.1002/sim.1781.
    """
    n, up, down = len(hits) + 2, (hits > others).sum() + 0.5, (hits < others).sum() + 0.5
    middle = (up - down) / n
    half = norm.ppf(1 - ALPHA / 2) * np.sqrt(up + down - (up - down) ** 2 / n) / n
    low, high = max(middle - half, -1.0), min(middle + half, 1.0)
    return Estimate(float(hits.mean() - others.mean()), float(low), float(high))


def is_better(hits: Hits, others: Hits) -> bool:
    """Whether one is right where the other is wrong more often than chance has it (McNemar)."""
    up, down = int((hits > others).sum()), int((hits < others).sum())
    tested: Any = mcnemar([[0, up], [down, 0]], exact=True)
    return up > down and float(tested.pvalue) < ALPHA


class Worth(NamedTuple):
    """What to expect of a classifier, and whether a simpler one would do."""

    accuracy: Estimate
    balanced_accuracy: Estimate
    linear: Estimate  # accuracy of logistic regression on genes
    largest: Estimate  # accuracy of always naming the largest class
    gain: Estimate  # over logistic regression
    verdict: str
    n_labelled: int
    n_single: int  # labels that are the only ones of their class

    @property
    def advice(self) -> str:
        """The verdict in plain words."""
        gain, margin = self.gain, f"{100 * MARGIN:g} points"
        points = f"{100 * gain.value:+.1f} points ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
        if self.verdict == CHANCE:
            return (
                "no better than always naming the largest class, which is right of "
                f"{self.largest.value:.3f} of the labels: do not use this classifier"
            )
        if self.verdict == LEVEL_WITH:
            return (
                "use logistic regression on genes: it did as well (this classifier's gain in "
                f"accuracy is {points}, and {margin} count as none)"
            )
        if self.verdict == BETTER:
            return f"use this classifier: over logistic regression on genes it gains {points}"
        return (
            f"{self.n_labelled:,} labels do not tell whether logistic regression on genes would do "
            f"as well: this classifier's gain in accuracy is {points}"
        )

    def lines(self) -> list[str]:
        """What to expect, a line each."""
        unseen = (
            f"; {self.n_single:,} of {self.n_labelled:,} labels are the only ones of their class "
            "and count as wrong, as samples of classes without a label will be"
        )
        return [
            f"expected accuracy on new samples of this cohort: {self.accuracy}"
            + unseen * bool(self.n_single),
            f"expected balanced accuracy over the classes that have labels: "
            f"{self.balanced_accuracy}",
            f"logistic regression on genes: {self.linear}; always naming the largest class: "
            f"{self.largest}",
            self.advice,
        ]

    def facts(self) -> dict[str, Any]:
        """For a summary."""
        return {
            name: value._asdict() if isinstance(value, Estimate) else value
            for name, value in self._asdict().items()
        } | {"advice": self.advice}


def worth_of(hits: dict[str, Hits], y: Labels) -> Worth:
    """What held-out labels say.

    Args:
        hits: 1 where the true class is named, by classifier: "ours", "linear" and "largest".
        y: true classes.

    Returns:
        Estimates with 95 % intervals, and a verdict: no better than the largest class; logistic
        regression as good, where the gain over it is surely less than 2 points; better, where it
        surely is; else untold.

    Example:
        >>> hits = {name: np.ones(50) for name in ("ours", "linear", "largest")}
        >>> worth_of(hits, np.arange(50) % 2).verdict
        'chance'
    """
    ours, linear, largest = hits["ours"], hits["linear"], hits["largest"]
    gain = gain_of(ours, linear)
    if not is_better(ours, largest):
        verdict = CHANCE
    elif gain.high < MARGIN:
        verdict = LEVEL_WITH
    else:
        verdict = BETTER if gain.low > 0 else UNTOLD
    estimates = accuracy_of(ours, y), balanced_accuracy_of(ours, y), accuracy_of(linear, y)
    n_single = int((np.bincount(y) == 1).sum())
    return Worth(*estimates, accuracy_of(largest, y), gain, verdict, len(y), n_single)
