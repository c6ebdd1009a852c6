"""SwAV against its formula in float64, its queue against brute force, its gradient's path."""

from functools import cache
from importlib import import_module

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxssl.config import EncoderConfig
from jaxssl.methods.interface import Batch, Training
from jaxssl.methods.stack import push
from jaxssl.methods.swav import SwAVConfig, is_ready
from jaxssl.model import make_encoder
from jaxssl.types import Views

swav = import_module("jaxssl.methods.swav")  # the package's attribute of that name is the function

KEY = jax.random.key(0)
ENCODER = make_encoder(EncoderConfig((6, 5), "layer"), "float32")
BATCH = 8


def views_of(seed, n_views=2):
    x = jax.random.normal(jax.random.key(seed), (n_views, BATCH, 4))
    return Views(x, jnp.arange(BATCH), x[0])


@cache
def method_of(**options):
    defaults = {"n_prototypes": (6,), "projection": "mlp"}
    defaults |= {"projection_hidden": 5, "projection_dim": 3}
    options = SwAVConfig(**(defaults | options))
    method = swav.swav(options, Training(ENCODER, BATCH, 100))
    init, loss = jax.jit(method.init), jax.jit(method.loss)
    remember = method.remember and jax.jit(method.remember)
    return options, method._replace(init=init, loss=loss, remember=remember)


def stack_of(method):
    return method.scores.__self__


@cache
def compiled_embed(stack):
    return jax.jit(stack.embed)


def embed(method, params, x):
    return compiled_embed(stack_of(method))(params, x)


def unit(x):
    x = np.asarray(x, np.float64)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def naive_codes(scores, epsilon, n_iterations=3):
    q = np.exp(scores / epsilon)
    for _ in range(n_iterations):
        q /= q.sum(axis=0) * q.shape[1]
        q /= q.sum(axis=1, keepdims=True) * q.shape[0]
    return q / q.sum(axis=1, keepdims=True)


def naive_loss(z, prototypes, options):
    scores = unit(z) @ unit(prototypes).T
    terms = []
    for i in range(2):
        codes = naive_codes(scores[i], options.epsilon)
        if options.hard_codes:
            codes = np.eye(codes.shape[1])[codes.argmax(axis=1)]
        for j in range(len(scores)):
            if i != j:
                logits = scores[j] / options.temperature
                log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
                terms.append(-(codes * log_p).sum(axis=1).mean())
    return np.mean(terms)


@pytest.mark.parametrize(
    ("hard_codes", "n_views", "n_prototypes"),
    [(False, 2, (6,)), (True, 2, (6,)), (False, 4, (6, 9)), (True, 4, (6, 9))],
)
def test_loss_is_the_published_formula_averaged_over_heads(hard_codes, n_views, n_prototypes):
    options, method = method_of(hard_codes=hard_codes, n_prototypes=n_prototypes)
    params, memory = method.init(KEY, views_of(0).x[0])
    views = views_of(1, n_views)
    z = embed(method, params, views.x)
    expected = [
        naive_loss(z, params["prototypes"][f"head_{i}"], options) for i in range(len(n_prototypes))
    ]
    value, metrics = method.loss(params, Batch(views, memory, 0))
    np.testing.assert_allclose(value, np.mean(expected), rtol=1e-4)
    ratio = np.mean(np.array(expected) / np.log(n_prototypes))
    np.testing.assert_allclose(metrics["loss_ratio"], ratio, rtol=1e-4)


@pytest.mark.parametrize("projection", ["none", "linear", "mlp"])
def test_embeddings_are_unit_vectors_and_stacked_views_equal_separate_ones(projection):
    _, method = method_of(projection=projection)
    views = views_of(2, 3)
    params, _ = method.init(KEY, views.x[0])
    z = embed(method, params, views.x)
    assert z.shape == (3, BATCH, 5 if projection == "none" else 3)
    np.testing.assert_allclose(jnp.linalg.norm(z, axis=-1), 1.0, atol=1e-5)
    for i in range(3):
        np.testing.assert_allclose(z[i], embed(method, params, views.x[i : i + 1])[0], atol=1e-5)


