"""How labels that are held out choose a penalty of class-balanced logistic regression."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import softmax

COMPILED, SKLEARN = "compiled", "scikit-learn"  # solvers
NO_START = np.zeros(0)

Rows = Float[np.ndarray, "rows features"]
Classes = Float[np.ndarray, "rows classes"]
Labels = Int[np.ndarray, " labelled"]


class Task(NamedTuple):
    """Labelled rows, and how a penalty is chosen for them."""

    x: Float[np.ndarray, "labelled features"]
    y: Labels
    n_classes: int
    folds: Labels  # in which a label is held out; -1: in none
    n_folds: int
    weights: Float[np.ndarray, " labelled"]  # in the scores of held-out labels
    penalties: Sequence[float]  # of |coefficients|² / 2; the largest first, in even ratios
    floor: float = 1e-12  # of a probability in the loss
    by_recall: bool = False  # among those of the best recall, to within a standard error
    solver: str = COMPILED  # or `SKLEARN`


class Path(NamedTuple):
    """A fit of all labels, and what was said of each by a fit without it."""

    mean: Float[np.ndarray, " features"]
    kernel: Float[np.ndarray, "features classes"]
    intercept: Float[np.ndarray, " classes"]  # of the mean
    known: Bool[np.ndarray, " classes"]
    position: int  # of the penalty, among those of the task
    held_out: Float[np.ndarray, "labelled classes"]  # 0 where a label was not held out

    def __call__(self, x: Rows) -> Classes:
        """Class probabilities; a class without labels has none."""
        return probabilities((x - self.mean) @ self.kernel + self.intercept, self.known)

    def linear(self) -> tuple[Float[np.ndarray, "features classes"], Float[np.ndarray, " classes"]]:
        """Coefficients of the features as they are, and intercepts."""
        return self.kernel, self.intercept - self.mean @ self.kernel


class Trial(NamedTuple):
    """Fits at one penalty."""

    held_out: Classes
    recall: float
    loss: float
    start: np.ndarray = NO_START  # coefficients as the solver has them, to go on from


def known(task: Task) -> Bool[np.ndarray, " classes"]:
    """Which classes have labels."""
    return np.bincount(task.y, minlength=task.n_classes) > 0


def judge(task: Task, held_out: Classes, start: np.ndarray = NO_START) -> Trial:
    """How well fits at one penalty tell the labels that each had not."""
    of_own = np.maximum(held_out[np.arange(len(task.y)), task.y], task.floor)
    recall = float(task.weights @ (held_out.argmax(axis=1) == task.y)) if task.by_recall else 0.0
    return Trial(held_out, recall, float(-task.weights @ np.log(of_own)), start)


def goes_on(task: Task, trials: Sequence[Trial]) -> bool:
    """Whether a smaller penalty is tried: there is one, and the last one made something better."""
    if len(trials) < 2 or len(trials) == len(task.penalties):
        return len(trials) < len(task.penalties)
    *before, last = trials
    return last.loss <= min(t.loss for t in before) or last.recall > max(t.recall for t in before)


def choose(task: Task, trials: Sequence[Trial]) -> int:
    """The penalty of the least loss, among those of good recall."""
    loss = np.array([trial.loss for trial in trials])
    recall = np.array([trial.recall for trial in trials])
    best = min(recall.max(), 1.0)  # sums of weights round
    n_scored = max(np.count_nonzero(task.weights), 1)
    is_good = recall >= best - np.sqrt(best * (1 - best) / n_scored) - 1e-9
    return int(np.where(is_good, loss, np.inf).argmin())


def probabilities(logits: Classes, is_known: Bool[np.ndarray, " classes"]) -> Classes:
    """Softmax over the classes that have labels."""
    return softmax(np.where(is_known, logits, -np.inf).astype(float), axis=1)
