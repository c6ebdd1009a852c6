"""What a pretrained encoder says of samples: embeddings and prototype scores."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, cast

import jax
import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Float

from jaxssl.config import Config
from jaxssl.data.backed import Rows, blocks
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.methods import METHODS
from jaxssl.methods.interface import MethodConfig, Training
from jaxssl.model import EncoderConfig, make_encoder
from jaxssl.types import InputError, Params

EMBEDDED, PROTOTYPE = "X_jaxssl", "prototype"  # in obsm and in obs of an AnnData
BLOCK = 4096  # samples per compiled call


def embed(bundle: EncoderBundle, x: Rows) -> Float[np.ndarray, "samples dim"]:
    """Encoder output for normalised input, as `data.align.encoder_input` makes it of a data set."""
    return embed_rows(bundle.config, bundle.params["encoder"], x)


def embed_rows(config: Config, encoder: Params, x: Rows) -> Float[np.ndarray, "samples dim"]:
    """Output of an encoder's parameters."""
    apply = _compiled_encoder(config.encoder, config.run.precision)
    return _by_blocks(partial(apply, encoder), x)


def outputs_of(
    config: Config, encoders: Sequence[Params], features: Float[np.ndarray, "samples features"]
) -> Float[np.ndarray, "samples outputs"]:
    """Outputs of encoders side by side, on the unit sphere each."""
    parts = [embed_rows(config, params, features) for params in encoders]
    return np.hstack([part / np.linalg.norm(part, axis=1, keepdims=True) for part in parts])


@lru_cache(maxsize=32)
def _compiled_encoder(options: EncoderConfig, precision: str) -> Callable:
    """Compiled for all encoders of one architecture: their parameters are an argument."""
    return jax.jit(make_encoder(options, precision).apply)


def prototype_scores(
    bundle: EncoderBundle, x: Rows
) -> Float[np.ndarray, "samples prototypes"] | None:
    """Scores on the first head's prototypes, if there are some; the largest is the sample's own."""
    scores = prototype_network(bundle)
    return _by_blocks(partial(scores, bundle.params), x) if scores else None


def prototype_network(bundle: EncoderBundle) -> Callable | None:
    """What scores samples on the first head's prototypes, by parameters such as the bundle's."""
    config, n_train = bundle.config, bundle.provenance.get("n_train", 0)
    return _compiled_scores(config.method, config.encoder, config.run.precision, n_train)


@lru_cache(maxsize=32)
def _compiled_scores(
    options: MethodConfig, encoder_options: EncoderConfig, precision: str, n_train: int
) -> Callable | None:
    """Compiled for all encoders of the same options."""
    training = Training(make_encoder(encoder_options, precision), n_train, n_steps=0)
    scores = METHODS[options.name].make(options, training).scores
    return jax.jit(scores) if scores else None


def annotate(
    adata: AnnData,
    bundle: EncoderBundle,
    x: Rows,
    *,
    overwrite: bool = False,
) -> AnnData:
    """Write the embedding into `obsm["X_jaxssl"]`, nearest prototypes into `obs["prototype"]`.

    Nothing else changes. With `overwrite` they replace those of an earlier embedding; a column of
    that name which no embedding wrote is never replaced.
    """
    is_embedded = EMBEDDED in adata.obsm
    if is_embedded and not overwrite:
        raise InputError(
            f"the data have an embedding already, obsm[{EMBEDDED!r}]",
            "pass `overwrite` to replace it, or rename it",
        )
    before: Any = adata.obs[PROTOTYPE].astype(str) if PROTOTYPE in adata.obs else None
    is_ours = before is not None and is_embedded and before.str.fullmatch(r"\d+").all()
    scores = prototype_scores(bundle, x)
    is_index = adata.obs.index.name == PROTOTYPE  # which an .h5ad keeps in the place of a column
    if scores is not None and (is_index or (before is not None and not is_ours)):
        what = "an index" if is_index else "a column"
        raise InputError(
            f"the data have {what} {PROTOTYPE!r} of their own, where prototypes would go",
            "rename it",
        )
    adata.obsm[EMBEDDED] = embed(bundle, x)
    if scores is not None:
        adata.obs[PROTOTYPE] = scores.argmax(axis=1).astype(str)
    elif is_ours:
        adata.obs = cast(pd.DataFrame, adata.obs).drop(columns=PROTOTYPE)
    return adata


def _by_blocks(fn: Callable, x: Rows) -> np.ndarray:
    return np.concatenate([np.asarray(fn(x[rows])) for rows in blocks(x, BLOCK)])
