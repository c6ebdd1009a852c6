"""Class-balanced logistic regression whose penalty labels choose that are held out in turn.

Fits go down a path of penalties, each from where the larger ones point to, all folds and the fit
of all labels together. A path ends where neither recall nor loss of the held-out labels gets
better. What is compared is fitted loosely; the fit that is chosen goes on to its minimum.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import jax
import joblib
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import softmax
from sklearn.utils.class_weight import compute_sample_weight
from threadpoolctl import ThreadpoolController

from jaxssl.engine.ensemble import shard, vectorizes
from jaxssl.evaluation.logistic import Axes, find_axes
from jaxssl.evaluation.multinomial import (
    LOOSE,
    TOLERANCE,
    Batch,
    Problem,
    solve,
    stack,
    unpack,
)

SIDE_BY_SIDE = 64  # problems at once where they are vectorised, and else one a device
OF_ALL = 0  # the fit of all labels; those without each fold follow

T = TypeVar("T")

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
        return _probabilities((x - self.mean) @ self.kernel + self.intercept, self.known)

    def linear(self) -> tuple[Float[np.ndarray, "features classes"], Float[np.ndarray, " classes"]]:
        """Coefficients of the features as they are, and intercepts."""
        return self.kernel, self.intercept - self.mean @ self.kernel


def at_once() -> int:
    """How many tasks to prepare at a time, so that no core is idle."""
    return SIDE_BY_SIDE if vectorizes() else max(jax.device_count(), joblib.cpu_count())


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Some items at a time."""
    items = iter(items)
    while some := list(islice(items, size)):
        yield some


def fit_paths(tasks: Sequence[Task]) -> list[Path]:
    """Fit tasks side by side.

    Args:
        tasks: with the same classes.

    Returns:
        The fit of each at the penalty that its labels chose: of the least log loss when held out,
        the larger of equals; with `by_recall` among those within a standard error of the best mean
        recall. Without held-out labels, at the first penalty.

    Example:
        >>> path = fit_paths([task])[0]  # doctest: +SKIP
        >>> path(rows).argmax(axis=1)  # doctest: +SKIP
        array([0, 2, 1])
    """
    width = SIDE_BY_SIDE if vectorizes() else jax.device_count()
    found: dict[int, Path] = {}
    for n_folds in {task.n_folds for task in tasks}:
        alike = [i for i, task in enumerate(tasks) if task.n_folds == n_folds]
        for some in batched(alike, width):
            fitted = _fit_side_by_side([tasks[i] for i in some])
            found |= dict(zip(some, fitted, strict=True))
    return [found[i] for i in range(len(tasks))]


def _fit_side_by_side(tasks: Sequence[Task]) -> list[Path]:
    """`fit_paths` of as many as one program takes."""
    weights = [_weights(task) for task in tasks]
    seen = threads(find_axes, [(t.x, w[OF_ALL]) for t, w in zip(tasks, weights, strict=True)])
    rows = threads(Axes.of, [(axes, task.x) for task, axes in zip(tasks, seen, strict=True)])
    targets = [np.eye(task.n_classes)[task.y] for task in tasks]

    def problems(which: slice) -> list[Problem]:
        own = zip(rows, targets, weights, seen, strict=True)
        return [Problem(z, t, w[which], axes.curvature) for z, t, w, axes in own]

    # a single fold goes first, alone; several share their products with the fit of all
    is_alone = tasks[0].n_folds == 1
    in_folds = problems(slice(1, None) if is_alone else slice(None))
    batch = stack(in_folds)
    trials = _descend(tasks, seen, in_folds, batch)
    chosen = list(map(_choose, tasks, trials))
    best = [own[at] for own, at in zip(trials, chosen, strict=True)]
    if is_alone:
        batch = stack(problems(slice(1)))
    ends = np.where(np.arange(batch.weights.shape[1]) == OF_ALL, TOLERANCE, np.inf)
    start = [trial.start for trial in best]
    start += [start[-1]] * (len(batch.z) - len(start))
    penalties = list(map(_penalty, tasks, seen, chosen))
    fitted = solve(batch, penalties, ends[None], shard(np.stack(start), per_seed=True))
    of_all = [b[:, OF_ALL] for b in unpack(fitted, in_folds)]
    return [
        Path(axes.mean, axes.axes @ b[:-1], b[-1], _known(task), at, trial.held_out)
        for axes, b, task, at, trial in zip(seen, of_all, tasks, chosen, best, strict=True)
    ]


