"""The arms of a comparison on common ground: what each gets, and one fit for many seeds.

All arms of a seed share the split, the label subset, the batch order and the fresh layers.
"""

import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from jaxssl.bounds import did_you_mean, listed
from jaxssl.config import Config, frame_of
from jaxssl.data.backed import Expression
from jaxssl.engine.prepared import Prepared
from jaxssl.evaluation.baselines import BASELINES, FEW_LABELS, logistic_regressions
from jaxssl.evaluation.label_orders import Seen, label_orders
from jaxssl.evaluation.paths import at_once, batched
from jaxssl.evaluation.problem import FitAll, Problem
from jaxssl.evaluation.trials import COMPILED
from jaxssl.methods import METHODS
from jaxssl.model import make_encoder
from jaxssl.types import FRAMES, InputError, Params

SCRATCH, RANDOM_ENCODER, BEST = "scratch", "random_encoder", "best"
WITH_COMPONENTS, SELFTRAIN = "+components", "+selftrain"
ARMS = (
    *(*BASELINES, SCRATCH, RANDOM_ENCODER, *METHODS, BEST),
    *(method + WITH_COMPONENTS for method in METHODS),
    *(teacher + SELFTRAIN for teacher in (SCRATCH, *METHODS)),
)
CLASSICAL = tuple(BASELINES)[1:]
"""What a user has without jaxssl; the floor, which knows nothing but frequencies, left out."""
FRAMED = tuple(f"{arm}@{frame}" for frame in FRAMES for arm in CLASSICAL)
"""Classical arms whose input is in a frame (`data.frames`) of their own, not in the study's."""

Encoders = Mapping[int, Params]  # by seed


class Fit(NamedTuple):
    """What comes of fitting one seed."""

    probabilities: Float[np.ndarray, "held_out classes"]
    seconds: float
    loss: float | np.floating = 0.0  # nats, on the labels of the fit, of the arms that descend it


Fits = dict[int, Fit]  # by seed


class Inputs(NamedTuple):
    """The arrays that all arms share, on the host."""

    features: Float[np.ndarray, "samples features"]  # what the encoder sees
    genes: Expression | None  # scaled; None if no arm wants them
    codes: Int[np.ndarray, " samples"]
    orders: dict[int, Int[np.ndarray, " labelled"]]  # per seed: labelled rows, as budgets grow
    train: Int[np.ndarray, " train"]
    parts: dict[str, Int[np.ndarray, " rows"]]  # held-out rows by part
    solver: str = COMPILED  # of linear models
    shared: dict | None = None  # what fits have made of these arrays, for `once`

    @property
    def n_classes(self) -> int:
        """Classes of the task, whether or not a budget holds each."""
        return int(self.codes.max()) + 1

    @property
    def held_out(self) -> Int[np.ndarray, " held_out"]:
        """Rows of all held-out parts, one part after the other."""
        return np.concatenate(list(self.parts.values()))


def make_inputs(prepared: Prepared, seeds: Sequence[int], seen: Seen | None = None) -> Inputs:
    """The arrays that the configured arms want, and every seed's label order."""
    task, split, genes = prepared.task, prepared.task.split, _genes(prepared)
    orders = label_orders(task, prepared.config, seen or Seen(prepared.features), seeds)
    parts = {"test": split.test, "validation": split.validation}
    solver = prepared.config.sweep.linear_models
    return Inputs(prepared.features, genes, task.codes, orders, split.train, parts, solver, {})


def framed_inputs(prepared: Prepared, inputs: Inputs, frame: str) -> Inputs:
    """The arrays in a frame, "" the study's own; rows and labels are those of `inputs`."""
    if not frame:
        return inputs
    own = prepared.in_frame(frame)
    return inputs._replace(features=own.features, genes=_genes(own, frame), shared={})


def _genes(prepared: Prepared, frame: str = "") -> Expression | None:
    """Scaled genes, if an arm of the frame wants them."""
    arms = [name for arm in prepared.config.sweep.arms for name, f in [parted(arm)] if f == frame]
    wanted = {"both" if arm == BEST else BASELINES[arm].input for arm in arms if is_fitted(arm)}
    return prepared.genes if wanted & {"genes", "both"} else None


def is_fitted(arm: str) -> bool:
    """Whether an arm without a frame is fitted on the host, on features or genes."""
    return arm in BASELINES or arm == BEST


def parted(arm: str) -> tuple[str, str]:
    """An arm's name without its frame, and the frame: "" for the study's.

    >>> parted("logreg@rank"), parted("swav")
    (('logreg', 'rank'), ('swav', ''))
    """
    name, _, frame = str(arm).partition("@")
    return name, frame


def is_classical(arm: str) -> bool:
    """Whether a user has the arm without jaxssl, in whatever frame."""
    return parted(arm)[0] in CLASSICAL


def in_frames(arms: Sequence[str], frames: Sequence[str], own: str) -> tuple[str, ...]:
    """Arms, and the classical ones that name no frame in `frames` too.

    In the study's `own` frame an arm has no name but its own, so that none is there twice.

    >>> in_frames(["swav", "logreg", "knn@training"], ["rank", "training"], "training")
    ('swav', 'logreg', 'knn', 'logreg@rank')
    """
    more = [f"{arm}@{frame}" for frame in frames for arm in arms if arm in CLASSICAL]
    both = (arm.removesuffix(f"@{own}") for arm in (*arms, *more))
    return tuple(dict.fromkeys(both))


