"""The encoder that a classifier is given, or makes itself, and what it sees."""

from pathlib import Path
from typing import Any, cast

import numpy as np
from sklearn.base import clone

from jaxssl.config import Config
from jaxssl.data.arrival import Arrival, judge
from jaxssl.data.task import whole
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.engine.prepared import settle_in
from jaxssl.estimators.encoder import SSLEncoder
from jaxssl.studies.encoders import refuse_classifier
from jaxssl.types import WARN, InputError


def encoder_for(classifier: Any, X: Any, unlabelled: Any, cohorts: Any) -> SSLEncoder:
    """The encoder that a classifier is to fine-tune, fitted."""
    given = classifier.encoder
    if given is None:
        method = classifier.config.method.name if isinstance(classifier.config, Config) else "swav"
        shared = ("config", "scale", "max_missing", "random_state")
        given = SSLEncoder(method, **{name: getattr(classifier, name) for name in shared})
    if isinstance(given, SSLEncoder) and not hasattr(given, "bundle_"):
        return cast(SSLEncoder, clone(given)).fit(X, unlabelled=unlabelled, cohorts=cohorts)
    if len(unlabelled):
        raise InputError("`unlabelled` is not for a pretrained encoder", "give it to its `fit`")
    if hasattr(given, "bundle_"):
        refuse_classifier(given.bundle_)
        return given
    if isinstance(given, EncoderBundle):
        return SSLEncoder.from_bundle(given)
    if isinstance(given, str | Path):
        return SSLEncoder.load(given)
    kind = type(given).__name__
    raise InputError(f"`encoder` is of type {kind}", "pass an SSLEncoder, or a bundle")


def among(
    estimator: Any, bundle: EncoderBundle, X: Any, cohorts: Any, *, is_own: bool
) -> tuple[EncoderBundle, Arrival]:
    """The encoder among the samples to fit, `is_own` where it was pretrained on these."""
    if is_own:
        return bundle, estimator._arrival_of(X, cohorts, bundle, WARN)
    arrival = estimator._arrival_of(X, cohorts, bundle)
    judge(arrival, estimator.shift, "the encoder's")
    none = np.full(len(arrival.x), "", object)
    return settle_in(bundle, arrival, estimator.shift, whole(len(none)), none, none)
