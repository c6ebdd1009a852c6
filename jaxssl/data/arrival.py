"""New samples arrive at a fitted encoder: refused, warned of or adapted where they have shifted."""

import dataclasses
import warnings
from typing import Any, NamedTuple

import numpy as np
from anndata import AnnData
from jaxtyping import Bool, Float, Float32

from jaxssl.bounds import check_value
from jaxssl.data.align import encoder_genes
from jaxssl.data.frames import FLAT, MIN_COHORT, to_frame
from jaxssl.data.missing import Curve
from jaxssl.data.normalize import moments, normalize_framed
from jaxssl.data.shift import Reference, Shift, at_size, axes_of, measure, spread_of, standardized
from jaxssl.types import ADAPT, MAX_MISSING, WARN, InputError, Normalizer, OnShift

FEW = 25  # samples, below which means and deviations of their own are coarse
_MANY_FLAT = 0.5  # share of the genes
ADAPTING = "`shift=adapt` to standardise every gene within these samples"

Framed = Float[np.ndarray, "samples genes"]


class Arrival(NamedTuple):
    """New samples as an encoder sees them, and how far they lie from its own."""

    x: Float32[np.ndarray, "samples features"]
    genes: dict[str, Any]  # what the matching of genes found
    framed: Framed  # expression in the frame, NaN for genes that are missing
    normalizer: Normalizer  # the encoder's, or that of the samples themselves
    shift: Shift | None  # before adapting; None: the encoder has no reference
    # share of held-out samples of the training cohort that lie nearer, after adapting
    outlying: Float[np.ndarray, " samples"]
    doubts: tuple[str, ...] = ()  # about adapting

    @property
    def is_shifted(self) -> bool:
        """Whether the samples lie beyond what held-out ones of the training cohort show."""
        return self.shift is not None and self.shift.excess > 1

    @property
    def sentence(self) -> str:
        """What was measured, in a line."""
        if self.shift is None:
            return "shift: the encoder keeps nothing of its cohort, so none can be told"
        if not self.shift.values:
            return "shift: not measured, as every gene is standardised within the samples' cohort"
        return f"shift: {self.shift.sentence()}"


def receive(
    adata: AnnData,
    normalizer: Normalizer,
    reference: Reference | None,
    *,
    max_missing: float = MAX_MISSING,
    shift: OnShift = "refuse",
    judged: Bool[np.ndarray, " samples"] | None = None,
    curve: Curve | None = None,
) -> Arrival:
    """Encoder input of new samples, and how far they lie from the training cohort.

    Nothing is refused for a shift here: `judge` does that, once it is known what the samples are
    taken for.

    Args:
        adata: samples x genes, all of one cohort; genes are matched by name.
        normalizer: of the encoder.
        reference: what the encoder keeps of its training cohort.
        max_missing: share of the encoder's genes that may be missing.
        shift: "adapt" puts the samples' own means and deviations in the place of the training's;
            otherwise they are seen as the training samples are.
        judged: which samples are held against the training cohort; None: all.
        curve: what a classifier is worth where genes are missing.

    Returns:
        The input, and what was found.

    Raises:
        InputError: where the data do not fit the encoder, or cannot be adapted.

    Example:
        >>> receive(new, bundle.normalizer, bundle.reference).shift.excess  # doctest: +SKIP
        0.6
    """
    check_value("shift", shift, OnShift)
    x, genes = encoder_genes(adata, normalizer, max_missing, curve)
    _refuse_flat(x, adata, shift)
    framed = to_frame(normalizer.frame, x)
    if reference is not None and np.isnan(framed[0][reference.looked]).all():
        reference = None
    rows = np.ones(len(x), bool) if judged is None else judged
    found = None if reference is None else measure(reference, normalizer, framed[rows])
    doubts = []
    if shift == ADAPT:
        normalizer = own_normalizer(normalizer, framed)
        if len(x) < FEW:
            doubts.append(
                f"every gene is standardised within {len(x)} samples, which is coarse below {FEW}"
            )
    if reference is not None and (shift == ADAPT or normalizer.frame.name.endswith("cohort")):
        doubts += _doubt_of_classes(reference, normalizer, framed)
    outlying = np.full(len(x), np.nan) if found is None else found.outlying
    if reference is not None and (shift == ADAPT or judged is not None):
        outlying = measure(reference, normalizer, framed).outlying
    features = normalize_framed(normalizer, framed)
    return Arrival(features, genes, framed, normalizer, found, outlying, tuple(doubts))


def own_normalizer(normalizer: Normalizer, framed: Framed) -> Normalizer:
    """The normalizer with means and deviations of other samples in the place of the training's.

    All else stays, as the rotation. A gene that does not vary among them is at its mean. In the
    frame of a cohort that is done already.
    """
    n, is_known = len(framed), ~np.isnan(framed[0])
    if n < MIN_COHORT:
        raise InputError(
            f"`shift=adapt` standardises every gene within the samples, and {n} are too few",
            f"give at least {MIN_COHORT} of one laboratory at once",
        )
    if normalizer.frame.name.endswith("cohort"):
        return normalizer
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


def judge(arrival: Arrival, shift: OnShift, what: str, told: str = "") -> None:
    """Refuse samples that have shifted, or warn of them.

    Args:
        arrival: what was measured.
        shift: "refuse", "warn" or "adapt".
        what: the samples lie far from whose, such as "the encoder's".
        told: what they are taken for, such as "all 76 samples: normal".

    Raises:
        InputError: with the finding, and the options that answer.
    """
    for doubt in arrival.doubts:
        warnings.warn(doubt, stacklevel=3)
    if not arrival.is_shifted or shift == ADAPT:
        return
    assert arrival.shift is not None
    n = arrival.shift.n
    subject = "the sample lies" if n == 1 else f"the {n:,} samples lie"
    found = f"{subject} too far from {what} for it to be right about them: "
    found += arrival.shift.sentence() + (f"; {told}" if told else "")
    if shift == WARN:
        warnings.warn(found, stacklevel=3)
        return
    fix = f"pass {ADAPTING}, or `shift=warn` to go on as they are"
    if n < MIN_COHORT:
        fix = f"give at least {MIN_COHORT} samples of that laboratory at once and {fix}"
    raise InputError(found, fix)


def _refuse_flat(x: Framed, adata: AnnData, shift: OnShift) -> None:
    """Refuse samples without a measurement, or warn of them."""
    known = x[:, ~np.isnan(x[0])]
    flat = np.flatnonzero((known == known[:, :1]).all(axis=1))
    if known.shape[1] < MIN_COHORT or not len(flat):
        return
    found = (
        f"{len(flat):,} of {len(x):,} samples have one value for all of the encoder's genes "
        f"(first: {adata.obs_names[flat[0]]})"
    )
    if shift != WARN:
        raise InputError(found, "leave them out, or pass `shift=warn` to go on")
    warnings.warn(found, stacklevel=4)


def _doubt_of_classes(reference: Reference, normalizer: Normalizer, framed: Framed) -> list[str]:
    """Say where samples standardised by themselves look as if they were of one class."""
    known = reference.looked[~np.isnan(framed[0][reference.looked])]
    is_known = np.isin(reference.looked, known)
    z = standardized(framed[:, known], normalizer.mean[known], normalizer.scale[known])
    spread = spread_of(z, axes_of(reference.profiles[:, is_known]))
    least = float(at_size(reference.spread, len(z)))
    if spread >= least:
        return []
    return [
        f"the samples hardly differ along what sets the training samples apart ({spread:.0%} of "
        f"their variance, of several classes at least {least:.0%}): if they are of one class, "
        "standardising every gene within them makes others up"
    ]
