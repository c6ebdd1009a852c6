"""The sample-major `.h5ad` that everything after the import reads, and the record beside it."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import anndata
import numpy as np
import pandas as pd
from anndata import AnnData

from jaxssl.data.table import as_text, dense
from jaxssl.types import InputError


def write_h5ad(adata: AnnData, path: str | Path) -> None:
    """Write atomically: a reader sees the old file or the whole new one, never a part."""
    with _replacing(Path(path)) as part:
        adata.write_h5ad(part, convert_strings_to_categoricals=False)


def write_record(adata: AnnData, path: str | Path) -> dict[str, Any]:
    """Write `uns["jaxssl"]` with class counts and a hash of X as JSON, atomically; returns it."""
    facts = dict(adata.uns["jaxssl"])
    labels = Counter(adata.obs[facts["label"]] if facts["label"] else [])
    record = facts | {
        "n_samples": adata.n_obs,
        "n_genes": adata.n_vars,
        "classes": {name: count for name, count in labels.most_common() if name},
        "sha256": hashlib.sha256(np.asarray(adata.X).tobytes()).hexdigest(),
    }
    with _replacing(Path(path)) as part:
        part.write_text(json.dumps(record, indent=2) + "\n")
    return record


def read_h5ad(path: str | Path) -> AnnData:
    """Read into memory: X dense float32 (where there is one), obs as text with "" for no value.

    Raises InputError for a file that is not AnnData's.
    """
    try:
        adata = anndata.read_h5ad(path)
    except (OSError, KeyError) as error:
        raise InputError(f"{path} cannot be read as .h5ad: {error}") from error
    if adata.X is not None:
        is_array = isinstance(adata.X, np.ndarray)
        adata.X = np.asarray(adata.X, dtype=np.float32) if is_array else dense(adata.X)
    adata.obs = as_text(cast(pd.DataFrame, adata.obs))
    return adata


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
