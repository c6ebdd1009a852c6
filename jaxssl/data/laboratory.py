"""What a laboratory's own samples say of themselves, beside those of a source."""

import dataclasses

import numpy as np
from jaxtyping import Int

from jaxssl.config import NormalizeConfig
from jaxssl.data.adapting import doubts_of_classes
from jaxssl.data.family import Joint
from jaxssl.data.frames import to_frame
from jaxssl.data.normalize import fit_normalizer
from jaxssl.data.shift import Reference
from jaxssl.data.shift_limits import fit_reference
from jaxssl.types import Normalizer

Rows = Int[np.ndarray, " rows"]


def doubts_of(joint: Joint, target: Rows, options: NormalizeConfig) -> list[str]:
    """Say where the samples look as if they were of one class, by the spread of the others."""
    source = np.setdiff1d(np.arange(len(joint.cohorts)), target)
    options = dataclasses.replace(options, frame="cohort", input="genes")
    x, cohorts = joint.expression, joint.cohorts
    normalizer = fit_normalizer(x[source], joint.genes, options, "log2", cohorts[source])
    framed = to_frame(normalizer.frame, x[source], cohorts[source])
    groups = np.full(len(source), "")
    reference = fit_reference(normalizer, framed, groups, framed[:0], options.clip)
    if reference is None:
        return []
    return doubts_of_classes(reference, normalizer, to_frame(normalizer.frame, x[target]), None)


def guard_of(
    joint: Joint, rows: Rows, scale: str, options: NormalizeConfig
) -> tuple[Normalizer, Reference | None]:
    """What later samples are held against: these samples, each gene as it is measured.

    `scale` is that of their file. No reference is kept of few samples.
    """
    options = dataclasses.replace(options, frame="training", input="genes")
    x, groups = joint.expression[rows], np.full(len(rows), "")
    normalizer = fit_normalizer(x, joint.genes, options, scale)
    return normalizer, fit_reference(normalizer, x, groups, x[:0], options.clip)
