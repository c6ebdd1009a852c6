"""L-BFGS: minima against closed forms, and functions that do not disturb each other."""

import jax
import jax.numpy as jnp
import numpy as np
from numpy.testing import assert_allclose

from jaxssl.evaluation.lbfgs import PATIENCE, minimize

RNG = np.random.default_rng(0)
N, F, K = 12, 3, 2


def quadratics(seed=0):
    """Functions ½ xᵀ A x - bᵀ x, of which each has curvature and minimum of its own."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(F, N * K, N * K))
    a = np.eye(N * K) + a @ a.transpose(0, 2, 1) / N
    b = rng.normal(size=(F, N * K))
    minima = np.linalg.solve(a, b[:, :, None])[:, :, 0]
    return jnp.asarray(a, jnp.float32), jnp.asarray(b, jnp.float32), minima


def evaluate(a, b):
    def of_points(x):
        flat = x.transpose(1, 0, 2).reshape(F, -1)
        product = jnp.einsum("fij,fj->fi", a, flat)
        gradient = (product - b).reshape(F, N, K).transpose(1, 0, 2)
        return jnp.sum(flat * (product / 2 - b), axis=1), gradient

    return of_points


def as_points(x):
    return np.asarray(x).reshape(F, N, K).transpose(1, 0, 2)


def test_each_function_ends_in_its_own_minimum():
    a, b, minima = quadratics()
    found = jax.jit(lambda x: minimize(evaluate(a, b), x, 1e-4))(jnp.zeros((N, F, K)))
    assert_allclose(found, as_points(minima), atol=1e-4)


def test_a_function_that_is_done_stays_where_it_is():
    a, b, minima = quadratics()
    ends = jnp.array([1e-4, np.inf, 1e-4])
    found = minimize(evaluate(a, b), jnp.ones((N, F, K)), ends)
    assert_allclose(found[:, 1], 1.0)
    assert_allclose(found[:, [0, 2]], as_points(minima)[:, [0, 2]], atol=1e-4)


def test_where_rounding_hides_the_minimum_the_rounds_end():
    a, b, minima = quadratics()
    rounds = []

    def counted(x):
        jax.debug.callback(lambda: rounds.append(1))
        return evaluate(a, b)(x)

    found = minimize(counted, jnp.zeros((N, F, K)), 0.0)
    jax.effects_barrier()
    assert len(rounds) < 100 + 4 * PATIENCE
    assert_allclose(found, as_points(minima), atol=1e-4)


def test_a_first_step_that_is_far_too_long_is_shortened():
    def steep(x):  # the first step, of length 1, raises the value
        return 1e4 * jnp.sum(x**2, axis=(0, 2)), 2e4 * x

    found = minimize(steep, jnp.full((N, F, K), 0.01), 1e-4)
    assert_allclose(found, 0, atol=1e-6)
