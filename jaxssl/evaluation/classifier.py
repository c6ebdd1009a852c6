"""One encoder and one set of labels: a classifier to keep, as the bundle that `predict` reads."""

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Shaped

from jaxssl.config import Config
from jaxssl.data.frames import MIN_COHORT, Cohorts, each, name_of
from jaxssl.data.presence import fit_classes
from jaxssl.engine.bundle import Bundle, EncoderBundle
from jaxssl.engine.ensemble import Awaited, seed_keys
from jaxssl.engine.train import streams
from jaxssl.evaluation import finetune
from jaxssl.evaluation.arms import Fit
from jaxssl.evaluation.calibration import MIN_LABELS, calibrate, with_temperature
from jaxssl.evaluation.fits import DIVERGED, FINETUNED, LOST, fix, of_one, settle
from jaxssl.evaluation.network import make_recipe
from jaxssl.evaluation.predictions import doubt_of_one_class
from jaxssl.types import Calibration, InputError, Params

# compiled once for all fits of one architecture
FIT = Awaited(jax.jit(finetune.finetune, static_argnums=0))
JUDGE = jax.jit(finetune.judge, static_argnums=0)
PREDICT = jax.jit(finetune.Networks.predict, static_argnums=0)
LOGITS = jax.jit(finetune.Networks.logits, static_argnums=0)
FOLDS = 5  # of a cross-validation
B = TypeVar("B", bound=Bundle)


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
    a fit that diverges. What the bundle knows of another classifier's calibration is dropped.
    """
    networks = finetune.make_networks(config, len(classes))
    fit, rows = _fitter(networks, bundle, config, x, codes, seed)
    labelled, params = fit(order, len(order))
    check_fit(params, codes[order], JUDGE(networks, params, labelled, rows[order]))
    counts = np.bincount(codes[order], minlength=len(classes)).tolist()
    told = {"classes": list(classes), "n_labelled": len(order), "class_counts": counts}
    provenance = bundle.provenance | told
    new = {
        "config": config,
        "params": params,
        "provenance": provenance,
        "calibration": None,
        "classes": None,
    }
    return dataclasses.replace(bundle, **new)


def _fitter(
    networks: finetune.Networks,
    bundle: EncoderBundle,
    config: Config,
    x: Float[np.ndarray, "samples features"],
    codes: Int[np.ndarray, " samples"],
    seed: int,
) -> tuple[Callable[..., tuple[finetune.Labelled, Params]], Float[Array, "samples features"]]:
    """A fit on the first n of labelled rows in an order, as often as it is asked for; the rows."""
    keys = streams(seed_keys(config.run.root_key, [seed])[0])
    rows, y = jax.device_put((x, codes))
    fresh = networks.encoder.init(keys.fresh, rows[:1])
    start = finetune.transfer(bundle.params["encoder"], fresh, config.finetune.transfer_layers)
    recipe = make_recipe(config.method.name, config.finetune, len(config.encoder.hidden))

    def fit(order: Int[np.ndarray, " labelled"], n: int) -> tuple[finetune.Labelled, Params]:
        positions = jax.device_put(order.astype(np.int32))
        labelled = finetune.Labelled(rows, y, positions, jnp.int32(n))
        return labelled, jax.device_get(FIT(networks, keys.finetune, start, labelled, recipe))

    return fit, rows


def cross_validate(
    bundle: EncoderBundle,
    config: Config,
    x: Float[np.ndarray, "samples features"],
    codes: Int[np.ndarray, " samples"],
    classes: tuple[str, ...],
    order: Int[np.ndarray, " labelled"],
    seed: int,
) -> Calibration | None:
    """What `fit_classifier` on four fifths of the labels, as often as there are, says of the rest.

    As `SVC(probability=True)` finds its own. A label whose class no other one of has is left out:
    None where too few are left for a temperature.
    """
    named, n_classes = codes[order], len(classes)
    fold = np.empty(len(order), int)
    fold[np.argsort(named, kind="stable")] = np.arange(len(order)) % FOLDS
    tested = np.bincount(named, minlength=n_classes)[named] > 1
    if tested.sum() < MIN_LABELS:
        return None
    networks = finetune.make_networks(config, n_classes)
    fit, rows = _fitter(networks, bundle, config, x, codes, seed)
    logits = np.empty((len(order), n_classes), np.float32)
    for held_out in (fold == i for i in range(FOLDS)):
        # those held out come last, so that all fits are one compiled program
        _, params = fit(np.concatenate([order[~held_out], order[held_out]]), int((~held_out).sum()))
        logits[held_out] = np.asarray(LOGITS(networks, params, rows[order]))[held_out]
    return calibrate(logits[tested], named[tested], is_held_out=False)


def with_calibration(
    bundle: EncoderBundle,
    x: Float[np.ndarray, "labels features"],
    codes: Int[np.ndarray, " labels"],
) -> EncoderBundle:
    """A classifier that keeps what normalised samples that it was not fitted on say of it."""
    return dataclasses.replace(bundle, calibration=calibrate(logits(bundle, x), codes))


def tell_apart(
    bundle: B,
    x: Float[np.ndarray, "samples genes"],
    codes: Int[np.ndarray, " samples"],
    cohorts: Cohorts | None,
) -> B:
    """A classifier that keeps what tells its classes apart in log2 expression; codes of -1: none.

    Cohorts too small to be standardised by themselves are taken for one.
    """
    if bundle.reference is None:
        return bundle
    if cohorts is not None and np.unique(cohorts, return_counts=True)[1].min() < MIN_COHORT:
        cohorts = None
    learnt = fit_classes(x[:, bundle.reference.looked], cohorts, codes)
    return dataclasses.replace(cast(Any, bundle), classes=learnt)


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


def warn_of_one_class(
    bundle: Bundle, named: Shaped[np.ndarray, " samples"], cohorts: Cohorts | None
) -> None:
    """Warn where all samples of a cohort are taken for one class, which is an alarm by itself."""
    classes, counts = bundle.provenance["classes"], bundle.provenance.get("class_counts")
    for cohort, rows in each(cohorts, len(named)):
        of = f" of {name_of(cohort)}" if cohort else ""
        doubt = doubt_of_one_class(named[rows], classes, counts, of)
        if doubt:
            warnings.warn(doubt, stacklevel=3)


def predict(
    bundle: EncoderBundle, x: Float[np.ndarray, "samples features"]
) -> Float[np.ndarray, "samples classes"]:
    """Class probabilities of normalised samples, by the temperature that the bundle keeps."""
    calibration = bundle.calibration
    if calibration is None or calibration.temperature == 1:
        return np.asarray(PREDICT(networks_of(bundle), bundle.params, x))
    return with_temperature(logits(bundle, x), calibration.temperature)


def logits(
    bundle: EncoderBundle, x: Float[np.ndarray, "samples features"]
) -> Float[np.ndarray, "samples classes"]:
    """Logits of normalised samples, before temperature and softmax."""
    return np.asarray(LOGITS(networks_of(bundle), bundle.params, x))


def networks_of(bundle: EncoderBundle) -> finetune.Networks:
    """What a classifier's parameters are of."""
    if "head" not in bundle.params:
        raise InputError("this is an encoder, not a classifier", "make one with `finetune()`")
    return finetune.make_networks(bundle.config, len(bundle.provenance["classes"]))
