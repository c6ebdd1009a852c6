"""How many labels a reference needs to be as good as an arm with few."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from jaxssl.evaluation.stats import pairs, rows_of

N_RESAMPLES = 2000
SEED = 0
LEVELS = (2.5, 97.5)
METRIC = "accuracy"
SAVED_COLUMNS = [
    *("dataset", "task", "arm", "reference", "metric", "share", "n_labelled", "score", "needed"),
    *("needed_low", "needed_high", "saved"),
]


def rise(curves: Float[np.ndarray, "curves shares"]) -> Float[np.ndarray, "curves shares"]:
    """The isotonic regression of each curve: the nearest one that nowhere falls.

    By its max-min formula (Robertson, Wright & Dykstra 1988), for all curves at once.
    """
    n = curves.shape[1]
    total = np.pad(np.cumsum(curves, axis=1), ((0, 0), (1, 0)))
    risen = np.empty_like(curves)
    for k in range(n):
        of_starts = [
            np.min([(total[:, j] - total[:, i]) / (j - i) for j in range(k + 1, n + 1)], axis=0)
            for i in range(k + 1)
        ]
        risen[:, k] = np.max(of_starts, axis=0)
    return risen


def labels_needed(
    n_labelled: Int[np.ndarray, " shares"],
    curves: Float[np.ndarray, "curves shares"],
    scores: Float[np.ndarray, " curves"],
) -> Float[np.ndarray, " curves"]:
    """Fewest labels at which each curve reaches its score.

    A curve is made to rise and runs straight between budgets over the logarithm of their size. The
    smallest budget where even that reaches the score, and inf where none does.
    """
    risen, curve = rise(curves), np.arange(len(curves))
    # the first budget that reaches it; sums that are equal on paper differ by rounding
    at = (risen < scores[:, None] - 1e-12).sum(axis=1)
    if len(n_labelled) == 1:
        return np.where(at == 0, float(n_labelled[0]), np.inf)
    above = np.clip(at, 1, len(n_labelled) - 1)  # the upper end of its stretch
    low, high = risen[curve, above - 1], risen[curve, above]
    part = (scores - low) / np.maximum(high - low, 1e-300)
    steps = np.diff(np.log(n_labelled))
    found = n_labelled[above - 1] * np.exp(np.clip(part, 0, 1) * steps[above - 1])
    found = np.where(at == 0, n_labelled[0], found)
    return np.where(at == len(n_labelled), np.inf, found)


def saved_table(
    results: pd.DataFrame, arms: Iterable[str], references: Sequence[str]
) -> pd.DataFrame:
    """Labels that every reference needs for what an arm reaches at each share (`SAVED_COLUMNS`)."""
    table: list[dict[str, Any]] = []
    by_task = rows_of(results, "test", [METRIC]).groupby(["dataset", "task"], sort=False)
    for (dataset, task), group in by_task:
        budgets = group.groupby("share")["n_labelled"].median().sort_index()
        curves = {
            str(arm): rows.pivot(index=["split", "seed"], columns="share", values="value")
            for arm, rows in group.groupby("arm")
        }
        by_arm = pd.concat(curves, axis=1).sort_index()  # the bootstrap draws by position
        for arm, reference, pair, _ in pairs(by_arm, arms, references):
            counts = budgets.loc[pair[reference].columns].to_numpy().astype(int)
            for share in pair[arm].columns if len(pair) else ():
                ours = pair[arm][share].to_numpy()
                needed, low, high = labels_saved(counts, pair[reference].to_numpy(), ours)
                n = int(budgets[share])
                table.append(
                    {"dataset": dataset, "task": task, "arm": arm, "reference": reference}
                    | {"metric": METRIC, "share": share, "n_labelled": n, "score": ours.mean()}
                    | {"needed": needed, "needed_low": low, "needed_high": high}
                    | {"saved": needed - n}
                )
    return pd.DataFrame(table, columns=SAVED_COLUMNS)


def labels_saved(
    n_labelled: Int[np.ndarray, " shares"],
    reference: Float[np.ndarray, "repetitions shares"],
    arm: Float[np.ndarray, " repetitions"],
) -> tuple[float, float, float]:
    """Labels that a reference needs for the mean score of an arm, and a 95 % bootstrap interval.

    inf where all that the reference was given are too few. The repetitions of both arms are drawn
    together; the interval is NaN below two of them.
    """
    (needed,) = labels_needed(n_labelled, reference.mean(axis=0)[None], arm.mean()[None])
    n = len(arm)
    if n < 2:
        return float(needed), float("nan"), float("nan")
    drawn = np.random.default_rng(SEED).integers(n, size=(N_RESAMPLES, n))
    found = labels_needed(n_labelled, reference[drawn].mean(axis=1), arm[drawn].mean(axis=1))
    # an order statistic, for there is nothing between a number and inf
    low, high = np.percentile(found, LEVELS, method="inverted_cdf")
    return float(needed), float(low), float(high)
