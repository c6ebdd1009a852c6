"""What tells how far samples lie from those of the training, beside brute force."""

import numpy as np
import pytest

from jaxssl.data.profiles import locations, nearest_profiles
from jaxssl.data.shift import SIZES, at_size, axes_of, gains, spread_of


def test_a_mixture_of_profiles_is_no_shift_and_the_rest_is_its_distance():
    rng = np.random.default_rng(0)
    profiles = rng.normal(size=(4, 50)).astype(np.float32)
    shares = rng.dirichlet(np.ones(4), 20).astype(np.float32)
    np.testing.assert_allclose(locations(shares @ profiles, profiles), 0, atol=0.02)
    away = np.linalg.svd(profiles)[2][-1].astype(np.float32)  # at a right angle to all of them
    moved = shares @ profiles + 3 * np.sqrt(np.float32(50)) * away
    np.testing.assert_allclose(locations(moved, profiles), 3, atol=0.02)
    beyond = 2 * profiles[:1] - profiles[1:2]  # on their line, but no mixture
    assert locations(beyond, profiles)[0] > 0.5


def test_the_nearest_profile_is_that_of_brute_force():
    rng = np.random.default_rng(0)
    z, profiles = rng.normal(size=(30, 7)), rng.normal(size=(5, 7))
    square = ((z[:, None] - profiles) ** 2).mean(axis=2)
    nearest, distances = nearest_profiles(z, profiles)
    np.testing.assert_array_equal(nearest, square.argmin(axis=1))
    np.testing.assert_allclose(distances, np.sqrt(square.min(axis=1)), atol=1e-6)


def test_limits_between_sizes_lie_between_them_and_none_is_made_up():
    limits = np.arange(len(SIZES), dtype=np.float32)[None] + 1
    for i, n in enumerate(SIZES):
        assert at_size(limits, int(n))[0] == limits[0, i]
    assert at_size(limits, 10_000)[0] == limits[0, -1]
    assert limits[0, 4] < at_size(limits, 30)[0] < limits[0, 5]
    limits[0, :3] = np.inf
    assert at_size(limits, 7)[0] == np.inf


def test_the_spread_does_not_see_what_happens_to_single_genes():
    rng = np.random.default_rng(0)
    profiles = rng.normal(size=(3, 40)).astype(np.float32)
    z = profiles[rng.integers(3, size=50)] + rng.normal(size=(50, 40)).astype(np.float32)
    moved = z * rng.uniform(0.5, 2, 40) + rng.normal(size=40)
    axes = axes_of(profiles)
    np.testing.assert_allclose(spread_of(z, axes), spread_of(moved, axes), rtol=1e-4)
    np.testing.assert_allclose(axes @ axes.T, np.eye(len(axes)), atol=1e-5)


@pytest.mark.parametrize("gain", [0.5, 0.7, 1.5])
def test_the_gain_is_the_slope_on_the_nearest_profile(gain):
    rng = np.random.default_rng(0)
    mean, scale = rng.uniform(4, 12, 300), rng.uniform(0.5, 2, 300)
    profiles = rng.normal(size=(40, 300))
    x = gain * (profiles * scale + mean) + 1
    found = gains((x - mean) / scale, profiles, mean, scale)
    np.testing.assert_allclose(found, np.log(gain), rtol=1e-6)
