"""Class-balanced logistic regression beside scikit-learn's, on the same folds and penalties.

Data have classes about centres in few of many directions, as expression has. scikit-learn is timed
twice: as precise as ours, and as it comes with a tolerance of 1e-3, which ends before it converges.
"""

from functools import partial

import numpy as np

from jaxssl.evaluation.baselines import task_of
from jaxssl.evaluation.paths import at_once, fit_paths, threads
from jaxssl.evaluation.problem import Problem
from jaxssl.evaluation.reference import fit_path
from jaxssl.evaluation.trials import Path

from .timing import Bench, Row, set_beside

N_CLASSES, N_OTHERS = 20, 2_000
RANK, SIGNAL = 30, 2.0  # of the centres, and how far they lie apart
PRECISE, LOOSE = 1e-6, 1e-3  # tolerances of scikit-learn


def measure(bench: Bench, n_features: int, n_labels: int, n_problems: int) -> Row:
    """Seconds a problem: penalty by held-out labels, fit of all, probabilities of others.

    "apart" is the mean absolute difference of probabilities from those of the precise fits of
    scikit-learn, each at the penalty that it chooses.
    """
    problems = [_problem(n_features, n_labels, seed) for seed in range(n_problems)]
    tasks = [task_of(problem) for problem in problems]

    def ours() -> list[np.ndarray]:
        found: list[np.ndarray] = []
        for start in range(0, len(tasks), at_once()):
            some = slice(start, start + at_once())
            fitted = zip(fit_paths(tasks[some]), problems[some], strict=True)
            found += [path(problem.x[problem.held_out]) for path, problem in fitted]
        return found

    def theirs(tolerance: float) -> list[Path]:
        paths = threads(partial(fit_path, tolerance=tolerance), [(task,) for task in tasks])
        for path, problem in zip(paths, problems, strict=True):
            path(problem.x[problem.held_out])
        return paths

    timings, _, _ = bench.interleave(
        {
            "jaxssl": ours,
            "sklearn_precise": partial(theirs, PRECISE),
            "sklearn_loose": partial(theirs, LOOSE),
        }
    )
    apart = [_apart(*of) for of in zip(problems, fit_paths(tasks), theirs(PRECISE), strict=True)]
    row = set_beside(timings, "s", 1 / n_problems)
    return row | {"folds": tasks[0].n_folds, "apart": float(np.mean(apart))}


def _problem(n_features: int, n_labels: int, seed: int) -> Problem:
    """Labelled rows, and others."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(N_CLASSES, size=n_labels + N_OTHERS)
    codes[: 2 * N_CLASSES] = np.tile(np.arange(N_CLASSES), 2)
    centres = rng.normal(size=(N_CLASSES, RANK)) @ rng.normal(size=(RANK, n_features))
    x = SIGNAL * centres[codes] / np.sqrt(RANK)
    x += rng.normal(size=x.shape) * np.geomspace(4, 0.5, n_features)
    rows = np.arange(len(codes))
    labelled, others = rows[:n_labels], rows[n_labels:]
    return Problem(x.astype(np.float32), codes[labelled], labelled, rows, others, seed)


def _apart(problem: Problem, path: Path, reference: Path) -> float:
    """How far probabilities of others are from those of scikit-learn, in the mean."""
    rows = problem.x[problem.held_out]
    return float(np.abs(path(rows) - reference(rows)).mean())
