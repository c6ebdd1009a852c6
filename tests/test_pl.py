"""What a notebook draws: in a figure of its own or in given axes, from the result's own numbers."""

import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import anndata
import matplotlib
import numpy as np
import pandas as pd
import pytest
from run_folders import CLASSES, GAINS

matplotlib.use("agg")
from matplotlib import pyplot as plt

import jaxssl
from jaxssl import pl
from jaxssl.evaluation.stats import summarize
from jaxssl.report.classes import draw_confusion
from jaxssl.report.health import MEASURES
from jaxssl.runs.reading import read_run
from jaxssl.types import InputError


@pytest.fixture(scope="module")
def result(run_folder):
    return read_run(run_folder)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture
def ax():
    return plt.subplots()[1]


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_public_names_are_functions_of_the_package():
    assert jaxssl.pl.label_curve is pl.label_curve


@pytest.mark.parametrize(
    ("draw", "titles"),
    [
        (pl.label_curve, ["Test accuracy", "Test balanced accuracy"]),
        (pl.endpoint, ["swav"]),
        (pl.confusion, [""]),
        (pl.embedding, ["PCA", "t-SNE"]),
        (pl.pretraining, ["Pretraining loss", *list(MEASURES.values())[1:]]),
    ],
)
def test_a_new_figure_has_the_panels_of_the_report_and_is_known_to_pyplot(result, draw, titles):
    before = dict(plt.rcParams)
    axes = np.atleast_1d(draw(result))
    assert [ax.get_title("left") for ax in axes][: len(titles)] == titles
    assert plt.gcf() is axes[0].figure
    plt.gcf().canvas.draw()
    assert dict(plt.rcParams) == before, "the look of other figures is the user's"


@pytest.mark.parametrize(
    ("draw", "title"),
    [
        (pl.label_curve, "Test balanced accuracy"),
        (pl.endpoint, "swav"),
        (pl.confusion, ""),
        (pl.embedding, "t-SNE"),
        (pl.pretraining, "Pretraining loss"),
    ],
)
def test_given_axes_get_one_panel_and_no_other_figure_is_made(result, ax, draw, title):
    assert draw(result, ax=ax) is ax
    assert ax.has_data()
    assert ax.get_title("left") == title
    assert plt.get_fignums() == [ax.figure.number]


def test_label_curves_are_the_means_of_the_results(result):
    ax = pl.label_curve(result, metric="macro_f1")
    means = summarize(result.results).query("metric == 'macro_f1'").set_index(["arm", "share"])
    handles, arms = ax.get_legend_handles_labels()
    assert set(arms) == set(GAINS) - {"majority"}
    for handle, arm in zip(handles, arms, strict=True):
        expected = means.loc[arm].sort_index()["mean"]
        np.testing.assert_allclose(np.asarray(handle.lines[0].get_ydata(), float), expected)
    assert ax.get_title("left") == "Test macro f1"


def test_the_endpoint_is_drawn_in_points_against_every_reference(result):
    ax = pl.endpoint(result, arm="swav")
    rows = result.endpoint[result.endpoint["arm"] == "swav"]
    drawn = [line.get_xdata()[0] for line in ax.lines if line.get_marker() != "None"]
    np.testing.assert_allclose(drawn, 100 * rows["difference"])
    names = [label.get_text() for label in ax.get_yticklabels()]
    marked = " (best on validation)"
    best = rows.loc[rows["is_best"].astype(bool), "reference"].item()
    assert [name.removesuffix(marked) for name in names] == [
        f"minus {r}" for r in rows["reference"]
    ]
    assert [name for name in names if name.endswith(marked)] == [f"minus {best}{marked}"]


def test_confusion_rows_are_per_cent_of_the_true_class(result, ax):
    pl.confusion(result, "logreg", 1.0, ax)
    percent = np.asarray(ax.images[0].get_array())
    np.testing.assert_allclose(percent.sum(axis=1), 100)
    table = result.predictions("logreg", 1.0)
    named = table[[f"p_{name}" for name in CLASSES]].to_numpy().argmax(axis=1)
    recall = [100 * np.mean(named[table["label"] == c] == i) for i, c in enumerate(CLASSES)]
    np.testing.assert_allclose(np.diag(percent), recall)
    assert ax.get_yticklabels()[0].get_text() == f"{CLASSES[0]} (8)"
    assert not any(label.get_parse_math() for label in ax.get_xticklabels()), "a $ is no formula"


def test_confusion_shows_the_tested_arm_at_the_share_nearest_to_ten_per_cent(result):
    shown, asked = pl.confusion(result), pl.confusion(result, "swav", 0.1)
    np.testing.assert_array_equal(shown.images[0].get_array(), asked.images[0].get_array())


def test_many_classes_are_written_smaller_so_that_they_fit_their_cells(ax):
    draw_confusion(ax, pd.DataFrame(np.eye(50, dtype=int)), n_seeds=1)
    cell = ax.get_window_extent().width * 72 / ax.figure.dpi / 50
    assert len(ax.texts) == 50
    assert max(text.get_fontsize() for text in ax.texts) <= cell / 1.5
    assert ax.get_xticklabels()[0].get_fontsize() <= 1.5 * cell


