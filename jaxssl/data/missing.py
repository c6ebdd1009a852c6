"""What a classifier is worth where genes are missing, as held-out samples tell."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from jaxssl.data.frames import normal_scores
from jaxssl.data.normalize import normalize_framed
from jaxssl.data.profiles import some_of
from jaxssl.types import Normalizer

SHARES = (0.0, 0.1, 0.25, 0.5, 0.75)
N_DRAWS = 5  # of the genes that are missing
MAX_SAMPLES = 500
CURVE = "missing_genes"  # in the provenance of a classifier

Curve = Mapping[str, Any]
"""`shares` of genes missing, `accuracy` and its `deviation` over draws; `n_samples`, `n_draws`."""


def measure_curve(
    normalizer: Normalizer,
    framed: Float[np.ndarray, "samples genes"],
    codes: Int[np.ndarray, " samples"],
    name: Callable[[np.ndarray], Int[np.ndarray, " samples"]],
) -> dict[str, Any] | None:
    """Accuracy by the share of genes that are missing, drawn at random and alike in all samples.

    Args:
        normalizer: of the classifier.
        framed: held-out expression in its frame (samples x genes), NaN for a gene that is missing
            already. With ranks within the sample, they are taken anew among the genes that are
            left; with those standardised by cohort (`rank_cohort`), they stay.
        codes: their true classes; below 0, a sample is left out.
        name: what the classifier makes of its input: a class a sample.

    Returns:
        The curve; None where no sample has a class.

    Example:
        >>> measure_curve(normalizer, framed, codes, name)["accuracy"]  # doctest: +SKIP
        [0.88, 0.87, 0.84, 0.71, 0.45]
    """
    rows = some_of(np.flatnonzero(codes >= 0), MAX_SAMPLES)
    if not len(rows):
        return None
    framed, codes, rng = framed[rows], codes[rows], np.random.default_rng(0)
    known, found = np.flatnonzero(~np.isnan(framed[0])), []
    for share in SHARES:
        drawn = []
        for _ in range(N_DRAWS if share else 1):
            x = framed.copy()
            x[:, rng.permutation(known)[: round(share * len(known))]] = np.nan
            x = normal_scores(x) if normalizer.frame.name == "rank" else x
            drawn.append((name(normalize_framed(normalizer, x)) == codes).mean())
        found.append((float(np.mean(drawn)), float(np.std(drawn))))
    accuracy, deviation = map(list, zip(*found, strict=True))
    curve = {"shares": list(SHARES), "accuracy": accuracy, "deviation": deviation}
    return curve | {"n_samples": len(rows), "n_draws": N_DRAWS}


def expectation(curve: Curve | None, share: float) -> str:
    """What a curve expects where a share of the genes is missing; "" without one.

    >>> curve = {"shares": [0, 0.5, 0.75], "accuracy": [0.88, 0.71, 0.4]}
    >>> expectation(curve, 0.5)
    '50 % of genes missing: expect accuracy 0.71 where 0.88 was measured with all'
    >>> expectation(curve, 0.9)
    '90 % of genes missing: expect accuracy 0.40 or less where 0.88 was measured with all'
    """
    if not curve:
        return ""
    shares, accuracy = curve["shares"], curve["accuracy"]
    expected = f"{np.interp(share, shares, accuracy):.2f}"
    expected += " or less" if share > shares[-1] else ""
    found = f"expect accuracy {expected} where {accuracy[0]:.2f} was measured with all"
    return f"{100 * share:.0f} % of genes missing: {found}"
