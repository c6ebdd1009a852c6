"""What a run left, compared bit by bit with what another left: all but times and commands."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import anndata
import numpy as np
import pandas as pd

from jaxssl.engine.bundle import load_bundle
from jaxssl.engine.leaves import flatten
from jaxssl.runs import layout

TIMES = ("fit_seconds", "seconds")


def differences(folder: Path, reference: Path) -> list[str]:
    """Names of the artefacts that are missing, beyond, or not bit by bit those of `reference`."""
    found, expected = dict(_artefacts(folder)), dict(_artefacts(reference))
    if not expected:
        raise FileNotFoundError(f"{reference} holds nothing to compare with")
    names = sorted(found.keys() | expected.keys())
    return [n for n in names if found.get(n) != expected.get(n)]


def _artefacts(folder: Path) -> Iterator[tuple[str, object]]:
    """A name and a comparable value of everything that a result rests on."""
    for pattern in (*layout.TABLES, f"{layout.PREDICTIONS}/*.parquet"):
        for path in folder.glob(pattern):
            yield str(path.relative_to(folder)), _table(path)
    for path in layout.encoder_folders(folder).values():
        bundle = load_bundle(path)
        arrays = {"params": bundle.params, "normalizer": bundle.normalizer}
        for name, leaf in flatten(arrays).items():
            yield f"encoder/{path.name}/{name}", leaf.tobytes()
        yield f"encoder/{path.name}", (bundle.normalizer.genes, str(bundle.config))
    for path in folder.glob("*.h5ad"):
        adata = anndata.read_h5ad(path)
        x = np.asarray(adata.X if adata.X is not None else adata.obsm["X_jaxssl"])
        obs, var = cast(pd.DataFrame, adata.obs), cast(pd.DataFrame, adata.var)
        yield path.name, (x.tobytes(), obs.to_csv(), var.to_csv())


def _table(path: Path) -> str:
    """Rows in one order, every bit of a number told, without the columns that no two runs share."""
    read = {".parquet": pd.read_parquet, ".csv": pd.read_csv}.get(path.suffix)
    rows = read(path) if read else pd.read_json(path, lines=True)
    rows = rows.drop(columns=[name for name in TIMES if name in rows])
    order = [name for name in rows if rows[name].dtype.kind in "OTU" or name == "seed"]
    rows = rows.sort_values(order or list(rows.columns), kind="stable")
    return f"{rows.dtypes}\n{rows.to_csv(index=False)}"
