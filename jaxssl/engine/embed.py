"""What a pretrained encoder says of samples: embeddings and prototype scores."""

from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Float

from jaxssl.engine.bundle import EncoderBundle
from jaxssl.methods import METHODS
from jaxssl.methods.interface import Extent
from jaxssl.model import make_encoder

BLOCK = 4096  # samples per compiled call


def embed(
    bundle: EncoderBundle, x: Float[np.ndarray, "samples features"]
) -> Float[np.ndarray, "samples dim"]:
    """Encoder output for normalised input."""
    encoder = _encoder(bundle)
    return _by_blocks(jax.jit(lambda rows: encoder.apply(bundle.params["encoder"], rows)), x)


def prototype_scores(
    bundle: EncoderBundle, x: Float[np.ndarray, "samples features"]
) -> Float[np.ndarray, "samples prototypes"] | None:
    """Scores on the first head's prototypes, the arg-max of which is the sample's own.

    None for a method without prototypes.
    """
    options, trained = bundle.config.method, Extent(bundle.provenance.get("n_train", 0), 0)
    method = METHODS[options.name](options, _encoder(bundle), trained)
    if method.scores is None:
        return None
    scores = method.scores
    return _by_blocks(jax.jit(lambda rows: scores(bundle.params, rows)), x)


def _encoder(bundle: EncoderBundle):
    config = bundle.config
    return make_encoder(config.encoder, config.run.precision)


def _by_blocks(fn: Callable, x: Float[np.ndarray, "samples features"]) -> np.ndarray:
    blocks = [np.asarray(fn(x[start : start + BLOCK])) for start in range(0, len(x), BLOCK)]
    return np.concatenate(blocks)
