"""Whether columns beside samples hold what samples do: by their ranks, ranges and sums."""

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy.stats import rankdata

_ALIKE = 0.5  # rank correlation of two samples, of those that are alike
_FEWEST = 6  # genes to tell by
_FACTOR = 4.0  # between the ninth decile of a column and those of all samples
_SAME = 1e-3  # of numbers and whole ones
_EXACT = 3e-3  # of a column's spread: what rounding leaves of it beside a mean
_MONOTONE = 0.999  # rank correlation of a sample with itself, normalised
MOST = 200  # columns that are held against each other

Column = Float[np.ndarray, " genes"]
Columns = Float[np.ndarray, "genes samples"]


def are_whole(cells: Float[np.ndarray, "rows columns"], within: float = _SAME) -> np.ndarray:
    """Which columns hold whole numbers alone, as far as these are known."""
    return np.all(~np.isfinite(cells) | (np.abs(cells - np.rint(cells)) < within), axis=0)


def core_of(cells: Columns) -> Bool[np.ndarray, " samples"]:
    """The columns whose genes come in one order: samples, where results stand beside them.

    All False where there are not two such, or fewer than a third of all.
    """
    none = np.zeros(cells.shape[1], bool)
    if len(cells) < _FEWEST or len(none) < 2:
        return none
    ranks = pd.DataFrame(cells).corr("spearman", min_periods=_FEWEST)  # of genes that both have
    are_alike = ranks.to_numpy() >= _ALIKE
    core = are_alike[are_alike.sum(axis=1).argmax()]
    return core if core.sum() >= max(2, len(none) / 3) else none


def _known(
    column: Column, others: Columns, n_needed: int = _FEWEST
) -> tuple[Float[np.ndarray, " known"], Float[np.ndarray, "known some"]]:
    """Genes that all have; where these are too few, as in proteomics, that most of them have."""
    has = np.isfinite(column)
    column, others = column[has], others[has]
    n_known = np.isfinite(others).sum(axis=1)
    kept = n_known == others.shape[1]
    kept = kept if kept.sum() >= n_needed else 2 * n_known >= others.shape[1]
    column, others = column[kept], others[kept]
    return column, others[:, np.isfinite(others).any(axis=0)]


def _filled(cells: Columns) -> Columns:
    """With the median of the other columns where a value is missing."""
    missing = ~np.isfinite(cells)
    if not missing.any():
        return cells
    return np.where(missing, np.nanmedian(cells, axis=1, keepdims=True), cells)


def verdict(column: Column, samples: Columns) -> str:
    """Whether a column is a "result", a "sample", or "strange": of other numbers, yet alike.

    T and B cells are unlike those of the marrow, too: what is no sample has other numbers as well.

    Args:
        column: values that may be of a sample.
        samples: those of `core_of`, without the column itself.
    """
    column, samples = _known(column, samples)
    if len(column) < _FEWEST or not samples.shape[1]:
        return ""
    if column.min() == column.max():
        return "result" if column[0] else ""
    ranks = rankdata(_filled(samples), axis=0)
    sums = ranks.sum(axis=1)
    usual = [correlation(one, sums - one) for one in ranks.T] if ranks.shape[1] > 1 else [1]
    is_alike = correlation(rankdata(column), sums) >= np.median(usual) / 2
    if not has_other_numbers(column, samples):
        return "sample"
    return "strange" if is_alike else "result"


def has_other_numbers(column: Column, others: Columns) -> bool:
    """Whether it has signs, fractions or a size that no sample has."""
    lowest, highest = np.nanmin(others), np.nanmax(others)
    if column.min() < 0 <= lowest:
        return True
    is_whole, are = are_whole(column[:, None])[0], are_whole(others)
    if (is_whole and not are.any()) or (not is_whole and are.all()):
        return True
    high, highs = np.quantile(column, 0.9), np.nanquantile(others, 0.9, axis=0)
    if high * _FACTOR < np.nanmin(highs) or high > np.nanmax(highs) * _FACTOR:
        return True
    return bool(column.min() > highest or column.max() < lowest)


def are_statistics(cells: Columns, looked_at: Bool[np.ndarray, " samples"]) -> np.ndarray:
    """Which columns are the mean, the least or the largest of several others, gene by gene.

    Genes without a value are left out, and copies of a column are no statistics.

    Args:
        cells: values of all columns that may be samples.
        looked_at: which of them to hold against the others.
    """
    found = np.zeros(cells.shape[1], bool)
    n_needed = 2 * cells.shape[1] + 10
    cells = cells[np.fmin.reduce(cells, axis=1) < np.fmax.reduce(cells, axis=1)]
    if len(cells) < n_needed or cells.shape[1] > MOST:
        return found
    for i in np.flatnonzero(looked_at):
        column, others = _known(cells[:, i], np.delete(cells, i, axis=1), n_needed)
        if len(column) >= n_needed:
            found[i] = _is_mean(column, others) or _is_picked(column, others)
    return found


def _is_mean(column: Column, others: Columns) -> bool:
    """Whether it is the mean of several, or of those of them that a gene has."""
    is_missing = np.isnan(others)
    filled = np.where(is_missing, column[:, None], others)  # which leaves a mean what it is
    weights = np.linalg.lstsq(filled, column, rcond=1e-6)[0]
    members = weights > 0.5 * weights.max()
    n_members = int(members.sum())
    if not n_members >= 2 or np.abs(weights[members] * n_members - 1).max() > 0.1:
        return False
    has = ~is_missing[:, members].all(axis=1)
    if 2 * has.sum() < has.size:
        return False
    left = column[has] - np.nanmean(others[has][:, members], axis=1)
    return bool(column.std() > 0 and left.std() < _EXACT * column.std())


def _is_picked(column: Column, others: Columns) -> bool:
    """Whether it is the least or the largest of the columns that it is equal to somewhere."""
    same = np.isclose(others, column[:, None], rtol=1e-6, atol=0)
    members = same.mean(axis=0) > 0.1
    if not members.sum() >= 2 or same.mean(axis=0).max() > 0.9 or not same.any(axis=1).all():
        return False
    ends = (np.fmin.reduce(others[:, members], axis=1), np.fmax.reduce(others[:, members], axis=1))
    return any(bool(np.allclose(column, end, rtol=1e-5)) for end in ends)


def is_spread(column: Column, others: Columns) -> bool:
    """Whether a column is the standard deviation of the others."""
    column, others = _known(column, others)
    if not len(column) or others.shape[1] < 2:
        return False
    exact = (np.nanstd(others, axis=1, ddof=ddof) for ddof in (0, 1))
    return any(np.allclose(column, of_one, rtol=1e-2, atol=1e-3) for of_one in exact)


def are_of_their_own(first: Columns, second: Columns) -> bool:
    """Whether pairs of columns are two samples each, and not two measures of one.

    A measure keeps the order of the genes, or is on another scale.
    """
    pairs: list[tuple[Column, Column]] = []
    for a, b in zip(first.T, second.T, strict=True):
        both = np.isfinite(a) & np.isfinite(b)
        pairs += [(a[both], b[both])] if both.any() else []
    alike = [correlation(rankdata(a), rankdata(b)) for a, b in pairs]
    if not pairs or not -1 <= np.median(alike) < _MONOTONE:
        return False
    return not any(has_other_numbers(b, a[:, None]) for a, b in pairs)


def correlation(a: Column, b: Column) -> float:
    """Pearson's; NaN where all values of one are the same."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.corrcoef(a, b)[0, 1])
