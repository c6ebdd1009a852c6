"""What a gene's value is relative to: the training samples, its own cohort, its sample, or both.

A cohort is the samples of one laboratory, platform and processing: those of one batch, and those of
a new file. Its frame needs no label, but samples enough to say what is usual there.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float, Float32
from scipy.special import ndtri

from jaxssl.data.backed import Backed, Expression, select
from jaxssl.data.moments import moments
from jaxssl.data.scale import LOG_RATIO
from jaxssl.types import Frame, InputError

MIN_COHORT = 10  # samples, below which a cohort has no frame of its own
OTHER = "\N{NULL}new"  # no name that a cohort can have
FLAT = 1e-6  # standard deviation of a gene that does not vary

Cohorts = Sequence[str] | np.ndarray


def normal_scores(x: Expression) -> Expression:
    """Every value by its rank within the sample, as the quantile of a normal distribution.

    Equal values share their mean rank (Blom 1958); what the sample lacks (NaN) stays so.
    """
    if isinstance(x, Backed):
        return x.map(lambda block, _: normal_scores(block))
    from scipy.stats import rankdata  # here: it is slow to import

    out = np.empty(x.shape, np.float32)
    known = ~np.isnan(x).all(axis=0)
    n = int(known.sum())
    out[:, ~known] = np.nan
    out[:, known] = ndtri((rankdata(x[:, known], axis=1) - 3 / 8) / (n + 1 / 4))
    return out


def check_cohorts(cohorts: Cohorts) -> None:
    """Refuse cohorts, one named a sample, of too few samples for a frame of their own."""
    found, sizes = np.unique(np.asarray(cohorts, str), return_counts=True)
    shown = [name_of(name) or "without a name" for name in found]
    small = [f"{name} ({n})" for name, n in zip(shown, sizes, strict=True) if n < MIN_COHORT]
    if small:
        raise InputError(
            f"{len(small)} of {len(found)} cohorts have fewer than {MIN_COHORT} samples (first: "
            f"{small[0]}), too few to say what is usual in them",
            "name a coarser column with `batch`, or pass `normalize.frame=rank`",
        )


def fit_cohorts(
    x: Expression, cohorts: Cohorts
) -> tuple[
    tuple[str, ...],
    Float32[np.ndarray, "cohorts genes"],
    Float32[np.ndarray, "cohorts genes"],
]:
    """Names of the cohorts, in order, with mean and deviation of every gene in each.

    A deviation is 0 where the gene does not vary.
    """
    check_cohorts(cohorts)
    names = np.asarray(cohorts, str)
    found = np.unique(names)
    means, scales = np.empty((2, len(found), x.shape[1]), np.float32)
    for i, name in enumerate(found):
        means[i], scales[i] = moments(select(x, names == name))
    return tuple(map(str, found)), means, np.where(scales > FLAT, scales, 0)


def fit_frame(x: Expression, name: str, cohorts: Cohorts | None) -> tuple[Expression, Frame]:
    """Training rows (log2 scale) in a frame, and the frame; by default they are of one cohort."""
    x = normal_scores(x) if name.startswith("rank") else x
    if not name.endswith("cohort"):
        return x, Frame(name)
    own = np.full(len(x), "") if cohorts is None else np.asarray(cohorts, str)
    frame = Frame(name, *fit_cohorts(x, own))
    return _placed(frame, None, x, own), frame


def name_of(cohort: str) -> str:
    """A cohort's name as the user gave it."""
    return str(cohort).removeprefix(OTHER)


def each(cohorts: Cohorts | None, n: int) -> Iterator[tuple[str, Bool[np.ndarray, " samples"]]]:
    """Every cohort of `n` samples, with which of them are its own; a single one has no name."""
    if cohorts is None:
        yield "", np.ones(n, bool)
        return
    names = np.asarray(cohorts, str)
    for name in np.unique(names):
        yield str(name), names == name


def takes(frame: Frame, found: str, scale: str) -> bool:
    """Whether values on the scale `found` can be put beside those of another in a frame.

    Logarithms of counts, intensities and ratios differ by a constant a gene, which the frame of a
    cohort takes out; ranks within a sample only where none of both are ratios.
    """
    if found == scale or frame.name.endswith("cohort"):
        return True
    return frame.name == "rank" and LOG_RATIO not in (found, scale)


def to_frame(frame: Frame, x: Expression, cohorts: Cohorts | None = None) -> Expression:
    """Log2 expression in a frame.

    A cohort of the training has the frame that it had there, so that a sample is the same whatever
    others are beside it; any other has its own. Without `cohorts`, all are of one other.
    """
    x = normal_scores(x) if frame.name.startswith("rank") else x
    if not frame.name.endswith("cohort"):
        return x
    names = np.full(len(x), OTHER) if cohorts is None else np.asarray(cohorts, str)
    is_other = ~np.isin(names, frame.cohorts)
    others = None
    if is_other.any():
        others = Frame(frame.name, *fit_cohorts(select(x, is_other), names[is_other]))
    return _placed(frame, others, x, names)


def _placed(frame: Frame, others: Frame | None, x: Expression, names: np.ndarray) -> Expression:
    """Standardised by cohort, in one of two frames; `names` of the cohorts of all samples."""
    if isinstance(x, Backed):
        return x.map(lambda block, rows: _placed(frame, others, block, names[rows]))
    if others is None:
        return _within(frame, x, names)
    is_known, out = np.isin(names, frame.cohorts), np.empty(x.shape, np.float32)
    for rows, own in ((is_known, frame), (~is_known, others)):
        if rows.any():
            out[rows] = _within(own, x[rows], names[rows])
    return out


def _within(
    frame: Frame, x: Float[np.ndarray, "samples genes"], cohorts: np.ndarray
) -> Float[np.ndarray, "samples genes"]:
    """Standardised by cohort; a gene that does not vary in a cohort is at its mean."""
    assert frame.mean is not None
    assert frame.scale is not None
    at = np.searchsorted(frame.cohorts, cohorts)
    scale = frame.scale[at]
    return np.where(scale > 0, (x - frame.mean[at]) / np.where(scale > 0, scale, 1), 0)
