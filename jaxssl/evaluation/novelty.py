"""Whether a sample is of none of the classes that have labels, by how far it lies from these.

A classifier gives every sample one of its classes. How near samples of a known class lie to the
nearest label of another sample is seen where each label is left out; how near those of an unknown
class lie, where each class is left out whole. The share of unknown classes among unlabelled samples
follows from where these lie.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from jaxssl.data.backed import blocks
from jaxssl.types import Features

N_STEPS = 200  # of expectation and maximisation
RARELY = 1e-4  # the least share of samples of none of the classes
LOST = 0.05  # of the samples of known classes, at most
NEAR = 1e-6  # the least length
NONE = "none_of_the_classes"
"""Column of a table of predictions: the probability of that."""

UNTOLD = (
    "samples of none of the known classes cannot be told, as these labels do not show how far from "
    f"them such would lie: they are given a known class, and {NONE} is the same for all"
)

Labels = Int[np.ndarray, " labelled"]


class Novelty(NamedTuple):
    """How probable it is that a sample is of none of the classes."""

    labelled: Float[np.ndarray, "labelled features"]  # of unit length
    slope: Float[np.ndarray, ""]  # of the log odds by the distance; 0: nothing is told
    offset: Float[np.ndarray, ""]

    def __call__(self, x: Features) -> Float[np.ndarray, " samples"]:
        """Probability that none of the classes is true."""
        return expit(self.slope * nearest(x, self.labelled) + self.offset)

    @property
    def tells(self) -> bool:
        """Whether distance tells anything of it; else every sample has one and the same value."""
        return bool(self.slope > 0)

    def held_out(self, groups: np.ndarray) -> Float[np.ndarray, " labelled"]:
        """The same of the labelled samples, each without the labels of its group."""
        far = [
            np.where(
                groups[rows, None] == groups[None, :],
                np.inf,
                distance(self.labelled[rows], self.labelled),
            ).min(axis=1)
            for rows in blocks(groups)
        ]
        far = np.minimum(np.concatenate(far), 2.0)  # the furthest there is
        return expit(self.slope * far + self.offset)


def fit_novelty(
    x: Features, labelled: Labels, y: Labels, groups: np.ndarray | None = None
) -> Novelty:
    """Tell samples of classes without a label from those of classes that have some.

    Args:
        x: encoder outputs, centred (samples x features).
        labelled: rows that have a label.
        y: their classes.
        groups: what each label stands or falls with, as a patient; None: itself alone.

    Returns:
        The log odds of being of none of the classes, linear in the distance to the nearest label.
        Their offset is by the share of such samples: among those without a label, by expectation
        and maximisation, so far as no more than 5 % of the labels are lost by it; or that which
        Good and Turing have of the labels, the share of those that are alone in their class, if it
        is larger. Of two classes nothing can be learnt, and the probability is that share for any
        sample.

    Example:
        >>> fit_novelty(outputs, rows, codes[rows])(outputs).round(2)  # doctest: +SKIP
        array([0.01, 0.97, ...])

    Source: Saerens et al. 2002, doi 10.1162/089976602753284446, for the share; Good 1953, doi
    10.1093/biomet/40.3-4.237.
    """
    rows = unit(x[labelled])
    unseen = good_turing(y)
    kept = np.asarray(rows, np.float32)
    known, novel = _left_out(rows, y, np.arange(len(y)) if groups is None else groups)
    if len(known) < 2 or len(np.unique(y)) < 3:
        return Novelty(kept, np.zeros(()), np.asarray(logit(unseen)))
    far = np.concatenate([known, novel])
    is_novel = np.arange(len(far)) >= len(known)
    mean, scale = far.mean(), far.std() or 1.0
    model = LogisticRegression(class_weight="balanced").fit((far - mean)[:, None] / scale, is_novel)
    slope = max(float(model.coef_[0, 0] / scale), 0.0)  # further is never nearer
    odds = float(model.intercept_[0]) - slope * mean
    others = np.setdiff1d(np.arange(len(x)), labelled)
    at = others if len(others) else labelled
    evidence = slope * nearest(x[at], rows) + odds
    share = share_of(evidence) if len(others) else unseen
    share = max(min(share, most_of(slope * known + odds)), unseen)
    return Novelty(kept, np.asarray(slope), np.asarray(odds + logit(share)))


def share_of(evidence: Float[np.ndarray, " samples"]) -> float:
    """The share of samples that are novel, by the log odds that each is where half of them are."""
    share = 0.25
    for _ in range(N_STEPS):
        share = float(np.clip(expit(evidence + logit(share)).mean(), RARELY, 0.5))
    return share


def most_of(evidence: Float[np.ndarray, " known"]) -> float:
    """The largest share at which no more of the labels than `LOST` are taken for novel.

    `evidence` is theirs, each without itself. Where classes lie no further from each other than
    samples of one do, nothing can be told, and the share that is found means nothing.
    """
    shares = np.geomspace(RARELY, 0.5, 200)
    lost = expit(evidence[:, None] + logit(shares)[None]).mean(axis=0)
    return float(shares[max(int((lost <= LOST).sum()) - 1, 0)])


def good_turing(y: Labels) -> float:
    """The probability that the next label is of a new class: labels alone in theirs, a half more.

    >>> good_turing(np.array([0, 0, 1, 2]))
    0.5
    """
    return float((np.sum(np.bincount(y) == 1) + 0.5) / (len(y) + 1))


def unit(x: Features) -> Features:
    """Rows of length 1."""
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), NEAR)


def distance(
    x: Features, labelled: Float[np.ndarray, "labelled features"]
) -> Float[np.ndarray, "samples labelled"]:
    """Distance, on the unit sphere, of samples to rows that lie on it."""
    return np.sqrt(2 - 2 * np.clip(unit(x) @ labelled.T, -1, 1))


def nearest(
    x: Features, labelled: Float[np.ndarray, "labelled features"]
) -> Float[np.ndarray, " samples"]:
    """Distance to the nearest of some rows."""
    parts = [distance(x[rows], labelled).min(axis=1) for rows in blocks(x)]
    return np.concatenate(parts) if parts else np.zeros(0)


def told_of_none(none: Float[np.ndarray, " samples"], novelty: Novelty) -> str:
    """How many samples are probably of none of the classes, in a line."""
    if not novelty.tells:
        return UNTOLD
    n = int((none > 0.5).sum())
    return f"none of the known classes: {n:,} of {len(none):,} samples, probably ({NONE} > 0.5)"


def _left_out(
    rows: Float[np.ndarray, "labelled features"], y: Labels, groups: np.ndarray
) -> tuple[Float[np.ndarray, " known"], Float[np.ndarray, " labelled"]]:
    """Distance of labels to the nearest of another group, and to that of another class.

    The first of labels whose class has another group.
    """
    known, within, beyond = np.zeros(len(y), bool), np.zeros(len(y)), np.zeros(len(y))
    for at in blocks(y):
        far = distance(rows[at], rows)
        is_other, is_same = groups[at, None] != groups[None, :], y[at, None] == y[None, :]
        known[at] = (is_other & is_same).any(axis=1)
        within[at] = np.where(is_other, far, np.inf).min(axis=1)
        beyond[at] = np.where(is_same, np.inf, far).min(axis=1)
    return within[known], beyond
