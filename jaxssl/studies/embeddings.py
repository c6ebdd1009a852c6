"""What the encoders of a study make of its samples: embedding, prototypes in use, batch told."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from anndata import AnnData

from jaxssl.data.expression import write_h5ad
from jaxssl.engine.bundle import EncoderBundle, has_diverged
from jaxssl.engine.embed import embed, prototype_scores
from jaxssl.evaluation import batch
from jaxssl.files import write_table
from jaxssl.runs import layout
from jaxssl.runs.journal import samples_of
from jaxssl.studies.start import Study

MAX_EMBEDDED = 5  # seeds whose embedding is asked for its batch


def write_embedding(study: Study, bundles: Mapping[int, EncoderBundle]) -> None:
    """Write the first seed's embedding of all samples, and the prototypes that every seed uses."""
    task, features, first = study.task, study.prepared.features, min(bundles)
    index = pd.Index(task.sample_ids, dtype=object)
    obs = samples_of(task)[["part", "label", "batch"]].set_axis(index)
    usage = []
    for seed, bundle in bundles.items():
        scores = prototype_scores(bundle, features)
        if scores is None:
            continue
        prototype, n_prototypes = scores.argmax(axis=1), scores.shape[1]
        counts = np.bincount(prototype[task.split.train], minlength=n_prototypes)
        share = counts / len(task.split.train)
        usage.append(pd.DataFrame({"seed": seed, "prototype": range(n_prototypes), "share": share}))
        if seed == first:
            obs["prototype"] = prototype.astype(str)
    if usage:
        write_table(study.folder / layout.USAGE, pd.concat(usage))
    out = AnnData(obs=obs)
    out.obsm["X_jaxssl"] = embed(bundles[first], features)
    write_h5ad(out, study.folder / layout.EMBEDDING)


def write_batch(study: Study, bundles: Mapping[int, EncoderBundle]) -> None:
    """Write how well the batch is told from input and embeddings."""
    seeds = [seed for seed in sorted(bundles) if not has_diverged(bundles[seed])][:MAX_EMBEDDED]
    features = study.prepared.features
    representations = {("input", 0): features}
    representations |= {("embedding", seed): embed(bundles[seed], features) for seed in seeds}
    write_table(study.folder / layout.BATCH, batch.predictability(study.task, representations))
