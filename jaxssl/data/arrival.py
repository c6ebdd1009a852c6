"""New samples arrive at a fitted encoder: refused, warned of or adapted where they have shifted."""

import warnings
from typing import Any, NamedTuple

import numpy as np
from anndata import AnnData
from jaxtyping import Bool, Float, Float32

from jaxssl.bounds import check_value
from jaxssl.data.adapting import adapt, doubts_of_classes, doubts_of_presence, doubts_of_size
from jaxssl.data.align import encoder_genes
from jaxssl.data.backed import Expression, pick, pieces, select
from jaxssl.data.frames import MIN_COHORT, Cohorts, name_of, to_frame
from jaxssl.data.missing import Curve
from jaxssl.data.normalize import normalize_framed
from jaxssl.data.presence import Named
from jaxssl.data.shift import Reference, Shift, measure
from jaxssl.types import ADAPT, MAX_MISSING, WARN, InputError, Normalizer, OnShift

ADAPTING = "`shift=adapt` to standardise every gene within these samples"


class Arrival(NamedTuple):
    """New samples as an encoder sees them, and how far they lie from its own."""

    x: Float32[np.ndarray, "samples features"]
    genes: dict[str, Any]  # what the matching of genes found
    expression: Expression  # log2, NaN for genes that are missing
    framed: Expression  # expression in the frame, NaN for genes that are missing
    normalizer: Normalizer  # the encoder's, or that of the samples themselves
    shift: Shift | None  # before adapting; None: the encoder has no reference
    # share of held-out samples of the training cohort that lie nearer, after adapting
    outlying: Float[np.ndarray, " samples"]
    doubts: tuple[str, ...] = ()  # about adapting
    cohort: str = ""  # the one that lies furthest, where samples are of several
    cohorts: Cohorts | None = None  # None: of one

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
        return f"shift{self.cohort and f' of {self.cohort}'}: {self.shift.sentence()}"


def receive(
    adata: AnnData,
    normalizer: Normalizer,
    reference: Reference | None,
    *,
    max_missing: float = MAX_MISSING,
    shift: OnShift = "refuse",
    judged: Bool[np.ndarray, " samples"] | None = None,
    cohorts: Cohorts | None = None,
    curve: Curve | None = None,
    known: Named | None = None,
) -> Arrival:
    """Encoder input of new samples, and how far they lie from the training cohort.

    Nothing is refused for a shift here: `judge` does that, once it is known what the samples are
    taken for.

    Args:
        adata: samples x genes; genes are matched by name.
        normalizer: of the encoder.
        reference: what the encoder keeps of its training cohort.
        max_missing: share of the encoder's genes that may be missing.
        shift: "adapt" puts the samples' own means and deviations in the place of the training's;
            otherwise they are seen as the training samples are.
        judged: which samples are held against the training cohort; None: all, each cohort on its
            own.
        cohorts: of the samples, as `engine.newcomers` names them; None: they are of one.
        curve: what a classifier is worth where genes are missing.
        known: what tells a classifier's classes apart, on the genes that the reference looks at.

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
    framed = to_frame(normalizer.frame, x, cohorts)
    if reference is not None and np.isnan(framed[0][reference.looked]).all():
        reference = None
    cohort, found, outlying = "", None, np.full(len(x), np.nan)
    if reference is not None:
        cohort, found, outlying = _measure(reference, normalizer, framed, judged, cohorts)
    seen, doubts = framed, []
    if shift == ADAPT:
        normalizer, seen = adapt(normalizer, framed, cohorts)
        doubts = doubts_of_size(cohorts, len(x))
    in_frame = normalizer.frame.name.endswith("cohort")
    if reference is not None and (shift == ADAPT or in_frame):
        if known is not None:
            doubts += doubts_of_presence(known, pick(x, reference.looked)[:], cohorts)
        # labels tell more than what sets the training samples apart, but not of several cohorts
        if known is None or in_frame:
            doubts += doubts_of_classes(reference, normalizer, seen, cohorts)
    if reference is not None and (shift == ADAPT or judged is not None):
        outlying = measure(reference, normalizer, seen).outlying
    features = normalize_framed(normalizer, seen)
    told = tuple(doubts), cohort, cohorts
    return Arrival(features, genes, x, framed, normalizer, found, outlying, *told)


def _measure(
    reference: Reference,
    normalizer: Normalizer,
    framed: Expression,
    judged: Bool[np.ndarray, " samples"] | None,
    cohorts: Cohorts | None,
) -> tuple[str, Shift, Float[np.ndarray, " samples"]]:
    """The cohort that lies furthest, how far, and how unusual every sample is.

    Those of too few samples are looked at together.
    """
    if cohorts is None or judged is not None:
        rows = np.ones(len(framed), bool) if judged is None else judged
        found = measure(reference, normalizer, select(framed, rows))
        outlying = np.full(len(framed), np.nan)
        outlying[rows] = found.outlying
        return "", found, outlying
    names, codes, sizes = np.unique(cohorts, return_inverse=True, return_counts=True)
    called = np.array([name_of(name) for name in names], object)
    called[sizes < MIN_COHORT] = f"cohorts of fewer than {MIN_COHORT}"
    of, outlying, shifts = called[codes], np.full(len(framed), np.nan), {}
    for name in dict.fromkeys(called):
        shifts[name] = measure(reference, normalizer, select(framed, of == name))
        outlying[of == name] = shifts[name].outlying
    furthest = max(shifts, key=lambda name: shifts[name].excess)
    return furthest, shifts[furthest], outlying


def judge(arrival: Arrival, shift: OnShift, what: str, told: str = "", fix: str = "") -> None:
    """Refuse samples that have shifted, or warn of them.

    Args:
        arrival: what was measured.
        shift: "refuse", "warn" or "adapt".
        what: the samples lie far from whose, such as "the encoder's".
        told: what they are taken for, such as "all 76 samples: normal".
        fix: the options that answer, where these are not `shift`'s.

    Raises:
        InputError: with the finding, and the options that answer.
    """
    for doubt in arrival.doubts:
        warnings.warn(doubt, stacklevel=3)
    if not arrival.is_shifted or shift == ADAPT:
        return
    assert arrival.shift is not None
    n = arrival.shift.n
    of = f" of {arrival.cohort}" if arrival.cohort else ""
    subject = "the sample lies" if n == 1 else f"the {n:,} samples{of} lie"
    found = f"{subject} too far from {what} for it to be right about them: "
    found += arrival.shift.sentence() + (f"; {told}" if told else "")
    if shift == WARN:
        warnings.warn(found, stacklevel=3)
        return
    usual = f"pass {ADAPTING}, or `shift=warn` to go on as they are"
    if n < MIN_COHORT and not fix:
        usual = f"give at least {MIN_COHORT} samples of that laboratory at once and {usual}"
    raise InputError(found, fix or usual)


def _refuse_flat(x: Expression, adata: AnnData, shift: OnShift) -> None:
    """Refuse samples without a measurement, or warn of them."""
    known = np.flatnonzero(~np.isnan(x[0]))
    if len(known) < MIN_COHORT:
        return
    blocks = (x[rows][:, known] for rows in pieces(x))
    flat = np.flatnonzero(np.concatenate([(b == b[:, :1]).all(axis=1) for b in blocks]))
    if not len(flat):
        return
    found = (
        f"{len(flat):,} of {len(x):,} samples have one value for all of the encoder's genes "
        f"(first: {adata.obs_names[flat[0]]})"
    )
    if shift != WARN:
        raise InputError(found, "leave them out, or pass `shift=warn` to go on")
    warnings.warn(found, stacklevel=4)
