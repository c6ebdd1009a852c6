"""One encoder and one set of labels: a classifier to keep, as the bundle that `predict` reads."""

import dataclasses
import warnings

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxssl.config import Config
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.engine.ensemble import Awaited, seed_keys
from jaxssl.engine.train import streams
from jaxssl.evaluation import finetune
from jaxssl.evaluation.arms import Fit
from jaxssl.evaluation.fits import DIVERGED, FINETUNED, LOST, fix, of_one, settle
from jaxssl.evaluation.network import make_recipe
from jaxssl.types import InputError, Params

# compiled once for all fits of one architecture
FIT = Awaited(jax.jit(finetune.finetune, static_argnums=0))
JUDGE = jax.jit(finetune.judge, static_argnums=0)
PREDICT = jax.jit(finetune.Networks.predict, static_argnums=0)


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

    Every prefix of the order is class-proportional; `seed` is the id of the random streams. Refuses
    a fit that diverges.
    """
    networks = finetune.make_networks(config, len(classes))
    keys = streams(seed_keys(config.run.root_key, [seed])[0])
    rows, y, positions = jax.device_put((x, codes, order.astype(np.int32)))
    fresh = networks.encoder.init(keys.fresh, rows[:1])
    start = finetune.transfer(bundle.params["encoder"], fresh, config.finetune.transfer_layers)
    labelled = finetune.Labelled(rows, y, positions, jnp.int32(len(order)))
    recipe = make_recipe(config.method.name, config.finetune, len(config.encoder.hidden))
    params = jax.device_get(FIT(networks, keys.finetune, start, labelled, recipe))
    check_fit(params, codes[order], JUDGE(networks, params, labelled, rows[order]))
    provenance = bundle.provenance | {"classes": list(classes), "n_labelled": len(order)}
    return dataclasses.replace(bundle, config=config, params=params, provenance=provenance)


def check_fit(
    params: Params,
    codes: Int[np.ndarray, " labelled"],
    judged: tuple[Float[Array, "labelled classes"], Float[Array, ""]],
) -> None:
    """Refuse a classifier that is no numbers; warn of one that did not learn its own labels."""
    fitted = Fit(np.asarray(judged[0]), 0.0, float(judged[1]))
    state, todo = settle(codes, fitted)[1], fix(FINETUNED, DIVERGED)
    if state == DIVERGED or not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params)):
        raise InputError("the fine-tuning diverged: the classifier is no numbers", todo)
    if state:
        warnings.warn(f"{of_one(state)}; {fix(FINETUNED, LOST)}", stacklevel=3)


def predict(
    bundle: EncoderBundle, x: Float[np.ndarray, "samples features"]
) -> Float[np.ndarray, "samples classes"]:
    """Class probabilities of normalised samples."""
    if "head" not in bundle.params:
        raise InputError("this is an encoder, not a classifier", "make one with `finetune()`")
    networks = finetune.make_networks(bundle.config, len(bundle.provenance["classes"]))
    return np.asarray(PREDICT(networks, bundle.params, x))
