"""Labels of one cohort for samples of another: encoders of both, and two heads that share a word.

Encoders are pretrained on the unlabelled profiles of source and target, a cohort a batch, in
several frames. On their outputs, a linear head whose classes are softly balanced over the target is
right where cohorts lie apart, and a graph over both cohorts where they mix: their mean is kept.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.special import softmax

from jaxssl.config import Config, resolve, with_options
from jaxssl.data.normalize import fit_normalizer, normalize
from jaxssl.engine.embed import embed_rows
from jaxssl.engine.pretrain import merge, plan_pretraining, pretrain
from jaxssl.evaluation.correction import soft_balance
from jaxssl.evaluation.logistic import Logistic, fit_logistic
from jaxssl.evaluation.spreading import affinity, self_train
from jaxssl.types import Normalizer, Params

FRAMES = ("rank_cohort", "cohort", "rank")
GRAPH_FRAMES = ("rank_cohort", "cohort")  # ranks alone leave the cohorts apart
BALANCE = 2.0  # of `soft_balance` over the target
RECIPE = {
    "normalize.clip": 5.0,
    "pretrain.batches": "by_cohort",
    "pretrain.cohort_draw": "even",
    "pretrain.batch_size": 64,
    "pretrain.n_steps": 500,
}
"""What differs from a pretraining's defaults; fixed over all families of docs/results/transfer."""
N_SEEDS = 3

Rows = Float[np.ndarray, "samples features"]
Classes = Float[np.ndarray, "samples classes"]
Stop = Callable[[], bool]


class Framed(NamedTuple):
    """The encoders of one frame."""

    normalizer: Normalizer
    params: tuple[Params, ...]  # of each seed


class Heads(NamedTuple):
    """What classifies the encoders' outputs."""

    centres: dict[str, Float[np.ndarray, " dim"]]  # of each frame's outputs
    sizes: dict[str, float]  # root mean square length of the centred outputs
    linear: Logistic  # on all frames side by side
    balance: Float[np.ndarray, " classes"]  # what is added to its logits
    spread: tuple[Logistic, ...]  # on each of `GRAPH_FRAMES`

    def blocks(self, outputs: Mapping[str, Rows]) -> dict[str, Rows]:
        """Outputs centred, and scaled so that no frame weighs more than another."""
        return {name: (x - self.centres[name]) / self.sizes[name] for name, x in outputs.items()}

    def __call__(self, outputs: Mapping[str, Rows]) -> Classes:
        """Class probabilities of samples of the target cohort, in the graph or not."""
        blocks = self.blocks(outputs)
        linear = softmax(self.linear.logits(side_by_side(blocks)) + self.balance, axis=1)
        frames = zip(self.spread, GRAPH_FRAMES, strict=True)
        return (linear + average([softmax(m.logits(blocks[f]), axis=1) for m, f in frames])) / 2


def recipe(config: Config | None = None) -> Config:
    """Options of the pretraining, on top of a configuration."""
    return with_options(config or Config(), RECIPE)


def pretrain_frames(
    x: Float[np.ndarray, "samples genes"],
    genes: np.ndarray,
    cohorts: np.ndarray,
    config: Config,
    seeds: Sequence[int] = range(N_SEEDS),
    stop: Stop = lambda: False,
) -> dict[str, Framed]:
    """Encoders of log2 expression in each frame; one program serves them all."""
    found, plan = {}, None
    for frame in FRAMES:
        options = resolve(
            replace(config, normalize=replace(config.normalize, frame=frame)), *x.shape
        )
        normalizer = fit_normalizer(x, genes, options.normalize, "log2", cohorts)
        pool = normalize(normalizer, x, None, cohorts)
        plan = plan or plan_pretraining(options, *pool.shape, n_seeds=len(seeds), batches=cohorts)
        made = merge(pretrain(plan, options, pool, seeds, stop=stop)).params
        found[frame] = Framed(normalizer, tuple(made[s]["encoder"] for s in seeds))
    return found


def outputs_of(
    config: Config, encoders: Sequence[Params], features: Rows
) -> Float[np.ndarray, "samples outputs"]:
    """Outputs of encoders side by side, on the unit sphere each."""
    parts = [embed_rows(config, params, features) for params in encoders]
    return np.hstack([part / np.linalg.norm(part, axis=1, keepdims=True) for part in parts])


def fit_heads(
    outputs: Mapping[str, Rows],
    labelled: Int[np.ndarray, " labelled"],
    y: Int[np.ndarray, " labelled"],
    target: Int[np.ndarray, " target"],
    n_classes: int,
    seed: int = 0,
) -> tuple[Classes, Heads]:
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
    centres = {name: x.mean(axis=0) for name, x in outputs.items()}
    sizes = {
        name: float(np.sqrt(np.mean(np.sum((x - centres[name]) ** 2, axis=1))))
        for name, x in outputs.items()
    }
    blocks = {name: (x - centres[name]) / sizes[name] for name, x in outputs.items()}
    together = side_by_side(blocks)
    linear = fit_logistic(together[labelled], np.eye(n_classes)[y], seed=seed)
    logits = linear.logits(together[target])
    balance = soft_balance(logits, BALANCE)
    spread = [
        self_train(blocks[name], affinity(blocks[name]), labelled, y, n_classes)
        for name in GRAPH_FRAMES
    ]
    found = softmax(logits + balance, axis=1) + average([p[target] for p, _ in spread])
    return found / 2, Heads(centres, sizes, linear, balance, tuple(model for _, model in spread))


def side_by_side(blocks: Mapping[str, Rows]) -> Rows:
    """The outputs of all frames as one matrix."""
    return np.hstack([blocks[name] for name in FRAMES])


def average(parts: Sequence[Classes]) -> Classes:
    """Geometric mean of probabilities, none below 0.001: one that is sure does not rule alone."""
    logs = [np.log(np.clip(part, 1e-3, None)) for part in parts]
    return softmax(np.mean(logs, axis=0), axis=1)
