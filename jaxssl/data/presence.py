"""Whether unlabelled samples of another laboratory show what tells a source's classes apart.

Where genes are standardised within the samples, or classes balanced over them, samples of one class
are spread over all. Two things tell of that, which a laboratory's location and scale of a gene
hardly change:

- excess: scores of the classes, from genes standardised within source and samples, are in two
  groups where classes are. Along their leading axis, the share of variance between the best two
  groups (Otsu 1979, doi 10.1109/TSMC.1979.4310076; a tenth of the samples each, at least), less
  that of as many normal numbers, 2 / pi + 1 / n.
- share: of the class that most samples are taken for, by diagonal discriminant analysis (Dudoit et
  al. 2002, doi 10.1198/016214502753479248) on ranks within the sample, which nothing standardises
  within the samples.

The margin is excess - SLOPE share + OFFSET; below 0, no class but one is seen. Nothing is told by
few labels, nor where the source's own samples, held out by folds, do not show its classes clearly.
All four numbers were chosen on four families of cohorts; docs/another_laboratory.md tells what they
are worth on these and on others.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.distance import cdist

from jaxssl.data.frames import FLAT, Cohorts, fit_frame, normal_scores

SLOPE, OFFSET = 0.25, 0.19
MIN_LABELS = 40  # of the source
MIN_MARGIN = 0.15  # of the source's own samples, held out
FOLDS = 5  # and labels of a class that is looked for, at least
MAX_LABELS = 1_000  # that are learnt from
MIN_GROUP = 0.1  # share of the samples
_SHRINKAGE = 0.1  # of a gene's variance within classes, towards that of all samples
_FAR = 8.0  # standard deviations: a gene says no more beyond

Expression = Float[np.ndarray, "samples genes"]
Codes = Int[np.ndarray, " samples"]
Scores = Float[np.ndarray, "samples classes"]


class Classes(NamedTuple):
    """What tells the classes of a source apart."""

    classes: Int[np.ndarray, " classes"]  # codes of those with labels enough
    kernel: Float[np.ndarray, "genes classes"]  # of genes standardised within the cohort
    profiles: Float[np.ndarray, "classes genes"]  # normal scores of ranks, standardised
    mean: Float[np.ndarray, " genes"]  # of these scores
    scale: Float[np.ndarray, " genes"]  # 0: the gene was missing
    weight: Float[np.ndarray, " genes"]  # one by the standard deviation within classes


class Named(NamedTuple):
    """Classes with the names of all codes."""

    classes: Classes
    names: tuple[str, ...]


class Presence(NamedTuple):
    """What was measured of samples."""

    excess: float
    share: float
    most: int  # class that most are taken for

    @property
    def margin(self) -> float:
        """Below 0, the samples may be of one class, or show nothing of the source's classes."""
        return self.excess - SLOPE * self.share + OFFSET

    def sentence(self, names: Sequence[str], of: str = "") -> str:
        """The doubt in words, of classes by name and of a cohort, if there are several."""
        return (
            f"what tells the classes apart among labelled samples does not part those{of} in two: "
            f"they may be of one class (by ranks of genes, {self.share:.0%} look like "
            f"{names[self.most]}) or differ in another way, and predictions of several classes "
            "would be made up; look at a marker of the classes, or give samples of all together"
        )


def fit_classes(x: Expression, cohorts: Cohorts | None, codes: Codes) -> Classes | None:
    """Learn what tells classes apart, every class counting alike.

    Args:
        x: log2 expression of a source (samples x genes); NaN for genes that are missing.
        cohorts: of every sample, 10 samples each or more; None: they are of one.
        codes: classes; -1 for a sample without a label.

    Returns:
        Arrays by gene, of the classes with 5 labels or more among the 1,000 (at random, where there
        are more) that are learnt from; None where nothing is to be told.

    Example:
        >>> fit_classes(x[source], cohorts[source], codes[source])  # doctest: +SKIP
    """
    rows = np.flatnonzero(codes >= 0)
    if len(rows) > MAX_LABELS:
        rows = np.sort(np.random.default_rng(0).choice(rows, MAX_LABELS, replace=False))
    kept = np.flatnonzero(np.bincount(codes[rows]) >= FOLDS)
    rows = rows[np.isin(codes[rows], kept)]
    if len(rows) < MIN_LABELS or len(kept) < 2:
        return None
    known = np.flatnonzero(~np.isnan(x[0]))
    x, of_all = x[:, known], x.shape[1]
    ranks = normal_scores(x)
    mean, scale = ranks.mean(axis=0), np.maximum(ranks.std(axis=0), FLAT)
    y = np.searchsorted(kept, codes[rows])
    z, ranks = fit_frame(x, "cohort", cohorts)[0][rows], (ranks[rows] - mean) / scale
    if _own(z, ranks, y).margin < MIN_MARGIN:
        return None
    profiles, weight = _profiles(ranks, y)

    def spread(values: np.ndarray) -> np.ndarray:
        out = np.zeros((*values.shape[:-1], of_all), np.float32)
        out[..., known] = values
        return out

    of_genes = map(spread, (profiles, mean, scale, weight))
    return Classes(kept, spread(_kernel(z, y).T).T, *of_genes)


