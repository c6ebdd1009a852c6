"""The encoders of the arm `best`, an ensemble for every repetition, and its fits.

Repetitions share encoders: an ensemble is a window on a sequence of them, and the next repetition's
window is one further. Twenty repetitions take 24 encoders, where ensembles apart would take 100.
Intervals over repetitions are of labels and encoders; of the little that encoders add to them, a
part is missing. Intervals over splits are not touched: no encoder is of two splits.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float

from jaxssl.config import Config, resolve, with_options
from jaxssl.engine.embed import outputs_of
from jaxssl.engine.pretrain import LogFn, Plan, StopFn, plan_pretraining, pretrain
from jaxssl.evaluation.arms import Encoders, Fits, Inputs, fit_each, problem_of
from jaxssl.evaluation.baselines import Problem
from jaxssl.evaluation.best import fit_best
from jaxssl.evaluation.spaces import Spaces, make_spaces, with_outputs
from jaxssl.types import Params

N_ENCODERS = 5
RECIPE = {"augment.noise": 0.75, "augment.neighbour_share": 0.25}
"""What differs from the defaults of a pretraining; chosen on validation parts."""
OF_THE_STUDY = ("normalize", "encoder", "pretrain", "run")  # sections of its options
FIRST = 1_000_000  # id of the first encoder, which no seed of a study has


def recipe(config: Config, n_train: int) -> Config:
    """Options of the pretraining of an ensemble, resolved; SwAV, whatever the study compares."""
    own = replace(Config(), **{name: getattr(config, name) for name in OF_THE_STUDY})
    return resolve(with_options(own, RECIPE), n_train)


def ids_of(seed: int) -> list[int]:
    """Ids of the encoders of a repetition, which their random streams follow."""
    return [FIRST + seed + number for number in range(N_ENCODERS)]


def ids_of_all(seeds: Sequence[int]) -> list[int]:
    """Ids of the encoders of all these repetitions, each once."""
    return sorted({i for seed in seeds for i in ids_of(seed)})


def plan_ensembles(
    config: Config, shape: tuple[int, int], seeds: Sequence[int], batches: np.ndarray | None = None
) -> tuple[Plan, int]:
    """Plan the pretraining of ensembles, and count its epochs, each a call of its log.

    Args:
        config: of the study, of which the sections `OF_THE_STUDY` are read.
        shape: training samples and features of the encoder input.
        seeds: repetitions.
        batches: technical batch of the training samples, for mini-batches of one cohort.

    Returns:
        The plan, and epochs of all chunks of encoders together.
    """
    n_encoders = len(ids_of_all(seeds))
    own = recipe(config, shape[0])
    plan = plan_pretraining(own, *shape, n_seeds=n_encoders, batches=batches)
    return plan, plan.schedule.n_epochs * -(-n_encoders // plan.memory.chunk)


def pretrain_ensembles(
    plan: Plan,
    config: Config,
    pool: Float[np.ndarray, "samples features"],
    seeds: Sequence[int],
    log: LogFn = lambda rows, restored: None,
    checkpoints: Path | None = None,
    stop: StopFn = lambda: False,
) -> dict[int, dict[str, Params]]:
    """Pretrain the ensembles of some repetitions.

    Args:
        plan: of `plan_ensembles`, for the same seeds.
        config: of the study, of which the sections `OF_THE_STUDY` are read.
        pool: encoder input of all training samples, labelled or not.
        seeds: repetitions.
        log, checkpoints, stop: as of `engine.pretrain.pretrain`.

    Returns:
        Encoders by name, by seed.
    """
    ids, made = ids_of_all(seeds), {}
    for part in pretrain(plan, recipe(config, len(pool)), pool, ids, log, checkpoints, stop=stop):
        made |= {i: params["encoder"] for i, params in part.params.items()}
    return {seed: {f"encoder_{i}": made[i] for i in ids_of(seed)} for seed in seeds}


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
