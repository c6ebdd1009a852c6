"""Self-training: a fine-tuned teacher labels all training profiles, a student learns from it.

SimCLRv2's third step (Chen et al. 2020, arXiv 2006.10029, section 2), for a teacher of any method.
Held-out profiles are never labelled.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray
from optax.losses import softmax_cross_entropy

from jaxssl.evaluation import finetune
from jaxssl.evaluation.finetune import Labelled, Networks, Rate, Step
from jaxssl.types import Params


class Lesson(NamedTuple):
    """How a student learns, by the names of the options; all traced."""

    n_steps: int | Step
    learning_rate: Rate  # decays to 0 by a cosine
    temperature: Rate  # T of teacher and student
    labelled_weight: Rate  # of the labels' own loss; the teacher has the rest


def distillation(
    teacher: Float[Array, "batch classes"],
    student: Float[Array, "batch classes"],
    temperature: Rate,
) -> Float[Array, ""]:
    """T² CE(softmax(teacher / T), softmax(student / T)) of logits, mean over the batch.

    T² keeps the gradient's size as T grows (Hinton et al. 2015, arXiv 1503.02531).
    """
    targets = jax.nn.softmax(teacher / temperature)
    return temperature**2 * softmax_cross_entropy(student / temperature, targets).mean()


def teach(
    networks: Networks,
    key: PRNGKeyArray,
    encoder_params: Params,
    logits: Float[Array, "samples classes"],
    labelled: Labelled,
    lesson: Lesson,
    weights: Float[Array, " classes"] | None = None,  # of `finetune.class_weights`
) -> Params:
    """Train a student from its encoder and the teacher's logits of all training profiles."""
    encoder, head, batch_size = networks
    key_head, key_profiles, key_labels = jax.random.split(key, 3)
    fresh = head.init(key_head, encoder.apply(encoder_params, labelled.x[:1]))
    params = {"encoder": encoder_params, "head": jax.tree.map(jnp.zeros_like, fresh)}
    words, n_profiles = jax.random.bits(key_profiles, (2,)), len(labelled.x)
    of_labels = finetune.make_batch(key_labels, labelled, batch_size)

    def loss(params: Params, step: Step) -> Float[Array, ""]:
        rows = finetune.batch_positions(words, step, jnp.int32(n_profiles), batch_size)
        student = networks.logits(params, labelled.x[rows])
        taught = distillation(logits[rows], student, lesson.temperature)
        labels = of_labels(step)
        logits_of_labels = networks.logits(params, labelled.x[labels])
        own = finetune.cross_entropy(logits_of_labels, labelled.y[labels], weights)
        return (1 - lesson.labelled_weight) * taught + lesson.labelled_weight * own

    rate = partial(finetune.cosine, lesson.learning_rate, lesson.n_steps)
    return finetune.descend(loss, params, lesson.n_steps, rate)
