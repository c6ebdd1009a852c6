"""The sample-major `.h5ad` that everything after the import reads, and the record beside it."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Float32

from jaxssl.files import replacing, write_text


def write_h5ad(adata: AnnData, path: str | Path) -> None:
    """Write atomically: a reader sees the old file or the whole new one, never a part."""
    with replacing(Path(path)) as part:
        adata.write_h5ad(part, convert_strings_to_categoricals=False)


def write_import(
    obs: pd.DataFrame,
    var: pd.DataFrame,
    facts: dict[str, Any],
    blocks: Iterable[Float32[np.ndarray, "block genes"]],
    path: str | Path,
) -> dict[str, Any]:
    """Write successive samples as X of an `.h5ad`, and its record as JSON beside it.

    Each is there whole or not at all, and no file stands beside the record of another. Returns the
    record: the facts, the counts of classes, a hash of X.
    """
    path = Path(path)
    beside = path.with_suffix(".prepare.json")
    digest = hashlib.sha256()
    bare = AnnData(obs=obs, var=var, uns={"jaxssl": facts})
    with replacing(path) as part:
        bare.write_h5ad(part, convert_strings_to_categoricals=False)
        with h5py.File(part, "r+") as file:
            if "X" in file:
                del file["X"]
            x = file.create_dataset("X", (len(obs), len(var)), np.float32)
            x.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
            start = 0
            for block in blocks:
                x[start : start + len(block)] = block
                digest.update(np.ascontiguousarray(block).data)
                start += len(block)
        beside.unlink(missing_ok=True)
    labels = Counter(obs[facts["label"]] if facts["label"] else [])
    record = facts | {
        "n_samples": len(obs),
        "n_genes": len(var),
        "classes": {name: count for name, count in labels.most_common() if name},
        "sha256": digest.hexdigest(),
    }
    write_text(beside, json.dumps(record, indent=2) + "\n")
    return record
