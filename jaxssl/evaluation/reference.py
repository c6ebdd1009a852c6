"""Linear models and their penalties by scikit-learn, to hold the compiled ones against."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from jaxssl.evaluation.trials import Path, Task, choose, goes_on, judge, known

TOLERANCE = 1e-6  # of the gradient; at 1e-3 small penalties end before they converge
MAX_ITERATIONS = 10_000


def fit_path(task: Task, tolerance: float = TOLERANCE) -> Path:
    """Fit every penalty without each fold, then all labels at the one that these choose.

    Args:
        task: labelled rows, folds and penalties.
        tolerance: where scikit-learn's L-BFGS ends.

    Returns:
        What `paths.fit_paths` returns of the task, to within the precision of both.

    Example:
        >>> fit_path(task).position == fit_paths([task])[0].position  # doctest: +SKIP
        True
    """
    folds = {number: _model(tolerance) for number in np.unique(task.folds[task.folds >= 0])}
    trials = []
    while goes_on(task, trials):
        held_out = np.zeros((len(task.y), task.n_classes))
        for number, model in folds.items():
            out = task.folds == number
            model.set_params(C=1 / task.penalties[len(trials)]).fit(task.x[~out], task.y[~out])
            held_out[np.ix_(out, model.classes_)] = model.predict_proba(task.x[out])
        trials.append(judge(task, held_out))
    at, is_known = choose(task, trials), known(task)
    kernel, intercept = np.zeros((task.x.shape[1], task.n_classes)), np.zeros(task.n_classes)
    if is_known.sum() > 1:
        model = _model(tolerance).set_params(C=1 / task.penalties[at]).fit(task.x, task.y)
        with_own = is_known if len(model.coef_) > 1 else np.flatnonzero(is_known)[1:]  # of two
        kernel[:, with_own], intercept[with_own] = model.coef_.T, model.intercept_
    return Path(np.zeros(len(kernel)), kernel, intercept, is_known, at, trials[at].held_out)


def _model(tolerance: float) -> LogisticRegression:
    """One that goes on from where it ended at the penalty before."""
    words = {"warm_start": True, "tol": tolerance, "max_iter": MAX_ITERATIONS}
    return LogisticRegression(class_weight="balanced", **words)
