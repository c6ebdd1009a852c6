"""One encoder and one set of labels: a classifier to keep, as the bundle that `predict` reads."""

import dataclasses
from collections.abc import Callable
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from jaxssl.config import Config, EncoderConfig
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.engine.ensemble import seed_keys
from jaxssl.engine.train import streams
from jaxssl.evaluation import finetune
from jaxssl.model import Network, make_classifier, make_encoder
from jaxssl.types import InputError


def fit_classifier(
    bundle: EncoderBundle,
    config: Config,
    x: Float[np.ndarray, "samples features"],
    codes: Int[np.ndarray, " samples"],
    classes: tuple[str, ...],
    order: Int[np.ndarray, " labelled"],
    seed: int,
) -> EncoderBundle:
    """Fine-tune the encoder of `bundle` on normalised training rows; `order` has the labelled ones.

    Every prefix of the order is class-proportional; `seed` is the id of the random streams.
    """
    encoder, fit, _ = _compiled(config, len(classes))
    keys = streams(seed_keys(config.run.root_key, [seed])[0])
    rows, y, positions = jax.device_put((x, codes, order.astype(np.int32)))
    fresh = encoder.init(keys.fresh, rows[:1])
    start = finetune.transfer(bundle.params["encoder"], fresh, config.finetune.transfer_layers)
    labelled = finetune.Labelled(rows, y, positions, jnp.int32(len(order)))
    recipe = finetune.pretrained_recipe(config.finetune, len(config.encoder.hidden))
    params = jax.device_get(fit(keys.finetune, start, labelled, recipe))
    provenance = bundle.provenance | {"classes": list(classes), "n_labelled": len(order)}
    return dataclasses.replace(bundle, config=config, params=params, provenance=provenance)


def predict(
    bundle: EncoderBundle, x: Float[np.ndarray, "samples features"]
) -> Float[np.ndarray, "samples classes"]:
    """Class probabilities of normalised samples."""
    if "head" not in bundle.params:
        raise InputError("this is an encoder, not a classifier", "make one with `finetune()`")
    _, _, apply = _compiled(bundle.config, len(bundle.provenance["classes"]))
    return np.asarray(apply(bundle.params, x))


def _compiled(config: Config, n_classes: int) -> tuple[Network, Callable, Callable]:
    """Encoder, fine-tuning and prediction, compiled once for all fits of one architecture."""
    return _programs(config.encoder, config.run.precision, config.finetune.batch_size, n_classes)


@lru_cache(maxsize=32)
def _programs(
    encoder_options: EncoderConfig, precision: str, batch_size: int, n_classes: int
) -> tuple[Network, Callable, Callable]:
    encoder = make_encoder(encoder_options, precision)
    networks = finetune.Networks(encoder, make_classifier(n_classes, precision), batch_size)
    return encoder, jax.jit(partial(finetune.finetune, networks)), jax.jit(networks.predict)
