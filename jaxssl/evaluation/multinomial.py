"""Multinomial logistic regressions with an L2 penalty, fitted side by side by one program.

A problem is a pure function of its arrays, mapped over problems as everything else is over seeds.
Within it several weightings of the same rows, such as those that leave out a fold, share every
product of the rows. Their coordinates are principal axes, in which curvature is known.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxssl.engine.ensemble import over_seeds
from jaxssl.engine.mesh import shard
from jaxssl.evaluation.lbfgs import minimize

TOLERANCE = 2e-3  # of the gradient where the curvature is about 1, so in standard errors
LOOSE = 0.01  # where fits are only compared
FEWEST = 128  # rows and coordinates, in steps of which sizes grow
LEAST_SPREAD = 1e-2  # of probabilities, by which curvature is scaled
ABSENT = -1e30  # logit of a class without labels

Targets = Float[np.ndarray, "samples classes"]


class Problem(NamedTuple):
    """Rows of which several weightings are each to be fitted."""

    z: Float[np.ndarray, "samples coordinates"]  # of `Axes.of`: an intercept last
    targets: Targets
    weights: Float[np.ndarray, "fits samples"]
    curvature: Float[np.ndarray, " coordinates"]  # at least about that of every weighting


class Batch(NamedTuple):
    """Problems of one shape on the devices, each with rows and coordinates of zeros beside its own.

    Sizes are rounded up, so that a program serves many.
    """

    z: Float[Array, "problems rows coordinates"]
    targets: Float[Array, "problems rows classes"]
    weights: Float[Array, "problems fits rows"]
    curvature: Float[Array, "problems coordinates"]

    @property
    def zeros(self) -> Float[Array, "problems coordinates fits classes"]:
        """Where a path of penalties starts."""
        n, n_fits, _ = self.weights.shape
        zeros = np.zeros((n, self.z.shape[2], n_fits, self.targets.shape[2]), np.float32)
        return shard(zeros, per_seed=True)


def stack(problems: Sequence[Problem]) -> Batch:
    """Place problems on the devices, the last one repeated until all have as many.

    They have the same classes.
    """
    n = max(_rounded(len(p.z)) for p in problems)
    n_axes = max(_rounded(p.z.shape[1]) for p in problems)
    n_fits = max(len(p.weights) for p in problems)
    blocks = []
    for z, targets, weights, curvature in problems:
        block = np.zeros((n, n_axes), np.float32)
        block[: len(z), : z.shape[1] - 1], block[: len(z), -1] = z[:, :-1], 1
        axes = np.append(np.pad(curvature[:-1], (0, n_axes - len(curvature))), curvature[-1])
        more, idle = n - len(z), n_fits - len(weights)
        padded = np.pad(targets, ((0, more), (0, 0))), np.pad(weights, ((0, idle), (0, more)))
        blocks.append([a.astype(np.float32) for a in (block, *padded, axes)])
    blocks += [blocks[-1]] * (_width(len(blocks)) - len(blocks))
    return Batch(*shard(tuple(map(np.stack, zip(*blocks, strict=True))), per_seed=True))


def _width(n: int) -> int:
    """Problems of a program: as many a device, and of few sizes."""
    n_devices = jax.device_count()
    return n_devices << (-(-n // n_devices) - 1).bit_length()


def _rounded(n: int) -> int:
    """The next of four sizes an octave; below 1024, multiples of `FEWEST`.

    >>> [_rounded(n) for n in (3, 129, 3285)]
    [128, 256, 3584]
    """
    step = max(FEWEST, (1 << (n - 1).bit_length()) // 8)
    return -(-n // step) * step


def solve(
    batch: Batch,
    penalties: Sequence[float],
    tolerance: float | Float[np.ndarray, "some_problems some_fits"] = TOLERANCE,
    start: Float[Array, "problems coordinates fits classes"] | None = None,
) -> Float[Array, "problems coordinates fits classes"]:
    """Fit every weighting of every problem.

    Args:
        batch: of `stack`, for a number of problems.
        penalties: of each of these.
        tolerance: the largest entry of a gradient where a fit ends, in coordinates in which the
            curvature is about 1; infinity leaves a fit as it is. By problem and fit,
            of which each may be one for all.
        start: coefficients to start from, such as those of a larger penalty; without, zeros.

    Returns:
        Coefficients, for `unpack`.
    """
    n_fits, left = batch.weights.shape[1], len(batch.z) - len(penalties)
    ends = np.broadcast_to(np.asarray(tolerance, np.float32), (len(penalties), n_fits))
    ends = np.pad(ends, ((0, left), (0, 0)), constant_values=np.inf)
    each = np.pad(np.asarray(penalties, np.float32), (0, left), constant_values=1.0)
    of_each = shard((each, ends), per_seed=True)
    return _program()(*batch, *of_each, batch.zeros if start is None else start)


def unpack(
    fitted: Float[Array, "problems coordinates fits classes"], problems: Sequence[Problem]
) -> list[Float[np.ndarray, "own fits classes"]]:
    """Coefficients of problems on their own coordinates; a class that a fit lacks is `ABSENT`."""
    own = []
    for problem, b in zip(problems, np.asarray(fitted), strict=False):
        n = len(problem.curvature) - 1
        found = np.concatenate([b[:n], b[-1:]])[:, : len(problem.weights)]
        found[-1, problem.weights @ problem.targets == 0] = ABSENT
        own.append(found)
    return own


def _solve_one(z, targets, weights, curvature, penalty, tolerance, start):
    """`solve` for one problem, in coordinates that are scaled to about unit curvature.

    The curvature of a class's loss is that of the rows times the spread p (1 - p) of its
    probabilities, where the descent starts and in the mean.
    """
    (n, n_axes), (n_fits, _), n_classes = z.shape, weights.shape, targets.shape[1]
    absent = jnp.where(weights @ targets > 0, 0.0, ABSENT)
    of_rows, goal = weights.T[:, :, None], targets[:, None]
    ridge = jnp.full((n_axes, 1, 1), penalty).at[-1].set(0.0)
    dot = partial(jnp.dot, precision=jax.lax.Precision.HIGHEST)
    # once for all rounds: the product of the transposed rows is slower
    z_t = jax.lax.optimization_barrier(z.T)

    def logits(b):
        return dot(z, b.reshape(n_axes, -1)).reshape(n, n_fits, n_classes) + absent[None]

    p = jax.nn.softmax(logits(start), axis=-1)
    spread = jnp.sum(of_rows * p * (1 - p), axis=0) / jnp.maximum(weights.sum(1), 1e-30)[:, None]
    hessian = curvature[:, None, None] * jnp.maximum(spread, LEAST_SPREAD)[None] + ridge
    scale = jax.lax.rsqrt(jnp.maximum(hessian, 1e-30))

    def evaluate(c):
        b = c * scale
        scores = logits(b)
        top = jnp.max(scores, axis=-1, keepdims=True)
        exponentials = jnp.exp(scores - top)
        total = jnp.sum(exponentials, axis=-1, keepdims=True)
        # an absent class has no target; 0 times its score is 0
        losses = jnp.log(total) + top - jnp.sum(goal * scores, axis=-1, keepdims=True)
        value = jnp.sum(of_rows * losses, axis=(0, 2)) + jnp.sum(ridge * b * b, axis=(0, 2)) / 2
        rest = of_rows * (exponentials / total - goal)
        gradient = dot(z_t, rest.reshape(n, -1)).reshape(b.shape) + ridge * b
        return value, gradient * scale

    return minimize(evaluate, start / scale, tolerance) * scale


@cache
def _program() -> Callable:
    return over_seeds(_solve_one, [True] * 7)
