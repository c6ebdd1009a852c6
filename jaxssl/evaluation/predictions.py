"""Predicted class probabilities: as columns of a run's tables, and what they are worth."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int, Shaped
from sklearn import metrics as sk

from jaxssl.data.frames import MIN_COHORT

PREFIX = "p_"
_NEARLY_ALL, _BY_CHANCE = 0.95, 0.01  # share of the labels; probability
_SHOWN = 5  # classes, where they are counted in a line
ECE_BINS = 15  # Guo et al. 2017, arXiv 1706.04599


class LabelledPredictions(NamedTuple):
    """The probabilities of a table and the classes that its samples truly have."""

    classes: tuple[str, ...]
    probabilities: Float[np.ndarray, "rows classes"]
    codes: Int[np.ndarray, " rows"]  # true class

    @property
    def named(self) -> Int[np.ndarray, " rows"]:
        """The class that is named: the most probable one, the first of equals."""
        return self.probabilities.argmax(axis=1)

    @property
    def right(self) -> Bool[np.ndarray, " rows"]:
        """Whether it is the true one."""
        return self.named == self.codes


def pack(
    classes: Sequence[str], probabilities: Float[np.ndarray, "rows classes"]
) -> dict[str, Float[np.ndarray, " rows"]]:
    """Probabilities as columns of a table, a class each."""
    return {f"{PREFIX}{name}": p for name, p in zip(classes, probabilities.T, strict=True)}


def unpack(table: pd.DataFrame) -> LabelledPredictions:
    """Read the columns `label` and p_CLASS…."""
    columns = [name for name in map(str, table) if name.startswith(PREFIX)]
    classes = tuple(name.removeprefix(PREFIX) for name in columns)
    labels = table["label"].astype(str)
    codes = pd.Categorical(labels, categories=classes).codes.astype(np.int64)
    if (codes < 0).any():
        raise ValueError(f"{labels[codes < 0].iloc[0]!r} is none of the classes {classes}")
    return LabelledPredictions(classes, table[columns].to_numpy(), codes)


def counted(named: Shaped[np.ndarray, " samples"]) -> str:
    """How many samples are taken for which class, the largest first.

    >>> counted(np.array(["tumor", "normal", "tumor"]))
    '2 samples for tumor, 1 for normal'
    """
    counts = pd.Series(named).value_counts()
    n = len(named)
    if len(counts) == 1:
        return f"all {n:,} samples for {counts.index[0]}" if n > 1 else f"it for {counts.index[0]}"
    shown = [f"{count:,} for {name}" for name, count in counts.head(_SHOWN).items()]
    rest = counts.iloc[_SHOWN:].sum()
    shown[0] = shown[0].replace(" for", " samples for", 1)
    return ", ".join(shown) + (f", {rest:,} for others" if rest else "")


def doubt_of_one_class(
    named: Shaped[np.ndarray, " samples"],
    classes: Sequence[str],
    counts: Sequence[int] | None = None,
    of: str = "",
) -> str:
    """Say where all samples are taken for one class and chance does not explain it; else "".

    By chance they are where the share p of the class among the training labels (`counts`; None:
    even) has p^n above 0.01; a class of nearly all labels tells nothing.

    >>> doubt_of_one_class(np.array(["b"] * 20), ["a", "b"], [60, 40])[:47]
    'all 20 samples are taken for b, which 40% of th'
    """
    n = len(named)
    if n < MIN_COHORT or (named != named[0]).any():
        return ""
    sizes = np.ones(len(classes)) if counts is None else np.asarray(counts, float)
    share = float(sizes[list(map(str, classes)).index(str(named[0]))] / sizes.sum())
    if share > _NEARLY_ALL or share**n > _BY_CHANCE:
        return ""
    return (
        f"all {n:,} samples{of} are taken for {named[0]}, which {share:.0%} of the training labels "
        "are: they are of one class, or of another laboratory and wrong"
    )


def recalls(
    codes: Int[np.ndarray, " samples"], hits: Shaped[np.ndarray, " samples"]
) -> Float[np.ndarray, " present"]:
    """Mean of the samples' hits (1: named right, 0: not) in each of the classes that occur."""
    n, found = np.bincount(codes), np.bincount(codes, weights=hits)
    return found[n > 0] / n[n > 0]


def score(
    codes: Int[np.ndarray, " samples"], probabilities: Float[np.ndarray, "samples classes"]
) -> dict[str, float]:
    """Scores of one arm on one part.

    `codes` are the true classes. Every sample counts in accuracy, log_loss (nats) and ece; balanced
    accuracy (mean recall) and macro F1 average over the classes that occur in `codes`: a class
    absent from a small test part has no recall, and which classes count must not depend on the
    arm. For two classes, auroc, auprc and mcc follow, of the second class; they are NaN where only
    one class occurs.
    """
    # rows of float32 probabilities add up to 1 within 1e-7 only
    probabilities = probabilities.astype(np.float64)
    probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
    predicted = probabilities.argmax(axis=1)
    hits, own = predicted == codes, probabilities[np.arange(len(codes)), codes]
    n_classes = probabilities.shape[1]
    scores = {
        "accuracy": hits.mean(),
        "balanced_accuracy": recalls(codes, hits).mean(),
        "macro_f1": _f1_of_classes(codes, predicted).mean(),
        "log_loss": -np.log(np.maximum(own, np.finfo(own.dtype).eps)).mean(),
        "ece": expected_calibration_error(codes, probabilities),
    }
    if n_classes == 2 and codes.min() < codes.max():
        scores["auroc"] = sk.roc_auc_score(codes, probabilities[:, 1])
        scores["auprc"] = sk.average_precision_score(codes, probabilities[:, 1])
        scores["mcc"] = sk.matthews_corrcoef(codes, predicted)
    elif n_classes == 2:
        scores |= dict.fromkeys(("auroc", "auprc", "mcc"), float("nan"))
    return {name: float(value) for name, value in scores.items()}


def _f1_of_classes(
    codes: Int[np.ndarray, " samples"], predicted: Int[np.ndarray, " samples"]
) -> Float[np.ndarray, " present"]:
    """F1 of each of the classes that occur: twice the hits over those asked and those named."""
    size = int(max(codes.max(), predicted.max())) + 1
    asked, named, right = (
        np.bincount(of, minlength=size) for of in (codes, predicted, codes[codes == predicted])
    )
    return (2 * right / np.maximum(asked + named, 1))[asked > 0]


def expected_calibration_error(
    codes: Int[np.ndarray, " samples"], probabilities: Float[np.ndarray, "samples classes"]
) -> float:
    """Mean |accuracy - confidence| over 15 bins of equal width, weighted by samples.

    Confidence is the largest probability; bin m holds confidences in ((m - 1) / 15, m / 15]
    (Guo et al. 2017, arXiv 1706.04599).
    """
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == codes
    edges = np.arange(1, ECE_BINS) / ECE_BINS
    bins = np.digitize(confidence, edges, right=True)
    # |n_b (accuracy_b - confidence_b)| is the sum of the gaps of bin b
    gaps = np.bincount(bins, weights=correct - confidence, minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / len(codes))
