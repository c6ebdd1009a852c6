"""The cohorts of new samples, as a column or a list names them."""

from typing import cast

import numpy as np
import pandas as pd
from anndata import AnnData

from jaxssl.data.formats.matrix import as_text
from jaxssl.data.frames import MIN_COHORT, OTHER
from jaxssl.data.samples import by_text, require_column
from jaxssl.engine.bundle import Bundle
from jaxssl.engine.prepared import is_among
from jaxssl.types import InputError

_FIX = "leave the option out to take all samples as one cohort"


def column_of(adata: AnnData, name: str, option: str = "batch") -> np.ndarray:
    """The values of a column about the samples, as text."""
    obs = by_text(cast(pd.DataFrame, adata.obs))
    require_column(obs.columns, name, option)
    return as_text(obs[[name]])[name].to_numpy()


def check_cohorts(names: np.ndarray, ids: np.ndarray, what: str) -> None:
    """Refuse names that some samples lack, and cohorts too small to say what is usual in them.

    Args:
        names: cohort of every sample, "" for none.
        ids: of the samples.
        what: the names stand in, such as "column 'platform'".

    Raises:
        InputError: with the first sample, or the smallest cohort, and what to do.
    """
    absent = np.flatnonzero(names == "")
    if len(absent):
        raise InputError(
            f"{len(absent):,} of {len(names):,} samples have no cohort in {what} (first: "
            f"{ids[absent[0]]})",
            f"fill it in, leave these samples out, or {_FIX}",
        )
    found, sizes = np.unique(names.astype(str), return_counts=True)
    small = np.flatnonzero(sizes < MIN_COHORT)
    if len(small):
        first = small[sizes[small].argmin()]
        n = sizes[first]
        raise InputError(
            f"{what} names {len(found):,} cohorts, and {len(small):,} of them have fewer than "
            f"{MIN_COHORT} samples, too few to say what is usual there (smallest: {found[first]}, "
            f"{n} {'sample' if n == 1 else 'samples'})",
            f"name a coarser one, leave these out, or {_FIX}",
        )


def told_apart(names: np.ndarray, ids: np.ndarray, bundle: Bundle) -> np.ndarray:
    """Cohorts by names that are not those of training cohorts, unless samples of these are there.

    Two laboratories may call a batch alike. By the ids of its samples a cohort of the training is
    known again, and has the frame that it had there.
    """
    seen = is_among(ids, bundle.provenance.get("training_ids", ""))
    known = set() if seen is None else set(names[seen]) & set(bundle.normalizer.frame.cohorts)
    return np.array([name if name in known else OTHER + name for name in names], object)


def cohorts_of(bundle: Bundle, adata: AnnData, column: str) -> np.ndarray:
    """The cohorts of new samples by a column, checked, as `told_apart` names them."""
    names, ids = column_of(adata, column), adata.obs_names.to_numpy()
    check_cohorts(names, ids, f"column {column!r}")
    return told_apart(names, ids, bundle)
