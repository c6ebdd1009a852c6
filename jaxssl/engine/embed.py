"""What a pretrained encoder says of samples: embeddings and prototype scores."""

import dataclasses
from collections.abc import Callable
from functools import lru_cache, partial

import jax
import numpy as np
from anndata import AnnData
from jaxtyping import Float

from jaxssl.config import EncoderConfig
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.methods import METHODS
from jaxssl.methods.interface import Training
from jaxssl.model import make_encoder

BLOCK = 4096  # samples per compiled call
_compiled_scores: dict[str, Callable] = {}


def embed(
    bundle: EncoderBundle, x: Float[np.ndarray, "samples features"]
) -> Float[np.ndarray, "samples dim"]:
    """Encoder output for normalised input, as `data.align.encoder_input` makes it of a data set."""
    config = bundle.config
    apply = _compiled_encoder(dataclasses.astuple(config.encoder), config.run.precision)
    return _by_blocks(partial(apply, bundle.params["encoder"]), x)


@lru_cache(maxsize=32)
def _compiled_encoder(options: tuple, precision: str) -> Callable:
    """Compiled for all encoders of one architecture: their parameters are an argument."""
    return jax.jit(make_encoder(EncoderConfig(*options), precision).apply)


def prototype_scores(
    bundle: EncoderBundle, x: Float[np.ndarray, "samples features"]
) -> Float[np.ndarray, "samples prototypes"] | None:
    """Scores on the first head's prototypes, the arg-max of which is the sample's own.

    None for a method without prototypes.
    """
    config, n_train = bundle.config, bundle.provenance.get("n_train", 0)
    encoder = make_encoder(config.encoder, config.run.precision)
    method = METHODS[config.method.name].make(config.method, Training(encoder, n_train, 0))
    if method.scores is None:
        return None
    # compiled once for all encoders of the same options
    key = repr((config.method, config.encoder, config.run.precision, n_train))
    scores = _compiled_scores.setdefault(key, jax.jit(method.scores))
    return _by_blocks(partial(scores, bundle.params), x)


def annotate(
    adata: AnnData, bundle: EncoderBundle, x: Float[np.ndarray, "samples features"]
) -> AnnData:
    """Write the embedding into `obsm["X_jaxssl"]`, nearest prototypes into `obs["prototype"]`."""
    adata.obsm["X_jaxssl"] = embed(bundle, x)
    scores = prototype_scores(bundle, x)
    if scores is not None:
        adata.obs["prototype"] = scores.argmax(axis=1).astype(str)
    return adata


def _by_blocks(fn: Callable, x: Float[np.ndarray, "samples features"]) -> np.ndarray:
    blocks = [np.asarray(fn(x[start : start + BLOCK])) for start in range(0, len(x), BLOCK)]
    return np.concatenate(blocks)
