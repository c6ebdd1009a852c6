"""Principal axes of standardised expression, also of more of it than memory holds."""

import numpy as np
from jaxtyping import Float, Float32, Float64
from scipy import linalg

from jaxssl.data.backed import Expression, blocks, pieces

EXACT_SIDE = 3000  # up to here the smaller Gram matrix is decomposed exactly
OVERSAMPLED = 20  # axes that are sought beyond those asked for
MAX_PASSES = 8  # over the samples
RESIDUAL = 0.1  # of an axis, relative to its variance: what a further pass would still change

Axes = tuple[Float[np.ndarray, "genes axes"], Float[np.ndarray, " axes"]]


def principal_axes(z: Expression, n_components: int) -> Axes:
    """Top principal axes and the standard deviations along them, largest first.

    The smaller of the two Gram matrices is decomposed exactly up to `EXACT_SIDE`; beyond that
    block Krylov iteration (Musco and Musco 2015) from a fixed random start finds the axes.

    Args:
        z: standardised expression; what is not in memory is read once a pass.
        n_components: axes wanted; fewer where samples or genes are.

    Returns:
        The axes in columns, of length 1, and the standard deviations.

    Example:
        >>> axes, sd = principal_axes(np.array([[2.0, 0], [-2, 0], [0, 1], [0, -1]]), 1)
        >>> np.abs(axes).ravel().tolist(), sd.round(3).tolist()
        ([1.0, 0.0], [1.4140000343322754])
    """
    n_samples, n_genes = z.shape
    side = min(n_samples, n_genes)
    n_components = min(n_components, side)
    if side > EXACT_SIDE:
        return _by_passes(z, n_components)
    top = [side - n_components, side - 1]
    if n_genes <= n_samples:
        gram = sum(block.T @ block for block in (z[rows] for rows in pieces(z)))
        eigenvalues, axes = linalg.eigh(gram, subset_by_index=top)
    else:
        z = z[:]
        eigenvalues, left = linalg.eigh(z @ z.T, subset_by_index=top)
        axes = z.T @ left
        axes /= np.maximum(np.linalg.norm(axes, axis=0), np.finfo(np.float32).tiny)
    sd = np.sqrt(np.maximum(eigenvalues, 0) / n_samples)
    return axes[:, ::-1].astype(np.float32), sd[::-1].astype(np.float32)


def _by_passes(z: Expression, n_components: int) -> Axes:
    """The axes within the span of a random block and of what the covariance makes of it."""
    width = min(n_components + OVERSAMPLED, z.shape[1])
    start = np.random.default_rng(0).standard_normal((z.shape[1], width))
    basis, image = np.linalg.qr(start)[0], np.empty((z.shape[1], 0))
    for _ in range(MAX_PASSES):
        image = np.hstack([image, _covariance_times(z, basis[:, -width:])])
        inner = basis.T @ image
        values, vectors = np.linalg.eigh((inner + inner.T) / 2)
        values, vectors = values[::-1][:n_components], vectors[:, ::-1][:, :n_components]
        axes = basis @ vectors
        residual = np.linalg.norm(image @ vectors - axes * values, axis=0)
        width = min(width, z.shape[1] - basis.shape[1])
        if (residual <= RESIDUAL * values).all() or not width:
            break
        basis = np.hstack([basis, _beyond(basis, image[:, -width:])])
    return axes.astype(np.float32), np.sqrt(np.maximum(values, 0)).astype(np.float32)


def _covariance_times(
    z: Expression, basis: Float64[np.ndarray, "genes width"]
) -> Float64[np.ndarray, "genes width"]:
    """z' z / samples, times a basis, in one pass."""
    narrow, total = basis.astype(np.float32), np.zeros(basis.shape)
    for rows in blocks(z):
        block: Float32[np.ndarray, "rows genes"] = z[rows]
        total += block.T @ (block @ narrow)
    return total / len(z)


def _beyond(
    basis: Float64[np.ndarray, "genes wide"], block: Float64[np.ndarray, "genes width"]
) -> Float64[np.ndarray, "genes width"]:
    """An orthonormal basis of what a block adds; twice, as once leaves rounding."""
    for _ in range(2):
        block = np.linalg.qr(block - basis @ (basis.T @ block))[0]
    return block
