"""Sets of classes that hold the true one as often as asked: split conformal prediction by class.

A class is in a sample's set unless it fits the sample worse than it fits nearly all calibration
labels of that class. If calibration and new samples of a class are exchangeable, as at random from
one cohort, its own samples have it in their set with the coverage that is asked for, however bad
the classifier is (Vovk 2012, arXiv 1209.2673; with these scores, the smallest such sets on average:
Sadinle, Lei & Wasserman 2019, JASA 114, arXiv 1609.00451). Of another cohort nothing is promised;
`by_cohort` measures it.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Float32, Int, Shaped
from scipy.stats import binomtest

from jaxssl.bounds import Coverage, check_value
from jaxssl.evaluation.calibration import labels_of
from jaxssl.evaluation.predictions import recalls
from jaxssl.types import Calibration, InputError

SEPARATOR = " | "  # between the classes of a set


def least_labels(coverage: float) -> int:
    """Calibration labels of a class, below which no set without it can be promised: 1/α - 1.

    >>> least_labels(0.9), least_labels(0.95)
    (9, 19)
    """
    return math.ceil(round(coverage / (1 - coverage), 9))


def limits_of(
    calibration: Calibration | None, classes: Sequence[str], coverage: float
) -> Float32[np.ndarray, " classes"]:
    """`score_limits`, if there are labels; warns of classes that have too few."""
    check_value("coverage", coverage, Coverage)
    if calibration is None:
        raise InputError(
            "the classifier keeps no calibration labels, so its sets could promise no coverage",
            "drop `coverage`, or make it anew by `finetune()`, which keeps those of the validation "
            "part",
        )
    limits = score_limits(calibration, len(classes), coverage)
    found = unpromised(calibration, classes, coverage)
    if found:
        warnings.warn(found, stacklevel=4)
    return limits


def score_limits(
    calibration: Calibration, n_classes: int, coverage: float
) -> Float32[np.ndarray, " classes"]:
    """The score up to which each class is in a set.

    Of the n scores of a class it is the k-th smallest, k = ⌈(n + 1) coverage⌉; where there are too
    few for that, infinite: the class is in every set, as its p-value, at least 1 / (n + 1), rules
    it out of none.

    Args:
        calibration: what the classifier keeps.
        n_classes: of the classifier.
        coverage: share of the samples of every class whose set is to hold it, in (0, 1).

    Returns:
        Limits (classes,), of `calibration.nonconformity`.

    Example:
        >>> scores, codes = np.arange(9, dtype=np.float32), np.zeros(9, np.int32)
        >>> score_limits(Calibration(scores, codes, 1.0, True), 2, 0.8)
        array([ 7., inf], dtype=float32)

    Source: Vovk 2012, arXiv 1209.2673; Lei et al. 2018, arXiv 1604.04173, for k.
    """
    limits = np.full(n_classes, np.inf, np.float32)
    for code in range(n_classes):
        scores = np.sort(calibration.scores[calibration.codes == code])
        rank = math.ceil(round((len(scores) + 1) * coverage, 9))
        if rank <= len(scores):
            limits[code] = scores[rank - 1]
    return limits


def prediction_sets(
    scores: Float32[np.ndarray, "samples classes"], limits: Float32[np.ndarray, " classes"]
) -> Bool[np.ndarray, "samples classes"]:
    """Which classes are in each sample's set.

    The class that fits best is always: no set is empty, and none that held the true class loses it.

    Args:
        scores: of the samples, by `calibration.nonconformity`.
        limits: of the classes, by `score_limits`.

    Returns:
        Membership (samples x classes).

    Example:
        >>> prediction_sets(np.float32([[0.1, 2.3], [1.2, 0.4]]), np.float32([1.5, 0.2]))
        array([[ True, False],
               [ True,  True]])
    """
    sets = scores <= limits[None]
    sets[np.arange(len(scores)), scores.argmin(axis=1)] = True
    return sets


def in_words(
    classes: Sequence[str],
    sets: Bool[np.ndarray, "samples classes"],
    scores: Float32[np.ndarray, "samples classes"],
) -> list[str]:
    """Every set as text, such as "LumA | LumB", the class that fits best first."""
    names, order = np.asarray(classes, object), scores.argsort(axis=1, kind="stable")
    ranked = zip(order, np.take_along_axis(sets, order, axis=1), strict=True)
    return [SEPARATOR.join(names[codes[chosen]]) for codes, chosen in ranked]


def unpromised(calibration: Calibration, classes: Sequence[str], coverage: float) -> str:
    """The classes with too few calibration labels for the coverage, in words; "": none."""
    counts = np.bincount(calibration.codes, minlength=len(classes))
    least = least_labels(coverage)
    few = [f"{name} ({n})" for name, n in zip(classes, counts, strict=True) if n < least]
    if not few:
        return ""
    which = "all classes are" if len(few) == len(classes) else "these classes are"
    return (
        f"coverage {coverage:g} needs {least} {labels_of(calibration)} of every class, and there "
        f"are fewer of {', '.join(few)}: {which} in every set"
    )


def told(
    sets: Bool[np.ndarray, "samples classes"],
    calibration: Calibration | None,
    coverage: float,
    *,
    is_other: bool,
) -> str:
    """Sizes of the sets and what they promise, in a line; see `warn_of_other`."""
    assert calibration is not None
    sizes, labels = sets.sum(axis=1), labels_of(calibration)
    start = f"sets: {sizes.mean():.2f} classes on average, {(sizes == 1).mean():.0%} hold one class"
    if is_other:
        return f"{start}; promised: nothing"
    if not calibration.is_held_out:
        return (
            f"{start}; of samples of the training's cohort, about {coverage:.4g} of every class "
            f"have it in their set; {labels} promise nothing exact"
        )
    return (
        f"{start}; promised: at least {coverage:.4g} of the samples of every class have it in "
        f"their set, if they are of the cohort of the {labels}; of any other, nothing"
    )


def warn_of_other(calibration: Calibration | None, *, is_other: bool) -> None:
    """Warn of sets of samples that are known to be of another cohort."""
    if is_other and calibration is not None:
        warnings.warn(
            "sets promise no coverage here, as the samples are of another cohort than the "
            f"{labels_of(calibration)}: measure it on some that have labels",
            stacklevel=4,
        )


def by_cohort(
    probabilities: Float[np.ndarray, "samples classes"],
    codes: Int[np.ndarray, " samples"],
    cohorts: Shaped[np.ndarray, " samples"],
    sets: Bool[np.ndarray, "samples classes"] | None = None,
) -> pd.DataFrame:
    """Accuracy and coverage as measured in every cohort, with exact 95 % binomial intervals.

    Args:
        probabilities: of the classes (samples x classes).
        codes: true classes (samples,); samples with -1 have none and are left out.
        cohorts: whose each sample is (samples,).
        sets: membership (samples x classes) by `prediction_sets`, if there are sets.

    Returns:
        A row a cohort that has labels: cohort, n, accuracy, accuracy_low, accuracy_high,
        balanced_accuracy (of the classes that occur); with sets coverage (share of the samples
        whose set holds the true class), coverage_low, coverage_high, least_coverage (of the class
        that has the least), set_size (mean number of classes).

    Example:
        >>> sets = np.array([[True, False], [True, True]])
        >>> table = by_cohort(np.eye(2), np.array([0, 0]), np.array(["a", "a"]), sets)
        >>> table[["accuracy", "coverage", "set_size"]].to_numpy()
        array([[0.5, 1. , 1.5]])

    Source of the intervals: Clopper & Pearson 1934, Biometrika 26.
    """
    rows, named = [], probabilities.argmax(axis=1)
    for cohort in dict.fromkeys(cohorts[codes >= 0].tolist()):
        at = np.flatnonzero((cohorts == cohort) & (codes >= 0))
        row: dict[str, object] = {"cohort": cohort, "n": len(at)}
        row |= _share("accuracy", named[at] == codes[at])
        row["balanced_accuracy"] = float(recalls(codes[at], named[at] == codes[at]).mean())
        if sets is not None:
            held = sets[at, codes[at]]
            row |= _share("coverage", held)
            row["least_coverage"] = float(min(held[codes[at] == c].mean() for c in set(codes[at])))
            row["set_size"] = float(sets[at].sum(axis=1).mean())
        rows.append(row)
    return pd.DataFrame(rows)


def measured(row: Mapping[Any, Any]) -> str:
    """A row of `by_cohort` in a line."""
    intervals = {
        of: f"{row[of]:.3f} ({row[f'{of}_low']:.3f} to {row[f'{of}_high']:.3f})"
        for of in ("accuracy", "coverage")
        if of in row
    }
    text = (
        f"measured: {row['cohort']}, {row['n']:,} labels: accuracy {intervals['accuracy']}, "
        f"balanced {row['balanced_accuracy']:.3f}"
    )
    if "coverage" not in row:
        return text
    return (
        f"{text}; coverage {intervals['coverage']}, of the class with the least "
        f"{row['least_coverage']:.3f}, {row['set_size']:.2f} classes a set"
    )


def _share(name: str, hits: Bool[np.ndarray, " samples"]) -> dict[str, float]:
    """A share of samples and its interval."""
    low, high = binomtest(int(hits.sum()), len(hits)).proportion_ci(method="exact")
    return {name: float(hits.mean()), f"{name}_low": float(low), f"{name}_high": float(high)}
