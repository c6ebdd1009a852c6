"""Labels of one cohort for samples of another: encoders of both, and two heads that share a word.

Encoders are pretrained on the unlabelled profiles of source and target in several frames. On their
outputs, a linear head whose classes are softly balanced over the target is right where cohorts lie
apart, and a graph over both cohorts where they mix: their mean is kept.
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.special import softmax

from jaxssl.config import Config, NormalizeConfig, from_dict, resolve, to_dict, with_options
from jaxssl.data.normalize import fit_normalizer, normalize
from jaxssl.engine.embed import outputs_of
from jaxssl.engine.planning import Plan, plan_pretraining
from jaxssl.engine.pretrain import merge, pretrain
from jaxssl.evaluation.correction import soft_balance
from jaxssl.evaluation.graph import affinity
from jaxssl.evaluation.logistic import fit_logistic
from jaxssl.evaluation.spreading import self_train
from jaxssl.types import Features, Normalizer, Params

FRAMES = ("rank_cohort", "cohort", "rank")
GRAPH_FRAMES = ("rank_cohort", "cohort")  # ranks alone leave the cohorts apart
BALANCE = 2.0  # of `soft_balance` over the target
RECIPE = {
    "normalize.frame": "training",  # where it is named; encoders are of `FRAMES`
    "normalize.clip": 5.0,
    "normalize.scaling": 1.0,
    "pretrain.batch_size": 64,
    "pretrain.n_steps": 500,
}
"""What differs from a pretraining's defaults; fixed over all families of docs/results/transfer."""
N_SEEDS = 3  # encoders a frame and way of batching
BATCHES = {"mixed": "size", "by_cohort": "even"}
"""Ways of batching → how cohorts are drawn. Mixed batches are better where cohorts differ in what
they consist of, those of one cohort where they differ in all else; nobody knows which beforehand.
"""

Classes = Float[np.ndarray, "samples classes"]


class FrameEncoders(NamedTuple):
    """The encoders of one frame."""

    normalizer: Normalizer
    params: tuple[Params, ...]  # of each seed

    def outputs(
        self, config: Config, x: Float[np.ndarray, "samples genes"], cohorts: np.ndarray
    ) -> Features:
        """Outputs of log2 expression of samples whose cohorts have a frame."""
        return outputs_of(config, self.params, normalize(self.normalizer, x, None, cohorts))


class Head(NamedTuple):
    """A linear map of encoder outputs, as they are, to scores of classes."""

    kernel: Float[np.ndarray, "outputs classes"]
    bias: Float[np.ndarray, " classes"]

    def __call__(self, x: Float[np.ndarray, "samples outputs"]) -> Classes:
        """Class probabilities."""
        return softmax(x @ self.kernel + self.bias, axis=1)


class Heads(NamedTuple):
    """What classifies the encoders' outputs."""

    linear: Head  # on the outputs of all frames side by side, softly balanced over the target
    spread: dict[str, Head]  # by frame: what was learnt from a graph of source and target

    def __call__(self, outputs: Mapping[str, Features]) -> Classes:
        """Class probabilities of samples of the target cohort, whether or not they were in it."""
        spread = average([head(outputs[frame]) for frame, head in self.spread.items()])
        return (self.linear(side_by_side(outputs)) + spread) / 2


def recipe(config: Config | None = None) -> Config:
    """Options of the pretraining, on top of a configuration."""
    return with_options(config or Config(), RECIPE)


def pretrain_frames(
    x: Float[np.ndarray, "samples genes"],
    cohorts: np.ndarray,
    genes: np.ndarray,
    config: Config,
    seeds: Sequence[int] = range(N_SEEDS),
) -> dict[str, FrameEncoders]:
    """Encoders of log2 expression in each frame, half of them by each of `BATCHES`."""
    found = {}
    for frame in FRAMES:
        own = replace(config, normalize=replace(config.normalize, frame=frame))
        normalizer = fit_normalizer(x, genes, resolve(own, *x.shape).normalize, "log2", cohorts)
        pool = normalize(normalizer, x, None, cohorts)
        made = [encoders_of(pool, config, batches, cohorts, seeds) for batches in BATCHES]
        found[frame] = FrameEncoders(normalizer, tuple(itertools.chain(*made)))
    return found


