"""What held-out labels say of a classifier's worth: shares with intervals, and a plain advice."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import norm
from scipy.stats import t as student

from jaxssl.evaluation.all_labels import p_of_chance
from jaxssl.evaluation.intervals import ALPHA, wilson

MARGIN = 0.02  # of accuracy, within which the simpler classifier is as good
N_DRAWS = 10_000
MOST_OF_PRIOR = 5.0  # labels that a prior counts as
BETTER, LEVEL_WITH, UNTOLD, CHANCE = "better", "as good", "untold", "chance"
UNKNOWN = "unknown"  # no label could be held out from others of its class

Hits = Float[np.ndarray, " labels"]
Labels = Int[np.ndarray, " labels"]
Counts = Int[np.ndarray, " classes"]


class Estimate(NamedTuple):
    """A share and its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


NOTHING = Estimate(0.5, 0.0, 1.0)  # of a share of which nothing is known


def groups_by_class(y: Labels, groups: Labels) -> tuple[Counts, Counts]:
    """Labels and groups of every class: so many can be held out one after the other."""
    pairs = np.unique(np.stack([y, groups]), axis=1)
    return np.bincount(y), np.bincount(pairs[0], minlength=int(y.max()) + 1)


def independent(hits: Hits, groups: Labels) -> float:
    """How many independent labels those of some groups are worth: at most as many as there are.

    The binomial variance of a share over its variance between groups, as of a survey of clusters,
    and Student's t for few groups. Half a group that is all right and half a group that is all
    wrong are added, so that where all are right, groups count and not labels.

    Source: Korn & Graubard 1998, Survey Methodology 24, for the size that is effective.

    >>> round(independent(np.ones(40), np.arange(40) // 5), 1)
    6.2
    """
    n, number = len(hits), np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(number)
    if sizes.max() == 1:
        return float(n)
    size = np.sum(sizes**2) / n
    share = (hits.sum() + size / 2) / (n + size)
    between = np.sum((np.bincount(number, weights=hits) - share * sizes) ** 2)
    between += size**2 * (share**2 + (1 - share) ** 2) / 2
    found = share * (1 - share) * (n + size) ** 2 / between
    few = norm.ppf(1 - ALPHA / 2) / student.ppf(1 - ALPHA / 2, max(len(sizes) - 1, 1))
    return float(min(found * few**2, n))


def accuracy_of(hits: Hits, y: Labels, groups: Labels | None = None) -> Estimate:
    """The share of labels that are named right, with an interval for what the classifier will do.

    Wilson's of the `independent` labels, but wider: labels that happen to be the second of their
    class make the classifier better on all of that class, and the estimate does not know. Of n
    labels and k classes with two, the variance is 2 k / n² larger (Esty 1983, doi
    10.1214/aos/1176346066, for the share of samples whose class has a label); where two groups
    have a class, all its labels are lost or found together.

    >>> str(accuracy_of(np.ones(20), np.arange(20) % 2))
    '1.000 (0.839 to 1.000)'
    """
    n, groups = len(hits), np.arange(len(hits)) if groups is None else groups
    sizes, n_groups = groups_by_class(y, groups)
    of_pairs = float((sizes[n_groups == 2] ** 2).sum()) / 2 / n**2
    share, size = (hits.sum() + 2) / (n + 4), independent(hits, groups)
    n_effective = size / (1 + of_pairs * size / (share * (1 - share)))
    return Estimate(float(hits.mean()), *wilson(float(hits.mean()), n_effective))


def balanced_accuracy_of(hits: Hits, y: Labels, groups: Labels | None = None) -> Estimate:
    """The mean recall of the classes that have labels, with an interval inside 0 to 1.

    A class of n groups was found again by fits with n - 1 of them, so its hits and misses count
    (n - 1) / n: not at all where n is 1; those of larger groups as so many `independent` ones. Its
    recall is drawn from a Beta posterior. The prior has the mean m over classes, drawn by the
    Bayesian bootstrap (Rubin 1981, doi 10.1214/aos/1176345338), each class weighing as its labels
    count, and the rarer outcome counts half a label in it, as in Jeffreys'. So no width is zero,
    and a class that one group alone has is taken to be as the others are.

    >>> str(balanced_accuracy_of(np.ones(80), np.arange(80) % 4))
    '0.997 (0.978 to 1.000)'
    """
    groups = np.arange(len(hits)) if groups is None else groups
    n, n_groups = groups_by_class(y, groups)
    right, n, n_groups = np.bincount(y, weights=hits)[n > 0], n[n > 0], n_groups[n > 0]
    counts = np.array([right, n - right]) * (n_groups - 1) / n_groups
    counts *= independent(hits, groups) / len(hits)
    rng, shape = np.random.default_rng(0), (N_DRAWS, len(n))
    weights = rng.gamma(np.maximum(counts.sum(axis=0), 0.01) / 2, size=shape) + 1e-300
    weights /= weights.sum(axis=1, keepdims=True)
    recalls = rng.beta(*(counts + 0.25), size=shape)
    mean = np.clip((weights * recalls).sum(axis=1, keepdims=True), 0.01, 0.99)
    size = np.minimum(0.5 / np.minimum(mean, 1 - mean), MOST_OF_PRIOR)
    drawn = rng.beta(counts[0] + size * mean, counts[1] + size * (1 - mean)).mean(axis=1)
    low, high = np.quantile(drawn, [ALPHA / 2, 1 - ALPHA / 2])
    return Estimate(float(drawn.mean()), float(low), float(high))


