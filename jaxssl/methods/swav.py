"""SwAV: predict the cluster code of one view from another (Caron et al. 2020, arXiv 2006.09882).

Parameters: `encoder`, `projection` and `prototypes`. Heads share the embeddings, hence one queue
serves them all. Memory: `queue`, where there is one; where mini-batches are of one cohort each and
`cohort_balance` is below 1, the `usage` that every cohort makes of every head's prototypes.
"""

from functools import partial
from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray, PyTree

from jaxssl.bounds import Count, Positive, Range, Share, Temperature, optionclass
from jaxssl.methods.augment import NOISES
from jaxssl.methods.interface import Batch, Loss, Method, Recipe, Start, Step, Training
from jaxssl.methods.losses import entropy, swapped_prediction
from jaxssl.methods.sinkhorn import mix_marginals, sinkhorn
from jaxssl.methods.stack import (
    ProjectedConfig,
    Stack,
    init_prototypes,
    moving_average,
    push,
    score,
)
from jaxssl.model import Head, Norm
from jaxssl.types import InputError, Params, Profiles

MAX_PROTOTYPES = 100  # chosen where the count is left to the data
N_CODE_VIEWS = 2
"""Views that make codes, the first ones; all views predict."""
USAGE_MOMENTUM = 0.9
"""Of a cohort's usage: about ten of its batches, as a batch has hardly a sample a prototype."""


@optionclass
class SwAVConfig(ProjectedConfig):
    """Options of SwAV."""

    name: ClassVar[str] = "swav"
    n_prototypes: tuple[Count, ...] = (0,)  # one count per prototype head; 0: from the data
    epsilon: Temperature = 0.05  # softness of the codes
    n_iterations: Annotated[int, Range(1, 100)] = 3  # of Sinkhorn-Knopp
    temperature: Temperature = 0.1
    hard_codes: bool = False
    queue_length: Count = 0  # embeddings per view; 0: no queue
    queue_start: Count = 0  # step from which the (full) queue takes part in the codes
    freeze_steps: Count = 0  # first steps in which the prototypes do not move
    # of a cohort's batch: 1: codes use all prototypes evenly; 0: as the cohort does on its own
    cohort_balance: Share = 1.0
    projection: Head = "none"
    projection_hidden: Positive = 128
    projection_dim: Positive = 64
    projection_norm: Norm = "none"

    def settle(self, batch_size: int, n_train: int) -> None:
        """As `MethodConfig`; a batch, with the queue, must have a sample for every prototype."""
        in_codes = batch_size + self.queue_length
        self.n_prototypes = tuple(k or min(MAX_PROTOTYPES, batch_size) for k in self.n_prototypes)
        if max(self.n_prototypes) > in_codes:
            raise InputError(
                f"{max(self.n_prototypes)} prototypes cannot share {in_codes} samples evenly "
                "(batch and queue)",
                "lower `method.n_prototypes`, or raise `pretrain.batch_size` or "
                "`method.queue_length`",
            )

    def check_cohorts(self) -> None:
        """As `MethodConfig`: a queue holds embeddings of all cohorts."""
        if self.queue_length:
            raise InputError(
                f"`method.queue_length={self.queue_length}` puts samples of other cohorts into "
                "the codes of a batch, which `pretrain.batches=by_cohort` keeps to one",
                "pass `method.queue_length=0`, and a larger `pretrain.batch_size` if need be",
            )


def swav(options: SwAVConfig, training: Training) -> Method:
    """SwAV as a `Method`."""
    stack = Stack.of(options, training.encoder)
    # a traced balance, of a member of an ensemble, may be anything
    is_even = not isinstance(options.cohort_balance, jax.Array) and options.cohort_balance == 1
    n_usages = 0 if is_even else training.n_cohorts
    remembers = options.queue_length or n_usages
    return Method(
        init=partial(init, options, stack, n_usages),
        loss=partial(loss, options, stack),
        remember=partial(remember, options, stack) if remembers else None,
        freeze={"prototypes": options.freeze_steps},
        scores=stack.first_scores,
    )


def init(options: SwAVConfig, stack: Stack, n_usages: int, key: PRNGKeyArray, x: Profiles) -> Start:
    """Random parameters, prototypes uniform on the sphere, an empty queue and even usages, if any.

    Usages are those of `n_usages` cohorts.
    """
    keys = jax.random.split(key, 3)
    params, z = stack.init(keys[:2], x)
    params["prototypes"] = init_prototypes(keys[2], options.n_prototypes, z.shape[1])
    memory = {}
    if options.queue_length:
        memory["queue"] = jnp.zeros((N_CODE_VIEWS, options.queue_length, z.shape[1]))
    if n_usages:
        memory["usage"] = {
            f"head_{i}": jnp.full((n_usages, k), 1 / k) for i, k in enumerate(options.n_prototypes)
        }
    return params, memory


