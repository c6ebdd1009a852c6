"""What a pretraining tells of itself: an epoch and seed a row, and whether the encoder is alive."""

import math
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import entr

from jaxssl.config import Config
from jaxssl.engine.blas import one_thread
from jaxssl.engine.ensemble import member
from jaxssl.validate import get_option

COLLAPSED_LOSS = 0.98  # of chance (ln K with codes): the predictions carry no information
UNIFORM_CODES = 0.95  # of ln K: the codes themselves carry none (STUDY Figs 20-21)
COLLAPSED_RANK = 2.0  # effective dimensions of the embedding
COLLAPSED_USAGE = 2.0  # effectively used prototypes
COLLAPSED_SPREAD = 0.1  # of `losses.spread`: a mean cosine between samples of 0.99


Row = dict[str, Any]


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


def rows_of_epoch(
    ids: list[int], epoch: int, n_steps: int, metrics: Mapping[str, np.ndarray], started: float
) -> list[Row]:
    """Measures of every seed of a chunk after an epoch of `n_steps` steps."""
    head = {"phase": "pretrain", "epoch": epoch, "step": (epoch + 1) * n_steps}
    seconds = round(time.perf_counter() - started, 4)
    rows = []
    for i, seed in enumerate(dict.fromkeys(ids)):  # a filled-up chunk repeats its last id
        measured = measure(member(metrics, i))
        n_lost = n_steps - int(measured.pop("finite_steps"))
        rows.append(head | {"seed": seed, "seconds": seconds} | measured)
        if n_lost:
            rows[-1]["last_finite_step"] = head["step"] - n_lost
    return rows


def divergences(history: Iterable[Row]) -> dict[int, str]:
    """Of every seed that diverged, when: the epoch (from 1) and the last step before."""
    when: dict[int, str] = {}
    for row in history:
        if "last_finite_step" in row:
            at = f"in epoch {row['epoch'] + 1}, after step {row['last_finite_step']:,}"
            when.setdefault(row["seed"], f"the loss is no number {at}")
    return when


def measure(metrics: Mapping[str, np.ndarray | np.generic]) -> dict[str, float]:
    """Scalars of a seed's epoch from what the compiled program returns."""
    arrays = ("usage", "scatter")
    measured = {name: float(value) for name, value in metrics.items() if name not in arrays}
    if "usage" in metrics:
        measured["usage_perplexity"] = perplexity(np.asarray(metrics["usage"]))
    return measured | {"effective_rank": effective_rank(np.asarray(metrics["scatter"]))}


def effective_rank(scatter: Float[np.ndarray, "dim dim"]) -> float:
    """exp of the entropy of the normalised singular values (Roy & Vetterli 2007) of X, from XᵀX.

    1 for a centred embedding on a line, `dim` for an isotropic one, NaN for one that is not finite.
    """
    if not np.isfinite(scatter).all():
        return float("nan")
    with one_thread():
        eigenvalues = np.linalg.eigvalsh(scatter)
    return perplexity(np.sqrt(np.maximum(eigenvalues, 0)))


def perplexity(mass: Float[np.ndarray, " n"]) -> float:
    """exp of the entropy of non-negative masses: the number of effectively used entries."""
    p = mass / np.maximum(mass.sum(), np.finfo(mass.dtype).tiny)
    return float(np.exp(entr(p).sum()))


def verdicts(history: Iterable[Row], config: Config) -> dict[int, Diagnosis]:
    """The state of every seed after its last epoch."""
    last, lost = {row["seed"]: row for row in history}, divergences(history)
    return {
        seed: diverged(lost[seed], config) if seed in lost else diagnose(row, config)
        for seed, row in last.items()
    }


def diagnose(last: Row, config: Config) -> Diagnosis:
    """Name the state of a seed from the metrics of its last epoch.

    Measures that a method does not report (no prototypes, say) are not judged; options that it does
    not have, or augmentations that are off, are not advised.
    """
    if not all(math.isfinite(value) for value in last.values() if isinstance(value, float)):
        return diverged("a measure of it is no number", config)
    evener = _evener(config)
    weaker = (
        *evener,
        *(Fix("lower", f"augment.{name}") for name in config.augment.changes()),
        SLOWER,
    )
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
        return Diagnosis("collapsed", cause, _advise(config, *evener, *MORE_PROTOTYPES))
    return HEALTHY


def diverged(cause: str, config: Config) -> Diagnosis:
    """The verdict on a seed whose numbers left the range of floats."""
    return Diagnosis(DIVERGED, cause, _advise(config, SLOWER, Fix("raise", "method.epsilon")))


def _evener(config: Config) -> list[Fix]:
    """What keeps a cohort from putting all its samples on one prototype, where it may."""
    is_soft = vars(config.method).get("cohort_balance", 1.0) < 1
    is_soft &= config.pretrain.batches == "by_cohort"
    return [Fix("raise", "method.cohort_balance")] if is_soft else []


def _advise(config: Config, *fixes: Fix) -> str:
    """Those of the fixes whose option the configuration has."""
    return " or ".join(str(fix) for fix in fixes if get_option(config, fix.option) is not None)
