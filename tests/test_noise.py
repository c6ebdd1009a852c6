"""The noise of the augmentations: its generator, its distribution, its independence."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from jaxssl.methods import noise
from jaxssl.methods.noise import standard_normal, threefry2x32

KEY = jax.random.key(7)


def test_generator_reproduces_the_published_vectors():
    # Random123's known answers: rounds, counter, key, words
    digits = [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344]  # of pi
    cases = [
        (13, [0, 0], [0, 0], [0x9D1C5EC6, 0x8BD50731]),
        (20, [0, 0], [0, 0], [0x6B200159, 0x99BA4EFE]),
        (20, digits[:2], digits[2:], [0xC4923A9C, 0x483DF7A0]),
    ]
    for n_rounds, counter, key, words in cases:
        first, second = (jnp.array([word], jnp.uint32) for word in counter)
        drawn = threefry2x32(jnp.array(key, jnp.uint32), first, second, n_rounds)
        assert [int(word[0]) for word in drawn] == words, (n_rounds, counter)


def test_numbers_are_standard_normal():
    x = np.asarray(standard_normal(KEY, (2, 500, 1000))).ravel()
    assert stats.kstest(x, "norm").pvalue > 1e-3
    np.testing.assert_allclose(x.mean(), 0.0, atol=5e-3)
    np.testing.assert_allclose(x.var(), 1.0, atol=1e-2)
    np.testing.assert_allclose(stats.kurtosis(x), 0.0, atol=3e-2)
    assert 4.5 < abs(x).max() < 5.8


def test_numbers_of_neighbours_and_of_keys_are_uncorrelated():
    x = np.asarray(standard_normal(KEY, (2, 300, 1000)))
    other = np.asarray(standard_normal(jax.random.key(8), (2, 300, 1000)))
    pairs = [(x[0], x[1]), (x[:, 1:], x[:, :-1]), (x[:, :, 1:], x[:, :, :-1]), (x, other)]
    for a, b in pairs:
        for power in (1, 2):
            r = np.corrcoef(a.ravel() ** power, b.ravel() ** power)[0, 1]
            assert abs(r) < 5 / np.sqrt(a.size)


def test_a_number_depends_on_its_key_and_position_alone():
    keys = jax.random.split(KEY, 3)
    together = jax.vmap(lambda key: standard_normal(key, (4, 6)))(keys)
    for i, key in enumerate(keys):
        np.testing.assert_allclose(together[i], standard_normal(key, (4, 6)), atol=1e-6)
    np.testing.assert_allclose(
        standard_normal(KEY, (4, 6)).ravel()[6:12], standard_normal(KEY, (2, 6))[1], atol=1e-6
    )
    assert len(np.unique(np.asarray(together))) == together.size


def test_cosine_is_exact_to_float_precision_over_the_whole_circle():
    turns = np.arange(0, 2**32, 2**12 + 1, dtype=np.uint64)
    turns = np.append(turns, [2**30, 2**31, 2**32 - 1]).astype(np.uint32)
    computed = np.asarray(noise._cosine(jnp.asarray(turns)))
    np.testing.assert_allclose(computed, np.cos(2 * np.pi * turns / 2.0**32), atol=3e-7)


def test_logarithm_is_exact_to_float_precision_over_all_uniforms():
    uniform = ((np.arange(2**23, step=7) + 0.5) * 2.0**-23).astype(np.float32)
    computed = np.asarray(noise._log(jnp.asarray(uniform)))
    np.testing.assert_allclose(computed, np.log(uniform.astype(np.float64)), rtol=3e-7)
    assert computed.max() < 0  # or the radius would not be real
