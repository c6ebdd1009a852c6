"""What labels that a classifier was not fitted on say of its probabilities: one temperature.

A fine-tuned network is surer than it is right. Dividing its logits by a temperature changes no
class that is named, and brings the mean confidence to the accuracy (Guo et al. 2017, arXiv
1706.04599). It holds for samples like those of the labels, and for no other cohort's.
"""

import numpy as np
from jaxtyping import Float, Float32, Int
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from jaxssl.types import Calibration

MIN_LABELS = 20
"""Labels, below which no temperature is fitted."""
TEMPERATURES = (0.05, 20.0)  # the least and the highest


def fit_temperature(
    logits: Float[np.ndarray, "labels classes"], codes: Int[np.ndarray, " labels"]
) -> float:
    """The temperature T at which softmax(logits / T) has the smallest log loss.

    Every label counts as the share 1 / (n + 1) of a label of any class, all of them together as one
    label more: without an error among n labels, the best T were 0 and every probability 1.

    Args:
        logits: of samples that the classifier was not fitted on (labels x classes), finite.
        codes: their true classes (labels,).

    Returns:
        T, from 0.05 to 20: above 1, the classifier is surer than it is right.

    Example:
        >>> logits = np.array([[4.0, 0.0], [4.0, 0.0], [4.0, 0.0], [4.0, 0.0]])
        >>> round(fit_temperature(logits, np.array([0, 0, 0, 1])), 2)  # 70 % right, and 98 % sure
        4.72

    Source: Guo et al. 2017, arXiv 1706.04599; the additional label: Platt 1999, Advances in Large
    Margin Classifiers.
    """
    logits = logits.astype(np.float64)
    n, n_classes = logits.shape
    target = np.full(logits.shape, 1 / (n + 1) / n_classes)
    target[np.arange(n), codes] += n / (n + 1)

    def loss(log_temperature: float) -> float:
        return -float((target * log_softmax(logits / np.exp(log_temperature), axis=1)).sum())

    # of log T it has one minimum, as it is convex in 1 / T
    low, high = np.log(TEMPERATURES)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))  # pyright: ignore[reportAttributeAccessIssue]


def with_temperature(
    logits: Float[np.ndarray, "samples classes"], temperature: float
) -> Float32[np.ndarray, "samples classes"]:
    """Class probabilities softmax(logits / temperature)."""
    return softmax(logits.astype(np.float64) / temperature, axis=1).astype(np.float32)


def nonconformity(
    logits: Float[np.ndarray, "samples classes"],
) -> Float32[np.ndarray, "samples classes"]:
    """How badly every class fits a sample: -log of its probability, before any temperature.

    The temperature is fitted on the labels that sets are calibrated on, and would break the promise
    of these.
    """
    return -log_softmax(logits.astype(np.float64), axis=1).astype(np.float32)


def calibrate(
    logits: Float[np.ndarray, "labels classes"],
    codes: Int[np.ndarray, " labels"],
    *,
    is_held_out: bool = True,
) -> Calibration | None:
    """What a classifier keeps of labels that it was not fitted on.

    Args:
        logits: of their samples (labels x classes); what is no number is left out.
        codes: their true classes (labels,).
        is_held_out: whether the classifier itself gave the logits; else fits on a part of the
            labels did, each of the labels that it had not seen.

    Returns:
        Temperature, 1 below `MIN_LABELS`, and the scores of the true classes; None: no label.

    Example:
        >>> calibrate(np.eye(2), np.array([0, 1])).temperature
        1.0
    """
    finite = np.isfinite(logits).all(axis=1)
    logits, codes = logits[finite], codes[finite]
    if not len(codes):
        return None
    scores = nonconformity(logits)[np.arange(len(codes)), codes]
    temperature = fit_temperature(logits, codes) if len(codes) >= MIN_LABELS else 1.0
    return Calibration(scores, codes.astype(np.int32), temperature, is_held_out)


def sentence(calibration: Calibration | None) -> str:
    """What the probabilities are, in a line."""
    if calibration is None:
        return "calibration: the classifier keeps none, so probabilities are the network's own"
    n, labels = len(calibration.codes), labels_of(calibration)
    if n < MIN_LABELS:
        return (
            f"calibration: {n} {labels} are too few for a temperature (at least {MIN_LABELS}), so "
            "probabilities are the network's own"
        )
    return f"calibration: temperature {calibration.temperature:.3g}, of {n:,} {labels}"


def facts(calibration: Calibration | None) -> dict[str, float]:
    """Temperature and number of labels, for a summary; {}: there is no calibration."""
    if calibration is None:
        return {}
    return {"temperature": calibration.temperature, "n_labels": len(calibration.codes)}


def labels_of(calibration: Calibration) -> str:
    """What the labels are called."""
    return "validation labels" if calibration.is_held_out else "cross-validated labels"
