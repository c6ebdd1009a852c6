"""The autoencoder of the study's third augmentation."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxssl.config import AugmentConfig, Config
from jaxssl.data.synthetic import make_synthetic
from jaxssl.data.task import make_task
from jaxssl.engine.planning import plan_pretraining
from jaxssl.engine.prepared import prepare
from jaxssl.engine.pretrain import merge, pretrain
from jaxssl.methods.augment import fit_autoencoder, make_pool, perturb_latent
from jaxssl.model import make_autoencoder
from jaxssl.types import Pool

pytestmark = pytest.mark.usefixtures("standard_promotion")


@pytest.fixture(scope="module")
def pool():
    """Profiles on a plane of three dimensions among twelve, and their autoencoder."""
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(300, 3)) @ rng.normal(size=(3, 12)), jnp.float32)
    with jax.numpy_dtype_promotion("standard"):
        return Pool(x, fit_autoencoder(jax.random.key(0), x, 3, 400))


def decoded(pool, codes):
    _, decoder = make_autoencoder(12, 3)
    return decoder.apply(pool.autoencoder["decoder"], codes)


def encode(pool, x, latent_dim):
    encoder, _ = make_autoencoder(x.shape[1], latent_dim)
    return encoder.apply(pool.autoencoder["encoder"], x)


def test_it_reconstructs_what_has_as_few_dimensions_as_its_code(pool):
    rebuilt = decoded(pool, encode(pool, pool.x, 3))
    assert float(jnp.mean((rebuilt - pool.x) ** 2)) < 0.1 * float(jnp.var(pool.x))


def test_its_shape_is_known_before_it_is_trained(pool):
    fit = partial(fit_autoencoder, latent_dim=3, n_steps=1)
    shapes = jax.eval_shape(fit, jax.random.key(0), pool.x)
    found = jax.tree.map(lambda leaf: leaf.shape, pool.autoencoder)
    assert jax.tree.map(lambda leaf: leaf.shape, shapes) == found


def test_a_view_is_decoded_from_a_point_at_the_radius(pool):
    codes = encode(pool, pool.x, 3)
    spread = jnp.sqrt(((codes - codes.mean(axis=0, keepdims=True)) ** 2).sum(axis=1).mean())
    assert float(pool.autoencoder["unit"]) == pytest.approx(float(spread), rel=1e-5)
    key = jax.random.key(1)
    still = perturb_latent(key, pool.x, pool, AugmentConfig(latent_radius=0.0, latent_dim=3))
    np.testing.assert_allclose(still, decoded(pool, codes), atol=1e-5)
    direction = jax.random.normal(key, (300, 3))
    direction /= jnp.linalg.norm(direction, axis=1, keepdims=True)
    moved = perturb_latent(key, pool.x, pool, AugmentConfig(latent_radius=0.7, latent_dim=3))
    np.testing.assert_allclose(moved, decoded(pool, codes + 0.7 * spread * direction), atol=1e-4)


def test_pretraining_through_it_trains_it_once_on_training_samples_for_all_seeds():
    task = make_task(make_synthetic(n_samples=240, n_genes=60), Config())
    config = Config()
    config.encoder.hidden, config.method.n_prototypes = (16, 8), (12,)
    config.pretrain.batch_size, config.pretrain.n_steps = 32, 40
    config.augment.noise, config.augment.latent_radius = 0.0, 0.5
    config.augment.latent_dim, config.augment.autoencoder_steps = 4, 20
    prepared = prepare(task, config)
    assert len(prepared.pool) == len(task.split.train)

    def losses(seeds):
        n_samples, n_features = prepared.pool.shape
        plan = plan_pretraining(prepared.config, n_samples, n_features, len(seeds))
        trained = merge(pretrain(plan, prepared.config, prepared.pool, seeds))
        return {row["seed"]: row["loss"] for row in trained.history}

    assert losses([3])[3] == pytest.approx(losses([0, 3])[3], rel=1e-5)
    first, second = (make_pool(prepared.pool, prepared.config.augment, 0) for _ in range(2))
    same = jax.tree.map(lambda a, b: bool((a == b).all()), first.autoencoder, second.autoencoder)
    assert all(jax.tree.leaves(same))