def test_every_sample_of_an_embedding_is_a_point_of_its_category(result):
    ax = pl.embedding(result, "batch", basis="PCA")
    handles, names = ax.get_legend_handles_labels()
    counts = result.embedding.obs["batch"].value_counts()
    assert dict(zip(names, (len(h.get_offsets()) for h in handles), strict=True)) == dict(counts)
    assert ax.get_title("left") == "PCA"


def test_an_embedding_needs_no_study_and_takes_the_columns_that_were_recorded(ax):
    rng = np.random.default_rng(0)
    obs = pd.DataFrame({"tissue": list("ab") * 10, "age": np.arange(20) / 7})
    obs.index = obs.index.astype(str)
    adata = anndata.AnnData(obs=obs, obsm={"X_jaxssl": rng.normal(size=(20, 4))})
    adata.uns["jaxssl"] = {"label": "tissue"}
    pl.embedding(adata, ax=ax, basis="PCA")
    assert ax.get_legend_handles_labels()[1] == ["a", "b"]
    assert texts(ax) == ["a", "b"]
    for asked, says in (
        ({"color": "age"}, "measurements"),
        ({"color": "sex"}, "no `color=sex`; choose among tissue, age"),
        ({"color": "batch"}, "no `color=batch`"),
        ({"basis": "pca"}, "no `basis=pca`; choose among PCA, t-SNE"),
    ):
        with pytest.raises(InputError, match=says):
            pl.embedding(adata, **asked)
    with pytest.raises(InputError, match=r"`obsm.*` is missing; make it with `SSLEncoder.embed`"):
        pl.embedding(anndata.AnnData(obs=obs))


def test_pretraining_draws_a_line_a_seed_and_names_those_that_collapsed(result, ax):
    pl.pretraining(result, ax, measure="effective_rank")
    assert len(ax.lines) == result.metrics["seed"].nunique()
    for line, (_, rows) in zip(ax.lines, result.metrics.groupby("seed"), strict=True):
        np.testing.assert_array_equal(line.get_xydata().T, [rows["epoch"], rows["effective_rank"]])
    assert texts(ax) == ["seed 2"]


@pytest.mark.parametrize(("status", "named"), [("healthy", []), ("collapsed", ["seed 0"])])
def test_pretraining_of_an_encoder_is_its_history(result, ax, status, named):
    history = result.metrics[result.metrics["seed"] == 0]
    encoder = SimpleNamespace(fit=None, history_=history)
    encoder.diagnosis_ = SimpleNamespace(status=status)
    pl.pretraining(encoder, ax)
    line = ax.lines[0]
    np.testing.assert_array_equal(line.get_xydata().T, [history["epoch"], history["loss"]])
    assert [text for text in texts(ax) if "ln K" not in text] == named


def test_an_encoder_without_history_is_told_to_be_fitted():
    for encoder in (jaxssl.SSLEncoder(), SimpleNamespace(fit=None, history_=pd.DataFrame())):
        with pytest.raises(
            InputError, match="no log of a pretraining; pass an SSLEncoder after its `fit`"
        ):
            pl.pretraining(encoder)


@pytest.mark.parametrize(
    ("draw", "part", "says"),
    [
        (pl.label_curve, "results", "mini compared no arms; pass the result of a `study"),
        (pl.confusion, "results", "compared no arms"),
        (pl.endpoint, "endpoint", "no primary endpoint; compare arms at shares of 1 to 10 %"),
        (pl.embedding, "embedding", "holds no embedding"),
        (pl.pretraining, "metrics", "holds no log of a pretraining"),
    ],
)
def test_a_result_without_the_part_says_so(result, draw, part, says):
    with pytest.raises(InputError, match=says):
        draw(replace(result, **{part: None}))
    assert plt.get_fignums() == []


@pytest.mark.parametrize(
    ("draw", "asked", "says"),
    [
        (pl.label_curve, {"metric": "auc"}, "no `metric=auc`; choose among accuracy"),
        (pl.endpoint, {"arm": "byol"}, "no `arm=byol`; choose among swav"),
        (pl.confusion, {"arm": "byol"}, "no `arm=byol`; choose among swav, scratch"),
        (pl.confusion, {"share": 0.3}, "no `share=0.3`; choose among 0.1, 1.0"),
        (pl.pretraining, {"measure": "speed"}, "no `measure=speed`; choose among loss"),
    ],
)
def test_what_a_result_does_not_have_is_refused_with_what_it_has(result, draw, asked, says):
    with pytest.raises(InputError, match=says):
        draw(result, **asked)


def test_predictions_that_were_not_kept_are_named(result, tmp_path):
    with pytest.raises(InputError, match=r"kept no predictions of swav at a share of 0.1"):
        pl.confusion(replace(result, folders=(tmp_path,)))


def test_matplotlib_is_imported_when_something_is_drawn():
    code = "import sys, jaxssl.pl; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
