"""The encoders of the arm `best`, an ensemble for every repetition, and its fits.

An ensemble has encoders of two methods. Repetitions share them: an ensemble is a window on a
sequence of each method's, and the next repetition's window is one further. Twenty repetitions take
24 encoders a method, where ensembles apart would take 100. Those that the study has pretrained
alike for an arm, as `swav`, are the same ones. Intervals over
repetitions are of labels and encoders; of the little that encoders add to them, a part is missing.
Intervals over splits are not touched: no encoder is of two splits.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxssl.config import Config, resolve, with_method, with_options
from jaxssl.engine.bundle import EncoderBundle, has_diverged
from jaxssl.engine.embed import outputs_of
from jaxssl.engine.planning import Plan, plan_pretraining
from jaxssl.engine.pretrain import LogFn, StopFn, pretrain
from jaxssl.evaluation.arms import Encoders, Fits, Inputs, fit_each, problem_of
from jaxssl.evaluation.baselines import spaces_of
from jaxssl.evaluation.best import Asked, fit_best
from jaxssl.evaluation.problem import Problem, of_known
from jaxssl.evaluation.spaces import Spaces, with_outputs
from jaxssl.readers import OF_TRAINING
from jaxssl.types import Params

MEMBERS: Mapping[str, Mapping[str, Any]] = {"swav": {}, "vicreg": {"augment.noise": 0.5}}
"""Methods whose encoders an ensemble has, with what is not at its default. Chosen on validation
parts (docs/best.md)."""
N_ENCODERS = 5  # of each
OF_THE_STUDY = ("normalize", "encoder", "pretrain", "run")  # sections of its options


Id = tuple[str, int]
"""Of an encoder: its method and a number, which its random stream follows."""


def recipe(config: Config, n_train: int, method: str) -> Config:
    """Options of the pretraining of an ensemble's encoders of a method, resolved."""
    own = replace(Config(), **{name: getattr(config, name) for name in OF_THE_STUDY})
    return resolve(with_options(with_method(own, method), MEMBERS[method]), n_train)


def ids_of(seed: int) -> list[Id]:
    """Ids of the encoders of a repetition."""
    return [(method, seed + number) for method in MEMBERS for number in range(N_ENCODERS)]


def lacking(seeds: Iterable[int], made: Iterable[Id] = ()) -> list[Id]:
    """Ids of the encoders of all these repetitions, each once, that are not made yet.

    >>> len(lacking([0, 1])), lacking([0], made=ids_of(1))
    (12, [('swav', 0), ('vicreg', 0)])
    """
    return sorted({i for seed in seeds for i in ids_of(seed)} - set(made))


def alike(config: Config, n_train: int, bundles: Iterable[EncoderBundle]) -> dict[Id, Params]:
    """Encoders of a study that are pretrained as those of an ensemble are.

    Args:
        config: of the study, of which the sections `OF_THE_STUDY` are read.
        n_train: training samples, which are those of the study's encoders.
        bundles: of its encoders.

    Returns:
        Their parameters; none of a study that changes what decides an encoder.

    Example:
        >>> alike(config, n_train, bundles.values()).keys()  # doctest: +SKIP
        dict_keys([('swav', 0), ('swav', 1), ('swav', 2)])
    """
    wanted = {method: _deciding(recipe(config, n_train, method)) for method in MEMBERS}
    return {
        (bundle.config.method.name, int(bundle.provenance["seed"])): bundle.params["encoder"]
        for bundle in bundles
        if _deciding(bundle.config) in wanted.values() and not has_diverged(bundle)
    }


def _deciding(config: Config) -> tuple[object, ...]:
    """The options that decide what an encoder is."""
    sections = (getattr(config, name) for name in OF_TRAINING)
    return (*sections, config.run.root_key, config.run.precision)


def plan_ensembles(
    config: Config, shape: tuple[int, int], ids: Sequence[Id], batches: np.ndarray | None = None
) -> tuple[dict[str, Plan], int]:
    """Plan the pretraining of encoders, and count its epochs, each a call of its log.

    Args:
        config: of the study, of which the sections `OF_THE_STUDY` are read.
        shape: training samples and features of the encoder input.
        ids: of `lacking`.
        batches: technical batch of the training samples, for mini-batches of one cohort.

    Returns:
        A plan a method, and epochs of all chunks of encoders together.
    """
    plans, n_epochs = {}, 0
    for method, numbers in _by_method(ids).items():
        own = recipe(config, shape[0], method)
        plan = plan_pretraining(own, *shape, n_seeds=len(numbers), batches=batches)
        plans[method] = plan
        n_epochs += plan.schedule.n_epochs * -(-len(numbers) // plan.memory.chunk)
    return plans, n_epochs


def _by_method(ids: Iterable[Id]) -> dict[str, list[int]]:
    """Numbers of encoders, by method."""
    numbers: dict[str, list[int]] = {}
    for method, number in ids:
        numbers.setdefault(method, []).append(number)
    return numbers


def pretrain_ensembles(
    plans: Mapping[str, Plan],
    config: Config,
    pool: Float[np.ndarray, "samples features"],
    ids: Sequence[Id],
    log: LogFn = lambda rows, restored: None,
    checkpoints: Path | None = None,
    stop: StopFn = lambda: False,
) -> dict[Id, Params]:
    """Pretrain encoders of ensembles.

    Args:
        plans: of `plan_ensembles`, for the same ids.
        config: of the study, of which the sections `OF_THE_STUDY` are read.
        pool: encoder input of all training samples, labelled or not.
        ids: of `lacking`.
        log, checkpoints, stop: as of `engine.pretrain.pretrain`; each method has a folder of its
            own among the checkpoints.

    Returns:
        Encoders by id.
    """
    made = {}
    for method, numbers in _by_method(ids).items():
        own, folder = recipe(config, len(pool), method), checkpoints and checkpoints / method
        for part in pretrain(plans[method], own, pool, numbers, log, folder, stop=stop):
            made |= {(method, i): params["encoder"] for i, params in part.params.items()}
    return made


def windows(encoders: Mapping[Id, Params], seeds: Iterable[int]) -> dict[int, dict[str, Params]]:
    """The ensemble of every repetition, by seed: its encoders by name."""
    return {
        seed: {f"{method}_{i}": encoders[method, i] for method, i in ids_of(seed)} for seed in seeds
    }


def make_fit_best(config: Config, inputs: Inputs, ensembles: Encoders) -> Callable[..., Fits]:
    """Build the fit of `best`; what a repetition sees is made once for all budgets."""
    assert inputs.genes is not None, "make_inputs provides what the arms want"

    def problem(n: int, seed: int) -> Problem:
        return problem_of(inputs, inputs.features, n, seed)._replace(genes=inputs.genes)

    @cache
    def seen(seed: int) -> Spaces:
        outputs = outputs_of(config, [*ensembles[seed].values()], inputs.features)
        return with_outputs(spaces_of(problem(1, seed)), outputs)

    def fit_all(problems: Sequence[Problem]) -> list[np.ndarray]:
        asked = [
            Asked(seen(p.seed), p.labelled, p.y, p.n_classes, p.solver, p.shared) for p in problems
        ]
        fitted = zip(fit_best(asked), problems, strict=True)
        return [of_known(probabilities, problem.y) for (probabilities, _), problem in fitted]

    def fit(n: int, seeds: Sequence[int]) -> Fits:
        return fit_each(fit_all, [problem(n, seed) for seed in seeds], inputs.n_classes)

    return fit
