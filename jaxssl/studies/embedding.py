"""What a pretrained encoder says of new samples, added to their data."""

from pathlib import Path
from typing import Any

import numpy as np
from anndata import AnnData, read_h5ad

from jaxssl.arguments import checked
from jaxssl.bounds import Share
from jaxssl.config import DataConfig
from jaxssl.data.arrival import Arrival, judge, receive
from jaxssl.data.expression import write_h5ad
from jaxssl.data.h5ad import add_to_h5ad, as_stored
from jaxssl.data.missing import CURVE
from jaxssl.engine.bundle import Bundle, EncoderBundle
from jaxssl.engine.embed import EMBEDDED, PROTOTYPE, annotate
from jaxssl.engine.newcomers import cohorts_of
from jaxssl.places import input_within
from jaxssl.studies.data import Data, read_data
from jaxssl.studies.encoders import read_encoder
from jaxssl.studies.progress import SILENT, Hooks
from jaxssl.types import ADAPT, MAX_MISSING, REFUSE, InputError, OnShift


@checked
def embed(
    encoder: str | Path | EncoderBundle,
    data: Data,
    hooks: Hooks = SILENT,
    *,
    batch: str = "",
    max_missing: Share = MAX_MISSING,
    shift: OnShift = REFUSE,
    overwrite: bool = False,
) -> AnnData:
    """Embed samples with a pretrained encoder; genes are matched by name.

    What `jaxssl embed` does. `SSLEncoder.load(encoder)` is the same encoder for scikit-learn.

    Args:
        encoder: bundle or its folder, or run folder of `pretrain` or `study`: its first seed's.
        data: AnnData (samples x genes), to which the embedding is added, a file, "demo" or
            "synthetic".
        hooks, batch, max_missing, shift: as in `jaxssl.predict`.
        overwrite: replace the embedding that the data have already.

    Returns:
        The data with the embedding (samples x dim) in `obsm["X_jaxssl"]`, and the nearest prototype
        in `obs["prototype"]` where the method has prototypes. All else is as it was, also of an
        `.h5ad`; any other file is as `jaxssl.read` reads it.

    Raises:
        InputError: on a folder without an encoder, on data that do not fit it or have shifted, and
            on data with an embedding, or a column "prototype" of their own.

    Example:
        >>> jaxssl.embed("runs/mirna", new).obsm["X_jaxssl"]  # doctest: +SKIP
    """
    bundle = read_encoder(encoder)
    adata, x = _embedded(bundle, data, hooks, batch, max_missing, shift)
    if isinstance(data, AnnData):
        adata = data  # itself, also where what was read of it is a copy
    elif data and as_stored(Path(data), adata.obs_names, EMBEDDED) is not None:
        adata = read_h5ad(data, backed="r" if adata.isbacked else None)
    return annotate(adata, bundle, x, overwrite=overwrite)


def embed_file(
    encoder: str | Path,
    data: str,
    out: Path,
    hooks: Hooks = SILENT,
    *,
    batch: str = "",
    max_missing: float = MAX_MISSING,
    shift: OnShift = REFUSE,
    overwrite: bool = False,
) -> AnnData:
    """As `embed`, but onto disk: `out` is a copy of an `.h5ad` to which the embedding is added.

    It may be the file itself. Of any other file, `out` holds what `jaxssl.read` reads.
    """
    bundle = read_encoder(encoder)
    adata, x = _embedded(bundle, data, hooks, batch, max_missing, shift)
    stored = as_stored(Path(data), adata.obs_names, EMBEDDED)
    if stored is None:
        within = input_within(out, [("data", data)])
        if within:
            raise InputError(
                f"{within} is no .h5ad of samples x genes, to which an embedding could be added",
                "pass another `out`",
            )
        write_h5ad(annotate(adata, bundle, x, overwrite=overwrite), out)
        return adata
    before: Any = stored.obs.get(PROTOTYPE)
    after: Any = annotate(stored, bundle, x, overwrite=overwrite).obs.get(PROTOTYPE)
    is_same = after is None if before is None else after is not None and after.equals(before)
    prototypes = {} if is_same else {PROTOTYPE: after}
    add_to_h5ad(Path(data), out, {EMBEDDED: stored.obsm[EMBEDDED]}, prototypes)
    return stored


def arrive(
    bundle: Bundle,
    data: Data,
    hooks: Hooks,
    batch: str,
    max_missing: float,
    shift: OnShift,
    *,
    may_stay: bool = False,
) -> tuple[AnnData, Arrival]:
    """The data set, and what an encoder sees of it; not yet judged."""
    adata = read_data(DataConfig(), hooks, data, may_stay=may_stay)
    cohorts = cohorts_of(bundle, adata, batch) if batch else None
    arrival = receive(
        adata,
        bundle.normalizer,
        bundle.reference,
        max_missing=max_missing,
        shift=shift,
        cohorts=cohorts,
        curve=bundle.provenance.get(CURVE),
        known=bundle.told_apart,
    )
    n = arrival.genes["n_genes"]
    hooks.say(f"genes: {n - arrival.genes['n_missing']} of {n} found by name")
    hooks.say(arrival.sentence)
    own = "samples" if cohorts is None else f"samples of each of {len(set(cohorts)):,} cohorts"
    if shift == ADAPT:
        hooks.say(f"every gene is standardised within the {adata.n_obs:,} {own}")
    return adata, arrival


def _embedded(
    bundle: EncoderBundle, data: Data, hooks: Hooks, *words: Any
) -> tuple[AnnData, np.ndarray]:
    """The data set, and what an encoder sees of it, if it may; `words` as in `arrive`."""
    adata, arrival = arrive(bundle, data, hooks, *words, may_stay=True)
    shift = words[-1]
    judge(arrival, shift, "the encoder's")
    return adata, arrival.x