def test_all_views_pass_the_encoder_in_one_product_per_layer():
    _, method = method_of(projection="none")
    params, memory = method.init(KEY, views_of(0).x[0])
    program = str(jax.make_jaxpr(method.loss)(params, Batch(views_of(1, 4), memory, 0)))
    # two encoder layers and one product with the prototypes, twice: codes, predictions
    assert program.count("dot_general[") == 4


def test_length_of_a_prototype_does_not_matter():
    _, method = method_of()
    params, memory = method.init(KEY, views_of(0).x[0])
    longer = params | {"prototypes": {"head_0": 7.0 * params["prototypes"]["head_0"]}}
    one, other = (method.loss(p, Batch(views_of(1), memory, 0))[0] for p in (params, longer))
    np.testing.assert_allclose(one, other, rtol=1e-5)
    np.testing.assert_allclose(
        unit(params["prototypes"]["head_0"]), params["prototypes"]["head_0"], atol=1e-6
    )


def test_scores_are_cosines_with_the_first_heads_prototypes():
    _, method = method_of(n_prototypes=(6, 9))
    x = views_of(3).x[0]
    params, _ = method.init(KEY, x)
    expected = unit(embed(method, params, x[None])[0]) @ unit(params["prototypes"]["head_0"]).T
    np.testing.assert_allclose(method.scores(params, x), expected, atol=1e-5)


def test_no_gradient_flows_through_the_codes():
    options, method = method_of()
    params, memory = method.init(KEY, views_of(0).x[0])
    views = views_of(1)

    def codes(p):
        z = stack_of(method).embed(p, views.x)
        return swav.soft_codes(options, z, p["prototypes"]["head_0"], Batch(views, memory, 0))

    def loss_for_given_codes(p):
        z = stack_of(method).embed(p, views.x)
        scores = swav.score(z, p["prototypes"]["head_0"])
        return swav.swapped_prediction(given, scores, options.temperature)

    through_codes = jax.jit(jax.grad(lambda p: (codes(p) ** 2).sum()))(params)
    assert all(bool((g == 0).all()) for g in jax.tree.leaves(through_codes))
    given = jax.jit(codes)(params)
    expected = jax.jit(jax.grad(loss_for_given_codes))(params)
    gradient = jax.jit(jax.grad(lambda p: method.loss(p, Batch(views, memory, 0))[0]))(params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), gradient, expected)


def test_queue_is_first_in_first_out():
    queue = jnp.zeros((5, 1))
    for value in (1.0, 2.0, 3.0):
        queue = push(queue, jnp.full((2, 1), value))
    np.testing.assert_array_equal(queue[:, 0], [3, 3, 2, 2, 1])
    batch = jnp.arange(7.0)[:, None]
    np.testing.assert_array_equal(push(queue, batch), batch[:5])


@pytest.mark.parametrize(
    ("length", "start", "first"), [(16, 0, 2), (17, 0, 3), (16, 9, 9), (3, 0, 1)]
)
def test_queue_is_ready_once_full_and_started(length, start, first):
    assert [bool(is_ready(step, 8, length, start)) for step in range(12)].index(True) == first


