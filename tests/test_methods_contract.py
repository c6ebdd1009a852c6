"""What the engine may assume of every entry of METHODS."""

import logging
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxssl.config import AugmentConfig, Config, EncoderConfig, with_method
from jaxssl.data.synthetic import make_synthetic
from jaxssl.data.task import make_task
from jaxssl.engine.planning import plan_pretraining
from jaxssl.engine.prepared import prepare
from jaxssl.engine.pretrain import merge, pretrain
from jaxssl.methods import METHODS
from jaxssl.methods.augment import make_views
from jaxssl.methods.contrastive import SimCLRConfig
from jaxssl.methods.interface import Batch, Training
from jaxssl.methods.reconstruction import DenoisingConfig
from jaxssl.methods.swav import SwAVConfig
from jaxssl.model import make_encoder
from jaxssl.types import Pool, Views
from jaxssl.validate import validate

# beside the config of each method: options that take another path through its code
VARIANTS = [
    SwAVConfig(n_prototypes=(6, 5), queue_length=20, hard_codes=True, projection="linear"),
    SimCLRConfig(decoupled=True, projection="none"),
    DenoisingConfig(target="changed", decoder_hidden=0),
]
SMALL = {
    **{"projection_hidden": 7, "projection_dim": 5, "predictor_hidden": 6, "queue_length": 20},
    **{"n_prototypes": (6,), "decoder_hidden": 9},
}
POOL = jax.random.normal(jax.random.key(7), (40, 10))
INDEX = jnp.arange(12)
STEPS = jnp.arange(4)
KEYS = jax.random.split(jax.random.key(1), 3)


def config_of(name):
    """The config of a method at its defaults."""
    return with_method(Config(), name)


def shrink(options):
    """The options with everything as small as they have it."""
    for name, value in SMALL.items():
        if getattr(options, name, None):  # a queue only where there is one
            setattr(options, name, value)
    return options


CASES = [*(shrink(config_of(name).method) for name in METHODS), *VARIANTS]


def build(options, precision="float32"):
    encoder = make_encoder(EncoderConfig((16, 8), "layer"), precision)
    return METHODS[options.name].make(options, Training(encoder, len(POOL), len(STEPS)))


def remembered(method, params, batch):
    return method.remember(params, batch) if method.remember else batch.memory


def train(method, augment):
    """A few steps of gradient descent on one seed; `steps` stays unbatched under vmap."""
    make = make_views(augment)

    def run(key, steps):
        params, memory = method.init(key, POOL[INDEX])
        if method.refresh:
            params, memory = method.refresh(params, key, POOL)

        def body(carry, step):
            params, memory = carry
            views = make(jax.random.fold_in(key, step), POOL[INDEX], INDEX, Pool(POOL, {}))
            batch = Batch(views, memory, step)
            gradient = jax.value_and_grad(method.loss, has_aux=True)
            (loss, metrics), grads = gradient(params, batch)
            params = jax.tree.map(lambda p, g: p - 0.1 * g, params, grads)
            return (params, remembered(method, params, batch)), (loss, metrics, grads)

        (params, memory), (loss, metrics, grads) = jax.lax.scan(body, (params, memory), steps)
        return params, memory, metrics | {"loss": loss}, grads

    return run


def test_every_method_has_options_and_a_config_of_its_name():
    for name, recipe in METHODS.items():
        assert recipe.options.name == name
        config = config_of(name)
        validate(config)
        assert config.method.name == name
        assert name in config.sweep.arms


@pytest.fixture(scope="module", params=CASES, ids=lambda options: options.name)
def case(request):
    """A method, and its training compiled for one seed."""
    method = build(request.param)
    views = 1 if request.param.MIN_VIEWS == 1 else 2
    augment = AugmentConfig(noise=0.0, mask_rate=0.5, mask_per="sample", n_views=views)
    run = train(method, augment)
    return method, run, jax.jit(run), request.param


def test_encoder_gradient_is_finite_and_nowhere_all_zero(case):
    _, _, metrics, grads = case[2](KEYS[0], STEPS)
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves((grads, metrics)))
    assert all(bool((leaf != 0).any()) for leaf in jax.tree.leaves(grads["encoder"]))


def test_members_of_a_vmapped_ensemble_differ_and_equal_themselves_alone(case):
    _, run, alone, _ = case
    together = jax.jit(jax.vmap(run, in_axes=(0, None)))(KEYS, STEPS)
    for i in range(3):
        member = jax.tree.map(lambda leaf, i=i: leaf[i], together)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5),
            member,
            alone(KEYS[i], STEPS),
        )
    for leaf in jax.tree.leaves(together[0]["encoder"]):
        assert bool((leaf[0] != leaf[1]).any())


def test_memory_keeps_its_shape_and_loss_and_metrics_are_float32(case):
    method, _, alone, _ = case
    first = jax.eval_shape(method.init, KEYS[0], POOL[INDEX])
    params, memory, metrics, _ = alone(KEYS[0], STEPS)
    for before, after in ((first, (params, memory)),):
        assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), before) == jax.tree.map(
            lambda leaf: (leaf.shape, leaf.dtype), after
        )
    assert metrics["loss"].shape == STEPS.shape
    assert {leaf.dtype for leaf in jax.tree.leaves(metrics)} == {jnp.dtype("float32")}


