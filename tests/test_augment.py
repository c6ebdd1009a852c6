"""Augmentations: what they replace, with what, and how strongly."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxssl.config import AugmentConfig
from jaxssl.methods.augment import make_augment, make_pool, make_views, mask
from jaxssl.methods.neighbours import find_neighbours
from jaxssl.types import GenePool, Pool

KEY = jax.random.key(0)
X = jnp.full((400, 10), 100.0)  # no fill or noise comes near it
MATRIX = jnp.asarray(
    np.random.default_rng(0).integers(0, 4, (50, 10)) + 10.0 * np.arange(10), jnp.float32
)
POOL = Pool(MATRIX, {})  # column j holds 10 j + {0, 1, 2, 3}


def masked(key=KEY, x=X, rate=0.4, per="batch", fill="zero"):
    return np.asarray(jax.jit(partial(mask, rate=rate, per=per, fill=fill))(key, x, POOL))


@pytest.mark.parametrize("rate", [0.1, 0.4, 0.75, 1.0])
def test_masking_per_batch_replaces_one_column_subset_of_exact_size(rate):
    replaced = masked(rate=rate) != 100.0
    assert (replaced == replaced[:1]).all()
    assert replaced[0].sum() == round(rate * 10)


def test_masking_per_batch_draws_every_column_equally_often():
    draw = jax.vmap(partial(mask, rate=0.4, per="batch", fill="zero"), in_axes=(0, None, None))
    replaced = np.asarray(jax.jit(draw)(jax.random.split(KEY, 2000), X[:1], POOL)[:, 0] != 100.0)
    np.testing.assert_allclose(replaced.mean(axis=0), 0.4, atol=5 * np.sqrt(0.24 / 2000))


def test_masking_per_sample_replaces_entries_independently():
    replaced = masked(per="sample") != 100.0
    assert len(np.unique(replaced, axis=0)) > 100
    np.testing.assert_allclose(replaced.mean(axis=0), 0.4, atol=5 * np.sqrt(0.24 / 400))
    correlation = np.corrcoef(replaced.T)[np.triu_indices(10, 1)]
    assert np.abs(correlation).max() < 5 / np.sqrt(400)


@pytest.mark.parametrize("per", ["batch", "sample"])
def test_entries_not_masked_are_untouched(per):
    x = jnp.asarray(np.random.default_rng(1).standard_normal((30, 10)) + 500, jnp.float32)
    view = masked(x=x, per=per, fill="normal")
    kept = view > 400
    np.testing.assert_array_equal(view[kept], np.asarray(x)[kept])
    assert 0 < kept.mean() < 1


def test_normal_fill_is_standard_normal_and_drawn_for_every_entry():
    values = masked(rate=1.0, fill="normal")
    assert abs(values.mean()) < 5 / np.sqrt(4000)
    assert abs(values.std() - 1) < 5 / np.sqrt(8000)
    assert len(np.unique(values)) > 3900


def test_mean_fill_is_the_training_mean_of_the_gene():
    expected = np.broadcast_to(np.asarray(MATRIX, np.float64).mean(axis=0), X.shape)
    np.testing.assert_allclose(masked(rate=1.0, fill="mean"), expected, rtol=1e-6)


def test_marginal_fill_follows_the_training_marginal_of_the_same_gene():
    values = masked(rate=1.0, fill="marginal") - 10.0 * np.arange(10)
    pool = np.asarray(MATRIX) - 10.0 * np.arange(10)
    for level in range(4):
        np.testing.assert_allclose(
            (values == level).mean(axis=0), (pool == level).mean(axis=0), atol=5 * 0.5 / 20
        )


def test_marginal_fill_takes_every_gene_from_another_sample():
    pool = jnp.broadcast_to(jnp.arange(50.0)[:, None], (50, 10))
    values = np.asarray(mask(KEY, X[:20], Pool(pool, {}), rate=1.0, per="sample", fill="marginal"))
    assert all(len(np.unique(row)) > 3 for row in values)


@pytest.mark.parametrize("strength", [0.1, 2.0])
def test_noise_has_its_strength_and_no_mean(strength):
    noise = np.asarray(make_augment(AugmentConfig(noise=strength), 0.0)(KEY, X, POOL) - X)
    assert abs(noise.mean()) < 5 * strength / np.sqrt(4000)
    assert abs(noise.std() / strength - 1) < 5 / np.sqrt(8000)


def test_steps_draw_from_streams_of_their_own_whatever_is_beside_them():
    def view(noise, mask_rate):
        options = AugmentConfig(noise=noise, mask_fill="normal")
        return np.asarray(make_augment(options, mask_rate)(KEY, X, POOL))

    noisy, masked_only, both = view(1.0, 0.0), view(0.0, 0.4), view(1.0, 0.4)
    filled = masked_only != np.asarray(X)
    assert 0 < filled.mean() < 1
    np.testing.assert_array_equal(both, np.where(filled, masked_only, noisy))
    drawn = np.corrcoef((noisy - np.asarray(X))[filled], masked_only[filled])[0, 1]
    assert abs(drawn) < 5 / np.sqrt(filled.sum()), "fill and noise are different numbers"


def test_masked_entries_carry_no_noise():
    options = AugmentConfig(mask_rate=0.4, mask_fill="zero", noise=0.5)
    view = np.asarray(make_augment(options, options.mask_rate)(KEY, X, POOL))
    assert (view == 0.0).mean() == 0.4


def test_strength_zero_leaves_the_step_out_of_the_program():
    identity = make_augment(AugmentConfig(noise=0.0), 0.0)
    assert jax.make_jaxpr(identity)(KEY, X, POOL).eqns == []
    noise_only = make_augment(AugmentConfig(noise=0.5), 0.0)
    assert "select_n" not in str(jax.make_jaxpr(noise_only)(KEY, X, POOL))


def test_views_past_the_second_use_the_extra_mask_rate():
    options = AugmentConfig(
        mask_rate=0.2, extra_mask_rate=0.7, mask_fill="zero", noise=0.0, n_views=4
    )
    views = make_views(options)(KEY, X, jnp.arange(400), POOL)
    assert views.x.shape == (4, 400, 10)
    assert [round(float(v), 6) for v in (views.x == 0).mean(axis=(1, 2))] == [0.2, 0.2, 0.7, 0.7]


def test_views_of_a_batch_differ_and_keep_its_index():
    options = AugmentConfig(mask_rate=0.0, noise=1.0)
    index = jnp.arange(400)[::-1]
    views = make_views(options)(KEY, X, index, POOL)
    np.testing.assert_array_equal(views.index, index)
    noise = np.asarray(views.x - X[None])
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 5 / np.sqrt(4000)


@pytest.mark.parametrize("kind", ["genes", "components"])
def test_missing_genes_are_at_the_training_mean_before_components_are_taken(kind):
    z = MATRIX - MATRIX.mean(axis=0, keepdims=True)
    rotation = jnp.asarray(np.random.default_rng(1).standard_normal((10, 4)), jnp.float32)
    bounds = jnp.full(4, -20.0), jnp.full(4, 20.0)
    pool, x = Pool(z, {}), z
    if kind == "components":
        pool = Pool(jnp.clip(z @ rotation, -20, 20), {}, genes=GenePool(z, rotation, *bounds))
        x = pool.x
    index = jnp.arange(50)[::-1]
    options = AugmentConfig(noise=0.0, drop_genes=0.4)
    views = np.asarray(make_views(options)(KEY, x[index], index, pool).x)
    keys = [jax.random.fold_in(key, 3) for key in jax.random.split(KEY, 2)]
    for view, key in zip(views, keys, strict=True):
        missing = np.asarray(jax.random.bernoulli(key, 0.4, (50, 10)))
        assert abs(missing.mean() - 0.4) < 5 * np.sqrt(0.24 / 500)
        seen = np.where(missing, 0, np.asarray(z[index]))
        expected = seen if kind == "genes" else np.clip(seen @ np.asarray(rotation), -20, 20)
        np.testing.assert_allclose(view, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("per", ["batch", "sample"])
def test_views_under_vmap_equal_views_alone_and_differ_between_seeds(per):
    options = AugmentConfig(mask_rate=0.5, mask_per=per, mask_fill="marginal", noise=0.3)
    views = make_views(options)
    keys = jax.random.split(KEY, 3)
    index = jnp.arange(400)
    together = jax.jit(jax.vmap(views, in_axes=(0, None, None, None)))(keys, X, index, POOL)
    for i in range(3):
        alone = views(keys[i], X, index, POOL)
        np.testing.assert_allclose(together.x[i], alone.x, atol=1e-5)
        assert (together.x[i] != together.x[i - 1]).any()


def test_neighbours_are_the_nearest_others():
    x = np.random.default_rng(3).normal(size=(30, 4)).astype(np.float32)
    distances = np.linalg.norm(x[:, None] - x[None], axis=-1) + np.where(np.eye(30), np.inf, 0)
    nearest = np.argsort(distances, axis=1)[:, :5]
    np.testing.assert_array_equal(np.asarray(find_neighbours(x, 5)), nearest)
    assert find_neighbours(x, 99).shape == (30, 29), "no more than there are"


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_a_share_of_the_views_is_of_a_neighbour(share):
    x = np.random.default_rng(3).normal(size=(400, 4)).astype(np.float32)
    options = AugmentConfig(noise=0.0, neighbour_share=share, n_neighbours=3)
    pool, rows = make_pool(jnp.asarray(x), options, 0), jnp.arange(400)
    views = np.asarray(make_views(options)(KEY, jnp.asarray(x), rows, pool).x)
    for view in views:
        of = np.array([np.flatnonzero((x == row).all(axis=1))[0] for row in view])
        moved = of != np.arange(400)
        assert abs(moved.mean() - share) < 4 * np.sqrt(share * (1 - share) / 400) + 1e-9
        assert all(of[i] in np.asarray(pool.neighbours)[i] for i in np.flatnonzero(moved))
    assert (views[0] != views[1]).any(), "each view by itself"
