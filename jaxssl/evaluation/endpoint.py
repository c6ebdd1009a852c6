"""The declared primary endpoint: the area under the label curve at few labels.

One number per arm and repetition, so that the claim "pretraining helps where labels are few" is one
comparison, made once, against the classical arm that did best on the validation part.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import stats as distributions
from statsmodels.stats.multitest import multipletests

from jaxssl.evaluation.arms import CLASSICAL
from jaxssl.evaluation.stats import ESTIMANDS, compare, deciding_p, drop_repeated, repetitions

METRIC = "balanced_accuracy"
FROM_SHARE, TO_SHARE = 0.01, 0.1
MARGIN = 0.01  # of the endpoint, within which two arms are called equivalent
ENDPOINT_COLUMNS = [
    *("dataset", "task", "arm", "reference", "is_best", "metric", "shares", "n", "mean"),
    *("reference_mean", "difference", "ci_low", "ci_high", "p_t", "p_wilcoxon"),
    *("p_nadeau_bengio", "p_holm", "p_equivalence", "margin", "effect_size", "estimand"),
]


def shares_of_endpoint(shares: Sequence[float]) -> list[float]:
    """The tested shares of 1 to 10 %, in order."""
    return sorted(share for share in set(shares) if FROM_SHARE <= share <= TO_SHARE)


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


def areas(results: pd.DataFrame, part: str) -> pd.DataFrame:
    """Area of every arm and repetition: dataset, task, split, seed, arm, value.

    A repetition that lacks a share has none.
    """
    rows = results[(results["part"] == part) & (results["metric"] == METRIC)]
    rows = drop_repeated(rows)
    tables = []
    for (dataset, task), group in rows.groupby(["dataset", "task"], sort=False):
        shares = shares_of_endpoint(group["share"].unique().tolist())
        if not shares:
            continue
        curve = group.pivot(index=["split", "seed", "arm"], columns="share", values="value")
        value = curve[shares].dropna() @ weights(shares)
        table = pd.DataFrame({"value": value}).reset_index()
        tables.append(table.assign(**{"dataset": str(dataset), "task": str(task)}))
    columns = ["dataset", "task", "split", "seed", "arm", "value"]
    return pd.concat(tables)[columns] if tables else pd.DataFrame(columns=columns)


def best_classical(results: pd.DataFrame, classical: Sequence[str]) -> dict[tuple[str, str], str]:
    """By data set and task, the classical arm with the largest mean area on the validation part."""
    areas_of = areas(results[results["arm"].isin(list(classical))], "validation")
    means = areas_of.groupby(["dataset", "task", "arm"])["value"].mean().dropna()
    table = (
        means.reset_index().sort_values("value").drop_duplicates(["dataset", "task"], keep="last")
    )
    return {
        (str(dataset), str(task)): str(arm)
        for dataset, task, arm in zip(table["dataset"], table["task"], table["arm"], strict=True)
    }


def endpoint(
    results: pd.DataFrame,
    arms: Sequence[str],
    references: Sequence[str],
    *,
    test_train_ratio: float = float("nan"),
) -> pd.DataFrame:
    """The endpoint of every arm against every reference, on the test part (`ENDPOINT_COLUMNS`).

    `is_best` marks the comparison that was declared for an arm: against the classical arm that did
    best on the validation part. `p_holm` adjusts its p_t (p_nadeau_bengio on several splits) over
    all declared ones, and is NaN of the others. `p_equivalence` is the p of two one-sided t tests
    (TOST) that the difference lies within `MARGIN` of 0. Empty where no share of 1 to 10 % was
    tested.
    """
    best = best_classical(results, [arm for arm in references if arm in CLASSICAL])
    shares = shares_of_endpoint(results["share"].unique().tolist())
    described = " ".join(f"{share:g}" for share in shares)
    rows: list[dict[str, Any]] = []
    for (dataset, task), group in areas(results, "test").groupby(["dataset", "task"], sort=False):
        values = group.pivot(index=["split", "seed"], columns="arm", values="value")
        for arm in (arm for arm in arms if arm in values):
            for reference in (arm for arm in references if arm in values):
                pair, several = repetitions(values[[arm, reference]].dropna())
                difference = (pair[arm] - pair[reference]).to_numpy()
                ratio = test_train_ratio if several else float("nan")
                rows.append(
                    {"dataset": dataset, "task": task, "arm": arm, "reference": reference}
                    | {
                        "is_best": best.get((str(dataset), str(task))) == reference,
                        "metric": METRIC,
                    }
                    | {"shares": described, "margin": MARGIN, "estimand": ESTIMANDS[several]}
                    | {"mean": pair[arm].mean(), "reference_mean": pair[reference].mean()}
                    | {"p_equivalence": equivalence(difference, MARGIN, ratio)}
                    | compare(difference, ratio)
                )
    table = pd.DataFrame(rows, columns=ENDPOINT_COLUMNS)
    p = deciding_p(table)[table["is_best"].astype(bool)].dropna()
    if len(p):
        table.loc[p.index, "p_holm"] = multipletests(p, method="holm")[1]
    return table


def equivalence(
    difference: Float[np.ndarray, " repetitions"],
    margin: float,
    test_train_ratio: float = float("nan"),
) -> float:
    """p of the two one-sided t tests that the mean difference lies within ± `margin`.

    Schuirmann 1987. With `test_train_ratio` the variance is Nadeau and Bengio's. NaN below two
    repetitions; without any spread, 0 or 1 as the difference lies inside or outside.
    """
    n = len(difference)
    if n < 2:
        return float("nan")
    scale = 1.0 if np.isnan(test_train_ratio) else 1.0 + n * test_train_ratio
    error = np.sqrt(scale * difference.var(ddof=1) / n)
    distance = margin - abs(difference.mean())  # to the nearer bound, whose test has the larger p
    if error == 0:
        return float(distance <= 0)
    return float(distributions.t.sf(distance / error, n - 1))
