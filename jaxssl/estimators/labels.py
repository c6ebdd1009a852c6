"""Labels that an estimator is given, some of which may be missing, and weights of samples."""

from typing import Any, cast

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Bool, Int32, Shaped
from pandas.api.extensions import ExtensionDtype
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from jaxssl.arguments import read_argument
from jaxssl.data.names import check_names
from jaxssl.data.samples import by_text, facts_of, require_column
from jaxssl.data.scale import refuse_masked
from jaxssl.types import InputError

UNLABELLED = -1  # of integer labels, as in sklearn.semi_supervised


def labels_of(X: Any, y: Any, label: str) -> np.ndarray:
    """Labels of all samples: `y`, or the column of an AnnData that `label` or its record names."""
    label = read_argument("label", label, str | None)
    if y is not None:
        if label:
            raise InputError(f"`label={label}` and y are both given", "drop one")
        _check_order(X, y)
        refuse_masked(y, "labels")
        try:
            check_consistent_length(X, y)
            if isinstance(y, list | tuple) and any(isinstance(value, str) for value in y):
                y = np.array(y, object)  # NumPy would make text of all, less what ends it
            if isinstance(getattr(y, "dtype", None), ExtensionDtype):
                y = np.asarray(y, object)  # NumPy would make numbers of True beside a missing one
            return column_or_1d(y, warn=True)
        except (TypeError, ValueError) as error:
            raise InputError(str(error).rstrip("."), "pass one label for every sample") from error
    if isinstance(X, AnnData):
        name = label or str(facts_of(X).get("label", ""))
        if name:
            obs = by_text(cast(pd.DataFrame, X.obs))
            require_column(obs.columns, name, "label")
            return obs[name].astype(object).to_numpy()  # numbers as they are: -1 is none
    raise InputError(
        "this estimator requires y to be passed, but the target y is None",
        "pass `y`, or an AnnData and `label=COLUMN`",
    )


def _check_order(X: Any, y: Any) -> None:
    """Refuse labels by id that have the samples in another order, as scikit-learn goes by place."""
    ids = X.obs_names if isinstance(X, AnnData) else getattr(X, "index", None)
    own = getattr(y, "index", None)
    if not isinstance(ids, pd.Index) or not isinstance(own, pd.Index) or own.equals(ids):
        return
    if len(own) == len(ids) and set(own) == set(ids):
        raise InputError("y has the samples in another order than X", "pass y in that of X")


def is_labelled(
    y: Shaped[np.ndarray, " samples"], classes: Shaped[np.ndarray, " classes"] | None = None
) -> Bool[np.ndarray, " samples"]:
    """Which samples have a label; None, NaN, "" and the number -1 stand for none.

    -1 is a class like any other where it is one of `classes`; where these are not known, if without
    it fewer than two are left, as of -1 and 1.
    """
    values = pd.Series(y)
    missing = values.isna() | values.isin([""])
    is_minus = values.isin([UNLABELLED])
    if classes is None:
        is_class = values[~missing & ~is_minus].nunique() < 2
    else:
        is_class = bool(pd.Series(classes).isin([UNLABELLED]).any())
    return np.asarray(~missing if is_class else ~missing & ~is_minus, bool)


def encode(
    y: Shaped[np.ndarray, " samples"],
) -> tuple[Shaped[np.ndarray, " classes"], Int32[np.ndarray, " samples"]]:
    """Sorted classes, and every sample's code, -1 where it has no label."""
    _check_type(y)
    labelled = is_labelled(y)
    known = y[labelled]
    if known.dtype == object:
        n_texts = sum(isinstance(value, str) for value in known)
        if 0 < n_texts < len(known):  # as text, 1 and "1" would be one class
            raise InputError(f"{n_texts} of {len(known)} labels are text", "make all of one type")
        check_names(known, "labels")
        known = np.array(known.tolist())
    _check_type(known)
    if known.dtype.kind == "U":
        check_names(known, "labels")
    if len(known):
        try:
            check_classification_targets(known)
        except ValueError as error:
            raise InputError(str(error).rstrip("."), "pass classes, such as text") from error
    classes, codes = np.unique(known, return_inverse=True)
    if len(classes) < 2:
        found = f"1 class ({str(classes[0])!r})" if len(classes) else "no class at all"
        raise InputError(f"the labels hold {found}", "a classifier needs two")
    of_all = np.full(len(y), -1, np.int32)
    of_all[labelled] = codes
    return classes, of_all


def alike(
    y: Shaped[np.ndarray, " labelled"], *others: Shaped[np.ndarray, "..."]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Labels and others to compare: numbers by value, whatever their type, all else as text."""
    y = np.array(y.tolist()) if y.dtype == object else y
    if all(of.dtype.kind in "biuf" for of in (y, *others)):
        return y, [*others]
    return y.astype(str), [of.astype(str) for of in others]


def weights_of(given: Any, n: int) -> Shaped[np.ndarray, " samples"]:
    """Weights of samples, none of them negative and not all 0."""
    weights = np.asarray(given)
    is_one_each = weights.shape == (n,) and weights.dtype.kind in "biuf"
    if (
        not is_one_each
        or not np.isfinite(weights).all()
        or (weights < 0).any()
        or not weights.any()
    ):
        raise InputError(
            f"`sample_weight` holds no weights of {n} samples",
            "pass a number of 0 or more for every sample, not all of them 0",
        )
    return weights


def _check_type(y: np.ndarray) -> None:
    """Refuse labels that no bundle could keep: bytes, dates, complex numbers."""
    if y.dtype.kind not in "biufUO":
        raise InputError(f"the labels are of type {y.dtype}", "pass text, or whole numbers")
