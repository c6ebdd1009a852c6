"""All that is concluded from the results of a run, in tables that any results can give again."""

import itertools
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy import stats

from jaxssl.evaluation.all_labels import GROUPS, at_all_labels, names_of_samples
from jaxssl.evaluation.arms import in_all_frames
from jaxssl.evaluation.endpoint import endpoint, weights
from jaxssl.evaluation.labels_saved import saved_table
from jaxssl.evaluation.predictions import unpack
from jaxssl.evaluation.stats import FLOOR, paired_statistics

METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "ece", "auroc", "auprc", "mcc")
N_RESAMPLES = 2000
SEED = 0
BLOCK = 100  # resamples at once


class Conclusions(NamedTuple):
    """Tables of a run: comparisons by share, the endpoint, labels saved, all labels."""

    statistics: pd.DataFrame
    endpoint: pd.DataFrame
    saved: pd.DataFrame
    all_labels: pd.DataFrame


def conclude(
    results: pd.DataFrame,
    references: Sequence[str],
    read_predictions: Callable[[str, float], pd.DataFrame | None],
    groups: "pd.Series[str]",
    *,
    test_train_ratio: float = float("nan"),
) -> Conclusions:
    """Compare every arm that is no reference with every reference, in all its frames.

    `read_predictions` gives, of an arm and a share, sample_id, seed, label and p_CLASS… of the test
    part, if they were kept; `groups` the group of every test sample by its id, "" for a sample on
    its own. On several splits a sample has several partners, and the endpoint has no interval over
    test samples.
    """
    references = in_all_frames(references, results["arm"].unique())
    metrics = [metric for metric in METRICS if metric in set(results["metric"])]
    statistics = paired_statistics(results, references, metrics, test_train_ratio=test_train_ratio)
    tested = statistics["arm"].unique().tolist()
    primary = endpoint(results, tested, references, test_train_ratio=test_train_ratio)
    hits = lru_cache(maxsize=None)(lambda arm, share: _hits(read_predictions(arm, share)))
    primary[GROUPS] = float("nan")
    most, named = results["share"].max(), {}
    if len(results[["dataset", "task"]].drop_duplicates()) == 1:
        for arm in [arm for arm in results["arm"].unique() if arm != FLOOR]:
            found = read_predictions(arm, most)
            named |= {} if found is None else {arm: names_of_samples(found, groups)}
    ratio = {"test_train_ratio": test_train_ratio}
    at_all = at_all_labels(results, tested, references, named, **ratio)
    if results["split"].nunique() == 1:
        for table in (primary, at_all):
            _add_group_intervals(table, hits, groups)
    return Conclusions(statistics, primary, saved_table(results, tested, references), at_all)


def _add_group_intervals(
    table: pd.DataFrame, hits: Callable[[str, float], Any], groups: "pd.Series[str]"
) -> None:
    """Fill in the intervals over groups of test samples, where predictions were kept."""
    for i, row in table[table["reference"] != FLOOR].iterrows():
        shares = [float(share) for share in str(row["shares"]).split()]
        at = list(itertools.product((row["arm"], row["reference"]), shares))
        tables = [found for key in at if (found := hits(*key)) is not None]
        if len(tables) == len(at):
            table.loc[i, GROUPS] = endpoint_interval(tables, weights(shares), groups)


def endpoint_interval(
    tables: Sequence[pd.DataFrame], weight: Float[np.ndarray, " shares"], groups: "pd.Series[str]"
) -> tuple[float, float]:
    """95 % interval of the endpoint's difference over groups of test samples.

    `tables` are of `_hits`: of the arm at every share, then of the reference. The seeds are those
    that both have at all shares.
    """
    seeds = set.intersection(*(set(hits.columns) for hits in tables))
    means = pd.concat([hits[sorted(seeds)].mean(axis=1) for hits in tables], axis=1)
    difference = (means * [*weight, *-weight]).dropna().sum(axis=1)
    labels = difference.index.get_level_values("label")
    difference = difference.droplevel("label")
    group = groups.reindex(difference.index).fillna("")
    group = group.where(group != "", difference.index.to_series())
    return group_interval(difference.to_numpy(float), pd.factorize(labels)[0], group.to_numpy())


def _hits(predictions: pd.DataFrame | None) -> pd.DataFrame | None:
    """By label and id of a test sample, for every seed whether it names the label."""
    if predictions is None:
        return None
    table = predictions[["label", "sample_id", "seed"]].assign(hit=unpack(predictions).right)
    return table.pivot(index=["label", "sample_id"], columns="seed", values="hit")


def group_interval(
    difference: Float[np.ndarray, " samples"],
    codes: Int[np.ndarray, " samples"],
    groups: np.ndarray,
) -> tuple[float, float]:
    """95 % percentile interval of a difference in balanced accuracy, groups drawn with return.

    `difference` is per test sample: the share of the seeds in which the arm is right minus that of
    the reference. Balanced accuracy is the mean over the classes that a draw holds. NaN below two
    groups.
    """
    names, group = np.unique(groups.astype(str), return_inverse=True)
    n_groups = len(names)
    if n_groups < 2:
        return float("nan"), float("nan")
    total, count = np.zeros((2, n_groups, int(codes.max()) + 1))
    np.add.at(total, (group, codes), difference)
    np.add.at(count, (group, codes), 1)

    def statistic(drawn: Int[np.ndarray, "... groups"], axis: int) -> Float[np.ndarray, "..."]:
        del axis  # the last
        n = count[drawn].sum(axis=-2)
        with np.errstate(invalid="ignore"):
            return np.nanmean(total[drawn].sum(axis=-2) / n, axis=-1)

    found = stats.bootstrap(
        (np.arange(n_groups),),
        statistic,
        n_resamples=N_RESAMPLES,
        batch=BLOCK,
        method="percentile",
        rng=np.random.default_rng(SEED),
    )
    low, high = found.confidence_interval
    return float(low), float(high)
