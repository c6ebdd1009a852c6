"""A step whose rows are split over two devices, beside that on one, by every method.

A program of its own: JAX counts the devices of a CPU once a process. It ends with an error where a
step differs, or is not split.
"""

import jax
import numpy as np
import test_methods_contract as contract
from test_methods_contract import CASES, INDEX, POOL, build

from jaxssl.config import AugmentConfig
from jaxssl.engine.ensemble import over_seeds, seed_keys
from jaxssl.engine.mesh import by_rows, mesh_for
from jaxssl.methods import METHODS
from jaxssl.methods.augment import make_views
from jaxssl.methods.interface import Batch
from jaxssl.model import make_encoder
from jaxssl.types import Pool

VIEWS = make_views(AugmentConfig(noise=1.0))


def encoder_by_rows(*options):
    """An encoder whose rows are split, as a pretraining has it."""
    encoder = make_encoder(*options)
    return encoder._replace(apply=by_rows(encoder.apply))


def step_of(options):
    """One step of a method: loss, gradient and what it remembers."""

    def step(key, pool):
        method = build(options)
        params, memory = method.init(key, pool[INDEX])
        if method.refresh:
            params, memory = method.refresh(params, key, pool)
        batch = Batch(VIEWS(key, pool[INDEX], INDEX, Pool(pool, {})), memory, 0)
        (loss, _), gradient = jax.value_and_grad(method.loss, has_aux=True)(params, batch)
        remembered = method.remember(params, batch) if method.remember else {}
        return loss, gradient, remembered

    return step


def main():
    contract.make_encoder = encoder_by_rows
    keys, mesh = seed_keys(0, [0]), mesh_for(1)
    assert mesh.shape["rows"] == 2
    for options in CASES[: len(METHODS) + 1]:
        step = step_of(options)
        program = over_seeds(step, [True, False], mesh=mesh)
        text = program.program.lower(keys, POOL).compile().as_text()
        assert "all-reduce" in text or "all-gather" in text, "rows are split, and meet"
        assert "reduce-scatter" not in text, "which gloo gets wrong"
        split, whole = program(keys, POOL), over_seeds(step, [True, False])(keys, POOL)
        for a, b in zip(jax.tree.leaves(split), jax.tree.leaves(whole), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5, err_msg=options.name)


if __name__ == "__main__":
    main()