def test_codes_with_queue_equal_codes_of_the_concatenated_batch():
    options, method = method_of(queue_length=12, queue_start=3)
    plain = method_of()[1]
    params, memory = method.init(KEY, views_of(0).x[0])
    past = []
    for step in range(5):
        views = views_of(10 + step, 3)
        value, _ = method.loss(params, Batch(views, memory, step))
        if step < 3:  # full after two batches of 8, but not started
            expected = plain.loss(params, Batch(views, {}, step))[0]
        else:
            z = np.asarray(embed(method, params, views.x))
            prototypes = params["prototypes"]["head_0"]
            everything = np.concatenate([z[:2], *past[::-1]], axis=1)[:, : BATCH + 12]
            # today's prototypes score the stored embeddings
            codes = [
                naive_codes(s, options.epsilon)[:BATCH] for s in everything @ unit(prototypes).T
            ]
            scores = jnp.asarray(z @ unit(prototypes).T, jnp.float32)
            codes = jnp.asarray(np.stack(codes), jnp.float32)
            expected = swav.swapped_prediction(codes, scores, options.temperature)
            assert abs(plain.loss(params, Batch(views, {}, step))[0] - value) > 1e-3
        np.testing.assert_allclose(value, expected, rtol=1e-4)
        memory = method.remember(params, Batch(views, memory, step))
        past.append(np.asarray(embed(method, params, views.x[:2])))
        turned = jax.random.normal(jax.random.key(step), prototypes_shape(params))
        params = params | {"prototypes": {"head_0": turned}}


def prototypes_shape(params):
    return params["prototypes"]["head_0"].shape


def test_no_gradient_flows_into_the_queue_and_no_queue_means_no_memory():
    _, method = method_of(queue_length=12)
    params, memory = method.init(KEY, views_of(0).x[0])
    assert jax.tree.map(jnp.shape, memory) == {"queue": (2, 12, 3)}
    batch = Batch(views_of(1), memory, 0)
    gradient = jax.grad(lambda p: method.remember(p, batch)["queue"].sum())(params)
    assert all(bool((g == 0).all()) for g in jax.tree.leaves(gradient))
    assert method_of()[1].init(KEY, views_of(0).x[0])[1] == {}


def test_queue_stays_a_branch_under_vmap_over_seeds():
    _, method = method_of(queue_length=12)
    keys = jax.random.split(KEY, 2)
    params, memory = jax.vmap(method.init, in_axes=(0, None))(keys, views_of(0).x[0])
    gradient = jax.value_and_grad(method.loss, has_aux=True)
    over_seeds = jax.vmap(gradient, in_axes=(0, Batch(None, 0, None)))
    program = str(jax.make_jaxpr(over_seeds)(params, Batch(views_of(1), memory, 3)))
    # the choice of a backend's product is a branch too, taken on lowering
    assert program.count("cond[") - program.count("platform_index") == 1


def test_freeze_names_the_prototypes():
    _, method = method_of(freeze_steps=7)
    assert dict(method.freeze) == {"prototypes": 7}
    assert "prototypes" in method.init(KEY, views_of(0).x[0])[0]


def test_without_projection_head_there_is_no_empty_branch_of_parameters():
    params, _ = method_of(projection="none")[1].init(KEY, views_of(0).x[0])
    assert set(params) == {"encoder", "prototypes"}


def test_hard_codes_are_one_hot_at_the_arg_max():
    x = jax.random.normal(KEY, (2, 5, 4))
    hard = swav.harden(x)
    np.testing.assert_array_equal(hard.sum(axis=-1), 1.0)
    np.testing.assert_array_equal(hard.argmax(axis=-1), x.argmax(axis=-1))
    assert set(np.unique(hard)) == {0.0, 1.0}


def test_a_collapsed_embedding_shows_in_every_measure():
    _, method = method_of()
    params, memory = method.init(KEY, views_of(0).x[0])
    views = views_of(1)
    same = views._replace(x=jnp.broadcast_to(views.x[:1, :1], views.x.shape))
    _, metrics = method.loss(params, Batch(same, memory, 0))
    np.testing.assert_allclose(metrics["code_entropy"], np.log(6), rtol=1e-4)
    np.testing.assert_allclose(metrics["code_entropy_ratio"], 1.0, rtol=1e-4)
    assert float(metrics["loss_ratio"]) > 1 - 1e-4
    assert float(metrics["usage"].max()) == 1.0


