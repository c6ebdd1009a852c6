from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from jaxssl.config import Config
from jaxssl.data.synthetic import make_synthetic
from jaxssl.data.task import Task, make_task
from jaxssl.evaluation import batch
from jaxssl.evaluation.batch import predictability
from jaxssl.evaluation.predictions import pack
from jaxssl.report.classes import part_accuracy


@pytest.fixture(scope="module")
def task() -> Task:
    config = Config()
    config.data.label, config.data.group, config.data.batch = "class", "donor", "batch"
    adata = make_synthetic(n_samples=600, n_genes=20, n_classes=4, n_batches=3)
    adata.obs["batch"] = [f"b{number}" for number in adata.obs["batch"]]
    return make_task(adata, config)


def test_a_batch_that_is_written_in_the_features_is_told_and_noise_tells_nothing(task):
    written = np.eye(3)[pd.factorize(task.batches)[0]].astype(np.float32)
    noise = np.random.default_rng(0).normal(size=(len(task.codes), 3)).astype(np.float32)
    table = predictability(task, {("written", 0): written, ("noise", 1): noise})
    assert table["representation"].tolist() == ["written", "noise"]
    assert table["seed"].tolist() == [0, 1]
    assert (table["chance"] == 1 / 3).all()
    told, not_told = table["balanced_accuracy"]
    assert told == 1
    spread = np.sqrt(2 / 9 / len(task.split.test))  # of a mean of guesses that are right in a third
    assert abs(not_told - 1 / 3) < 4 * spread


def test_one_batch_is_no_question(task):
    alone = replace(task, batches=np.full(len(task.codes), "b0", object))
    assert predictability(alone, {("x", 0): np.zeros((len(task.codes), 2))}).empty


def test_a_batch_that_the_draw_misses_is_not_held_against_it(task, monkeypatch):
    monkeypatch.setattr(batch, "MAX_FITTED", 30)
    batches = task.batches.copy()
    batches[:] = np.where(np.arange(len(batches)) % 2 == 0, "b0", "b1")
    rare = [task.split.train[0], *task.split.test[:2]]  # one sample of the draw's many
    batches[rare] = "rare"
    written = np.eye(3)[pd.factorize(batches)[0]].astype(np.float32)
    table = predictability(replace(task, batches=batches), {("written", 0): written})
    assert table["batches"].item() == 2
    assert table["balanced_accuracy"].item() == 1


def test_scores_within_a_batch_are_those_of_its_samples():
    ids = ["v", "w", "x", "y", "z"]
    p = pack(("a", "b"), np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6], [0.2, 0.8]]))
    table = pd.DataFrame({"sample_id": ids, "seed": 0, "label": list("abbba")} | p)
    found = part_accuracy(table.assign(batch=["one", "one", "one", "two", ""]), "batch")
    assert found["part"].tolist() == ["one", "two"]
    assert found["n"].tolist() == [3, 1]
    assert found["mean"].tolist() == [2 / 3, 1.0]
