"""Predicted class probabilities, as a run's tables hold them: a row a sample and seed."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

PREFIX = "p_"


class LabelledPredictions(NamedTuple):
    """The probabilities of a table and the classes that its samples truly have."""

    classes: tuple[str, ...]
    probabilities: Float[np.ndarray, "rows classes"]
    codes: Int[np.ndarray, " rows"]  # true class

    @property
    def named(self) -> Int[np.ndarray, " rows"]:
        """The class that is named: the most probable one, the first of equals."""
        return self.probabilities.argmax(axis=1)

    @property
    def right(self) -> Bool[np.ndarray, " rows"]:
        """Whether it is the true one."""
        return self.named == self.codes


def pack(
    classes: Sequence[str], probabilities: Float[np.ndarray, "rows classes"]
) -> dict[str, Float[np.ndarray, " rows"]]:
    """Probabilities as columns of a table, a class each."""
    return {f"{PREFIX}{name}": p for name, p in zip(classes, probabilities.T, strict=True)}


def unpack(table: pd.DataFrame) -> LabelledPredictions:
    """Read the columns `label` and p_CLASS…."""
    columns = [name for name in map(str, table) if name.startswith(PREFIX)]
    classes = tuple(name.removeprefix(PREFIX) for name in columns)
    labels = table["label"].astype(str)
    codes = pd.Categorical(labels, categories=classes).codes.astype(np.int64)
    if (codes < 0).any():
        raise ValueError(f"{labels[codes < 0].iloc[0]!r} is none of the classes {classes}")
    return LabelledPredictions(classes, table[columns].to_numpy(), codes)
