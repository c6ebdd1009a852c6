"""What an estimator is given: samples, with names of genes where there are some.

A fitted estimator has `n_features_in_` and, if its data named the genes, `feature_names_in_`.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from os import PathLike
from typing import Any, cast

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Float32
from sklearn.utils.validation import _num_samples, check_array, validate_data

from jaxssl.arguments import read_argument
from jaxssl.bounds import Share
from jaxssl.data.extent import range_of
from jaxssl.data.formats.matrix import as_text
from jaxssl.data.genes import duplicates
from jaxssl.data.names import check_names
from jaxssl.data.normalize import log2_expression
from jaxssl.data.samples import facts_of
from jaxssl.data.scale import (
    SCALES,
    check_finite,
    finite_values,
    guess_scale,
    refuse_masked,
    resolve_scale,
)
from jaxssl.data.task import Roles, Task, whole
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.engine.newcomers import column_of
from jaxssl.types import InputError

_NUMBERS = ("floating", "integer", "mixed-integer-float", "decimal", "boolean", "empty")


def read(estimator: Any, X: Any, expected_scale: str = "") -> AnnData:
    """Samples x genes in float32, with the names of genes, ids of samples in `obs`, and the scale.

    The estimator's attributes on the features are set, or compared where data of `expected_scale`
    were fitted before.
    """
    is_fit = not expected_scale
    read_argument("max_missing", estimator.max_missing, Share)  # which is used after hours
    table, recorded = _table(X)
    is_named = isinstance(table, pd.DataFrame) and all(isinstance(c, str) for c in table.columns)
    by_name = is_named and (is_fit or hasattr(estimator, "feature_names_in_"))
    if by_name:
        check_names(table.columns, "genes")
    twice: Any = duplicates(np.asarray(table.columns, object)) if by_name and is_fit else ()
    if len(twice):
        raise InputError(f"{len(twice)} genes occur twice (first: {twice[0]})", "rename them")
    wanted: Any = {"dtype": np.float32, "order": "C"}
    if by_name and not is_fit:  # genes in any order, more or fewer: aligned later
        x: Any = _sound(check_array, table.to_numpy(), estimator=estimator, **wanted)
    else:
        wanted |= {"reset": is_fit, "ensure_min_samples": 2 if is_fit else 1}
        x = _sound(validate_data, estimator, cast(Any, table), **wanted)
    # numbered as in scikit-learn where the data that were fitted named none
    numbered = [f"x{i}" for i in range(estimator.n_features_in_)]
    genes = table.columns if by_name else getattr(estimator, "feature_names_in_", numbered)
    ids = table.index if isinstance(table, pd.DataFrame) else range(len(x))
    # ids as a column: those of drawn samples may repeat
    obs = pd.DataFrame({"id": [str(i) for i in ids]}, index=[str(i) for i in range(len(x))])
    adata = AnnData(x, obs=obs, var=pd.DataFrame(index=pd.Index(genes, dtype=object)))
    adata.uns["jaxssl"] = {
        "scale": _scale(x, estimator.scale, recorded, expected_scale, by_name),
        "name": str(recorded.get("name", "data")),
    }
    return adata


def _sound(check: Callable, *args: Any, **wanted: Any) -> np.ndarray:
    """The array that a check of scikit-learn passes; its words, and what to do."""
    try:
        return check(*args, **wanted)
    except (TypeError, ValueError) as error:
        if isinstance(error, TypeError) and "argument must be" in str(error):
            raise  # as scikit-learn's own checks ask
        raise InputError(
            str(error).rstrip(".").replace("`", "'"),
            "pass samples x genes, all of them numbers, with the genes of `fit` or named as these "
            "in a DataFrame or an AnnData",
        ) from error


def ids_of(X: Any) -> np.ndarray:
    """Ids of the samples; of an array, numbers of rows."""
    ids = X.obs_names if isinstance(X, AnnData) else getattr(X, "index", None)
    return np.asarray(ids if isinstance(ids, pd.Index) else np.arange(_num_samples(X)), object)


def named_cohorts(X: Any, cohorts: Any, word: str = "cohorts") -> np.ndarray | None:
    """The cohort of every sample, of a sequence or of a column of an AnnData; None for none."""
    if cohorts is None:
        return None
    if isinstance(cohorts, str):
        if not isinstance(X, AnnData):
            found = f"`{word}={cohorts}` names a column, and the samples are no AnnData"
            raise InputError(found, "pass a sequence with the cohort of every sample")
        return column_of(X, cohorts, word)
    names = as_text(pd.DataFrame({"cohort": list(cohorts)}))["cohort"].to_numpy()
    if len(names) != _num_samples(X):
        raise InputError(
            f"`{word}` has {len(names)} names for {_num_samples(X)} samples", "pass one a sample"
        )
    return names


def _table(X: Any) -> tuple[Any, Mapping[str, Any]]:
    """An AnnData as a DataFrame, with its record; anything else that has values as it is."""
    is_dict = isinstance(X, Mapping) and not hasattr(X, "toarray")  # as a sparse one of keys has
    if X is None or is_dict or isinstance(X, str | bytes | PathLike | Iterator | EncoderBundle):
        kind = type(X).__name__
        raise InputError(
            f"the samples are of type {kind}",
            "pass an array, a DataFrame or an AnnData, such as `read()` makes of a file",
        )
    if not isinstance(X, AnnData):
        _check_values(X)
        return X, {}
    X = X.to_memory() if X.isbacked else X
    values = finite_values(X)
    genes = pd.Index(X.var_names.astype(str), dtype=object)
    return pd.DataFrame(values, index=X.obs_names, columns=genes), facts_of(X)


def _check_values(X: Any) -> None:
    """Refuse what scikit-learn would turn to numbers, as text and dates; numbers by their names."""
    is_table = isinstance(X, pd.DataFrame)
    for i, kind in enumerate(X.dtypes if is_table else ()):
        held = pd.api.types.infer_dtype(X.iloc[:, i]) if kind.kind not in "fiub" else ""
        if held and held not in _NUMBERS:
            raise InputError(f"column {X.columns[i]} holds {held}", "convert it, or leave it out")
    x = X.to_numpy() if is_table else X
    if is_table and x.dtype == object and all(kind.kind in "fiub" for kind in X.dtypes):
        x = X.to_numpy(float, na_value=np.nan)  # nullable numbers, some of them missing
    refuse_masked(x, "values")
    if not isinstance(x, np.ndarray) or x.ndim != 2:
        return
    if x.dtype.kind in "mM":
        raise InputError(f"the array holds {x.dtype}, no numbers", "pass expression values")
    if x.dtype.kind == "f":
        axes = (X.index, X.columns) if is_table else map(range, x.shape)
        check_finite(x, *axes)


def _scale(
    x: Float32[np.ndarray, "samples genes"],
    wanted: str,
    recorded: Mapping[str, Any],
    expected: str,
    by_name: bool,
) -> str:
    """Scale of the values: as told, as recorded, or as they look; an array is taken as it is."""
    if wanted not in ("auto", *SCALES):
        raise InputError(f"`scale={wanted}`", f"choose one of auto, {', '.join(SCALES)}")
    wanted = wanted if wanted != "auto" else str(recorded.get("scale", "auto"))
    if wanted != "auto" or (by_name and not expected):
        return wanted if expected else resolve_scale(wanted, range_of(x))[0]
    if expected and not by_name:
        return expected
    found, reason = guess_scale(range_of(x))
    if expected:
        return found or expected
    if found in ("counts", "linear"):
        warnings.warn(
            f"the array looks like {found} ({reason}) and is taken as it is; if it is expression, "
            f"pass `scale={found}`",
            stacklevel=4,
        )
    return "log2"


def training_task(adata: AnnData, cohorts: np.ndarray | None) -> Task:
    """All samples as training samples, without label and without a held-out part."""
    n, facts = adata.n_obs, adata.uns["jaxssl"]
    none = np.full(n, "", object)
    batches = none if cohorts is None else cohorts
    codes = np.full(n, -1, np.int32)
    roles = Roles("", "", "", codes=codes, classes=(), groups=none, batches=batches)
    return Task(
        **vars(roles),
        dataset=facts["name"],
        sample_ids=adata.obs["id"].to_numpy(),
        genes=adata.var_names.to_numpy(),
        expression=log2_expression(np.asarray(adata.X), facts["scale"]),
        scale=facts["scale"],
        twins=np.empty((0, 2), np.int64),
        split=whole(n),
    )
