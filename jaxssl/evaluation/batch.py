"""What a representation says of the technical batch, and what arms are worth within each."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from jaxssl.data.task import Task
from jaxssl.evaluation.baselines import MAX_ITERATIONS, row_space
from jaxssl.evaluation.metrics import score
from jaxssl.evaluation.predictions import unpack

PENALTY = 0.01  # C, the same for every representation
MAX_FITTED = 2000  # training samples: more change the second digit and cost minutes
BATCH_COLUMNS = ["representation", "seed", "batches", "balanced_accuracy", "chance"]


def predictability(
    task: Task, representations: Mapping[tuple[str, int], Float[np.ndarray, "samples dim"]]
) -> pd.DataFrame:
    """How well the batch is told from each representation: fitted on train, scored on test.

    Logistic regression with classes weighed alike. Balanced accuracy at `chance` means that a
    batch cannot be told. One that is told proves no technical effect: batches may differ in their
    classes.

    Args:
        task: whose batches are known.
        representations: by name and seed.

    Returns:
        `BATCH_COLUMNS`; empty with fewer than two batches in the training part.
    """
    train = task.split.train[task.batches[task.split.train] != ""]
    if len(train) > MAX_FITTED:
        train = np.sort(np.random.default_rng(0).choice(train, MAX_FITTED, replace=False))
    # batches that the draw has, so that none is held against a model that never saw it
    names = np.unique(task.batches[train].astype(str))
    test = task.split.test[np.isin(task.batches[task.split.test].astype(str), names)]
    if len(names) < 2 or not len(test):
        return pd.DataFrame(columns=BATCH_COLUMNS)
    rows: list[dict[str, Any]] = []
    for (name, seed), x in representations.items():
        told = _told(x, task.batches.astype(str), train, test)
        rows.append(
            {"representation": name, "seed": seed, "batches": len(names)}
            | {"balanced_accuracy": told, "chance": 1 / len(names)}
        )
    return pd.DataFrame(rows, columns=BATCH_COLUMNS)


def _told(
    x: Float[np.ndarray, "samples dim"],
    batches: np.ndarray,
    train: Int[np.ndarray, " train"],
    test: Int[np.ndarray, " test"],
) -> float:
    scaler = StandardScaler().fit(x[train])
    scaled = [np.asarray(scaler.transform(x[rows])) for rows in (train, test)]
    fitted, held_out = row_space(*scaled)
    model = LogisticRegression(C=PENALTY, class_weight="balanced", max_iter=MAX_ITERATIONS)
    with threadpool_limits(1, "blas"), warnings.catch_warnings():
        # a batch of the training part may have no test sample
        warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true")
        predicted = model.fit(fitted, batches[train]).predict(held_out)
        return float(balanced_accuracy_score(batches[test], predicted))


def within_batches(
    predictions: pd.DataFrame, batches: "pd.Series[str]", metrics: Sequence[str]
) -> pd.DataFrame:
    """Scores of one arm at one share in every batch of the test part.

    Args:
        predictions: sample_id, seed, label, p_CLASS….
        batches: batch of every sample, by sample id.
        metrics: of `metrics.score`.

    Returns:
        batch, n_samples, seed, metric, value.
    """
    found = unpack(predictions)
    rows: list[dict[str, Any]] = []
    batch = batches.reindex(predictions["sample_id"]).fillna("").to_numpy()
    seeds = predictions["seed"].to_numpy()
    for name, seed in sorted(set(zip(batch, seeds, strict=True))):
        if not name:
            continue
        members = np.flatnonzero((batch == name) & (seeds == seed))
        values = score(found.codes[members], found.probabilities[members])
        rows += [
            {"batch": name, "n_samples": len(members), "seed": seed}
            | {"metric": metric, "value": values[metric]}
            for metric in metrics
        ]
    return pd.DataFrame(rows, columns=["batch", "n_samples", "seed", "metric", "value"])