def gain_of(hits: Hits, others: Hits, groups: Labels | None = None) -> Estimate:
    """The difference of two accuracies on the same labels, by Agresti & Min's interval.

    Half a label is added to each cell of the table of both, so that it has a width where the two
    agree on all labels. Labels of groups count as so many `independent` ones.

    Source: Agresti & Min 2005, doi 10.1002/sim.1781.
    """
    size = float(len(hits))
    if groups is not None:
        size = min(independent(hits, groups), independent(others, groups))
    rate = size / len(hits)
    up, down = ((h > o).sum() * rate + 0.5 for h, o in ((hits, others), (others, hits)))
    n = size + 2
    middle = (up - down) / n
    half = norm.ppf(1 - ALPHA / 2) * np.sqrt(up + down - (up - down) ** 2 / n) / n
    low, high = max(middle - half, -1.0), min(middle + half, 1.0)
    return Estimate(float(hits.mean() - others.mean()), float(low), float(high))


class Worth(NamedTuple):
    """What to expect of a classifier, and whether a simpler one would do."""

    accuracy: Estimate
    balanced_accuracy: Estimate
    linear: Estimate  # accuracy of logistic regression on genes
    largest: Estimate  # accuracy of always naming the largest class
    gain: Estimate  # over logistic regression
    verdict: str
    n_labelled: int
    n_single: int  # labels of classes that one label, or the labels of one group, alone have
    p_chance: float  # that the classes are told so well by chance

    @property
    def advice(self) -> str:
        """The verdict in plain words."""
        gain, margin = self.gain, f"{100 * MARGIN:g} points"
        points = f"{100 * gain.value:+.1f} points ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
        if self.verdict == UNKNOWN:
            return (
                "no class has two labels, or the labels of two groups, so that none can be held "
                "out: what to expect of this classifier is not known"
            )
        if self.verdict == CHANCE:
            return (
                f"{self.n_labelled:,} labels do not show that this classifier knows more of the "
                f"classes than chance does (permutation test, p {self.p_chance:.2g}): do not rely "
                "on it; more labels, or another question, come before any method"
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
            f"; {self.n_single:,} of {self.n_labelled:,} labels are alone in their class, or with "
            "their group, and count as wrong: so often a new sample is of a class without a label"
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


def worth_of(named: dict[str, Labels], y: Labels, groups: Labels | None = None) -> Worth:
    """What held-out labels say.

    Args:
        named: classes by classifier: "ours", "linear" and "largest".
        y: true classes.
        groups: numbers of what was held out together; None: each label by itself.

    Returns:
        Estimates with 95 % intervals, and a verdict: at chance, by a permutation test of balanced
        accuracy; logistic regression as good, where the gain over it is surely less than 2 points;
        better, where it surely is; else untold.

    Example:
        >>> named = {name: np.zeros(50, int) for name in ("ours", "linear", "largest")}
        >>> worth_of(named, np.arange(50) % 2).verdict
        'chance'
    """
    groups = np.arange(len(y)) if groups is None else groups
    ours, linear, largest = ((named[n] == y) * 1.0 for n in ("ours", "linear", "largest"))
    gain = gain_of(ours, linear, groups)
    p_chance = p_of_chance(np.eye(int(y.max()) + 1)[named["ours"]], y, groups)
    if p_chance > ALPHA:
        verdict = CHANCE
    elif gain.high < MARGIN:
        verdict = LEVEL_WITH
    else:
        verdict = BETTER if gain.low > 0 else UNTOLD
    estimates = accuracy_of(ours, y, groups), balanced_accuracy_of(ours, y, groups)
    simple = accuracy_of(linear, y, groups), accuracy_of(largest, y, groups)
    sizes, n_groups = groups_by_class(y, groups)
    n_single = int(sizes[n_groups == 1].sum())
    if n_single == len(y):
        verdict, estimates = UNKNOWN, (NOTHING, NOTHING)
        simple, gain = (NOTHING, simple[1]), Estimate(0.0, -1.0, 1.0)
    return Worth(*estimates, *simple, gain, verdict, len(y), n_single, p_chance)
