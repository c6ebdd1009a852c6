"""All that is concluded from the results of a run, in tables that any results can give again."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from jaxssl.evaluation.bootstrap import group_interval
from jaxssl.evaluation.endpoint import METRIC, endpoint, shares_of_endpoint, weights
from jaxssl.evaluation.labels_saved import labels_saved
from jaxssl.evaluation.predictions import unpack
from jaxssl.evaluation.stats import drop_repeated, paired_statistics, repetitions

METRICS = (
    *("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "ece", "auroc", "auprc", "mcc"),
)
SAVED_COLUMNS = [
    *("dataset", "task", "arm", "reference", "metric", "share", "n_labelled", "score", "needed"),
    *("needed_low", "needed_high", "saved"),
]

ReadPredictions = Callable[[str, float], pd.DataFrame | None]
"""(arm, share) → sample_id, seed, label, p_CLASS… of the test part, if they were kept."""


class Conclusions(NamedTuple):
    """Tables of a run: comparisons by share, the primary endpoint, labels saved."""

    statistics: pd.DataFrame
    endpoint: pd.DataFrame
    saved: pd.DataFrame


def conclude(
    results: pd.DataFrame,
    references: Sequence[str],
    read_predictions: ReadPredictions,
    groups: "pd.Series[str]",
    *,
    test_train_ratio: float = float("nan"),
) -> Conclusions:
    """Compare every arm that is no reference with every reference.

    Args:
        results: rows of any number of data sets, splits and seeds.
        references: arms that others are set against.
        read_predictions: where the test probabilities are.
        groups: group of every test sample, indexed by sample id; "" is a sample on its own.
        test_train_ratio: n_test / n_train, for several splits.
    """
    metrics = [metric for metric in METRICS if metric in set(results["metric"])]
    statistics = paired_statistics(results, references, metrics, test_train_ratio=test_train_ratio)
    tested = statistics["arm"].unique().tolist()
    primary = endpoint(results, tested, references, test_train_ratio=test_train_ratio)
    hits = lru_cache(maxsize=None)(lambda arm, share: _hits(read_predictions(arm, share)))
    columns = ["group_low", "group_high"]
    primary[columns] = float("nan")
    if results["split"].nunique() == 1:
        for i, row in primary.iterrows():
            at = str(row["arm"]), str(row["reference"]), str(row["shares"])
            primary.loc[i, columns] = endpoint_interval(*at, hits, groups)
    return Conclusions(statistics, primary, saved_table(results, tested, references))


def endpoint_interval(
    arm: str,
    reference: str,
    shares: str,
    read_hits: ReadPredictions,
    groups: "pd.Series[str]",
) -> tuple[float, float]:
    """95 % interval of the endpoint's difference over groups of test samples; NaN without them.

    The seeds are those that both arms have at all shares. On several splits a sample has several
    partners to be compared with, and there is no such interval.

    Args:
        arm: under test.
        reference: what it is compared with.
        shares: of the endpoint, as `endpoint` writes them.
        read_hits: (arm, share) → by label and sample id, for every seed whether it is right.
        groups: by sample id.
    """
    at = shares_of_endpoint([float(share) for share in shares.split()])
    weight = weights(at)
    found = [read_hits(name, share) for name in (arm, reference) for share in at]
    tables = [hits for hits in found if hits is not None]
    if len(tables) < len(found):
        return float("nan"), float("nan")
    seeds = set.intersection(*(set(hits.columns) for hits in tables))
    means = pd.concat([hits[sorted(seeds)].mean(axis=1) for hits in tables], axis=1)
    difference = (means * [*weight, *-weight]).dropna().sum(axis=1)
    labels = difference.index.get_level_values("label")
    difference = difference.droplevel("label")
    group = groups.reindex(difference.index).fillna("")
    group = group.where(group != "", difference.index.to_series())
    return group_interval(
        difference.to_numpy(float),
        pd.factorize(labels)[0],
        group.to_numpy(),
        balanced=METRIC == "balanced_accuracy",
    )


def _hits(predictions: pd.DataFrame | None) -> pd.DataFrame | None:
    """By label and id of a test sample, for every seed whether it names the label."""
    if predictions is None:
        return None
    table = predictions[["label", "sample_id", "seed"]].assign(hit=unpack(predictions).right)
    return table.pivot(index=["label", "sample_id"], columns="seed", values="hit")


def saved_table(
    results: pd.DataFrame, arms: Iterable[str], references: Sequence[str], metric: str = "accuracy"
) -> pd.DataFrame:
    """Labels that every reference needs for what an arm reaches at each share (`SAVED_COLUMNS`)."""
    rows = drop_repeated(results[(results["part"] == "test") & (results["metric"] == metric)])
    table: list[dict[str, Any]] = []
    for (dataset, task), group in rows.groupby(["dataset", "task"], sort=False):
        budgets = group.groupby("share")["n_labelled"].median().sort_index()
        curves = {str(arm): _curve(of_arm) for arm, of_arm in group.groupby("arm")}
        for arm in arms:
            for reference in references:
                if arm not in curves or reference not in curves:
                    continue
                pair, _ = repetitions(
                    pd.concat({arm: curves[arm], reference: curves[reference]}, axis=1).dropna()
                )
                if pair.empty:
                    continue
                theirs: Float[np.ndarray, "repetitions shares"] = pair[reference].to_numpy()
                counts = budgets.loc[pair[reference].columns].to_numpy().astype(int)
                for share in pair[arm].columns:
                    ours = pair[arm][share].to_numpy()
                    found = labels_saved(counts, theirs, ours)
                    n = int(budgets[share])
                    table.append(
                        {"dataset": dataset, "task": task, "arm": arm, "reference": reference}
                        | {"metric": metric, "share": share, "n_labelled": n}
                        | {"score": ours.mean(), "needed": found.needed}
                        | {"needed_low": found.low, "needed_high": found.high}
                        | {"saved": found.needed - n}
                    )
    return pd.DataFrame(table, columns=SAVED_COLUMNS)


def _curve(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.pivot(index=["split", "seed"], columns="share", values="value")
