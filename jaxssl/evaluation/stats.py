"""Paired comparisons of arms, their intervals and tests.

The repetition is the unit: on one outer split a seed, on several the split, with the seeds of a
split averaged first (they share test samples, so they are no independent repetitions).
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import stats

from jaxssl.evaluation.intervals import score_interval, t_interval

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
MARGIN = 0.01  # of a score, within which two arms are called equivalent
ESTIMANDS = {False: "over seeds, on this split", True: "over outer splits, seeds averaged"}


def paired_statistics(
    results: pd.DataFrame,
    references: Sequence[str],
    metrics: Sequence[str],
    *,
    test_train_ratio: float = float("nan"),
) -> pd.DataFrame:
    """Every arm minus every reference at every share, on the test part (`STATISTICS_COLUMNS`).

    `p_holm` adjusts over all rows of one metric: data sets, arms, references and shares.
    """
    keys, rows = ["dataset", "task", "share", "metric"], []
    for key, group in rows_of(results, "test", metrics).groupby(keys):
        values = group.pivot(index=["split", "seed"], columns="arm", values="value")
        order = group["arm"].unique().tolist()
        arms = [arm for arm in order if arm not in (*references, FLOOR)]
        against = [arm for arm in order if arm in references]
        for row, pair in compare_pairs(values, arms, against, test_train_ratio):
            mean, reference_mean = pair.mean()
            row |= {"mean": mean, "reference_mean": reference_mean}
            rows.append(dict(zip(keys, key, strict=True)) | row)
    return adjust(pd.DataFrame(rows, columns=STATISTICS_COLUMNS))


def pairs(
    values: pd.DataFrame, arms: Iterable[str], references: Sequence[str]
) -> Iterator[tuple[str, str, pd.DataFrame, bool]]:
    """Every arm and every reference that `values` by (split, seed) has: both, as `repetitions`."""
    for arm, reference in itertools.product(arms, references):
        if arm in values and reference in values:
            # a seed that one arm lacks drops out of that pair only
            yield arm, reference, *repetitions(values[[arm, reference]].dropna())


def compare_pairs(
    values: pd.DataFrame,
    arms: Iterable[str],
    references: Sequence[str],
    test_train_ratio: float,
) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """The comparison of every pair, and what was compared: a row a repetition, arm and reference.

    `test_train_ratio` (n_test / n_train) corrects comparisons over several splits alone.
    """
    for arm, reference, pair, several in pairs(values, arms, references):
        difference = (pair[arm] - pair[reference]).to_numpy()
        found = compare(difference, test_train_ratio if several else float("nan"))
        yield {"arm": arm, "reference": reference, "estimand": ESTIMANDS[several]} | found, pair


def summarize(results: pd.DataFrame, tested: Mapping[str, int] | None = None) -> pd.DataFrame:
    """Mean and 95 % interval of every arm, share and metric on the test part: `score_interval`.

    `tested` is how many different test samples each class has; None: not known.
    """
    test = rows_of(results, "test", results["metric"].unique().tolist())
    keys = ["dataset", "task", "arm", "share", "metric"]
    rows = []
    for values, group in test.groupby(keys, sort=False):
        repetition = repetitions(group.set_index(["split", "seed"])[["value"]].dropna())[0]
        repetition = repetition["value"].to_numpy()
        low, high = score_interval(repetition, str(group["metric"].iloc[0]), tested)
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
    """Mean, 95 % interval, tests and d_z (the standardised mean) of paired differences.

    p_t is Student's paired t, p_wilcoxon the signed-rank test, p_equivalence that of two one-sided
    tests. With `test_train_ratio` = n_test / n_train, interval, p_nadeau_bengio and p_equivalence
    use the variance (1/J + n_test/n_train) s^2 of J overlapping training sets (Nadeau & Bengio
    2003, Machine Learning 52). A difference that is zero in every repetition has p = 1; the same
    non-zero number in every one leaves a test nothing to measure chance by: p is NaN.
    """
    p_equivalence = equivalence(difference, test_train_ratio)
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
        effect_size = mean / difference.std(ddof=1)
        t, p_wilcoxon = abs(effect_size) * np.sqrt(n), signed_ranks(difference)
        p_t, p_nadeau_bengio = 2 * stats.t.sf(t / np.sqrt([1.0, scale]), n - 1)
    return {
        **{"n": n, "difference": mean, "ci_low": low, "ci_high": high},
        **{"p_t": float(p_t), "p_wilcoxon": float(p_wilcoxon)},
        **{"p_nadeau_bengio": float(p_nadeau_bengio), "p_equivalence": p_equivalence},
        **{"effect_size": float(effect_size)},
    }


def signed_ranks(difference: Float[np.ndarray, " repetitions"]) -> float:
    """p of the signed-rank test (Wilcoxon 1945), exact with ties too; zeros are left out.

    Under the null hypothesis every rank has either sign. How many of the 2^n choices have each sum
    of positive ranks are the coefficients of a product of polynomials.

    >>> signed_ranks(np.array([1.0, 2.0, 2.0, 3.0]))
    0.125
    """
    difference = difference[difference != 0]
    ranks = (2 * stats.rankdata(abs(difference))).astype(int)  # a tied one may be a half
    chances = np.ones(1)
    for rank in ranks:
        chances = (np.pad(chances, (0, rank)) + np.pad(chances, (rank, 0))) / 2
    found = ranks[difference > 0].sum()
    return min(1.0, 2 * float(min(chances[: found + 1].sum(), chances[found:].sum())))


def equivalence(
    difference: Float[np.ndarray, " repetitions"], test_train_ratio: float = float("nan")
) -> float:
    """p of the two one-sided t tests that the mean difference is within ± `MARGIN` (TOST).

    Schuirmann 1987. NaN below two repetitions; without any spread, 0 or 1 as the difference lies
    inside or outside.
    """
    n = len(difference)
    if n < 2:
        return float("nan")
    scale = 1.0 if np.isnan(test_train_ratio) else 1.0 + n * test_train_ratio
    error = np.sqrt(scale * difference.var(ddof=1) / n)
    distance = MARGIN - abs(difference.mean())  # to the nearer bound, whose test has the larger p
    if error == 0:
        return float(distance <= 0)
    return float(stats.t.sf(distance / error, n - 1))


def repetitions(values: pd.DataFrame) -> tuple[pd.DataFrame, bool]:
    """Rows by (split, seed) -> one row per repetition, and whether there are several splits."""
    splits = values.index.get_level_values("split")
    if splits.nunique() < 2:
        return values, False
    return values.groupby(splits).mean(), True


def exactly(share: float) -> str:
    """A share as text that gives it back: two that are nearly the same stay apart."""
    text = f"{share:g}"
    return text if float(text) == share else repr(float(share))


def rows_of(results: pd.DataFrame, part: str, metrics: Sequence[str]) -> pd.DataFrame:
    """The rows of a held-out part in those metrics; of a key that occurs twice, the later one."""
    rows = results[(results["part"] == part) & results["metric"].isin(metrics)]
    return rows.drop_duplicates(KEY, keep="last")


def adjust(table: pd.DataFrame, declared: Any = slice(None)) -> pd.DataFrame:
    """Fill in `p_holm`: over the declared comparisons of each metric, of the p that decides.

    That is p_nadeau_bengio on several splits, p_t on one.
    """
    several = table["estimand"] == ESTIMANDS[True]
    p = table["p_nadeau_bengio"].where(several, table["p_t"]).astype(float)
    for _, family in p[declared].dropna().groupby(table["metric"]):
        table.loc[family.index, "p_holm"] = holm(family.to_numpy())
    return table


def holm(p: Float[np.ndarray, " tests"]) -> Float[np.ndarray, " tests"]:
    """P-values of one family, adjusted for their number (Holm 1979)."""
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(adjusted, 1)