def named_arms(arms: Sequence[str], method: str) -> tuple[str, ...]:
    """Arms by name: "all" are all with one method, "selftrain" is the student that it teaches."""
    arms = listed(arms, "arms")
    if list(arms) == ["all"]:
        return tuple(arm for arm in ARMS if method_of(arm) in ("", method))
    named = tuple(method + SELFTRAIN if arm == "selftrain" else arm for arm in arms)
    check_arms(named)
    return named


def check_arms(arms: Sequence[str], name: str = "arms") -> None:
    """Refuse an arm that does not exist."""
    for arm in arms:
        if arm in (*ARMS, *FRAMED):
            continue
        base, frame = parted(arm)
        if base in ARMS and base not in CLASSICAL and frame:
            found = f"`{name}={arm}`: only classical arms ({', '.join(CLASSICAL)}) have a frame of "
            found += "their own, for encoders are pretrained in the study's"
            raise InputError(found, f"did you mean {base}, or `normalize.frame=FRAME` for all?")
        found = f"unknown arm {arm!r} in `{name}`: choose among {', '.join(ARMS)}"
        found += f"; classical ones in a frame, too, such as {FRAMED[-1]}" if frame else ""
        raise InputError(found, did_you_mean(str(arm), (*ARMS, *FRAMED)))


def check_references(config: Config) -> None:
    """Refuse reference arms that are named and not compared; by default, those there are count."""
    references, own = config.sweep.reference_arms, frame_of(config)
    check_arms(references, "sweep.reference_arms")
    compared = in_frames(config.sweep.arms, config.sweep.frames, own)
    for arm in references if references != Config().sweep.reference_arms else ():
        if arm.removesuffix(f"@{own}") not in compared:
            finding = f"`sweep.reference_arms` has {arm}, which is not compared"
            raise InputError(finding, "name it in `arms` too, or leave it out")


def in_all_frames(references: Sequence[str], arms: Iterable[str]) -> list[str]:
    """Reference arms, each in all frames in which it is among the arms that were compared."""
    return list(dict.fromkeys([*references, *(a for a in arms if parted(a)[0] in references)]))


def method_of(arm: str) -> str:
    """The self-supervised method whose encoders an arm needs; "" for none."""
    method = arm.removesuffix(WITH_COMPONENTS).removesuffix(SELFTRAIN)
    return method if method in METHODS else ""


def fit_baseline(arm: str, inputs: Inputs, n: int, seeds: Sequence[int]) -> Fits:
    """Fit a classical arm, in its frame, for every seed; of all labels once, as of seed 0."""
    baseline = BASELINES[parted(arm)[0]]
    x = inputs.genes if baseline.input == "genes" else inputs.features
    assert x is not None, "make_inputs provides what the arms want"
    genes = inputs.genes if baseline.input == "both" else None
    problems = [problem_of(inputs, x, n, seed)._replace(genes=genes) for seed in seeds]
    if n < len(inputs.orders[seeds[0]]):
        return fit_each(baseline.fit, problems, inputs.n_classes)
    fits = fit_each(baseline.fit, [problems[0]._replace(seed=0)], inputs.n_classes)
    return dict.fromkeys(seeds, fits[0])


def fit_with_components(
    config: Config, encoders: Encoders, inputs: Inputs, n: int, seeds: Sequence[int]
) -> Fits:
    """Logistic regression on embedding and encoder input side by side, for every seed."""
    encoder = make_encoder(config.encoder, config.run.precision)
    embed = jax.jit(encoder.apply)

    # variance 1 per column over the training samples: the penalty weighs both blocks alike
    def scaled(block: Float[np.ndarray, "samples dim"]) -> Float[np.ndarray, "samples dim"]:
        centred = block - block[inputs.train].mean(axis=0)
        return centred / np.sqrt(np.mean(centred[inputs.train] ** 2))

    def problem(seed: int) -> Problem:
        embedding = np.asarray(embed(encoders[seed], inputs.features))
        x = np.hstack([scaled(embedding), scaled(inputs.features)])
        return problem_of(inputs, x, n, seed)

    return fit_each(logistic_regressions, map(problem, seeds), inputs.n_classes)


def problem_of(inputs: Inputs, x: Any, n: int, seed: int) -> Problem:
    """The first n labels of a seed, as rows of a matrix."""
    rows = np.sort(inputs.orders[seed][:n])
    codes = inputs.codes[rows]
    own = {"n_classes": inputs.n_classes, "solver": inputs.solver, "shared": inputs.shared}
    return Problem(x, codes, rows, inputs.train, inputs.held_out, seed, **own)


def fit_each(fit: FitAll, problems: Iterable[Problem], n_classes: int) -> Fits:
    """Fits by seed, some side by side; where they fail, each tries by itself."""
    fits: Fits = {}
    for some in batched(problems, at_once()):
        started = time.perf_counter()
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=FEW_LABELS)
                found = fit(some)
        except (ValueError, ArithmeticError) as error:
            is_its_own = isinstance(error, np.linalg.LinAlgError | ArithmeticError)
            if not is_its_own and all(np.isfinite(problem.x).all() for problem in some):
                raise
            if len(some) > 1:
                fits |= {p.seed: fit_each(fit, [p], n_classes)[p.seed] for p in some}
                continue
            found = [np.nan]  # this fit knows nothing, and the others go on
        seconds = (time.perf_counter() - started) / len(some)
        for problem, of_known in zip(some, found, strict=True):
            probabilities = np.zeros((len(problem.held_out), n_classes))
            probabilities[:, np.unique(problem.y)] = of_known  # 0 for a class without labels
            fits[problem.seed] = Fit(probabilities, seconds)
    return fits
