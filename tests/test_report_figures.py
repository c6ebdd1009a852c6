"""Figures of a report: what each draws."""

from dataclasses import replace

import anndata
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from rows import results_of

from jaxssl.evaluation.arms import ARMS, FRAMED
from jaxssl.evaluation.stats import summarize
from jaxssl.report import maps
from jaxssl.report.classes import confusion_counts, nearest_share
from jaxssl.report.curves import MAX_TICKS, label_efficiency
from jaxssl.report.drawing import arm_marks, marks, short
from jaxssl.report.figures import draw_run
from jaxssl.runs.reading import read_run

pytestmark = pytest.mark.usefixtures("drawn")


def test_a_run_that_measured_less_draws_less_and_says_so(run_folder, tmp_path):
    run = read_run(run_folder)
    assert run.metrics is not None
    assert run.embedding is not None
    metrics = run.metrics.drop(columns=["loss_ratio", "code_entropy_ratio", "usage_perplexity"])
    embedding = run.embedding.copy()
    embedding.obs["label"], embedding.obs["batch"] = ["a", "b"] * 20, "one"
    less = replace(run, folders=(tmp_path,), metrics=metrics, usage=None, embedding=embedding)
    less = replace(less, endpoint=None, saved=None, all_labels=None)
    drawn = {drawing.name: drawing.figure for drawing in draw_run(less)}
    sweep = {"label_efficiency", "paired_differences"}
    assert set(drawn) == sweep | {"pretraining", "embedding_class", "embedding_prototype"}
    said = [text.get_text() for ax in drawn["pretraining"].axes for text in ax.texts]
    assert said.count("not measured for this method") == 2
    assert not any("ln K" in text for text in said)
    on_map = [text.get_text() for ax in drawn["embedding_class"].axes for text in ax.texts]
    assert on_map == ["a", "b"]


def test_an_axis_of_many_shares_names_the_largest_and_none_twice_over():
    shares = np.geomspace(0.01, 1, 60)
    results = pd.concat([results_of({"swav": [0.5, 0.6]}, share=share) for share in shares])
    [ax, _] = label_efficiency(Figure(), summarize(results), ["swav"])
    places = ax.get_xticks()
    assert places.max() == 1
    assert len(places) <= MAX_TICKS
    assert (np.diff(np.log(np.sort(places))) > np.log(100) / MAX_TICKS).all()


def test_confusion_counts_every_prediction_once():
    p = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.7, 0.3, 0.0], [0.1, 0.9, 0.0]])
    table = pd.DataFrame(p, columns=["p_a", "p_b", "p_c"]).assign(label=list("aabb"), seed=0)
    assert confusion_counts(table).to_numpy().tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]


def test_confusion_share_is_the_nearest_to_ten_per_cent():
    assert nearest_share([0.01, 0.05, 0.2, 1.0]) in (0.05, 0.2)
    assert nearest_share([0.01, 0.1, 1.0]) == 0.1
    assert nearest_share([0.06, 1.0]) == 0.06


def test_maps_of_a_large_embedding_draw_a_fixed_subsample(monkeypatch):
    monkeypatch.setattr(maps, "MAX_SAMPLES", 30)
    x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    obs = pd.DataFrame({"label": "a"}, index=[str(i) for i in range(50)])
    embedding = anndata.AnnData(obs=obs, obsm={"X_jaxssl": x})
    table = maps.coordinates(embedding)
    assert len(table) == 30
    assert table["sample_id"].is_unique
    pd.testing.assert_frame_equal(table, maps.coordinates(embedding))


def test_an_arm_looks_the_same_whatever_arms_are_beside_it():
    some, others = arm_marks(["swav", "logreg"]), arm_marks(["mine", "logreg", "swav"])
    known = (*ARMS, *FRAMED)
    assert {arm: some[arm] for arm in known} == {arm: others[arm] for arm in known}
    assert len({tuple(mark.items()) for mark in others.values()}) == len(known) + 1


def test_forty_classes_have_distinct_marks_and_long_names_keep_both_ends():
    of_classes = marks([str(i) for i in range(40)]).values()
    assert len({tuple(mark.items()) for mark in of_classes}) == 40
    name = short("Skin - Not Sun Exposed (Suprapubic)")
    assert len(name) == 24
    assert name.startswith("Skin - Not")
    assert name.endswith("rapubic)")