def test_the_order_of_a_batch_changes_nothing(case):
    method = case[0]
    params, memory, _, _ = case[2](KEYS[0], STEPS)
    n_views = 1 if case[3].MIN_VIEWS == 1 else 2
    x = POOL[INDEX][None] + 0.5 * jax.random.normal(KEYS[1], (n_views, *POOL[INDEX].shape))
    views = Views(x, INDEX, POOL[INDEX])
    order = jnp.asarray(np.random.default_rng(0).permutation(len(INDEX)))
    turned = Views(x[:, order], INDEX[order], views.original[order])
    loss, remember = jax.jit(method.loss), jax.jit(partial(remembered, method))
    value, metrics = loss(params, Batch(views, memory, 3))
    again, of_turned = loss(params, Batch(turned, memory, 3))
    np.testing.assert_allclose(again, value, rtol=1e-4, atol=1e-6)
    for name, expected in metrics.items():
        np.testing.assert_allclose(of_turned[name], expected, rtol=1e-3, atol=1e-5)
    kept, kept_turned = (remember(params, Batch(v, memory, 3)) for v in (views, turned))
    for a, b in zip(*map(jax.tree.leaves, (kept, kept_turned)), strict=True):
        # the same, if need be in the order of the batch
        np.testing.assert_allclose(np.sort(a, axis=None), np.sort(b, axis=None), atol=1e-5)


@pytest.mark.parametrize("options", CASES, ids=lambda options: options.name)
def test_parameters_are_float32_in_plain_dicts_and_freeze_names_some(options):
    method = build(options, "bfloat16")
    params, memory = jax.eval_shape(method.init, KEYS[0], POOL[INDEX])
    assert type(params) is dict
    assert "encoder" in params
    assert {*method.freeze, *method.restart} <= set(params)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}
    assert {leaf.dtype for leaf in jax.tree.leaves(memory)} <= {
        jnp.dtype("float32"),
        jnp.dtype("int32"),
    }


# --- in the engine, on simulated profiles with planted classes


@pytest.fixture(scope="module")
def task():
    return make_task(make_synthetic(n_samples=300, n_genes=80), Config())


def prepared_of(task, name):
    config = config_of(name)
    config.encoder.hidden, config.finetune.transfer_layers = (64, 16), 2
    config.pretrain.batch_size, config.pretrain.checkpoint_every = 32, 1
    config.pretrain.n_steps = 440  # 11 epochs: no clustering may fall on the last one
    config.augment.noise /= 2  # fewer genes than on real data: less to tell two samples by
    for option, value in {"n_prototypes": (12,), "queue_length": 64}.items():
        if getattr(config.method, option, None):  # a queue only where there is one
            setattr(config.method, option, value)
    for option in ("projection_hidden", "projection_dim", "predictor_hidden"):
        if getattr(config.method, option, 0) > 128:
            setattr(config.method, option, 128)
    return prepare(task, config)


@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.parametrize("name", METHODS)
def test_training_learns_planted_structure_in_one_program_and_survives_an_interruption(
    task, name, tmp_path, caplog
):
    prepared = prepared_of(task, name)
    plan = plan_pretraining(prepared.config, *prepared.pool.shape, 2)
    run = partial(pretrain, plan, prepared.config, prepared.pool, [0, 1])
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        whole = merge(run())
    compiled = [r.getMessage() for r in caplog.records if "Finished XLA" in r.getMessage()]
    caplog.clear()
    assert sum("jit(epoch)" in message for message in compiled) == 1
    assert {d.status for d in whole.diagnoses.values()} == {"healthy"}, whole.diagnoses

    class Killed(Exception):
        pass

    def kill(rows, restored):
        if rows[0]["epoch"] == 2:
            raise Killed

    assert plan.schedule.n_epochs == 11
    with pytest.raises(Killed):
        merge(run(log=kill, checkpoints=tmp_path))
    resumed = merge(run(checkpoints=tmp_path))
    jax.tree.map(np.testing.assert_array_equal, whole.params, resumed.params)

    codes = task.codes[task.split.train]
    encoder = make_encoder(prepared.config.encoder, "float32")
    x = jnp.asarray(prepared.pool)
    before = untrained(encoder, x, codes)
    after = purity(jax.jit(encoder.apply)(whole.params[0]["encoder"], x), codes)
    assert after > before + MARGIN, f"{name}: k-NN purity {before:.3f} before, {after:.3f} after"


MARGIN = 0.05
N_NEIGHBOURS = 5


def untrained(encoder, x, codes):
    """Purity of a random encoder, the best of three."""
    params = [encoder.init(jax.random.key(i), x[:1]) for i in range(3)]
    return max(purity(encoder.apply(p, x), codes) for p in params)


def purity(embedding, codes):
    """Share of each sample's nearest neighbours by cosine that are of its class."""
    z = np.asarray(embedding, np.float64)
    z -= z.mean(axis=0)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    similarity = z @ z.T
    np.fill_diagonal(similarity, -np.inf)
    nearest = np.argsort(-similarity, axis=1)[:, :N_NEIGHBOURS]
    return float((codes[nearest] == codes[:, None]).mean())