def encoders_of(
    pool: Features,
    config: Config,
    batches: str,
    cohorts: np.ndarray,
    seeds: Sequence[int] = range(N_SEEDS),
) -> list[Params]:
    """Encoders that are pretrained on the input of a frame, a seed each."""
    how = {"pretrain.batches": batches, "pretrain.cohort_draw": BATCHES[batches]}
    # whatever the frame: one program for all of them
    config = with_options(replace(config, normalize=NormalizeConfig()), how)
    config = resolve(config, *pool.shape)
    text = json.dumps(to_dict(config))
    plan = _plan(text, *pool.shape, n_seeds=len(seeds), cohorts=tuple(cohorts))
    made = merge(pretrain(plan, config, pool, seeds)).params
    return [made[seed]["encoder"] for seed in seeds]


@lru_cache(maxsize=4)
def _plan(
    config: str, n_samples: int, n_features: int, *, n_seeds: int, cohorts: tuple[str, ...]
) -> Plan:
    """The plan of a pretraining, whose program serves whatever has the same shapes."""
    options, of = from_dict(json.loads(config)), np.array(cohorts)
    return plan_pretraining(options, n_samples, n_features, n_seeds, batches=of)


def fit_heads(
    outputs: Mapping[str, Features],
    labelled: Int[np.ndarray, " labelled"],
    y: Int[np.ndarray, " labelled"],
    target: Int[np.ndarray, " target"],
    n_classes: int,
    seed: int = 0,
) -> tuple[Float[np.ndarray, "target classes"], Heads]:
    """Class probabilities of the target rows, and the heads that say them.

    Args:
        outputs: of the encoders, by frame; a row a sample of source or target.
        labelled: rows that have a label, all of the source.
        y: their classes.
        target: rows of the target, unlabelled.
        n_classes: all of them occur in `y`.
        seed: of the folds that choose a penalty.

    Returns:
        Probabilities of the target's samples, and what says them of others of that cohort.

    Example:
        >>> fit_heads(outputs, rows, codes[rows], target, n_classes=2)  # doctest: +SKIP
    """
    blocks = {name: _Block.of(x) for name, x in outputs.items()}
    scaled = {name: block.apply(outputs[name]) for name, block in blocks.items()}
    together = side_by_side(scaled)
    linear = fit_logistic(together[labelled], np.eye(n_classes)[y], seed=seed)
    kernel, bias = linear.linear()
    bias = bias + soft_balance(together[target] @ kernel + bias, BALANCE)
    widths = np.cumsum([scaled[name].shape[1] for name in FRAMES])[:-1]
    kernels = dict(zip(FRAMES, np.split(kernel, widths), strict=True))
    folded = [blocks[name].fold(kernels[name]) for name in FRAMES]
    found = softmax(together[target] @ kernel + bias, axis=1)
    of_graphs, spread = [], {}
    for name in GRAPH_FRAMES:
        x = scaled[name]
        told, model = self_train(x, affinity(x), labelled, y, n_classes)
        of_graphs.append(told[target])
        own, offset = model.linear()
        spread[name] = Head(*blocks[name].fold(own, offset))
    head = Head(np.concatenate([k for k, _ in folded]), bias + sum(b for _, b in folded))
    return (found + average(of_graphs)) / 2, Heads(head, spread)


class _Block(NamedTuple):
    """Centre and size of a frame's outputs: scaled, no frame weighs more than another."""

    centre: Float[np.ndarray, " outputs"]
    size: float

    @classmethod
    def of(cls, x: Features) -> "_Block":
        """Those of some outputs."""
        centre = x.mean(axis=0)
        return cls(centre, float(np.sqrt(np.mean(np.sum((x - centre) ** 2, axis=1)))) or 1.0)

    def apply(self, x: Features) -> Features:
        """Outputs centred, of mean square length 1."""
        return (x - self.centre) / self.size

    def fold(
        self, kernel: Float[np.ndarray, "outputs classes"], bias: float | np.ndarray = 0.0
    ) -> tuple[Float[np.ndarray, "outputs classes"], Float[np.ndarray, " classes"]]:
        """A map of scaled outputs as one of outputs as they are."""
        kernel = kernel / self.size
        return kernel, bias - self.centre @ kernel


def side_by_side(blocks: Mapping[str, Features]) -> Float[np.ndarray, "samples together"]:
    """The outputs of all frames as one matrix."""
    return np.hstack([blocks[name] for name in FRAMES])


def average(parts: Sequence[Classes]) -> Classes:
    """Geometric mean of probabilities, none below 0.001: one that is sure does not rule alone."""
    logs = [np.log(np.clip(part, 1e-3, None)) for part in parts]
    return softmax(np.mean(logs, axis=0), axis=1)
