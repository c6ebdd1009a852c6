"""What is kept of a laboratory's own samples, for those that come later."""

import dataclasses

import numpy as np
from jaxtyping import Int

from jaxssl.config import NormalizeConfig
from jaxssl.data.family import Joint
from jaxssl.data.normalize import fit_normalizer
from jaxssl.data.shift import Reference
from jaxssl.data.shift_limits import fit_reference
from jaxssl.types import Normalizer


def guard_of(
    joint: Joint, rows: Int[np.ndarray, " rows"], scale: str, options: NormalizeConfig
) -> tuple[Normalizer, Reference | None]:
    """What later samples are held against: these samples, each gene as it is measured.

    `scale` is that of their file. No reference is kept of few samples.
    """
    options = dataclasses.replace(options, frame="training", input="genes")
    x, groups = joint.expression[rows], np.full(len(rows), "")
    normalizer = fit_normalizer(x, joint.genes, options, scale)
    return normalizer, fit_reference(normalizer, x, groups, x[:0], options.clip)
