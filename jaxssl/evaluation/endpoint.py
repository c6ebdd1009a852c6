"""The declared primary endpoint: the area under the label curve at few labels.

One number per arm and repetition, so that the claim "pretraining helps where labels are few" is one
comparison, made once, against the classical arm that did best on the validation part, in the frame
in which it did.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from jaxssl.evaluation.arms import is_classical
from jaxssl.evaluation.stats import MARGIN, adjust, compare_pairs, exactly, rows_of
from jaxssl.types import InputError

METRIC = "balanced_accuracy"
FROM_SHARE, TO_SHARE = 0.01, 0.1
CHOICE = ["value", "is_own", "arm"]  # of the opponent, the last; the later ones among equals
ENDPOINT_COLUMNS = [
    *("dataset", "task", "arm", "reference", "is_best", "metric", "shares", "n", "mean"),
    *("reference_mean", "difference", "ci_low", "ci_high", "p_t", "p_wilcoxon"),
    *("p_nadeau_bengio", "p_holm", "p_equivalence", "margin", "effect_size", "estimand"),
]


def shares_of_endpoint(shares: Sequence[float]) -> list[float]:
    """The tested shares of 1 to 10 %, in order."""
    return sorted(share for share in set(shares) if FROM_SHARE <= share <= TO_SHARE)


def require_shares(shares: Sequence[float]) -> None:
    """Refuse shares without one of the endpoint, by which trials are scored."""
    if not shares_of_endpoint(shares):
        raise InputError("a trial is scored at 1 to 10 % of the labels", "add such `shares`")


def weights(shares: Sequence[float]) -> Float[np.ndarray, " shares"]:
    """Weights that make a mean of scores the area under their curve, divided by its width.

    By the trapezoidal rule over the logarithm of the share, as the curves are drawn: a doubling of
    the labels counts the same wherever it happens. One share has all the weight.
    """
    if len(shares) == 1:
        return np.ones(1)
    x = np.log(shares)
    width = np.diff(x)
    return (np.append(width, 0) + np.insert(width, 0, 0)) / (2 * (x[-1] - x[0]))


def areas(results: pd.DataFrame, part: str, shares: Sequence[float] | None = None) -> pd.DataFrame:
    """Area of every arm, and of every repetition that has all shares: those of the endpoint."""
    tables = []
    by_task = rows_of(results, part, [METRIC]).groupby(["dataset", "task"], sort=False)
    for (dataset, task), group in by_task:
        tested = group["share"].unique().tolist()
        own = shares_of_endpoint(tested) if shares is None else sorted({*shares} & {*tested})
        if not own:
            continue
        curve = group.pivot(index=["split", "seed", "arm"], columns="share", values="value")
        value = curve[own].dropna() @ weights(own)
        table = pd.DataFrame({"value": value}).reset_index()
        tables.append(table.assign(dataset=str(dataset), task=str(task)))
    columns = ["dataset", "task", "split", "seed", "arm", "value"]
    return pd.concat(tables)[columns] if tables else pd.DataFrame(columns=columns)


def endpoint(
    results: pd.DataFrame,
    arms: Sequence[str],
    references: Sequence[str],
    *,
    test_train_ratio: float = float("nan"),
) -> pd.DataFrame:
    """The endpoint of every arm against every reference, on the test part (`ENDPOINT_COLUMNS`).

    `is_best` marks the comparison that was declared for an arm: against the classical arm that did
    best on the validation part. `p_holm` adjusts its deciding p over all declared ones, and is NaN
    of the others. Empty where no share of 1 to 10 % was tested.
    """
    shares = shares_of_endpoint(results["share"].unique().tolist())
    table = compare_areas(results, arms, references, shares, test_train_ratio=test_train_ratio)
    return adjust(table, table["is_best"].astype(bool))


def compare_areas(
    results: pd.DataFrame,
    arms: Sequence[str],
    references: Sequence[str],
    shares: Sequence[float],
    *,
    test_train_ratio: float = float("nan"),
) -> pd.DataFrame:
    """As `endpoint`, over any shares and without the adjusted p."""
    classical = results["arm"].isin([arm for arm in references if is_classical(arm)])
    on_validation = areas(results[classical], "validation", shares).groupby(
        ["dataset", "task", "arm"]
    )
    means = on_validation["value"].mean().dropna().reset_index("arm")
    # one training cohort cannot tell its own frame from that of the training: the study's counts
    means = means.assign(is_own=~means["arm"].str.contains("@")).sort_values(CHOICE)
    best = means.groupby(["dataset", "task"])["arm"].last().to_dict()
    same = {"metric": METRIC, "shares": " ".join(map(exactly, shares))}
    rows = []
    for key, group in areas(results, "test", shares).groupby(["dataset", "task"], sort=False):
        values = group.pivot(index=["split", "seed"], columns="arm", values="value")
        head = {"dataset": key[0], "task": key[1], "margin": MARGIN} | same
        for row, pair in compare_pairs(values, arms, references, test_train_ratio):
            row |= {"is_best": best.get(key) == row["reference"]}
            row |= {"mean": pair[row["arm"]].mean()}
            row |= {"reference_mean": pair[row["reference"]].mean()}
            rows.append(head | row)
    return pd.DataFrame(rows, columns=ENDPOINT_COLUMNS)