def _descend(
    tasks: Sequence[Task], seen: Sequence[Axes], problems: Sequence[Problem], batch: Batch
) -> list[list["_Trial"]]:
    """Fits at one penalty after the other, of each task as long as they get better."""
    start, fitted = None, None
    trials: list[list[_Trial]] = [[] for _ in tasks]
    while any(goes_on := [_goes_on(*own) for own in zip(tasks, trials, strict=True)]):
        ends = np.where(np.array(goes_on), LOOSE, np.inf)
        penalties = list(map(_penalty, tasks, seen, map(len, trials)))
        before, fitted = fitted, solve(batch, penalties, ends[:, None], start)
        # penalties are evenly spaced by their logarithms, and coefficients nearly straight in these
        start = fitted if before is None else 2 * fitted - before
        found = zip(tasks, problems, unpack(fitted, problems), np.asarray(fitted), strict=False)
        judged = threads(_judge, [of for of, on in zip(found, goes_on, strict=False) if on])
        going = [own for own, on in zip(trials, goes_on, strict=True) if on]
        for own, trial in zip(going, judged, strict=True):
            own.append(trial)
    return trials


class _Trial(NamedTuple):
    """Fits at one penalty."""

    start: np.ndarray  # coefficients with their padding, to go on from
    held_out: Classes
    recall: float
    loss: float


def _weights(task: Task) -> Float[np.ndarray, "fits labelled"]:
    """Weights of the labels in the fit of all and in that without each fold, classes alike."""
    weights = np.zeros((1 + task.n_folds, len(task.y)))
    for number in (OF_ALL, *np.unique(task.folds[task.folds >= 0]) + 1):
        kept = task.folds != number - 1 if number != OF_ALL else np.full(len(task.y), True)
        weights[number, kept] = compute_sample_weight("balanced", task.y[kept])
    return weights


def _known(task: Task) -> Bool[np.ndarray, " classes"]:
    return np.bincount(task.y, minlength=task.n_classes) > 0


def _penalty(task: Task, axes: Axes, position: int) -> float:
    """A penalty on the axes, of both sides where there are two.

    Of two classes it is the difference of their coefficients that a penalty is of, as in
    scikit-learn.
    """
    sides = 2 if _known(task).sum() == 2 else 1
    return sides * task.penalties[min(position, len(task.penalties) - 1)] / axes.size**2


def _judge(task: Task, problem: Problem, b: np.ndarray, start: np.ndarray) -> _Trial:
    """What is said of labels that are held out, and how well."""
    held_out, known = np.zeros((len(task.y), task.n_classes)), _known(task)
    for number in range(task.n_folds):
        rows, own = task.folds == number, b[:, number - task.n_folds]
        held_out[rows] = _probabilities(problem.z[rows] @ own, known)
    of_own = np.maximum(held_out[np.arange(len(task.y)), task.y], task.floor)
    recall = float(task.weights @ (held_out.argmax(axis=1) == task.y)) if task.by_recall else 0.0
    return _Trial(start, held_out, recall, float(-task.weights @ np.log(of_own)))


def _goes_on(task: Task, trials: Sequence[_Trial]) -> bool:
    """Whether a smaller penalty is tried: there is one, and the last one made something better."""
    if len(trials) < 2 or len(trials) == len(task.penalties):
        return len(trials) < len(task.penalties)
    *before, last = trials
    return last.loss <= min(t.loss for t in before) or last.recall > max(t.recall for t in before)


def _choose(task: Task, trials: Sequence[_Trial]) -> int:
    """The penalty of the least loss, among those of good recall."""
    loss = np.array([trial.loss for trial in trials])
    recall = np.array([trial.recall for trial in trials])
    best = min(recall.max(), 1.0)  # sums of weights round
    n_scored = max(np.count_nonzero(task.weights), 1)
    is_good = recall >= best - np.sqrt(best * (1 - best) / n_scored) - 1e-9
    return int(np.where(is_good, loss, np.inf).argmin())


def _probabilities(logits: Classes, known: Bool[np.ndarray, " classes"]) -> Classes:
    return softmax(np.where(known, logits, -np.inf).astype(float), axis=1)


def threads(make: Callable, arguments: Sequence[tuple]) -> list[Any]:
    """Results, a core each: many small products want one thread a result, not all for each."""
    if len(arguments) == 1:
        return [make(*arguments[0])]
    with _blas().limit(limits=1, user_api="blas"), ThreadPoolExecutor(joblib.cpu_count()) as pool:
        return list(pool.map(lambda own: make(*own), arguments))


@cache
def _blas() -> ThreadpoolController:
    """Of the libraries that are loaded; to look for them takes longer than a small fit."""
    return ThreadpoolController()
