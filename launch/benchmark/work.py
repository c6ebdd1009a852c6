"""What a step of a pretraining has to do at least: operations and bytes, counted from shapes."""

from itertools import pairwise
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxssl.engine.pretrain import Plan
from jaxssl.types import Member, Pool


def step_flops(widths: tuple[int, ...], n_prototypes: int, rows: int) -> int:
    """Multiplications and additions of a step's matrix products: forward, backward, codes.

    Args:
        widths: of the input and of every layer.
        n_prototypes: of one head without projection.
        rows: views times batch.
    """
    products = [a * b for a, b in pairwise(widths)]
    # forward, gradient of the weights, gradient of the input, which the first layer does not need
    return 2 * rows * (3 * (sum(products) + widths[-1] * n_prototypes) - products[0])


def step_bytes(n_params: int, rows: int, n_features: int) -> int:
    """Bytes that a step must move at least: Adam, the weights' own products, and the views.

    Adam reads parameters, gradients and two moments and writes all but the gradients: 7 arrays.
    The gradients are written and the weights read forward and backward: 3. The views are written
    once and read by two products: 3.
    """
    return 4 * (n_params * (7 + 3) + rows * n_features * 3)


class Work(NamedTuple):
    """What one step of one seed has to do at least."""

    flops: int
    traffic: int  # bytes


def work_of_step(plan: Plan, batch_size: int, n_samples: int, n_features: int) -> Work:
    """Work of a step, from the shapes of the parameters."""
    x: Any = jax.ShapeDtypeStruct((n_samples, n_features), np.float32)
    member = Member(jax.random.key(0), {})
    params = jax.eval_shape(plan.trainer.init, member, Pool(x, {})).params
    widths = (n_features, *(len(layer["dense"]["bias"]) for layer in params["encoder"].values()))
    n_prototypes = len(params["prototypes"]["head_0"])
    n_params = sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(params))
    rows = 2 * batch_size
    return Work(step_flops(widths, n_prototypes, rows), step_bytes(n_params, rows, n_features))
