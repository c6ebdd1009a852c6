"""The cohorts of a family, read from files or taken from a column."""

import dataclasses
import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData

from jaxssl.config import Config
from jaxssl.data.family import (
    Cohort,
    check_family,
    cohorts_in,
    drawn,
    join,
    sets_of,
    transfers,
)
from jaxssl.data.frames import MIN_COHORT
from jaxssl.data.overlap import refuse_copies, refuse_repeats
from jaxssl.studies.data import read_data
from jaxssl.studies.progress import Hooks
from jaxssl.types import InputError

Files = AnnData | str | Path | Sequence[AnnData | str | Path]
"""Each a cohort; or one, with a column of cohorts."""


def read_cohorts(
    data: Files, config: Config, hooks: Hooks, max_samples: int = 0
) -> tuple[list[Cohort], list[str]]:
    """The cohorts of one or several files, as log2 expression, and sentences on those left out."""
    if 0 < max_samples < MIN_COHORT:
        found = f"`max_samples={max_samples}` is fewer than the {MIN_COHORT} that a cohort takes"
        raise InputError(found, "raise it")
    files = [data] if isinstance(data, AnnData | str | Path) else list(data)
    if not files:
        raise InputError("no data are given", "pass `data=A.h5ad,B.h5ad`")
    cohorts: list[Cohort] = []
    for i, file in enumerate(files):
        own = dataclasses.replace(config.data, path="")
        called = Path(file).name if isinstance(file, str | Path) else f"cohort_{i}"
        name = Path(called).stem
        try:
            adata = read_data(own, hooks, file)
            cohorts += cohorts_in(adata, config, name, by_record=len(files) == 1)
        except InputError as error:
            told = "" if called in error.finding else f"{called}: "
            raise InputError(f"{told}{error.finding}", error.fix) from error
    kept = check_family(cohorts)
    refuse_repeats(kept)
    scales = {cohort.scale: cohort.name for cohort in cohorts}
    if len(scales) > 1:
        told = ", ".join(f"{scale} ({name}, say)" for scale, name in scales.items())
        found = f"the cohorts are on unlike scales: {told}"
        warnings.warn(f"{found}; the frame training compares them as they are", stacklevel=2)
    sizes = {cohort.name: len(cohort.labels) for cohort in cohorts}
    few = sizes.keys() - {cohort.name for cohort in kept}
    left_out = [f"{name}: it has {sizes[name]} samples" for name in sorted(few)]
    return [drawn(cohort, max_samples) for cohort in kept], left_out


def possible_sets(
    cohorts: Sequence[Cohort], protocol: str
) -> tuple[list[tuple[Cohort, ...]], list[str]]:
    """The sets of cohorts that allow a transfer, and sentences on what is left out."""
    kept, left_out, lacking, fix = [], [], [], "name another column with `label=COLUMN`"
    for some in sets_of(cohorts, protocol):
        try:
            joint = join(some)
        except InputError as error:
            left_out, fix = [*left_out, error.finding], error.fix
            continue
        refuse_copies(joint)
        found, why = transfers(joint)
        kept += [some] if found else []
        left_out, lacking = left_out + why, lacking + why
    if not kept:
        found = f"no transfer is possible ({left_out[0]})"
        if left_out[0] in lacking:
            found += "".join(f"; {c.name} has {', '.join(_classes(c))}" for c in cohorts[:2])
        raise InputError(found, fix)
    return kept, by_reason(left_out)


def _classes(cohort: Cohort) -> list[str]:
    """Labels of a cohort as they are written, the most frequent ones."""
    labels = pd.Series(cohort.labels, dtype=object)
    return [repr(str(name)) for name in labels[labels != ""].value_counts().index[:5]] or [
        "no label"
    ]


def by_reason(left_out: Sequence[str]) -> list[str]:
    """A sentence a reason, with the first transfer that it holds of.

    >>> by_reason(["a to b: few labels", "a to c: few labels", "d and e have no gene in common"])
    ['2 transfers: few labels (first: a to b)', 'd and e have no gene in common']
    """
    of: dict[str, list[str]] = {}
    for text in left_out:
        which, _, why = text.rpartition(": ")
        of.setdefault(why, []).append(which)
    told = []
    for why, which in of.items():
        one = f"{which[0]}: {why}" if which[0] else why
        told.append(
            one if len(which) == 1 else f"{len(which)} transfers: {why} (first: {which[0]})"
        )
    return told


def inputs_of(data: Files) -> tuple[tuple[str, str | Path], ...]:
    """The files among the data, by the option that names them."""
    files = [data] if isinstance(data, AnnData | str | Path) else data
    named = [file if not isinstance(file, AnnData) else file.filename for file in files]
    return tuple(("data", file) for file in named if file)


def hash_of(cohorts: Sequence[Cohort], protocol: str) -> str:
    """Of all that a score depends on besides options."""
    digest = hashlib.sha256(protocol.encode())
    for cohort in cohorts:
        for values in (np.array([cohort.name]), cohort.genes, cohort.labels):
            digest.update("\n".join(map(str, values)).encode())
        digest.update(np.ascontiguousarray(cohort.expression).tobytes())
    return digest.hexdigest()[:16]
