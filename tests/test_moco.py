"""MoCo: its loss, its queue, its slow copy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import lightly_loss, random, unit

from jaxssl.config import EncoderConfig
from jaxssl.methods import losses
from jaxssl.methods.interface import Batch, Training
from jaxssl.methods.moco import MoCoConfig, moco
from jaxssl.methods.stack import moving_average
from jaxssl.model import make_encoder
from jaxssl.types import Views

info_nce = jax.jit(losses.info_nce)
KEY = jax.random.key(0)
BATCH, LENGTH = 4, 10
ENCODER = make_encoder(EncoderConfig((6, 5), "layer"), "float32")
OPTIONS = MoCoConfig(queue_length=LENGTH, momentum=0.9, projection="none")


def rows(seed, n, dim=5):
    return jnp.asarray(unit(random(seed, n, dim)), jnp.float32)


def looped(queries, keys, negatives, allowed, temperature):
    q, k, n = (np.asarray(a, np.float64) for a in (queries, keys, negatives))
    total = 0.0
    for b in range(len(q)):
        positive = np.exp(q[b] @ k[b] / temperature)
        others = sum(
            np.exp(q[b] @ n[i] / temperature) for i in range(len(n)) if np.asarray(allowed)[b, i]
        )
        total -= np.log(positive / (positive + others))
    return total / len(q)


def test_info_nce_equals_the_loop_and_minds_the_mask():
    q, k, n = rows(1, 6), rows(2, 6), rows(3, 8)
    allowed = jnp.asarray(np.random.default_rng(0).random((6, 8)) < 0.6)
    for mask in (allowed, jnp.ones_like(allowed), jnp.zeros_like(allowed)):
        expected = looped(q, k, n, mask, 0.2)
        np.testing.assert_allclose(info_nce(q, k, n, mask, 0.2), expected, rtol=1e-5, atol=1e-6)


def test_info_nce_with_a_queue_equals_lightlys():
    q, k, n = rows(1, 6), rows(2, 6), rows(3, 8)
    theirs = lightly_loss("NTXentLoss", n, temperature=0.2, memory_bank_size=(8, 5))(q, k)
    ours = info_nce(q, k, n, jnp.ones((6, 8), bool), 0.2)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def views_of(seed, index):
    x = jnp.asarray(random(seed, 2, BATCH, 3))
    return Views(x, jnp.asarray(index), x[0])


@pytest.fixture(scope="module")
def method():
    made = moco(OPTIONS, Training(ENCODER, 20, 10))
    return made._replace(
        init=jax.jit(made.init), loss=jax.jit(made.loss), remember=jax.jit(made.remember)
    )


def test_queue_holds_the_keys_of_the_slow_copy_with_their_samples_newest_first(method):
    params, memory = method.init(KEY, views_of(0, range(BATCH)).x[0])
    assert memory["index"].tolist() == [-1] * LENGTH
    moved = jax.tree.map(lambda leaf: leaf + 0.1, params)
    expected = []
    for step, index in enumerate(([1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12])):
        views = views_of(step, index)
        target = memory["target"]["encoder"]
        expected = [*unit(jax.jit(ENCODER.apply)(target, views.x[1])), *expected][:LENGTH]
        memory = method.remember(moved, Batch(views, memory, step))
    np.testing.assert_allclose(memory["queue"], np.array(expected), atol=1e-5)
    assert memory["index"].tolist() == [9, 10, 11, 12, 5, 6, 7, 8, 1, 2]


def test_an_anchor_never_meets_an_old_key_of_its_own_nor_an_empty_place(method):
    views = views_of(0, [3, 4, 5, 6])
    params, memory = method.init(KEY, views.x[0])
    value, _ = method.loss(params, Batch(views, memory, 0))
    np.testing.assert_allclose(value, 0, atol=1e-6)  # an empty queue has no negatives
    index = jnp.array([3, 4, 0, 1, 3, 9, -1, -1, -1, -1])
    memory = memory | {"queue": rows(4, LENGTH), "index": index}
    value, _ = method.loss(params, Batch(views, memory, 0))
    z = unit(jax.jit(ENCODER.apply)(params["encoder"], views.x[0]))
    keys = unit(jax.jit(ENCODER.apply)(params["encoder"], views.x[1]))  # the copy has not moved yet
    allowed = [[i >= 0 and i != own for i in index.tolist()] for own in (3, 4, 5, 6)]
    expected = looped(z, keys, memory["queue"], allowed, OPTIONS.temperature)
    np.testing.assert_allclose(value, expected, rtol=1e-4)
    forgotten = memory | {"queue": memory["queue"].at[6:].set(9.0)}
    np.testing.assert_array_equal(value, method.loss(params, Batch(views, forgotten, 0))[0])


def test_no_gradient_reaches_the_keys(method):
    views = views_of(0, range(BATCH))
    params, memory = method.init(KEY, views.x[0])
    memory = memory | {"queue": rows(4, LENGTH), "index": jnp.arange(10, 20)}

    def through_memory(floats):
        return method.loss(params, Batch(views, memory | floats, 0))[0]

    target = jax.grad(through_memory)({"target": memory["target"]})
    assert all(bool((leaf == 0).all()) for leaf in jax.tree.leaves(target))

    def through_views(second):
        x = jnp.stack([views.x[0], second])
        return method.loss(params, Batch(views._replace(x=x), memory, 0))[0]

    assert bool((jax.grad(through_views)(views.x[1]) == 0).all())


def test_the_slow_copy_follows_the_closed_form_of_a_moving_average(method):
    views = views_of(0, range(BATCH))
    params, memory = method.init(KEY, views.x[0])
    goal = jax.tree.map(lambda leaf: leaf + 1.0, params)
    for step in range(7):
        memory = method.remember(goal, Batch(views, memory, step))
    jax.tree.map(
        lambda slow, first: np.testing.assert_allclose(slow, first + 1 - 0.9**7, rtol=1e-5),
        memory["target"],
        params,
    )


def test_a_moving_average_of_momentum_one_stays_and_of_none_jumps():
    slow, fast = {"w": jnp.zeros(3)}, {"w": jnp.arange(3.0)}
    np.testing.assert_array_equal(moving_average(slow, fast, 1.0)["w"], slow["w"])
    np.testing.assert_array_equal(moving_average(slow, fast, 0.0)["w"], fast["w"])


def test_negatives_are_of_the_cohort_of_the_batch_which_has_a_queue_of_its_own():
    training = Training(ENCODER, 100, 10)
    single, several = moco(OPTIONS, training), moco(OPTIONS, training._replace(n_cohorts=2))
    params, alone = single.init(KEY, views_of(0, range(BATCH)).x[0])
    memory = several.init(KEY, views_of(0, range(BATCH)).x[0])[1]
    assert memory["queue"].shape == (2, LENGTH, 5)
    for step, cohort in enumerate([0, 1, 0, 0]):
        views = views_of(step, range(BATCH * step, BATCH * (step + 1)))
        batch = Batch(views, memory, step, jnp.int32(cohort))
        if cohort == 0:  # as if there were no other
            of_alone = Batch(views, alone, step)
            expected = single.loss(params, of_alone)[0]
            np.testing.assert_allclose(several.loss(params, batch)[0], expected, rtol=1e-5)
            alone = single.remember(params, of_alone)
            alone["target"] = memory["target"]
        memory = several.remember(params, batch)
        memory["target"] = alone["target"]
    assert set(np.asarray(memory["index"][1])) == {-1, 4, 5, 6, 7}
    assert not {4, 5, 6, 7} & set(np.asarray(memory["index"][0]))
