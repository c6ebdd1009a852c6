"""The encoders of the arm `best`, an ensemble for every repetition, and its fits."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float

from jaxssl.config import Config, resolve, with_options
from jaxssl.engine.embed import outputs_of
from jaxssl.engine.pretrain import LogFn, StopFn, plan_pretraining, pretrain
from jaxssl.evaluation.arms import Encoders, Fits, Inputs, fit_each, problem_of
from jaxssl.evaluation.baselines import Problem
from jaxssl.evaluation.best import fit_best
from jaxssl.evaluation.spaces import Spaces, make_spaces, with_outputs
from jaxssl.types import Params

N_ENCODERS = 5
RECIPE = {"augment.noise": 0.75, "augment.neighbour_share": 0.25}
"""What differs from the defaults of a pretraining; chosen on validation parts."""
OF_THE_STUDY = ("normalize", "encoder", "pretrain", "run")  # sections of its options
STRIDE = 1_000_000  # between the ids of a repetition's encoders, so that no seed has another's
AT_ONCE = 4  # repetitions that are pretrained in one compiled call


def recipe(config: Config, n_train: int) -> Config:
    """Options of the pretraining of an ensemble, resolved; SwAV, whatever the study compares."""
    own = replace(Config(), **{name: getattr(config, name) for name in OF_THE_STUDY})
    return resolve(with_options(own, RECIPE), n_train)


def ids_of(seed: int) -> list[int]:
    """Ids of the encoders of a repetition, which their random streams follow."""
    return [seed + STRIDE * number for number in range(1, N_ENCODERS + 1)]


def n_epochs(config: Config, shape: tuple[int, int], seeds: Sequence[int]) -> int:
    """Epochs of all compiled calls, each a call of the log of `pretrain_ensembles`."""
    plan = plan_pretraining(recipe(config, shape[0]), *shape, n_seeds=1)
    return plan.schedule.n_epochs * -(-len(seeds) // AT_ONCE)


def pretrain_ensembles(
    config: Config,
    pool: Float[np.ndarray, "samples features"],
    seeds: Sequence[int],
    batches: np.ndarray | None = None,
    log: LogFn = lambda rows, restored: None,
    checkpoints: Path | None = None,
    stop: StopFn = lambda: False,
) -> Iterator[dict[int, dict[str, Params]]]:
    """Pretrain the ensembles of some repetitions, `AT_ONCE` at a time.

    Args:
        config: of the study, of which the sections `OF_THE_STUDY` are read.
        pool: encoder input of all training samples, labelled or not.
        seeds: repetitions.
        batches: technical batch of the training samples, for mini-batches of one cohort.
        log, checkpoints, stop: as of `engine.pretrain.pretrain`.

    Yields:
        Encoders by seed.
    """
    own = recipe(config, len(pool))
    n_members = min(AT_ONCE, len(seeds)) * N_ENCODERS
    plan = plan_pretraining(own, *pool.shape, n_seeds=n_members, batches=batches)
    for first in range(0, len(seeds), AT_ONCE):
        chunk = seeds[first : first + AT_ONCE]
        ids, made = [i for seed in chunk for i in ids_of(seed)], {}
        for part in pretrain(plan, own, pool, ids, log, checkpoints, stop=stop):
            made |= {i: params["encoder"] for i, params in part.params.items()}
        yield {seed: {f"encoder_{i}": made[i] for i in ids_of(seed)} for seed in chunk}


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
