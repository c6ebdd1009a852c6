"""What a representation says of the technical batch."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from sklearn.metrics import balanced_accuracy_score
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from jaxssl.data.task import Task
from jaxssl.evaluation.linear import regression, row_space

PENALTY = 0.01  # C, the same for every representation
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
    rows: list[dict[str, Any]] = []
    for (name, seed), x in representations.items():
        scaler = StandardScaler().fit(x[train])
        scaled = [np.asarray(scaler.transform(x[part])) for part in (train, test)]
        fitted, held_out = row_space(*scaled)
        model = regression(PENALTY)
        with threadpool_limits(1, "blas"), warnings.catch_warnings():
            # a batch of the training part may have no test sample
            warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true")
            predicted = model.fit(fitted, batches[train]).predict(held_out)
            told = float(balanced_accuracy_score(batches[test], predicted))
        rows.append(
            {"representation": name, "seed": seed, "batches": len(names)}
            | {"balanced_accuracy": told, "chance": 1 / len(names)}
        )
    return pd.DataFrame(rows, columns=BATCH_COLUMNS)
