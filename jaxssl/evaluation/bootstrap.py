"""How much a difference owes to the test samples at hand: groups of them drawn anew."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy import stats

N_RESAMPLES = 2000
SEED = 0
BLOCK = 100  # resamples at once


def group_interval(
    difference: Float[np.ndarray, " samples"],
    codes: Int[np.ndarray, " samples"],
    groups: Sequence[str] | np.ndarray,
    *,
    balanced: bool,
    n_resamples: int = N_RESAMPLES,
) -> tuple[float, float]:
    """95 % percentile interval of a difference in (balanced) accuracy, groups drawn with return.

    Args:
        difference: per test sample, share of the seeds in which the arm is right minus that of the
            reference; the seeds are not drawn anew.
        codes: true classes; balanced accuracy is the mean over the classes that a draw holds.
        groups: of the samples; those of one group are drawn together.
        balanced: whether classes or samples count alike.
        n_resamples: draws, fixed by `SEED`.

    Returns:
        NaN below two groups.
    """
    _, group = np.unique(np.asarray(groups).astype(str), return_inverse=True)
    n_groups = int(group.max()) + 1
    if n_groups < 2:
        return float("nan"), float("nan")
    stratum = codes if balanced else np.zeros_like(codes)
    shape = (n_groups, int(stratum.max()) + 1)
    total, count = np.zeros(shape), np.zeros(shape)
    np.add.at(total, (group, stratum), difference)
    np.add.at(count, (group, stratum), 1)

    def statistic(drawn: Int[np.ndarray, "... groups"], axis: int) -> Float[np.ndarray, "..."]:
        del axis  # the last
        n = count[drawn].sum(axis=-2)
        with np.errstate(invalid="ignore"):
            return np.nanmean(total[drawn].sum(axis=-2) / n, axis=-1)

    found = stats.bootstrap(
        (np.arange(n_groups),),
        statistic,
        n_resamples=n_resamples,
        batch=BLOCK,
        method="percentile",
        rng=np.random.default_rng(SEED),
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)
