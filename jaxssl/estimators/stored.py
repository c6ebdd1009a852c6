"""A fitted estimator as a bundle on disk, with what scikit-learn wants to know on record."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from jaxssl.engine.bundle import EncoderBundle, is_bundle, save_bundle
from jaxssl.types import InputError


def save(estimator: Any, folder: Path, **facts: Any) -> None:
    """Write the estimator's bundle; `facts` join its provenance.

    Raises:
        InputError: if the folder holds something else than a bundle.
        NotFittedError: before `fit`.
    """
    check_is_fitted(estimator)
    is_free = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    if not is_free and not is_bundle(folder):
        raise InputError(f"{folder} exists and is no bundle", "name another folder")
    names = getattr(estimator, "feature_names_in_", None)
    facts["estimator"] = {
        "scale": estimator.scale,
        "max_missing": estimator.max_missing,
        "n_features_in": int(estimator.n_features_in_),
        "feature_names_in": None if names is None else names.tolist(),
    }
    provenance = estimator.bundle_.provenance | facts
    save_bundle(folder, dataclasses.replace(estimator.bundle_, provenance=provenance))


def restore(estimator: Any, bundle: EncoderBundle) -> None:
    """Make an estimator fitted; of a bundle that no estimator wrote, all features are its genes."""
    genes = list(bundle.normalizer.genes)
    kept = bundle.provenance.get("estimator", {})
    names = kept.get("feature_names_in", genes)
    estimator.scale = kept.get("scale", estimator.scale)
    estimator.max_missing = kept.get("max_missing", estimator.max_missing)
    estimator.n_features_in_ = kept.get("n_features_in", len(genes))
    if names is not None:
        estimator.feature_names_in_ = np.asarray(names, object)
    estimator.bundle_ = bundle
