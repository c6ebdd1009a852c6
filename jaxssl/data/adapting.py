"""New samples standardised by themselves, cohort by cohort, and what is doubtful about that."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

from jaxssl.data import presence
from jaxssl.data.backed import Backed, Expression, blocks, select
from jaxssl.data.frames import FLAT, MIN_COHORT, Cohorts, each, name_of
from jaxssl.data.moments import moments
from jaxssl.data.presence import Named
from jaxssl.data.profiles import some_of
from jaxssl.data.shift import Reference, at_size, axes_of, spread_of, standardized
from jaxssl.types import InputError, Normalizer

FEW = 25  # samples, below which means and deviations of their own are coarse
_MANY_FLAT = 0.5  # share of the genes

MAX_LOOKED = 5_000  # samples of a cohort on disk that are held against the training's classes


def own_normalizer(normalizer: Normalizer, framed: Expression, of: str = "") -> Normalizer:
    """The normalizer with means and deviations of other samples in the place of the training's.

    All else stays, as the rotation. A gene that does not vary among them is at its mean. In the
    frame of a cohort that is done already.
    """
    n = len(framed)
    if n < MIN_COHORT:
        raise InputError(
            f"`shift=adapt` standardises every gene within the samples, and {n}{of} are too few",
            f"give at least {MIN_COHORT} of one laboratory at once",
        )
    if normalizer.frame.name.endswith("cohort"):
        return normalizer
    is_known = ~np.isnan(framed[0])
    mean, scale = moments(framed)
    n_flat = int((scale[is_known] <= FLAT).sum())
    if n_flat > _MANY_FLAT * is_known.sum():
        raise InputError(
            f"{n_flat:,} of {is_known.sum():,} genes have the same value in all {n:,} samples, "
            "which therefore cannot be standardised by themselves",
            "check how the file was made",
        )
    varies = is_known & (scale > FLAT)
    return dataclasses.replace(
        normalizer,
        mean=np.where(is_known, mean, normalizer.mean),
        scale=np.where(varies, scale, 1).astype(np.float32),
    )


def adapt(
    normalizer: Normalizer,
    framed: Expression,
    cohorts: Cohorts | None = None,
    fitted: Int[np.ndarray, " rows"] | slice = slice(None),
) -> tuple[Normalizer, Expression]:
    """Standardise every gene within the samples: a normalizer, and what it is to be given.

    Of one cohort, its own means and deviations, on the rows `fitted`, take the place of the
    training's. Each of several is brought to the training's means and deviations.
    """
    if cohorts is None:
        return own_normalizer(normalizer, select(framed, fitted)), framed
    is_fitted, owns = np.zeros(len(framed), bool), {}
    is_fitted[fitted] = True
    for name, rows in each(cohorts, len(framed)):
        owns[name] = own_normalizer(normalizer, select(framed, rows & is_fitted), _of(name))
    return normalizer, _as_trained(normalizer, owns, framed, np.asarray(cohorts, str))


def _as_trained(
    normalizer: Normalizer, owns: Mapping[str, Normalizer], x: Expression, names: np.ndarray
) -> Expression:
    """Cohorts, named a sample, brought from their own means and deviations to the training's."""
    if isinstance(x, Backed):
        return x.map(lambda block, rows: _as_trained(normalizer, owns, block, names[rows]))
    out = np.empty_like(x)
    for name in np.unique(names):
        rows, own = names == name, owns[str(name)]
        z = (x[rows] - own.mean) / own.scale
        out[rows] = z * normalizer.scale + normalizer.mean
    return out


def doubts_of_size(cohorts: Cohorts | None, n: int) -> list[str]:
    """Say where a cohort of `n` samples is small to be standardised by itself."""
    sizes = [(_of(name), int(rows.sum())) for name, rows in each(cohorts, n)]
    return [
        f"every gene is standardised within {size} samples{of}, which is coarse below {FEW}"
        for of, size in sizes
        if size < FEW
    ]


def doubts_of_classes(
    reference: Reference, normalizer: Normalizer, framed: Expression, cohorts: Cohorts | None
) -> list[str]:
    """Say where a cohort standardised by itself looks as if its samples were of one class."""
    is_known = ~np.isnan(framed[0][reference.looked])
    known = reference.looked[is_known]
    axes, doubts = axes_of(reference.profiles[:, is_known]), []
    for name, rows in each(cohorts, len(framed)):
        at = some_of(np.flatnonzero(rows), MAX_LOOKED if isinstance(framed, Backed) else len(rows))
        x = np.concatenate([framed[at[some]][:, known] for some in blocks(at)])
        z = standardized(x, normalizer.mean[known], normalizer.scale[known])
        spread, least = spread_of(z, axes), float(at_size(reference.spread, len(at)))
        if spread < least:
            doubts.append(
                f"the samples{_of(name)} hardly differ along what sets the training samples apart "
                f"({spread:.0%} of their variance, of several classes at least {least:.0%}): if "
                "they are of one class, standardising every gene within them makes others up"
                + ("" if name else "; if of several cohorts, name their column with `batch`")
            )
    return doubts


def doubts_of_presence(
    known: Named, x: Float[np.ndarray, "samples looked"], cohorts: Cohorts | None
) -> list[str]:
    """Say where a cohort shows nothing of what tells a classifier's classes apart."""
    found = [
        (name, presence.measure(known.classes, x[rows])) for name, rows in each(cohorts, len(x))
    ]
    return [told.sentence(known.names, _of(name)) for name, told in found if told.margin < 0]


def _of(cohort: str) -> str:
    return f" of {name_of(cohort)}" if cohort else ""