def test_usage_is_the_share_of_samples_nearest_to_each_prototype():
    _, method = method_of()
    params, memory = method.init(KEY, views_of(0).x[0])
    views = views_of(1, 3)
    _, metrics = method.loss(params, Batch(views, memory, 0))
    nearest = [np.asarray(method.scores(params, x)).argmax(axis=1) for x in views.x]
    expected = np.bincount(np.concatenate(nearest), minlength=6) / (3 * BATCH)
    np.testing.assert_allclose(metrics["usage"], expected, atol=1e-6)


# --- batches of one cohort


@cache
def method_by_cohort(balance, n_prototypes=(6, 9)):
    options = SwAVConfig(n_prototypes=n_prototypes, cohort_balance=balance)
    method = swav.swav(options, Training(ENCODER, BATCH, 100, n_cohorts=3))
    remember = method.remember and jax.jit(method.remember)
    return options, method._replace(loss=jax.jit(method.loss), remember=remember)


def cohort_batch(memory, seed=1, cohort=1):
    return Batch(views_of(seed), memory, 0, jnp.int32(cohort))


def test_a_hard_balance_remembers_nothing_and_its_codes_are_those_of_the_batch():
    options, method = method_by_cohort(1.0)
    params, memory = method.init(KEY, views_of(0).x[0])
    assert memory == {}
    assert method.remember is None
    plain = swav.swav(options, Training(ENCODER, BATCH, 100))
    expected = jax.jit(plain.loss)(params, Batch(views_of(1), {}, 0))[0]
    assert method.loss(params, cohort_batch({}))[0] == expected


def test_usage_begins_even_so_that_a_soft_balance_begins_as_the_hard_one():
    _, method = method_by_cohort(0.25)
    params, memory = method.init(KEY, views_of(0).x[0])
    assert {head: usage.shape for head, usage in memory["usage"].items()} == {
        "head_0": (3, 6),
        "head_1": (3, 9),
    }
    expected = method_by_cohort(1.0)[1].loss(params, cohort_batch({}))[0]
    np.testing.assert_allclose(method.loss(params, cohort_batch(memory))[0], expected, rtol=1e-5)


def test_usage_follows_the_cohort_of_the_batch_alone_and_the_codes_follow_usage():
    options, method = method_by_cohort(0.25)
    params, memory = method.init(KEY, views_of(0).x[0])
    batch = cohort_batch(memory)
    after = method.remember(params, batch)
    z = np.stack([unit(ENCODER.apply(params["encoder"], x)) for x in batch.views.x])
    targets = []
    for head, k in zip(("head_0", "head_1"), options.n_prototypes, strict=True):
        scores = z @ unit(params["prototypes"][head]).T
        free = np.exp(scores / options.epsilon)
        free = (free / free.sum(axis=-1, keepdims=True)).mean(axis=(0, 1))
        expected = np.full((3, k), 1 / k)
        expected[1] = 0.9 / k + 0.1 * free
        np.testing.assert_allclose(after["usage"][head], expected, atol=1e-5)
        asked = 0.25 / k + 0.75 * expected[1]
        q = np.exp(scores / options.epsilon)
        for _ in range(options.n_iterations):
            q *= asked / q.sum(axis=1, keepdims=True)
            q /= q.sum(axis=2, keepdims=True)
        targets.append(q)
    losses = [
        swav.swapped_prediction(
            jnp.asarray(q, jnp.float32),
            jnp.asarray(z @ unit(params["prototypes"][f"head_{i}"]).T, jnp.float32),
            options.temperature,
        )
        for i, q in enumerate(targets)
    ]
    value, _ = method.loss(params, cohort_batch(after))
    np.testing.assert_allclose(value, np.mean(losses), rtol=1e-4)
    other, _ = method.loss(params, cohort_batch(after, cohort=2))
    assert abs(other - value) > 1e-5, "another cohort's usage is its own"
