"""The cohorts of a family, read from files or taken from a column."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from anndata import AnnData

from jaxssl.config import Config
from jaxssl.data.family import Cohort, check_family, cohorts_in
from jaxssl.studies.data import read_data
from jaxssl.studies.progress import Hooks
from jaxssl.types import InputError

Files = AnnData | str | Path | Sequence[AnnData | str | Path]
"""Each a cohort; or one, with a column of cohorts."""


def read_cohorts(data: Files, config: Config, hooks: Hooks) -> list[Cohort]:
    """The cohorts of one or several files, as log2 expression."""
    files = [data] if isinstance(data, AnnData | str | Path) else list(data)
    if not files:
        raise InputError("no data are given", "pass `data=A.h5ad,B.h5ad`")
    cohorts: list[Cohort] = []
    for i, file in enumerate(files):
        own = dataclasses.replace(config.data, path="")
        adata = read_data(own, hooks, file)
        name = Path(file).stem if isinstance(file, str | Path) else f"cohort_{i}"
        if len(files) > 1 and not config.data.batch:
            adata = adata.copy() if isinstance(file, AnnData) else adata
            adata.uns = {"jaxssl": {**adata.uns.get("jaxssl", {}), "batch": ""}}
        cohorts += cohorts_in(adata, config, name)
    check_family(cohorts)
    scales = {cohort.scale: cohort.name for cohort in cohorts}
    if len(scales) > 1:
        told = ", ".join(f"{scale} ({name}, say)" for scale, name in scales.items())
        hooks.say(f"scales: {told}; the frame training compares them as they are, others do not")
    return cohorts


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
