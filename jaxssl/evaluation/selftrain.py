"""Self-training: a fine-tuned teacher labels all training profiles, a student learns from it.

SimCLRv2's third step (Chen et al. 2020, arXiv 2006.10029, section 2), for a teacher of any method.
Held-out profiles are never labelled.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray
from optax.losses import softmax_cross_entropy

from jaxssl.config import SelftrainConfig
from jaxssl.evaluation.finetune import (
    ADAM,
    Carry,
    Labelled,
    adam_step,
    batch_positions,
    cross_entropy,
    make_batch,
)
from jaxssl.model import Network
from jaxssl.types import Params


class Lesson(NamedTuple):
    """How a student learns; all traced."""

    steps: int | Int[Array, ""]
    learning_rate: float | Float[Array, ""]  # decays to 0 by a cosine
    temperature: float | Float[Array, ""]  # T of teacher and student
    labelled_weight: float | Float[Array, ""]  # of the labels' own loss; the teacher has the rest


def make_lesson(options: SelftrainConfig) -> Lesson:
    """The lesson that the options describe."""
    return Lesson(
        options.n_steps, options.learning_rate, options.temperature, options.labelled_weight
    )


def distillation(
    teacher: Float[Array, "batch classes"],
    student: Float[Array, "batch classes"],
    temperature: float | Float[Array, ""],
) -> Float[Array, ""]:
    """T² CE(softmax(teacher / T), softmax(student / T)) of logits, mean over the batch.

    T² keeps the gradient's size as T grows (Hinton et al. 2015, arXiv 1503.02531).
    """
    targets = jax.nn.softmax(teacher / temperature)
    return temperature**2 * softmax_cross_entropy(student / temperature, targets).mean()


def make_student(
    encoder: Network, head: Network, batch_size: int
) -> Callable[[PRNGKeyArray, Params, Float[Array, "samples classes"], Labelled, Lesson], Params]:
    """Build the student's training: (key, encoder, teacher's logits, labels, lesson) → parameters.

    The logits are those of all training profiles. The head starts at zero.
    """

    def learn(
        key: PRNGKeyArray,
        encoder_params: Params,
        logits: Float[Array, "samples classes"],
        labelled: Labelled,
        lesson: Lesson,
    ) -> Params:
        key_head, key_profiles, key_labels = jax.random.split(key, 3)
        fresh = head.init(key_head, encoder.apply(encoder_params, labelled.x[:1]))
        params = {"encoder": encoder_params, "head": jax.tree.map(jnp.zeros_like, fresh)}
        words, n_profiles = jax.random.bits(key_profiles, (2,)), len(labelled.x)
        of_labels = make_batch(key_labels, labelled, batch_size)

        def predict(params: Params, rows: Int[Array, " batch"]) -> Float[Array, "batch classes"]:
            return head.apply(params["head"], encoder.apply(params["encoder"], labelled.x[rows]))

        def loss(params: Params, step: Int[Array, ""]) -> Float[Array, ""]:
            rows = batch_positions(words, step, jnp.int32(n_profiles), batch_size)
            taught = distillation(logits[rows], predict(params, rows), lesson.temperature)
            labels = of_labels(step)
            own = cross_entropy(predict(params, labels), labelled.y[labels])
            return (1 - lesson.labelled_weight) * taught + lesson.labelled_weight * own

        def step(i: Int[Array, ""], carry: Carry) -> Carry:
            rate = lesson.learning_rate * 0.5 * (1 + jnp.cos(jnp.pi * i / lesson.steps))
            return adam_step(jax.grad(loss)(carry[0], i), carry, rate)

        params, _ = jax.lax.fori_loop(0, lesson.steps, step, (params, ADAM.init(params)))
        return params

    return learn
