"""What would let held-out samples speak in training: found and named."""

import numpy as np
import pandas as pd

from jaxssl.data.task import Task, columns_of
from jaxssl.types import Normalizer

TOLERANCE = 1e-3  # training standard deviations; a held-out share of 15 % moves means by more


Leaks = dict[str, str]
"""Kind, of `config.LEAKS` → the leak in words."""


def leaks_of_split(task: Task) -> Leaks:
    """Groups and twins that stand in more than one part of the split."""
    part = np.full(len(task.codes), -1)
    for number, rows in enumerate(task.split):
        part[rows] = number
    found = {}
    used = (part >= 0) & (task.groups != "")
    n_parts = pd.Series(part[used]).groupby(task.groups[used].astype(str)).nunique()
    spread = n_parts.index[n_parts > 1]
    if len(spread):
        found["groups"] = (
            f"{len(spread):,} groups have samples in more than one part of the split (first: "
            f"{spread[0]}); split by `split.protocol=grouped`"
        )
    first, second = task.twins.T
    apart = (part[first] != part[second]) & (part[first] >= 0) & (part[second] >= 0)
    if apart.any():
        i, j = task.sample_ids[task.twins[apart][0]]
        found["twins"] = (
            f"{int(apart.sum()):,} pairs of samples are nearly the same and in different parts "
            f"(first: {i} and {j}); remove one of each, or split by `split.protocol=grouped`, "
            "which keeps them together"
        )
    return found


def leaks_of_normalizer(task: Task, normalizer: Normalizer) -> Leaks:
    """A scaler that was fitted on other samples than the training part's."""
    columns = columns_of(task, normalizer)
    mean = task.expression[task.split.train].mean(axis=0, dtype=np.float64)
    mean = mean if columns is None else mean[columns]
    text = (
        "scaling and components were fitted on other samples than the training part's; fit them "
        "anew by `pretrain()` on this split"
    )
    is_own = np.abs((mean - normalizer.mean) / normalizer.scale).max() < TOLERANCE
    return {} if is_own else {"fitted": text}


def leaks_of_selection(n_validation: int) -> Leaks:
    """A choice that only test samples could have made."""
    text = (
        "there is no validation part, so the best classical arm would be chosen on the test "
        "part; raise `split.validation_share`"
    )
    return {} if n_validation else {"selection": text}
