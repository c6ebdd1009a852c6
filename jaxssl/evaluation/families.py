"""What transfers within families of cohorts come to: means, a fixed rival, paired differences.

A family counts once, whatever the number of its pairs. Pairs share cohorts and are not independent,
so intervals come from drawing the cohorts of every family anew.
"""

from typing import cast

import numpy as np
import pandas as pd
from jaxtyping import Float

from jaxssl.evaluation.transfer import ARMS

METRIC = "balanced_accuracy"
N_DRAWS = 2000
PIPELINE = ["arm", "frame"]
PAIR = ["family", "source", "target"]
HEAD = [*PIPELINE, "share", "reference", "reference_frame", "difference", "low", "high"]
"""Columns of `differences`, before those of the families."""


def of_pairs(rows: pd.DataFrame, metric: str = METRIC) -> "pd.Series[float]":
    """Mean over seeds, by pipeline, share and pair."""
    return rows.groupby([*PIPELINE, "share", *PAIR])[metric].mean()


def of_families(rows: pd.DataFrame, metric: str = METRIC) -> pd.DataFrame:
    """Mean over the pairs of a family: a row a pipeline and share, a column a family.

    A pipeline that lacks a family, or a pair of one, is left out: it cannot be fixed over all.
    """
    pairs = of_pairs(rows, metric).unstack(PAIR).dropna()
    return pairs.T.groupby(level="family").mean().T


def best_classical(rows: pd.DataFrame) -> tuple[str, str] | None:
    """Arm and frame of the classical pipeline with the best mean over families and shares.

    It is chosen on what is compared, which flatters it. None where there is no classical one.
    """
    means = of_families(rows).mean(axis=1).unstack("share").dropna().mean(axis=1)
    rivals = means[[is_classical(arm) for arm in means.index.get_level_values("arm")]]
    return None if rivals.empty else cast(tuple[str, str], rivals.idxmax())


def is_classical(arm: str) -> bool:
    """Whether an arm is a rival of one frame that anybody could use without jaxssl."""
    return arm in ARMS and ARMS[arm].is_classical


def differences(rows: pd.DataFrame, reference: tuple[str, str] | None) -> pd.DataFrame:
    """All pipelines but classical ones in one frame less a reference, in balanced accuracy.

    A row a pipeline and share: `difference` over families with its 95 % interval (`low`, `high`),
    and a column a family. Two cohorts cannot be drawn anew: where no family has more, the interval
    is not known (NaN), and beside larger families theirs adds no width.
    """
    families, found = sorted(set(rows["family"])), []
    columns = [*HEAD, *families]
    if reference is None:
        return pd.DataFrame(columns=columns)
    is_drawn = rows.groupby("family")["target"].nunique().max() > 2
    rival = of_pairs(rows[(rows["arm"] == reference[0]) & (rows["frame"] == reference[1])])
    rival = rival.droplevel([0, 1])
    for pipeline, own in rows.groupby(PIPELINE):
        arm, frame = cast(tuple[str, str], pipeline)
        if is_classical(arm):
            continue
        paired = (of_pairs(own).droplevel([0, 1]) - rival).dropna()
        for share, of_share in paired.groupby(level="share"):
            of_share = of_share.droplevel("share")
            means = of_share.groupby(level="family").mean()
            if len(of_share) < len(rival.xs(share, level="share")):
                continue
            rng = np.random.default_rng(0)
            drawn = [_redrawn(pairs, rng) for _, pairs in of_share.groupby(level="family")]
            low, high = np.quantile(np.mean(drawn, axis=0), [0.025, 0.975])
            low, high = (low, high) if is_drawn else (np.nan, np.nan)
            found.append([arm, frame, share, *reference, means.mean(), low, high, *means])
    return pd.DataFrame(found, columns=columns)


def _redrawn(of_pairs: "pd.Series[float]", rng: np.random.Generator) -> Float[np.ndarray, " draws"]:
    """Means of a family whose cohorts are drawn anew; a pair counts as often as both its cohorts.

    The source of a pair may be several cohorts; then it is the target that counts.
    """
    index = of_pairs.index
    sources, targets = index.get_level_values("source"), index.get_level_values("target")
    cohorts = sorted(set(targets))  # one that is a source by itself is a target, too
    n, at = len(cohorts), {name: i for i, name in enumerate(cohorts)}
    counts = rng.multinomial(n, np.full(n, 1 / n), size=N_DRAWS)
    weights = counts[:, [at[name] for name in targets]].astype(float)
    for column, name in enumerate(sources):
        if name in at:
            weights[:, column] *= counts[:, at[name]]
    total = weights.sum(axis=1)
    means = weights @ of_pairs.to_numpy() / np.maximum(total, 1)
    return np.where(total > 0, means, of_pairs.mean())  # no pair: the draw says nothing new
