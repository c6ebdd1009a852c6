"""What the engine asks of a pretraining method: a struct of pure functions for one seed."""

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from jaxssl.bounds import optionclass
from jaxssl.model import Network
from jaxssl.types import InputError, Metrics, Params, Profiles, Samples, Views

Step = int | Int[Array, ""]
"""Optimisation steps done; unbatched under vmap, so that `lax.cond` on it stays a branch."""
Start = tuple[Params, PyTree]
"""Parameters, and what is remembered beside them."""
Loss = tuple[Float[Array, ""], Metrics]
"""What is differentiated in the parameters, and further measures (float32 arrays).

Of those that several methods have, `loss_ratio` divides by the loss of who knows nothing (1:
collapsed), `projection_spread` is `losses.spread` (0: collapsed), and `usage` is the share of the
samples by prototype or cluster.
"""


@optionclass
class MethodConfig:
    """What the options of all methods have in common.

    Zero for a count marked "from the data" is chosen by `settle`. A number with a fraction changes
    values alone, never a shape: members of one compiled program may differ in it.
    """

    MIN_VIEWS: ClassVar[int] = 2
    NEEDS_CHANGE: ClassVar[bool] = False  # whether views that are the profiles teach nothing
    name: ClassVar[str] = ""

    def settle(self, batch_size: int, n_train: int) -> None:
        """Choose what is left to the data; refuse what does not fit batch or training samples."""

    def check_cohorts(self) -> None:
        """Refuse mini-batches of one cohort where the method mixes cohorts beside them."""

    def check_views(self, changes: Collection[str]) -> None:
        """Refuse augmentations (`changes`: which are on) from which the method learns nothing."""
        if self.NEEDS_CHANGE and not changes:
            raise InputError(
                f"{self.name} has views that are the profiles themselves",
                "pass `augment.mask_rate` or `augment.noise`",
            )


class Training(NamedTuple):
    """What a method is built for: the encoder that it trains, on how much and for how long."""

    encoder: Network
    n_samples: int
    n_steps: int
    n_cohorts: int = 0  # that mini-batches are of, one each; 0: they are mixed


class Batch(NamedTuple):
    """What a method sees at a step."""

    views: Views
    memory: PyTree
    step: Step
    cohort: Int[Array, ""] | None = None  # of all its samples; None: of several


class Method(NamedTuple):
    """A pretraining method; it closes over its options and its training.

    Once per step, the engine calls `loss`, then `remember` with the new parameters on the same
    batch; before the first epoch and every `refresh_every` epochs, `refresh`. Memory holds what no
    gradient trains: a queue, a target network, clusters.
    """

    init: Callable[[PRNGKeyArray, Profiles], Start]
    loss: Callable[[Params, Batch], Loss]
    # the memory after a step; None: it stays as it is
    remember: Callable[[Params, Batch], PyTree] | None = None
    # parameters and memory from all training samples; None: they stay as they are
    refresh: Callable[[Params, PRNGKeyArray, Samples], Start] | None = None
    refresh_every: int = 1  # epochs; the last round is as long as any, or longer
    # top-level keys of params that `refresh` draws anew; their optimizer state starts anew too
    restart: tuple[str, ...] = ()
    # top-level key of params -> first steps in which it and its optimizer state stay untouched
    freeze: Mapping[str, int] = MappingProxyType({})
    # scores of the first prototype head; None for a method without prototypes
    scores: Callable[[Params, Profiles], Float[Array, "batch prototypes"]] | None = None


class Recipe(NamedTuple):
    """A method by name: its options, how it is made from them, and what goes with it."""

    options: type[MethodConfig]
    make: Callable[[Any, Training], Method]
    # dotted option → values that a comparison tries; as many combinations for one as for another
    grid: Mapping[str, Sequence[Any]]
    views: Mapping[str, Any] = MappingProxyType({})  # of `AugmentConfig`, where they differ
