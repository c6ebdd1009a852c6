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
ALIKE = 0.01  # difference of weights that is rounding: genes of a cohort's frame count alike
HEAVY = 0.5  # weightiness that is told
CURVE = "missing_genes"  # in the provenance of a classifier

Curve = Mapping[str, Any]
"""`shares` of genes missing, `accuracy` and its `deviation` over draws; `n_samples`, `n_draws`;
`least`, the accuracy without those genes that count most, where they do not count alike."""


def measure_curve(
    normalizer: Normalizer,
    framed: Float[np.ndarray, "samples genes"],
    codes: Int[np.ndarray, " samples"],
    name: Callable[[np.ndarray], Int[np.ndarray, " samples"]],
) -> dict[str, Any] | None:
    """Accuracy by the share of genes that are missing, alike in all samples.

    They are drawn at random; and, where genes do not count alike, they are those that count most.

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
    known = np.flatnonzero(~np.isnan(framed[0]))

    def without(genes: Int[np.ndarray, " genes"]) -> float:
        x = framed.copy()
        x[:, genes] = np.nan
        x = normal_scores(x) if normalizer.frame.name == "rank" else x
        return float((name(normalize_framed(normalizer, x)) == codes).mean())

    counts = [round(share * len(known)) for share in SHARES]
    drawn = [
        [without(rng.permutation(known)[:n]) for _ in range(N_DRAWS if n else 1)] for n in counts
    ]
    accuracy, deviation = ([float(of(one)) for one in drawn] for of in (np.mean, np.std))
    curve = {"shares": list(SHARES), "accuracy": accuracy, "deviation": deviation}
    if normalizer.weight is not None and np.ptp(normalizer.weight) > ALIKE:
        heaviest = known[np.argsort(-normalizer.weight[known], kind="stable")]
        curve["least"] = [accuracy[0], *(without(heaviest[:n]) for n in counts[1:])]
    return curve | {"n_samples": len(rows), "n_draws": N_DRAWS}


def weightiness(
    absent: Int[np.ndarray, " absent"], weight: Float[np.ndarray, " genes"] | None
) -> float:
    """Whether missing genes count as others do (0), or as those that count most (1).

    >>> weightiness(np.array([0]), np.array([3.0, 1, 1, 1])), weightiness(np.array([0, 1]), None)
    (1.0, 0.0)
    """
    if weight is None or np.ptp(weight) <= ALIKE or not 0 < len(absent) < len(weight):
        return 0.0
    counts = np.asarray(weight, np.float64) ** 2
    usual, most = len(absent) * counts.mean(), np.sort(counts)[::-1][: len(absent)].sum()
    beyond = (counts[absent].sum() - usual) / max(most - usual, 1e-12)
    return float(np.clip(beyond, 0, 1))


def expectation(curve: Curve | None, share: float, heavy: float = 0.0) -> str:
    """What a curve expects where a share of the genes is missing; "" without one.

    `heavy` is their `weightiness`.

    >>> curve = {"shares": [0, 0.5, 0.75], "accuracy": [0.88, 0.71, 0.4], "least": [0.88, 0.3, 0.2]}
    >>> expectation(curve, 0.5)
    '50 % of genes missing: expect accuracy 0.71 where 0.88 was measured with all'
    >>> expectation(curve, 0.5, heavy=1.0)
    '50 % of genes missing, which count most: expect accuracy 0.30 where 0.88 was measured with all'
    >>> expectation(curve, 0.9)
    '90 % of genes missing: expect accuracy 0.40 or less where 0.88 was measured with all'
    """
    if not curve:
        return ""
    shares, accuracy = curve["shares"], curve["accuracy"]
    usual, least = (np.interp(share, shares, curve.get(n, accuracy)) for n in ("accuracy", "least"))
    expected = f"{usual + heavy * (least - usual):.2f}"
    expected += " or less" if share > shares[-1] else ""
    found = f"expect accuracy {expected} where {accuracy[0]:.2f} was measured with all"
    which = ", which count most" if heavy > HEAVY else ""
    return f"{100 * share:.0f} % of genes missing{which}: {found}"
