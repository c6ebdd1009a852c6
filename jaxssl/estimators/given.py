"""The encoder that a classifier is given, or makes itself."""

from pathlib import Path
from typing import Any, cast

from sklearn.base import clone

from jaxssl.config import Config
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.estimators.encoder import SSLEncoder
from jaxssl.studies.encoders import refuse_classifier
from jaxssl.types import InputError


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
