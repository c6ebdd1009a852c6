"""From expression to encoder input: log2, standardisation, clipping, spectral conditioning.

Everything is fitted on training rows alone; held-out rows are clipped to the training range.
"""

import dataclasses
import warnings
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, Shaped

from jaxssl.config import NormalizeConfig, count_components
from jaxssl.data.axes import principal_axes
from jaxssl.data.backed import Backed, Expression, Rows, Standardized, blocks, pick
from jaxssl.data.frames import Cohorts, fit_frame, to_frame
from jaxssl.data.moments import extremes, moments
from jaxssl.data.scale import LOG2, LOG_RATIO
from jaxssl.types import Frame, InputError, Normalizer

TILE = 2**19  # numbers at a time, so that they stay near the processor

PerGene = Float[np.ndarray, " genes"]


def log2_expression(x: Shaped[np.ndarray | Backed, "samples genes"], scale: str) -> Expression:
    """Bring expression to a log2 scale, as float32; what is not in memory, as it is read.

    "counts" become log2(CPM + 1), with the library size over all genes given; "linear" values (TPM,
    FPKM, intensities) become log2(x + 1); "log2" values and "log_ratio"s stay.
    """
    if isinstance(x, Backed):
        return x.map(lambda block, _: log2_expression(block, scale))
    if scale in (LOG2, LOG_RATIO):
        return np.asarray(x, np.float32)
    if x.min() < 0:
        raise InputError(
            f"negative values on a {scale} scale", "pass the true one with `scale=log2`"
        )
    out = np.empty(x.shape, np.float32)
    for rows in blocks(x):
        block = np.asarray(x[rows], np.float32)
        if scale == "counts":
            depth = block.sum(axis=1, keepdims=True, dtype=np.float64)
            if not depth.all():
                raise InputError("a sample has no counts at all", "remove it before pretraining")
            block = block * (1e6 / depth).astype(np.float32)
        np.log2(block + 1, out=out[rows])
    return out


def fit_normalizer(
    x: Expression,
    genes: Sequence[str] | np.ndarray,
    options: NormalizeConfig,
    expression_scale: str = "log2",
    cohorts: Cohorts | None = None,
) -> Normalizer:
    """Fit the map on training rows `x` (log2 scale); constant genes are left out.

    With `options.max_genes`, so are all but that many of the most variable. `cohorts` names the
    cohort of every row; by default there is one.
    """
    mean, scale = moments(x)
    kept = scale > 1e-6
    if not kept.any():
        raise InputError("every gene is constant over the training samples; nothing to learn from")
    if 0 < options.max_genes < kept.sum():
        kept &= np.argsort(np.argsort(-scale, kind="stable")) < options.max_genes
    names, frame = tuple(np.asarray(genes)[kept].tolist()), Frame()
    if options.frame not in ("auto", frame.name):
        x, frame = fit_frame(pick(x, kept), options.frame, cohorts)
        mean, scale = moments(x)
        scale, kept = np.where(scale > 1e-6, scale, 1).astype(np.float32), np.full(len(scale), True)
    mean, scale, low, high = (values[kept] for values in (mean, scale, *extremes(x)))
    normalizer = Normalizer(
        genes=names,
        expression_scale=expression_scale,
        mean=mean,
        scale=scale,
        lower=np.maximum((low - mean) / scale, np.float32(-options.clip)),
        upper=np.minimum((high - mean) / scale, np.float32(options.clip)),
        weight=weigh(scale, options.scaling),
        frame=frame,
    )
    if options.input == "genes":
        return normalizer
    columns = None if kept.all() else np.flatnonzero(kept)
    return _with_rotation(normalizer, standardize_framed(normalizer, x, columns), options)


def weigh(sd: PerGene, scaling: float) -> PerGene | None:
    """What a standardised gene counts, sd ** (1 - scaling), in a unit of mean square 1.

    Args:
        sd: standard deviation of every gene on the training samples, above 0.
        scaling: 1 makes all genes count alike; with 0 each counts by its variance.

    Returns:
        The weights; None where all are 1.

    Example:
        >>> weigh(np.array([1.0, 7.0]), 0.0).tolist()
        [0.20000000298023224, 1.399999976158142]
    """
    if scaling == 1:
        return None
    relative = np.asarray(sd, np.float64) ** (1 - scaling)
    return (relative / np.sqrt(np.mean(relative**2))).astype(np.float32)


