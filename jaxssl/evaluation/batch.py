"""What a representation says of the technical batch."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from sklearn.metrics import balanced_accuracy_score
from sklearn.preprocessing import StandardScaler

from jaxssl.data.task import Task
from jaxssl.evaluation.logistic import fit_logistic

PENALTY = 0.01  # its inverse, of rows whose columns have variance 1
MAX_FITTED = 2000  # training samples: more change the second digit and cost minutes
BATCH_COLUMNS = ["representation", "seed", "batches", "balanced_accuracy", "chance"]


def predictability(
    task: Task, representations: Mapping[tuple[str, int], Float[np.ndarray, "samples dim"]]
) -> pd.DataFrame:
    """How well logistic regression tells the batch from each representation of samples.

    A batch that is told proves no technical effect, for batches may differ in their classes.

    Args:
        task: whose training part is fitted on, every batch alike, and whose test part is scored.
        representations: of all samples (samples x dim), by name and seed.

    Returns:
        A row a representation (`BATCH_COLUMNS`), chance being one over the number of batches; none
        with fewer than two batches in the training part.
    """
    batches = task.batches.astype(str)
    train = task.split.train[batches[task.split.train] != ""]
    if len(train) > MAX_FITTED:
        train = np.sort(np.random.default_rng(0).choice(train, MAX_FITTED, replace=False))
    # batches that the draw has, so that none is held against a model that never saw it
    names = np.unique(batches[train])
    test = task.split.test[np.isin(batches[task.split.test], names)]
    if len(names) < 2 or not len(test):
        return pd.DataFrame(columns=BATCH_COLUMNS)
    own = np.eye(len(names))[np.searchsorted(names, batches[train])]
    sides = 2 if len(names) == 2 else 1  # of two batches, the difference of coefficients
    rows: list[dict[str, Any]] = []
    for (name, seed), x in representations.items():
        scaler = StandardScaler().fit(x[train])
        scaled = [np.asarray(scaler.transform(x[part])) for part in (train, test)]
        model = fit_logistic(scaled[0], own, penalty=sides / PENALTY / scaled[0].shape[1])
        predicted = names[model.logits(scaled[1]).argmax(axis=1)]
        with warnings.catch_warnings():
            # a batch of the training part may have no test sample
            warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true")
            told = float(balanced_accuracy_score(batches[test], predicted))
        rows.append(
            {"representation": name, "seed": seed, "batches": len(names)}
            | {"balanced_accuracy": told, "chance": 1 / len(names)}
        )
    return pd.DataFrame(rows, columns=BATCH_COLUMNS)
