"""The encoders of the arm `best`, an ensemble for every repetition, and its fits.

Repetitions share encoders: an ensemble is a window on a sequence of them, and the next repetition's
window is one further. Twenty repetitions take 24 encoders, where ensembles apart would take 100.
Those that the study has pretrained alike for the arm `swav` are the same ones. Intervals over
repetitions are of labels and encoders; of the little that encoders add to them, a part is missing.
Intervals over splits are not touched: no encoder is of two splits.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float

from jaxssl.config import Config, resolve
from jaxssl.engine.bundle import EncoderBundle, has_diverged
from jaxssl.engine.embed import outputs_of
from jaxssl.engine.pretrain import LogFn, Plan, StopFn, plan_pretraining, pretrain
from jaxssl.evaluation.arms import Encoders, Fits, Inputs, fit_each, problem_of
from jaxssl.evaluation.baselines import Problem
from jaxssl.evaluation.best import fit_best
from jaxssl.evaluation.spaces import Spaces, make_spaces, with_outputs
from jaxssl.readers import OF_TRAINING
from jaxssl.types import Params

N_ENCODERS = 5
OF_THE_STUDY = ("normalize", "encoder", "pretrain", "run")  # sections of its options


def recipe(config: Config, n_train: int) -> Config:
    """Options of the pretraining of an ensemble, resolved: SwAV, whatever the study compares."""
    own = replace(Config(), **{name: getattr(config, name) for name in OF_THE_STUDY})
    return resolve(own, n_train)


def ids_of(seed: int) -> list[int]:
    """Ids of the encoders of a repetition, which their random streams follow."""
    return [seed + number for number in range(N_ENCODERS)]


def lacking(seeds: Iterable[int], made: Iterable[int] = ()) -> list[int]:
    """Ids of the encoders of all these repetitions, each once, that are not made yet.

    >>> lacking([0, 1], made=[0, 1, 2])
    [3, 4, 5]
    """
    return sorted({i for seed in seeds for i in ids_of(seed)} - set(made))


def alike(config: Config, n_train: int, bundles: Iterable[EncoderBundle]) -> dict[int, Params]:
    """Encoders of a study, by seed, that are pretrained as those of an ensemble are.

    Args:
        config: of the study, of which the sections `OF_THE_STUDY` are read.
        n_train: training samples, which are those of the study's encoders.
        bundles: of its encoders.

    Returns:
        Their parameters; none of a study that changes what decides an encoder.

    Example:
        >>> alike(config, n_train, bundles.values()).keys()  # doctest: +SKIP
        dict_keys([0, 1, 2])
    """
    own = _deciding(recipe(config, n_train))
    return {
        int(bundle.provenance["seed"]): bundle.params["encoder"]
        for bundle in bundles
        if _deciding(bundle.config) == own and not has_diverged(bundle)
    }


def _deciding(config: Config) -> tuple[object, ...]:
    """The options that decide what an encoder is."""
    sections = (getattr(config, name) for name in OF_TRAINING)
    return (*sections, config.run.root_key, config.run.precision)


def plan_ensembles(
    config: Config, shape: tuple[int, int], ids: Sequence[int], batches: np.ndarray | None = None
) -> tuple[Plan, int]:
    """Plan the pretraining of encoders, and count its epochs, each a call of its log.

    Args:
        config: of the study, of which the sections `OF_THE_STUDY` are read.
        shape: training samples and features of the encoder input.
        ids: of `lacking`.
        batches: technical batch of the training samples, for mini-batches of one cohort.

    Returns:
        The plan, and epochs of all chunks of encoders together.
    """
    own = recipe(config, shape[0])
    plan = plan_pretraining(own, *shape, n_seeds=len(ids), batches=batches)
    return plan, plan.schedule.n_epochs * -(-len(ids) // plan.memory.chunk)


def pretrain_ensembles(
    plan: Plan,
    config: Config,
    pool: Float[np.ndarray, "samples features"],
    ids: Sequence[int],
    log: LogFn = lambda rows, restored: None,
    checkpoints: Path | None = None,
    stop: StopFn = lambda: False,
) -> dict[int, Params]:
    """Pretrain encoders of ensembles.

    Args:
        plan: of `plan_ensembles`, for the same ids.
        config: of the study, of which the sections `OF_THE_STUDY` are read.
        pool: encoder input of all training samples, labelled or not.
        ids: of `lacking`.
        log, checkpoints, stop: as of `engine.pretrain.pretrain`.

    Returns:
        Encoders by id.
    """
    own, made = recipe(config, len(pool)), {}
    for part in pretrain(plan, own, pool, ids, log, checkpoints, stop=stop):
        made |= {i: params["encoder"] for i, params in part.params.items()}
    return made


def windows(encoders: Encoders, seeds: Iterable[int]) -> dict[int, dict[str, Params]]:
    """The ensemble of every repetition, by seed: its encoders by name."""
    return {seed: {f"encoder_{i}": encoders[i] for i in ids_of(seed)} for seed in seeds}


def make_fit_best(config: Config, inputs: Inputs, ensembles: Encoders) -> Callable[..., Fits]:
    """Build the fit of `best`; what a repetition sees is made once for all budgets."""
    assert inputs.genes is not None, "make_inputs provides what the arms want"
    common, _ = make_spaces(inputs.features, inputs.genes, inputs.train, inputs.held_out)

    @cache
    def spaces_of(seed: int) -> Spaces:
        outputs = outputs_of(config, [*ensembles[seed].values()], inputs.features)
        return with_outputs(common, outputs)

    def fit_one(problem: Problem) -> np.ndarray:
        spaces, known = spaces_of(problem.seed), np.unique(problem.y)
        probabilities, _ = fit_best(spaces, problem.labelled, problem.y, inputs.n_classes)
        return probabilities[:, known]

    def fit(n: int, seeds: Sequence[int]) -> Fits:
        problems = (problem_of(inputs, inputs.features, n, seed) for seed in seeds)
        return fit_each(fit_one, problems, inputs.n_classes)

    return fit
