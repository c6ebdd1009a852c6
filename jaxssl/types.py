"""The values that flow through jaxssl, and the glossary of their axes.

| axis       | meaning                                                              |
|------------|----------------------------------------------------------------------|
| samples    | expression profiles (rows)                                           |
| genes      | measured features of the user's file: genes, miRNAs, probe sets      |
| features   | what the encoder sees: scaled genes or conditioned components        |
| batch      | the samples of one optimisation step                                 |
| views      | augmented copies of one batch                                        |
| dim        | width of an embedding                                                |
| heads      | prototype heads                                                      |
| prototypes | prototypes of one head                                               |
| classes    | label values                                                         |
| seeds      | members of an ensemble; functions of one seed never see it           |
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

import jax
import numpy as np
from jaxtyping import Array, Float, Float32, Int, Int32, PRNGKeyArray, PyTree

LEAKS = ("groups", "twins", "fitted", "selection", "transductive")
"""Ways in which held-out samples could speak in training; see `data.leakage`."""
ROLES = ("label", "group", "batch")
"""What a column of the table of samples can be to a study."""
MAX_MISSING = 0.3
"""Share of an encoder's genes that new samples may lack; they are imputed."""
OnShift = Literal["refuse", "warn", "adapt"]
"""What to do about samples that lie far from an encoder's: `data.arrival.receive`."""
REFUSE, WARN, ADAPT = get_args(OnShift)
STATIC = {"static": True}
"""Marks a field that is no array, so that JAX compiles for each of its values."""


NAMES_QUOTED: set[str] = set()
"""Names of the user's with a backquote; what stands in them is no option."""


def note_quoted(names: Iterable[Any]) -> None:
    """Keep those of the user's names that a message could be misread by."""
    NAMES_QUOTED.update(name for name in names if isinstance(name, str) and "`" in name)


class InputError(ValueError):
    """Input that cannot be used.

    Options stand in backquotes, as Python writes them: `label=COLUMN`, `method.epsilon`, and
    `finetune()` for what a user calls. `launch.exit.as_flags` writes them as a shell does, but for
    what stands in `NAMES_QUOTED`.

    Args:
        finding: what was found.
        fix: what to do about it, where the finding does not say so itself.

    Example:
        >>> print(InputError("no sample has a label", "name another column with `label=COLUMN`"))
        no sample has a label; name another column with `label=COLUMN`
    """

    def __init__(self, finding: str, fix: str = ""):
        super().__init__(finding, fix)
        self.finding, self.fix = finding, fix

    def __str__(self) -> str:
        return f"{self.finding}; {self.fix}" if self.fix else self.finding


class Stopped(Exception):
    """A run that was asked to stop and has saved what it had."""


Params = dict[str, Any]
"""Parameters as a plain nested dict; `params["encoder"]` always exists."""

Profiles = Float[Array, "batch features"]
"""The samples of one optimisation step."""

Samples = Float[Array, "samples features"]
"""All training samples."""

Features = Float[np.ndarray, "samples features"]
"""Some samples on the host, as genes, components or what an encoder makes of them."""

Metrics = dict[str, Array]
"""Scalars (or short vectors) of one step or epoch, by name."""


class Views(NamedTuple):
    """Augmented copies of one batch; every view holds the same samples in the same order."""

    x: Float[Array, "views batch features"]
    index: Int[Array, " batch"]  # positions of the samples in the training matrix
    original: Float[Array, "batch features"]  # the samples as they are


class GenePool(NamedTuple):
    """The genes that components were taken of, for views that lack some of them."""

    z: Float[Array, "samples genes"]  # standardised and clipped: 0 is the training mean
    rotation: Float[Array, "genes features"]
    lower: Float[Array, " features"]
    upper: Float[Array, " features"]


class Pool(NamedTuple):
    """What all seeds train on: the profiles, and what was learnt from them beforehand."""

    x: Float[Array, "samples features"]  # all training samples, labelled or not
    autoencoder: Params  # {} unless views are drawn through one
    cohort: Int[Array, " samples"] | None = None  # None: mini-batches are mixed
    genes: GenePool | None = None  # None: no view lacks genes, or they are what `x` has
    neighbours: Int[Array, "samples neighbours"] | None = None  # rows; None: no view is another's
    # which samples are in `x`, in ascending order; None: all
    rows: Int[Array, " samples"] | None = None


class Member(NamedTuple):
    """What makes one member of a compiled ensemble differ from the others."""

    key: PRNGKeyArray  # the seed's root key
    # out of `evaluation.grid.traced_options`, each with its value; {}: the config's
    options: dict[str, Array]


class TrainState(NamedTuple):
    """What one seed carries from step to step; the step number travels unbatched beside it."""

    params: Params
    memory: PyTree  # queue, bank or target network of the method
    opt_state: PyTree
    member: Member  # its key is never advanced, so a resume needs only the step


class Split(NamedTuple):
    """Row positions of the three parts; an unlabelled sample is in `train` or in no part."""

    train: Int[np.ndarray, " train"]
    validation: Int[np.ndarray, " validation"]
    test: Int[np.ndarray, " test"]


FRAMES = ("training", "cohort", "rank", "rank_cohort")
"""What a gene's value can be relative to."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Frame:
    """What a gene's value is relative to; `data.frames` fits and applies it."""

    name: str = field(default="training", metadata=STATIC)  # as `normalize.frame`
    cohorts: tuple[str, ...] = field(default=(), metadata=STATIC)  # those of training, in order
    mean: Float[np.ndarray, "cohorts genes"] | None = None
    scale: Float[np.ndarray, "cohorts genes"] | None = None  # 0: constant in the cohort


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Normalizer:
    """A fitted map from expression to encoder input; `data.normalize` fits and applies it.

    In order: log-CPM if `expression_scale` is "counts"; the `frame`; `(x - mean) / scale`; clip to
    [`lower`, `upper`]; times `weight`, if there is one; with a `rotation` (spectral input),
    `x @ rotation`, clipped to [`lower_component`, `upper_component`]. The conditioning is inside
    `rotation`.
    """

    genes: tuple[str, ...] = field(metadata=STATIC)  # the genes kept, in column order
    # scale of the data it was fitted on: one of `data.scale.SCALES`
    expression_scale: str = field(metadata=STATIC)
    mean: Float[np.ndarray, " genes"]
    scale: Float[np.ndarray, " genes"]
    lower: Float[np.ndarray, " genes"]  # in training standard deviations
    upper: Float[np.ndarray, " genes"]
    weight: Float[np.ndarray, " genes"] | None = None
    rotation: Float[np.ndarray, "genes features"] | None = None
    lower_component: Float[np.ndarray, " features"] | None = None
    upper_component: Float[np.ndarray, " features"] | None = None
    frame: Frame = Frame()


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Calibration:
    """What labels that a classifier was not fitted on say of it: numbers alone, no expression."""

    # -log of the true class's probability, before the temperature
    scores: Float32[np.ndarray, " labels"]
    codes: Int32[np.ndarray, " labels"]  # true class
    temperature: float = field(metadata=STATIC)  # of the softmax; 1: as the network has it
    is_held_out: bool = field(metadata=STATIC)  # else of cross-validated fits
