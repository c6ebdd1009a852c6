"""Paired comparisons of arms, their intervals and tests, and what may be said of them.

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
VERBS = {"wins": "beats", "undecided": "is undecided against", "loses": "loses to"}
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
                pair, several = _repetitions(values[[arm, reference]].dropna())
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
        repetition = _repetitions(group.set_index(["split", "seed"])[["value"]].dropna())[0]
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


def best_reference(statistics: pd.DataFrame, arm: str, metric: str) -> pd.DataFrame:
    """The rows of `arm` against the reference with the best mean at each share, by share."""
    rows = statistics[(statistics["arm"] == arm) & (statistics["metric"] == metric)]
    rank = rows["reference_mean"] * (-1 if metric in ERRORS else 1)
    best = rank.groupby([rows["dataset"], rows["task"], rows["share"]]).idxmax()
    return rows.loc[best].sort_values("share")


def verdict(row: "pd.Series[Any]") -> str:
    """ "wins" or "loses" where interval and Holm-adjusted p both exclude chance, or "undecided"."""
    sign = -1 if row["metric"] in ERRORS else 1
    excludes_zero = row["ci_low"] > 0 or row["ci_high"] < 0
    if not (excludes_zero and row["p_holm"] <= ALPHA):
        return "undecided"
    return "wins" if sign * row["difference"] > 0 else "loses"


def headline(statistics: pd.DataFrame, arm: str, metric: str = "accuracy") -> str:
    """One sentence on `arm` against the best of the references at each share, for one task.

    The reference is picked by its mean on the test part, which favours the references.
    """
    rows = best_reference(statistics, arm, metric)
    verdicts = rows.apply(verdict, axis=1)
    references = statistics.loc[statistics["arm"] == arm, "reference"].unique().tolist()
    opponent = references[0] if len(references) == 1 else f"the best of {_and(references)}"
    name, clauses = metric.replace("_", " "), []
    for word, verb in VERBS.items():
        chosen = rows[verdicts == word]
        if not chosen.empty:
            first = chosen.iloc[0]
            object_, of = (
                ("it", "") if clauses else (f"{opponent} in test {name}", " of the labels")
            )
            at = "" if len(chosen) == 1 else f"at {percent(first['share'])}: "
            shares = _and(_spans(chosen["share"].tolist(), rows["share"].tolist()))
            clauses.append(f"{verb} {object_} at {shares} %{of} ({at}{_interval(first)})")
    n = sorted(rows["n"].unique())
    unit = "seeds on this split" if (rows["estimand"] == ESTIMANDS[False]).all() else "splits"
    counts = f"{n[0]}" if len(n) == 1 else f"{n[0]} to {n[-1]}"
    return f"Over {counts} {unit}, {arm} {_and(clauses, ' and ')}."


def percent(share: float) -> str:
    """A share in words: 0.01 is "1 %"."""
    return f"{100 * share:g} %"


def _spans(shares: Sequence[float], tested: Sequence[float]) -> list[str]:
    """Shares in per cent; a run of four or more that were tested in a row is "first to last"."""
    runs: list[list[float]] = []
    for share in shares:
        follows = runs and tested.index(share) == tested.index(runs[-1][-1]) + 1
        if follows:
            runs[-1].append(share)
        else:
            runs.append([share])
    spans: list[str] = []
    for run in runs:
        texts = [f"{100 * share:g}" for share in run]
        spans += texts if len(run) < 4 else [f"{texts[0]} to {texts[-1]}"]
    return spans


def _interval(row: "pd.Series[Any]") -> str:
    scale, unit = (1, "") if row["metric"] == "log_loss" else (100, " points")
    numbers = [scale * float(row[name]) for name in ("difference", "ci_low", "ci_high")]
    digits = 3 if scale == 1 else 1
    mean, low, high = (f"{number:+.{digits}f}" for number in numbers)
    difference = f"{mean}{unit} against {row['reference']}"
    if np.isnan(numbers[1]):
        return difference
    return f"{difference}, 95 % interval {low} to {high}, Holm p {row['p_holm']:.1g}"


def _and(words: Sequence[str], last: str = " and ") -> str:
    words = list(words)
    return last.join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _test_rows(results: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    test = results[(results["part"] == "test") & results["metric"].isin(list(metrics))]
    return test.drop_duplicates(KEY, keep="last")  # append-only: a later row replaces an earlier


def _repetitions(values: pd.DataFrame) -> tuple[pd.DataFrame, bool]:
    """Rows by (split, seed) -> one row per repetition, and whether there are several splits."""
    splits = values.index.get_level_values("split")
    if splits.nunique() < 2:
        return values, False
    return values.groupby(splits).mean(), True


def _adjust(table: pd.DataFrame) -> pd.DataFrame:
    several = table["estimand"] == ESTIMANDS[True]
    p = table["p_nadeau_bengio"].where(several, table["p_t"])
    p = p.astype(float)
    for _, family in p.dropna().groupby(table["metric"]):
        table.loc[family.index, "p_holm"] = multipletests(family, method="holm")[1]
    return table
