"""Self-training: the loss of a student, and what the student learns."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxssl.config import EncoderConfig, SelftrainConfig
from jaxssl.evaluation.finetune import Labelled, Networks
from jaxssl.evaluation.selftrain import Lesson, distillation, teach
from jaxssl.model import make_encoder, make_head

pytestmark = pytest.mark.usefixtures("standard_promotion")

ENCODER = make_encoder(EncoderConfig((16, 8), "layer"), "float32")
HEAD = make_head("linear", 0, 3, "float32")
RNG = np.random.default_rng(0)
CODES = np.arange(90) % 3
X = (RNG.normal(size=(3, 5))[CODES] * 2 + RNG.normal(size=(90, 5)) * 0.3).astype(np.float32)
KEY = jax.random.key(0)
START = ENCODER.init(jax.random.key(1), jnp.asarray(X[:1]))
NETWORKS = Networks(ENCODER, HEAD, 16)
LEARN = jax.jit(partial(teach, NETWORKS))
PREDICT = jax.jit(NETWORKS.predict)


def labelled(n=9):
    order = jnp.arange(90, dtype=jnp.int32)
    return Labelled(jnp.asarray(X), jnp.asarray(CODES, jnp.int32), order, jnp.int32(n))


def learn(logits, data=None, **options):
    taught = SelftrainConfig(n_steps=300, learning_rate=3e-3, **options)
    lesson = Lesson(*(getattr(taught, name) for name in Lesson._fields))
    return LEARN(KEY, START, jnp.asarray(logits, jnp.float32), data or labelled(), lesson)


def softmax(x):
    x = np.exp(np.asarray(x, np.float64))
    return x / x.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_distillation_is_the_tempered_cross_entropy_times_t_squared(temperature):
    teacher, student = RNG.normal(size=(2, 7, 3)).astype(np.float32)
    p, q = softmax(teacher / temperature), softmax(student / temperature)
    expected = -(temperature**2) * np.mean(np.sum(p * np.log(q), axis=1))
    value = jax.jit(distillation)(teacher, student, temperature)
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_a_student_who_knows_as_much_has_no_gradient_and_the_gradient_keeps_its_size_with_t():
    teacher, student = RNG.normal(size=(2, 7, 3)).astype(np.float32)
    gradient = jax.jit(jax.grad(distillation, argnums=1))
    np.testing.assert_allclose(gradient(teacher, teacher, 2.0), 0, atol=1e-6)
    # at large T: (student - teacher), each centred, by classes and batch
    centred = (student - teacher) - (student - teacher).mean(axis=1, keepdims=True)
    np.testing.assert_allclose(gradient(teacher, student, 1000.0), centred / 3 / 7, atol=1e-3)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_the_student_learns_what_the_teacher_says_of_unlabelled_profiles(temperature):
    wrong = 4.0 * np.eye(3)[(CODES + 1) % 3]  # other classes than the labels have
    params = learn(wrong, temperature=temperature)
    predicted = np.asarray(PREDICT(params, jnp.asarray(X)))
    np.testing.assert_allclose(predicted, softmax(wrong), atol=0.15)


def test_with_all_the_weight_on_the_labels_the_teacher_is_not_heard():
    teachers = RNG.normal(size=(2, 90, 3))
    students = [learn(logits, labelled_weight=1.0) for logits in teachers]
    jax.tree.map(np.testing.assert_array_equal, *students)
    unheard = [learn(teachers[0], labelled(n), labelled_weight=0.0) for n in (9, 30)]
    jax.tree.map(np.testing.assert_array_equal, *unheard)


def test_labels_and_teacher_are_mixed_between_the_two():
    wrong = 4.0 * np.eye(3)[(CODES + 1) % 3]
    data = labelled(90)
    accuracy = [
        np.mean(np.asarray(PREDICT(learn(wrong, data, labelled_weight=w), jnp.asarray(X))).argmax(1)
                == CODES)
        for w in (0.05, 0.95)
    ]  # fmt: skip
    assert accuracy[0] < 0.2 < 0.8 < accuracy[1]
