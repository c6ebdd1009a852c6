"""Class-balanced logistic regression whose penalty labels choose that are held out in turn.

Fits go down a path of penalties, each from where the larger ones point to, all folds and the fit
of all labels together. A path ends where neither recall nor loss of the held-out labels gets
better. What is compared is fitted loosely; the fit that is chosen goes on to its minimum.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

import jax
import joblib
import numpy as np
from jaxtyping import Float
from sklearn.utils.class_weight import compute_sample_weight

from jaxssl.engine.blas import one_thread
from jaxssl.engine.ensemble import vectorizes
from jaxssl.engine.mesh import shard
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
from jaxssl.evaluation.reference import fit_path
from jaxssl.evaluation.trials import (
    SKLEARN,
    Path,
    Task,
    Trial,
    choose,
    goes_on,
    judge,
    known,
    probabilities,
)

SIDE_BY_SIDE = 64  # problems at once where they are vectorised, and else one a device
OF_ALL = 0  # the fit of all labels; those without each fold follow

T = TypeVar("T")


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
        tasks: with the same classes and solver.

    Returns:
        The fit of each at the penalty that its labels chose: of the least log loss when held out,
        the larger of equals; with `by_recall` among those within a standard error of the best mean
        recall. Without held-out labels, at the first penalty.

    Example:
        >>> path = fit_paths([task])[0]  # doctest: +SKIP
        >>> path(rows).argmax(axis=1)  # doctest: +SKIP
        array([0, 2, 1])
    """
    if tasks and tasks[0].solver == SKLEARN:
        return threads(fit_path, [(task,) for task in tasks])
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
    chosen = list(map(choose, tasks, trials))
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
        Path(axes.mean, axes.axes @ b[:-1], b[-1], known(task), at, trial.held_out)
        for axes, b, task, at, trial in zip(seen, of_all, tasks, chosen, best, strict=True)
    ]


def _descend(
    tasks: Sequence[Task], seen: Sequence[Axes], problems: Sequence[Problem], batch: Batch
) -> list[list[Trial]]:
    """Fits at one penalty after the other, of each task as long as they get better."""
    start, fitted = None, None
    trials: list[list[Trial]] = [[] for _ in tasks]
    while any(going_on := [goes_on(*own) for own in zip(tasks, trials, strict=True)]):
        ends = np.where(np.array(going_on), LOOSE, np.inf)
        penalties = list(map(_penalty, tasks, seen, map(len, trials)))
        before, fitted = fitted, solve(batch, penalties, ends[:, None], start)
        # penalties are evenly spaced by their logarithms, and coefficients nearly straight in these
        start = fitted if before is None else 2 * fitted - before
        found = zip(tasks, problems, unpack(fitted, problems), np.asarray(fitted), strict=False)
        judged = threads(_judge, [of for of, on in zip(found, going_on, strict=False) if on])
        going = [own for own, on in zip(trials, going_on, strict=True) if on]
        for own, trial in zip(going, judged, strict=True):
            own.append(trial)
    return trials


def _weights(task: Task) -> Float[np.ndarray, "fits labelled"]:
    """Weights of the labels in the fit of all and in that without each fold, classes alike."""
    weights = np.zeros((1 + task.n_folds, len(task.y)))
    for number in (OF_ALL, *np.unique(task.folds[task.folds >= 0]) + 1):
        kept = task.folds != number - 1 if number != OF_ALL else np.full(len(task.y), True)
        weights[number, kept] = compute_sample_weight("balanced", task.y[kept])
    return weights


def _penalty(task: Task, axes: Axes, position: int) -> float:
    """A penalty on the axes, of both sides where there are two.

    Of two classes it is the difference of their coefficients that a penalty is of, as in
    scikit-learn.
    """
    sides = 2 if known(task).sum() == 2 else 1
    return sides * task.penalties[min(position, len(task.penalties) - 1)] / axes.size**2


def _judge(task: Task, problem: Problem, b: np.ndarray, start: np.ndarray) -> Trial:
    """What fits say of labels that are held out, and how well."""
    held_out, is_known = np.zeros((len(task.y), task.n_classes)), known(task)
    for number in range(task.n_folds):
        rows, own = task.folds == number, b[:, number - task.n_folds]
        held_out[rows] = probabilities(problem.z[rows] @ own, is_known)
    return judge(task, held_out, start)


def threads(make: Callable, arguments: Sequence[tuple]) -> list[Any]:
    """Results, a core each: many small products want one thread a result, not all for each."""
    if len(arguments) == 1:
        return [make(*arguments[0])]
    with one_thread(), ThreadPoolExecutor(joblib.cpu_count()) as pool:
        return list(pool.map(lambda own: make(*own), arguments))