def measure(classes: Classes, x: Expression) -> Presence:
    """Look for a source's classes among samples of one laboratory.

    Args:
        classes: of the source.
        x: log2 expression of the same genes (samples x genes); NaN for genes that are missing.

    Returns:
        How far scores are in two groups, and what most samples are taken for.

    Example:
        >>> measure(fit_classes(x[source], None, codes), x[target]).margin  # doctest: +SKIP
        0.2
    """
    known = (classes.scale > 0) & ~np.isnan(x[0])
    scores = fit_frame(x[:, known], "cohort", None)[0] @ classes.kernel[known]
    ranks = (normal_scores(x[:, known]) - classes.mean[known]) / classes.scale[known]
    taken = _nearest(ranks, classes.profiles[:, known], classes.weight[known])
    found = _presence(scores, taken)
    return found._replace(most=int(classes.classes[found.most]))


def between(values: Float[np.ndarray, " samples"]) -> float:
    """Share of the variance that is between the two groups that explain most of it; 0: none."""
    ordered = np.sort(values - values.mean())
    total, n = float((ordered**2).sum()), len(ordered)
    if not total > 0:
        return 0.0
    below, sums = np.arange(1, n), np.cumsum(ordered)[:-1]
    least = max(int(np.ceil(MIN_GROUP * n)), 1)
    shares = sums**2 * n / (below * (n - below)) / total
    return float(shares[least - 1 : n - least].max())


def _presence(scores: Scores, taken: Codes) -> Presence:
    """What scores and classes of samples come to."""
    left, singular, _ = np.linalg.svd(scores - scores.mean(axis=0), full_matrices=False)
    excess = between(left[:, 0] * singular[0]) - 2 / np.pi - 1 / len(scores)
    counts = np.bincount(taken)
    return Presence(excess, float(counts.max() / len(taken)), int(counts.argmax()))


def _own(z: Expression, ranks: Expression, y: Codes) -> Presence:
    """What is seen of the classes among the source's own samples, each held out once."""
    scores, taken = np.zeros((len(y), y.max() + 1)), np.zeros(len(y), np.int64)
    for fitted, held_out in _folds(y):
        scores[held_out] = z[held_out] @ _kernel(z[fitted], y[fitted])
        taken[held_out] = _nearest(ranks[held_out], *_profiles(ranks[fitted], y[fitted]))
    return _presence(scores, taken)


def _folds(y: Codes) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows that are fitted and held out, of every class in each."""
    from sklearn.model_selection import StratifiedKFold  # here: it is slow to import

    return StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(y[:, None], y)


def _kernel(z: Expression, y: Codes) -> Float[np.ndarray, "genes classes"]:
    """Ridge regression on classes, with a penalty of the mean square length of a sample."""
    from sklearn.linear_model import Ridge  # here: it is slow to import

    counts = np.bincount(y)
    weights = (len(y) / len(counts) / counts)[y]
    model = Ridge(alpha=z.shape[1]).fit(z, np.eye(len(counts))[y], sample_weight=weights)
    return model.coef_.T


def _profiles(ranks: Expression, y: Codes) -> tuple[np.ndarray, np.ndarray]:
    """Means of the classes, and weights of the genes."""
    means = np.stack([ranks[y == k].mean(axis=0) for k in range(y.max() + 1)])
    return means, 1 / np.sqrt(((ranks - means[y]) ** 2).mean(axis=0) + _SHRINKAGE)


def _nearest(ranks: Expression, profiles: np.ndarray, weight: np.ndarray) -> Codes:
    """The class whose profile is nearest."""
    return cdist(np.clip(ranks, -_FAR, _FAR) * weight, profiles * weight).argmin(axis=1)