def standardize(
    normalizer: Normalizer,
    x: Expression,
    columns: Int[np.ndarray, " kept"] | None = None,
    cohorts: Cohorts | None = None,
) -> Standardized:
    """Bring every kept gene into the frame, standardise and clip it.

    `columns` says where in `x` the genes of the normalizer are; by default `x` has just these.
    Picking them by blocks of rows saves a copy of the matrix. `cohorts` names the cohort of every
    row; by default all are of one that the normalizer does not know.
    """
    if normalizer.frame.name != Frame.name:
        x = to_frame(normalizer.frame, x if columns is None else pick(x, columns), cohorts)
        columns = None
    return standardize_framed(normalizer, x, columns)


def standardize_framed(
    normalizer: Normalizer, x: Expression, columns: Int[np.ndarray, " kept"] | None = None
) -> Standardized:
    """As `standardize`, of values in the frame; a gene that is missing (NaN) is at its mean."""
    if isinstance(x, Backed):
        return x.map(
            lambda block, _: standardize_framed(normalizer, block, columns), len(normalizer.genes)
        )
    out = np.empty((len(x), len(normalizer.genes)), np.float32)
    for rows in blocks(x, max(1, TILE // max(1, x.shape[1]))):
        block, z = x[rows] if columns is None else x[rows][:, columns], out[rows]
        np.subtract(block, normalizer.mean, out=z)
        z /= normalizer.scale
        z[np.isnan(z)] = 0
        np.clip(z, normalizer.lower, normalizer.upper, out=z)
        if normalizer.weight is not None:
            z *= normalizer.weight
    return out


def normalize(
    normalizer: Normalizer,
    x: Expression,
    columns: Int[np.ndarray, " kept"] | None = None,
    cohorts: Cohorts | None = None,
) -> Rows:
    """Apply the whole fitted map; `columns` and `cohorts` as in `standardize`."""
    if normalizer.rotation is None:
        return standardize(normalizer, x, columns, cohorts)
    if normalizer.frame.name != Frame.name:  # which looks at all samples of a cohort at once
        x = to_frame(normalizer.frame, x if columns is None else pick(x, columns), cohorts)
        columns = None
    return normalize_framed(normalizer, x, columns)


def normalize_framed(
    normalizer: Normalizer,
    x: Expression,
    columns: Int[np.ndarray, " kept"] | None = None,
) -> Rows:
    """As `normalize`, of values in the frame."""
    if normalizer.rotation is None:
        return standardize_framed(normalizer, x, columns)
    out = np.empty((len(x), normalizer.rotation.shape[1]), np.float32)
    for rows in blocks(x):
        scores = standardize_framed(normalizer, x[rows], columns) @ normalizer.rotation
        np.clip(scores, normalizer.lower_component, normalizer.upper_component, out=out[rows])
    return out


def _with_rotation(normalizer: Normalizer, z: Expression, options: NormalizeConfig) -> Normalizer:
    """Add the spectral rotation; its output has mean component variance 1 on the training rows."""
    axes, sd = principal_axes(z, options.n_components or count_components(options, *z.shape))
    axes, sd = axes[:, sd > 1e-6], sd[sd > 1e-6]
    if len(sd) < options.n_components:
        warnings.warn(
            f"the training samples vary along {len(sd)} axes, and these are the components; "
            f"`normalize.n_components={options.n_components}` asks for more",
            stacklevel=2,
        )
    conditioned_sd = sd ** (1 - options.power)
    gain = sd**-options.power / np.sqrt(np.mean(conditioned_sd**2))
    # laid out as it comes back from a file: a product rounds by the layout on some processors
    rotation = np.ascontiguousarray(axes * gain, np.float32)
    scores = (
        z.map(lambda block, _: block @ rotation, len(sd)) if isinstance(z, Backed) else z @ rotation
    )
    lower, upper = extremes(scores)
    return dataclasses.replace(
        normalizer, rotation=rotation, lower_component=lower, upper_component=upper
    )
