"""Is the representation alive? Measures of collapse, and what to do about one."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import entr
from threadpoolctl import threadpool_limits

from jaxssl.config import Config
from jaxssl.validate import get_option

COLLAPSED_LOSS = 0.98  # of chance (ln K with codes): the predictions carry no information
UNIFORM_CODES = 0.95  # of ln K: the codes themselves carry none (STUDY Figs 20-21)
COLLAPSED_RANK = 2.0  # effective dimensions of the embedding
COLLAPSED_USAGE = 2.0  # effectively used prototypes
COLLAPSED_SPREAD = 0.1  # of `losses.spread`: a mean cosine between samples of 0.99


class Fix(NamedTuple):
    """What to do about a failure: an option to "raise", "lower" or "set" to a value."""

    verb: str
    option: str  # dotted
    value: str = ""

    def __str__(self) -> str:
        return f"{self.verb} `{self.option}{'=' if self.value else ''}{self.value}`"


class Diagnosis(NamedTuple):
    """Verdict on one seed's pretraining: a name, its likely cause and the option to change."""

    status: str  # "healthy", "collapsed", "uniform codes", "diverged"
    cause: str
    fix: str

    def sentence(self, seed: int) -> str:
        """One line for the log, the summary and the report."""
        return f"seed {seed}: {self.status} ({self.cause}); {self.fix}"


HEALTHY = Diagnosis("healthy", "", "")
DIVERGED = "diverged"
SLOWER = Fix("lower", "optimizer.learning_rate")
SHARPER_CODES = (Fix("lower", "method.epsilon"), Fix("set", "method.hard_codes", "True"))
MORE_PROTOTYPES = (Fix("raise", "method.n_iterations"), Fix("raise", "method.epsilon"))
KEEPS_APART = (
    Fix("set", "method.predictor", "mlp"),
    Fix("set", "method.stop_gradient", "True"),
    Fix("raise", "method.momentum"),
    Fix("raise", "method.variance"),
)
"""What keeps embeddings from all becoming one, by method."""


def measure(metrics: Mapping[str, np.ndarray | np.generic]) -> dict[str, float]:
    """Scalars of a seed's epoch from what the compiled program returns.

    `scatter` becomes `effective_rank`; a method's `usage` (share of the samples nearest to each
    prototype) becomes `usage_perplexity`.
    """
    arrays = ("usage", "scatter")
    measured = {name: float(value) for name, value in metrics.items() if name not in arrays}
    if "usage" in metrics:
        measured["usage_perplexity"] = perplexity(np.asarray(metrics["usage"]))
    return measured | {"effective_rank": effective_rank(np.asarray(metrics["scatter"]))}


def effective_rank(scatter: Float[np.ndarray, "dim dim"]) -> float:
    """exp of the entropy of the normalised singular values (Roy & Vetterli 2007).

    Args:
        scatter: XᵀX of the centred embedding X.

    Returns:
        1 for an embedding on a line (or a constant one), `dim` for an isotropic one, NaN for one
        that is not finite.
    """
    if not np.isfinite(scatter).all():
        return float("nan")
    with threadpool_limits(1, "blas"):  # small matrices; idle threads would spin on for a while
        eigenvalues = np.linalg.eigvalsh(scatter)
    return perplexity(np.sqrt(np.maximum(eigenvalues, 0)))


def perplexity(mass: Float[np.ndarray, " n"]) -> float:
    """exp of the entropy of non-negative masses: the number of effectively used entries."""
    p = mass / np.maximum(mass.sum(), np.finfo(mass.dtype).tiny)
    return float(np.exp(entr(p).sum()))


def diagnose(last: Mapping[str, float], config: Config) -> Diagnosis:
    """Name the state of a seed from the metrics of its last epoch.

    Measures that a method does not report (no prototypes, say) are not judged; options that it does
    not have, or augmentations that are off, are not advised.
    """
    if not all(value == value and abs(value) != float("inf") for value in last.values()):
        return diverged("a measure of it is no number", config)
    weaker = (*_weaker_views(config), SLOWER)
    code_entropy, loss = last.get("code_entropy_ratio", 0.0), last.get("loss_ratio", 0.0)
    rank, n_used = last["effective_rank"], last.get("usage_perplexity", COLLAPSED_USAGE)
    if code_entropy > UNIFORM_CODES:
        cause = f"code entropy is {code_entropy:.2f} of ln K: epsilon is too large"
        return Diagnosis("uniform codes", cause, _advise(config, *SHARPER_CODES))
    if loss > COLLAPSED_LOSS:
        chance = "ln K" if "usage_perplexity" in last else "what knowing nothing costs"
        cause = f"loss is {loss:.2f} of {chance}: nothing is learnt from the views"
        return Diagnosis("collapsed", cause, _advise(config, *weaker))
    for name in ("projection", "embedding"):
        found = last.get(f"{name}_spread", 1.0)
        if found < COLLAPSED_SPREAD:
            cause = f"every {name} points the same way (spread {found:.3f})"
            return Diagnosis("collapsed", cause, _advise(config, *KEEPS_APART, *weaker))
    if rank < COLLAPSED_RANK:
        cause = f"the embedding has {rank:.1f} effective dimensions"
        return Diagnosis("collapsed", cause, _advise(config, *weaker))
    if n_used < COLLAPSED_USAGE:
        cause = f"{n_used:.1f} prototypes are effectively used"
        return Diagnosis("collapsed", cause, _advise(config, *MORE_PROTOTYPES))
    return HEALTHY


def diverged(cause: str, config: Config) -> Diagnosis:
    """The verdict on a seed whose numbers left the range of floats."""
    return Diagnosis(DIVERGED, cause, _advise(config, SLOWER, Fix("raise", "method.epsilon")))


def _weaker_views(config: Config) -> list[Fix]:
    """Fixes by every augmentation that is on."""
    names = ("mask_rate", "noise", "latent_radius")
    return [Fix("lower", f"augment.{name}") for name in names if getattr(config.augment, name)]


def _advise(config: Config, *fixes: Fix) -> str:
    """Those of the fixes whose option the configuration has."""
    return " or ".join(str(fix) for fix in fixes if get_option(config, fix.option) is not None)
