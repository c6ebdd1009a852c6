"""Whether columns beside samples hold what samples do: by their ranks, ranges and sums."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import rankdata

_ALIKE = 0.5  # rank correlation of two samples, of those that are alike
_FEWEST = 6  # genes to tell by
_FACTOR = 4.0  # between the ninth decile of a column and those of all samples
_SAME = 1e-3  # of numbers and whole ones
_EXACT = 3e-3  # of a column's spread: what rounding leaves of it beside a mean
_MONOTONE = 0.999  # rank correlation of a sample with itself, normalised
_MOST = 200  # columns that are held against each other

Column = Float[np.ndarray, " genes"]
Columns = Float[np.ndarray, "genes samples"]


def are_whole(cells: Float[np.ndarray, "rows columns"], within: float = _SAME) -> np.ndarray:
    """Which columns hold whole numbers alone, as far as these are known."""
    return np.all(~np.isfinite(cells) | (np.abs(cells - np.rint(cells)) < within), axis=0)


def core_of(cells: Columns) -> Bool[np.ndarray, " samples"]:
    """The columns whose genes come in one order: samples, where results stand beside them.

    All False where there are not two such, or fewer than a third of all.
    """
    cells = cells[np.isfinite(cells).all(axis=1)]
    none = np.zeros(cells.shape[1], bool)
    if len(cells) < _FEWEST or len(none) < 2:
        return none
    with np.errstate(divide="ignore", invalid="ignore"):  # NaN where all values are one
        are_alike = np.corrcoef(rankdata(cells, axis=0).T) >= _ALIKE
    core = are_alike[are_alike.sum(axis=1).argmax()]
    return core if core.sum() >= max(2, len(none) / 3) else none


def verdict(column: Column, samples: Columns) -> str:
    """Whether a column is a "result", a "sample", or "strange": of other numbers, yet alike.

    T and B cells are unlike those of the marrow, too: what is no sample has other numbers as well.

    Args:
        column: values that may be of a sample.
        samples: those of `core_of`, without the column itself.
    """
    known = np.isfinite(column) & np.isfinite(samples).all(axis=1)
    column, samples = column[known], samples[known]
    if len(column) < _FEWEST or not samples.shape[1]:
        return ""
    if column.min() == column.max():
        return "result" if column[0] else ""
    ranks = rankdata(samples, axis=0)
    sums = ranks.sum(axis=1)
    usual = [correlation(one, sums - one) for one in ranks.T] if ranks.shape[1] > 1 else [1]
    is_alike = correlation(rankdata(column), sums) >= np.median(usual) / 2
    if not has_other_numbers(column, samples):
        return "sample"
    return "strange" if is_alike else "result"


def has_other_numbers(column: Column, others: Columns) -> bool:
    """Whether it has signs, fractions or a size that no sample has."""
    if column.min() < 0 <= others.min():
        return True
    is_whole, are = are_whole(column[:, None])[0], are_whole(others)
    if (is_whole and not are.any()) or (not is_whole and are.all()):
        return True
    high, highs = np.quantile(column, 0.9), np.quantile(others, 0.9, axis=0)
    if high * _FACTOR < highs.min() or high > highs.max() * _FACTOR:
        return True
    return bool(column.min() > others.max() or column.max() < others.min())


def are_statistics(cells: Columns, looked_at: Bool[np.ndarray, " samples"]) -> np.ndarray:
    """Which columns are the mean, the least or the largest of several others, gene by gene.

    Genes without a value are left out, and copies of a column are no statistics.

    Args:
        cells: values of all columns that may be samples.
        looked_at: which of them to hold against the others.
    """
    found = np.zeros(cells.shape[1], bool)
    cells = cells[np.isfinite(cells).all(axis=1)]
    cells = cells[(cells != cells[:, :1]).any(axis=1)]
    if len(cells) < 2 * cells.shape[1] + 10 or cells.shape[1] > _MOST:
        return found
    for i in np.flatnonzero(looked_at):
        others = np.delete(cells, i, axis=1)
        found[i] = _is_mean(cells[:, i], others) or _is_picked(cells[:, i], others)
    return found


def _is_mean(column: Column, others: Columns) -> bool:
    weights = np.linalg.lstsq(others, column, rcond=1e-6)[0]
    members = weights > 0.5 * weights.max()
    n_members = int(members.sum())
    if not n_members >= 2 or np.abs(weights[members] * n_members - 1).max() > 0.1:
        return False
    left = column - others[:, members].mean(axis=1)
    return bool(column.std() > 0 and left.std() < _EXACT * column.std())


def _is_picked(column: Column, others: Columns) -> bool:
    """Whether it is the least or the largest of the columns that it is equal to somewhere."""
    same = np.isclose(others, column[:, None], rtol=1e-6, atol=0)
    members = same.mean(axis=0) > 0.1
    if not members.sum() >= 2 or same.mean(axis=0).max() > 0.9 or not same.any(axis=1).all():
        return False
    ends = (others[:, members].min(axis=1), others[:, members].max(axis=1))
    return any(bool(np.allclose(column, end, rtol=1e-5)) for end in ends)


def is_spread(column: Column, others: Columns) -> bool:
    """Whether a column is the standard deviation of the others."""
    known = np.isfinite(column) & np.isfinite(others).all(axis=1)
    column, others = column[known], others[known]
    if not len(column):
        return False
    exact = (others.std(axis=1, ddof=ddof) for ddof in (0, 1) if others.shape[1] > 1)
    return any(np.allclose(column, of_one, rtol=1e-2, atol=1e-3) for of_one in exact)


def are_of_their_own(first: Columns, second: Columns) -> bool:
    """Whether pairs of columns are two samples each, and not two measures of one.

    A measure keeps the order of the genes, or is on another scale.
    """
    known = np.isfinite(first).all(axis=1) & np.isfinite(second).all(axis=1)
    first, second = first[known], second[known]
    pairs: Sequence[tuple[Column, Column]] = list(zip(first.T, second.T, strict=True))
    alike = [correlation(rankdata(a), rankdata(b)) for a, b in pairs]
    if not pairs or not -1 <= np.median(alike) < _MONOTONE:
        return False
    return not any(has_other_numbers(b, a[:, None]) for a, b in pairs)


def correlation(a: Column, b: Column) -> float:
    """Pearson's; NaN where all values of one are the same."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.corrcoef(a, b)[0, 1])
