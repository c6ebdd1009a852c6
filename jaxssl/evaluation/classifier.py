"""One encoder and one set of labels: a classifier to keep, as the bundle that `predict` reads."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from jaxssl.config import Config
from jaxssl.data.task import Task
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.engine.ensemble import seed_keys
from jaxssl.engine.train import streams
from jaxssl.evaluation import finetune
from jaxssl.model import make_classifier, make_encoder
from jaxssl.types import InputError, Predictions


def fit_classifier(
    bundle: EncoderBundle,
    config: Config,
    x: Float[np.ndarray, "samples features"],
    task: Task,
    order: Int[np.ndarray, " labelled"],
) -> EncoderBundle:
    """Fine-tune the encoder of `bundle` on the labelled rows in `order`.

    Args:
        bundle: a pretrained encoder.
        config: its configuration, with the fine-tuning options to use.
        x: normalised input of all samples; only the training rows are read.
        task: labels and split.
        order: labelled training rows, in any order whose prefixes are class-proportional.

    Returns:
        A bundle whose parameters are the encoder's and the head's, with the classes on record.
    """
    seed = int(bundle.provenance["seed"])
    encoder = make_encoder(config.encoder, config.run.precision)
    head = make_classifier(len(task.classes), config.run.precision)
    keys = streams(seed_keys(config.run.root_key, [seed])[0])
    train = task.split.train
    position = np.searchsorted(train, order).astype(np.int32)  # train is sorted
    rows, y, positions = jax.device_put((x[train], task.codes[train], position))
    fresh = encoder.init(keys.fresh, rows[:1])
    start = finetune.transfer(bundle.params["encoder"], fresh, config.finetune.transfer_layers)
    labelled = finetune.Labelled(rows, y, positions, jnp.int32(len(order)))
    recipe = finetune.pretrained_recipe(config.finetune, len(config.encoder.hidden))
    fit = jax.jit(finetune.make_finetune(encoder, head, config.finetune.batch_size))
    params = jax.device_get(fit(keys.finetune, start, labelled, recipe))
    provenance = bundle.provenance | {"classes": list(task.classes), "n_labelled": len(order)}
    return dataclasses.replace(bundle, config=config, params=params, provenance=provenance)


def predict(
    bundle: EncoderBundle, x: Float[np.ndarray, "samples features"], sample_ids: np.ndarray
) -> Predictions:
    """Class probabilities of normalised samples.

    Raises:
        InputError: if the bundle is an encoder without a head.
    """
    if "head" not in bundle.params:
        raise InputError("this is an encoder, not a classifier", "make one with `finetune()`")
    config, classes = bundle.config, tuple(bundle.provenance["classes"])
    encoder = make_encoder(config.encoder, config.run.precision)
    head = make_classifier(len(classes), config.run.precision)
    probabilities = jax.jit(finetune.make_predict(encoder, head))(bundle.params, x)
    return Predictions(sample_ids, classes, np.asarray(probabilities))
