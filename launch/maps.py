"""Where samples lie in the first seed's embedding, and which prototypes every seed uses."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData

from jaxssl.data import store
from jaxssl.data.task import Task, encoder_features
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.engine.embed import embed, prototype_scores
from launch import folder as run_folder


def write_maps(folder: Path, task: Task, bundles: Mapping[int, EncoderBundle]) -> None:
    """Write the first seed's embedding of all samples, and every seed's prototype usage."""
    first = bundles[min(bundles)]
    features = encoder_features(task, first.normalizer)
    obs = pd.DataFrame(
        {"part": run_folder.part_of(task)}, index=pd.Index(task.sample_ids, dtype=object)
    )
    obs["label"] = np.where(task.codes >= 0, np.asarray(task.classes)[task.codes], "")
    obs["batch"] = task.batches.astype(str)
    usage = []
    for seed, bundle in bundles.items():
        scores = prototype_scores(bundle, features)
        if scores is None:
            continue
        prototype, n_prototypes = scores.argmax(axis=1), scores.shape[1]
        counts = np.bincount(prototype[task.split.train], minlength=n_prototypes)
        share = counts / len(task.split.train)
        usage.append(pd.DataFrame({"seed": seed, "prototype": range(n_prototypes), "share": share}))
        if bundle is first:
            obs["prototype"] = prototype.astype(str)
    if usage:
        run_folder.write_table(folder / "prototype_usage.csv", pd.concat(usage))
    out = AnnData(obs=obs)
    out.obsm["X_jaxssl"] = embed(first, features)
    store.write_h5ad(out, folder / "embedding.h5ad")
