"""What a pretrained encoder says of samples: embeddings and prototype scores."""

from collections.abc import Callable
from functools import lru_cache, partial

import jax
import numpy as np
from anndata import AnnData
from jaxtyping import Float

from jaxssl.engine.bundle import EncoderBundle
from jaxssl.methods import METHODS
from jaxssl.methods.interface import MethodConfig, Training
from jaxssl.model import EncoderConfig, make_encoder

BLOCK = 4096  # samples per compiled call


def embed(
    bundle: EncoderBundle, x: Float[np.ndarray, "samples features"]
) -> Float[np.ndarray, "samples dim"]:
    """Encoder output for normalised input, as `data.align.encoder_input` makes it of a data set."""
    config = bundle.config
    apply = _compiled_encoder(config.encoder, config.run.precision)
    return _by_blocks(partial(apply, bundle.params["encoder"]), x)


@lru_cache(maxsize=32)
def _compiled_encoder(options: EncoderConfig, precision: str) -> Callable:
    """Compiled for all encoders of one architecture: their parameters are an argument."""
    return jax.jit(make_encoder(options, precision).apply)


def prototype_scores(
    bundle: EncoderBundle, x: Float[np.ndarray, "samples features"]
) -> Float[np.ndarray, "samples prototypes"] | None:
    """Scores on the first head's prototypes, if there are some; the largest is the sample's own."""
    config, n_train = bundle.config, bundle.provenance.get("n_train", 0)
    scores = _compiled_scores(config.method, config.encoder, config.run.precision, n_train)
    return _by_blocks(partial(scores, bundle.params), x) if scores else None


@lru_cache(maxsize=32)
def _compiled_scores(
    options: MethodConfig, encoder_options: EncoderConfig, precision: str, n_train: int
) -> Callable | None:
    """Compiled for all encoders of the same options."""
    training = Training(make_encoder(encoder_options, precision), n_train, n_steps=0)
    scores = METHODS[options.name].make(options, training).scores
    return jax.jit(scores) if scores else None


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