def soft_codes(
    options: SwAVConfig,
    z: Float[Array, "code_views batch dim"],
    prototypes: Float[Array, "prototypes dim"],
    batch: Batch,
    head: str = "head_0",
) -> Float[Array, "code_views batch prototypes"]:
    """Codes of the batch, balanced together with the queue once that is full; no gradient.

    Where the usage of the batch's cohort is known, the prototypes hold a mixture of that and of
    even shares.
    """
    z, prototypes = jax.lax.stop_gradient((z, prototypes))
    marginals = None
    if "usage" in batch.memory:
        usage = batch.memory["usage"][head][batch.cohort]
        marginals = mix_marginals(usage, options.cohort_balance)
    to_codes = jax.vmap(
        partial(
            sinkhorn,
            epsilon=options.epsilon,
            n_iterations=options.n_iterations,
            marginals=marginals,
        )
    )
    batch_size = z.shape[1]

    def without_queue() -> Float[Array, "code_views batch prototypes"]:
        return to_codes(score(z, prototypes))

    def with_queue() -> Float[Array, "code_views batch prototypes"]:
        # embeddings are stored, not scores: the prototypes have moved since
        everything = jnp.concatenate([z, batch.memory["queue"]], axis=1)
        return to_codes(score(everything, prototypes))[:, :batch_size]

    if options.queue_length == 0:
        return without_queue()
    ready = is_ready(batch.step, batch_size, options.queue_length, options.queue_start)
    return jax.lax.cond(ready, with_queue, without_queue)


def is_ready(step: Step, batch_size: int, length: int, start: int) -> Bool[Array, ""]:
    """Whether a queue that got one batch per step is full, and `start` is reached.

    From the step number, not from a counter in memory: that would be batched over seeds, and
    `lax.cond` on a batched predicate computes both branches.
    """
    return jnp.asarray(step) >= max(start, -(-length // batch_size))


def loss(options: SwAVConfig, stack: Stack, params: Params, batch: Batch) -> Loss:
    """Swapped prediction, averaged over the prototype heads.

    Of the first head, `code_entropy` is the mean over samples of the soft codes' (nats), its ratio
    to ln K, and `usage` by the nearest prototype: mean codes would be even by construction.
    """
    z = stack.embed(params, batch.views.x)
    heads = [params["prototypes"][f"head_{i}"] for i in range(len(options.n_prototypes))]
    head_scores = [score(z, prototypes) for prototypes in heads]
    head_codes = [
        soft_codes(options, z[:N_CODE_VIEWS], c, batch, f"head_{i}") for i, c in enumerate(heads)
    ]
    targets = [harden(codes) for codes in head_codes] if options.hard_codes else head_codes
    of_head = partial(swapped_prediction, temperature=options.temperature)
    losses = jnp.stack(list(map(of_head, targets, head_scores)))
    log_k = jnp.log(jnp.array(options.n_prototypes))
    code_entropy = entropy(head_codes[0]).mean()
    return losses.mean(), {
        "loss_ratio": (losses / log_k).mean(),
        "code_entropy": code_entropy,
        "code_entropy_ratio": code_entropy / log_k[0],
        "usage": nearest(head_scores[0]).mean(axis=(0, 1)),
    }


def nearest(scores: Float[Array, "*rows prototypes"]) -> Float[Array, "*rows prototypes"]:
    """One-hot rows at the largest score; equals share it."""
    # by comparison: a compiler takes maxima in vectors, positions of maxima one by one
    is_nearest = (scores == scores.max(axis=-1, keepdims=True)).astype(scores.dtype)
    return is_nearest / is_nearest.sum(axis=-1, keepdims=True)


def harden(x: Float[Array, "*rows prototypes"]) -> Float[Array, "*rows prototypes"]:
    """One-hot rows: all mass on the arg-max (the first of equals)."""
    return jax.nn.one_hot(x.argmax(axis=-1), x.shape[-1], dtype=x.dtype)


def remember(options: SwAVConfig, stack: Stack, params: Params, batch: Batch) -> PyTree:
    """Push the embeddings of the code views, and let the usage of their cohort follow them."""
    z = jax.lax.stop_gradient(stack.embed(params, batch.views.x[:N_CODE_VIEWS]))
    memory = {}
    if "queue" in batch.memory:
        memory["queue"] = jax.vmap(push)(batch.memory["queue"], z)
    if "usage" in batch.memory:
        memory["usage"] = {
            head: usage.at[batch.cohort].set(
                moving_average(
                    usage[batch.cohort],
                    free_usage(score(z, params["prototypes"][head]), options.epsilon),
                    USAGE_MOMENTUM,
                )
            )
            for head, usage in batch.memory["usage"].items()
        }
    return memory


def free_usage(
    scores: Float[Array, "code_views batch prototypes"], epsilon: float | Float[Array, ""]
) -> Float[Array, " prototypes"]:
    """Share of a batch that each prototype would hold if nothing were asked of the prototypes.

    Of the codes without the condition on columns, softmax(scores / epsilon): those with it have
    the shares that they were given. ReMixMatch knows its predictions' prior by such a running mean
    (Berthelot et al. 2020, arXiv 1911.09785).
    """
    return jax.lax.stop_gradient(jax.nn.softmax(scores / epsilon, axis=-1).mean(axis=(0, 1)))


SWAV = Recipe(SwAVConfig, swav, {"augment.noise": NOISES, "method.epsilon": (0.05, 0.1)})
