"""Whether a stored AnnData is whole: chunks that are absent, positions outside a sparse matrix."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from jaxssl.data.formats.matrix import BLOCK
from jaxssl.types import InputError

COPY_AGAIN = "where the store was not copied whole, copy it again"


def absent(stored: Any) -> str:
    """What of a zarr array is not there, which reads as its fill value; "": nothing."""
    n = stored.nchunks - stored.nchunks_initialized if isinstance(stored, zarr.Array) else 0
    fill = stored.fill_value if n else ""
    return f"{n} of {stored.nchunks} chunks are absent, which stands for {fill!s}" if n else ""


def absent_within(group: Any, name: str) -> Iterator[str]:
    """What of the arrays of a zarr group is not there."""
    for key in group if isinstance(group, zarr.Group) else ():
        inside = f"{name}/{key}"
        found = absent(group[key])
        yield from [f"of {inside}, {found}"] if found else absent_within(group[key], inside)


def require_sound(path: Path, stored: Any, sparse: Any) -> None:
    """Refuse a sparse matrix whose positions lie outside it: scipy would write anywhere."""
    indices, starts = stored["indices"], np.asarray(stored["indptr"][:], np.int64)
    n_rows, n_columns = sparse.shape
    major, minor = (n_rows, n_columns) if sparse.format == "csr" else (n_columns, n_rows)
    (n,) = stored["data"].shape
    is_sound = (
        starts.shape == (major + 1,) and indices.shape == (n,) and not (np.diff(starts) < 0).any()
    )
    is_sound = is_sound and starts[0] == 0 and starts[-1] == n
    for start in range(0, n if is_sound else 0, BLOCK):
        some = np.asarray(indices[start : start + BLOCK])
        is_sound = is_sound and int(some.min()) >= 0 and int(some.max()) < minor
    if not is_sound:
        found = f"{path}: the sparse matrix of {n_rows:,} x {n_columns:,} has positions outside it"
        raise InputError(found, "write it again")
