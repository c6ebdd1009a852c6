"""Paired comparisons of arms, their intervals and tests.

The repetition is the unit: on one outer split a seed, on several the split, with the seeds of a
split averaged first (they share test samples, so they are no independent repetitions).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import stats
from statsmodels.stats.multitest import multipletests

KEY = ["dataset", "task", "arm", "share", "seed", "split", "part", "metric"]
STATISTICS_COLUMNS = [
    *("dataset", "task", "arm", "reference", "share", "metric", "n", "mean", "reference_mean"),
    *("difference", "ci_low", "ci_high", "p_t", "p_wilcoxon", "p_nadeau_bengio", "p_holm"),
    *("effect_size", "estimand"),
]
SUMMARY_COLUMNS = [
    *("dataset", "task", "arm", "share", "n_labelled", "metric", "n", "mean", "ci_low", "ci_high"),
]
FLOOR = "majority"  # compared with nothing: every arm beats it
ERRORS = ("log_loss", "ece")  # metrics of which less is better
ALPHA = 0.05
ESTIMANDS = {False: "over seeds, on this split", True: "over outer splits, seeds averaged"}


def paired_statistics(
    results: pd.DataFrame,
    references: Sequence[str],
    metrics: Sequence[str],
    *,
    test_train_ratio: float = float("nan"),
) -> pd.DataFrame:
    """Every arm minus every reference at every share, on the test part (`STATISTICS_COLUMNS`).

    `p_t` is Student's paired t, `p_wilcoxon` the signed-rank test, `effect_size` the standardised
    mean difference d_z. With several splits, `p_nadeau_bengio` and the interval use the variance
    (1/J + n_test/n_train) s^2 (Nadeau & Bengio 2003, Machine Learning 52) where
    `test_train_ratio` = n_test/n_train is given. `p_holm` adjusts p_t (p_nadeau_bengio on several
    splits) over all rows of one metric: data sets, arms, references and shares.
    """
    test = _test_rows(results, metrics)
    rows: list[dict[str, Any]] = []
    for keys, group in test.groupby(["dataset", "task", "share", "metric"]):
        dataset, task, share, metric = keys
        values = group.pivot(index=["split", "seed"], columns="arm", values="value")
        values = values[group["arm"].unique()]
        for arm in values.columns.difference([*references, FLOOR], sort=False):
            for reference in values.columns.intersection(list(references), sort=False):
                # a seed that one arm lacks drops out of that pair only
                pair, several = repetitions(values[[arm, reference]].dropna())
                means = pair.mean()
                difference = (pair[arm] - pair[reference]).to_numpy()
                rows.append(
                    {"dataset": dataset, "task": task, "share": share, "metric": metric}
                    | {"arm": arm, "reference": reference, "estimand": ESTIMANDS[several]}
                    | {"mean": means[arm], "reference_mean": means[reference]}
                    | compare(difference, test_train_ratio if several else float("nan"))
                )
    return _adjust(pd.DataFrame(rows, columns=STATISTICS_COLUMNS))


def summarize(results: pd.DataFrame) -> pd.DataFrame:
    """Mean and 95 % t interval of every arm, share and metric on the test part."""
    test = _test_rows(results, results["metric"].unique().tolist())
    keys = ["dataset", "task", "arm", "share", "metric"]
    rows = []
    for values, group in test.groupby(keys, sort=False):
        repetition = repetitions(group.set_index(["split", "seed"])[["value"]].dropna())[0]
        repetition = repetition["value"].to_numpy()
        low, high = t_interval(repetition)
        rows.append(
            dict(zip(keys, values, strict=True))
            | {"n_labelled": int(group["n_labelled"].iloc[0]), "n": len(repetition)}
            | {"mean": repetition.mean() if len(repetition) else float("nan")}
            | {"ci_low": low, "ci_high": high}
        )
    return pd.DataFrame(rows, columns=SUMMARY_COLUMNS)


def compare(
    difference: Float[np.ndarray, " repetitions"], test_train_ratio: float = float("nan")
) -> dict[str, float | int]:
    """Mean, 95 % interval, tests and d_z of paired differences.

    Without `test_train_ratio` there is no correction and p_nadeau_bengio is NaN. A difference that
    is zero in every repetition has p = 1. One that is the same non-zero number in every repetition
    leaves a test nothing to measure chance by: p is NaN, as with fewer than two repetitions.
    """
    # k/n - m/n leaves 1e-17 behind, which would break ties and hide zeros from Wilcoxon
    difference = difference.round(12)
    n = len(difference)
    mean = float(difference.mean()) if n else float("nan")
    scale = 1.0 + n * test_train_ratio
    low, high = t_interval(difference, 1.0 if np.isnan(scale) else scale)
    if n < 2 or np.ptp(difference) == 0:
        p_t = p_wilcoxon = 1.0 if n > 1 and mean == 0 else float("nan")
        p_nadeau_bengio = float("nan") if np.isnan(scale) else p_t
        effect_size = float("nan")
    else:
        student: Any = stats.ttest_1samp(difference, 0.0)
        signed_ranks: Any = stats.wilcoxon(difference)
        p_t, p_wilcoxon = student.pvalue, signed_ranks.pvalue
        p_nadeau_bengio = 2 * stats.t.sf(abs(student.statistic) / np.sqrt(scale), n - 1)
        effect_size = mean / difference.std(ddof=1)
    return {
        **{"n": n, "difference": mean, "ci_low": low, "ci_high": high},
        **{"p_t": float(p_t), "p_wilcoxon": float(p_wilcoxon)},
        **{"p_nadeau_bengio": float(p_nadeau_bengio), "effect_size": float(effect_size)},
    }


def t_interval(
    values: Float[np.ndarray, " repetitions"], variance_scale: float = 1.0
) -> tuple[float, float]:
    """95 % t interval of the mean, NaN below two values; `variance_scale` multiplies s^2 / n."""
    n = len(values)
    if n < 2:
        return float("nan"), float("nan")
    half = stats.t.ppf(1 - ALPHA / 2, n - 1) * np.sqrt(variance_scale * values.var(ddof=1) / n)
    return float(values.mean() - half), float(values.mean() + half)


def drop_repeated(results: pd.DataFrame) -> pd.DataFrame:
    """Rows with each key once; tables are append-only, so a later row replaces an earlier."""
    return results.drop_duplicates(KEY, keep="last")


def repetitions(values: pd.DataFrame) -> tuple[pd.DataFrame, bool]:
    """Rows by (split, seed) -> one row per repetition, and whether there are several splits."""
    splits = values.index.get_level_values("split")
    if splits.nunique() < 2:
        return values, False
    return values.groupby(splits).mean(), True


def _test_rows(results: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    return drop_repeated(
        results[(results["part"] == "test") & results["metric"].isin(list(metrics))]
    )


def deciding_p(table: pd.DataFrame) -> "pd.Series[float]":
    """The p of each comparison that decides: p_nadeau_bengio on several splits, p_t on one."""
    several = table["estimand"] == ESTIMANDS[True]
    return table["p_nadeau_bengio"].where(several, table["p_t"]).astype(float)


def _adjust(table: pd.DataFrame) -> pd.DataFrame:
    for _, family in deciding_p(table).dropna().groupby(table["metric"]):
        table.loc[family.index, "p_holm"] = multipletests(family, method="holm")[1]
    return table
