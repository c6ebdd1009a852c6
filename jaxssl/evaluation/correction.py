"""What aligns two cohorts without labels: moments of genes, covariances, shares of classes."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy import linalg
from scipy.special import softmax

from jaxssl.types import Features

Cohort = Float[np.ndarray, "_ genes"]
Classes = Float[np.ndarray, "samples classes"]

SHRINKAGE = 0.1  # of a covariance towards the multiple of the identity with its trace
FLAT = 1e-6


def combat(cohorts: Sequence[Cohort], n_rounds: int = 30) -> list[Cohort]:
    """ComBat without covariates: every cohort's location and scale per gene, shrunk over genes.

    Parametric empirical Bayes (Johnson, Li & Rabinovic 2007, doi 10.1093/biostatistics/kxj037).
    Genes are returned standardised; a later sample cannot be added without fitting anew.
    """
    together = np.concatenate(cohorts).astype(np.float64)
    mean = together.mean(axis=0)
    within = sum(((x - x.mean(axis=0)) ** 2).sum(axis=0) for x in cohorts) / len(together)
    scale = np.sqrt(np.maximum(within, FLAT))
    corrected = []
    for x in cohorts:
        z, n = (x - mean) / scale, len(x)
        location, spread = z.mean(axis=0), np.maximum(z.var(axis=0, ddof=1), FLAT)
        prior, tau2 = location.mean(), max(location.var(), FLAT)
        # inverse gamma with the moments of the variances over genes
        m, s2 = spread.mean(), max(spread.var(), FLAT)
        shape, rate = 2 + m**2 / s2, m + m**3 / s2
        gamma, delta = location, spread
        for _ in range(n_rounds):
            gamma = (n * tau2 * location + delta * prior) / (n * tau2 + delta)
            delta = (rate + ((z - gamma) ** 2).sum(axis=0) / 2) / (n / 2 + shape - 1)
        corrected.append(((z - gamma) / np.sqrt(delta)).astype(np.float32))
    return corrected


def coral(
    source: Float[np.ndarray, "source features"], target: Float[np.ndarray, "target features"]
) -> tuple[Float[np.ndarray, "source features"], Float[np.ndarray, "target features"]]:
    """Source rows with the target's covariance, both centred (Sun, Feng & Saenko 2016).

    arXiv 1511.05547; covariances are shrunk, as components may outnumber samples.
    """
    whiten, colour = _power(_covariance(source), -0.5), _power(_covariance(target), 0.5)
    aligned = (source - source.mean(axis=0)) @ whiten @ colour
    return aligned.astype(np.float32), target - target.mean(axis=0)


def _covariance(x: Features) -> Float[np.ndarray, "features features"]:
    found = np.atleast_2d(np.cov(x.T.astype(np.float64)))
    even = np.trace(found) / len(found)
    return (1 - SHRINKAGE) * found + SHRINKAGE * even * np.eye(len(found))


def _power(matrix: Float[np.ndarray, "n n"], exponent: float) -> Float[np.ndarray, "n n"]:
    values, axes = linalg.eigh(matrix)
    return (axes * np.maximum(values, FLAT) ** exponent) @ axes.T


def soft_balance(logits: Classes, strength: float, n_rounds: int = 100) -> Float[np.ndarray, " k"]:
    """What to add to the logits of a cohort so that its classes come nearer to being equally many.

    The least of sum_i KL(q_i | softmax(logits_i)) / n + strength KL(mean q | uniform) is
    q_i = softmax(logits_i + b) with b = strength log(uniform / mean q), found by damped iteration
    (unbalanced transport: Chizat et al. 2018, arXiv 1607.05816). 0 leaves the logits as they are.
    """
    n_classes = logits.shape[1]
    b, damping = np.zeros(n_classes), 1 / (1 + strength)
    for _ in range(n_rounds):
        mean = softmax(logits + b, axis=1).mean(axis=0)
        b = (1 - damping) * b - damping * strength * np.log(n_classes * mean + 1e-9)
        b -= b.mean()
    return b
