"""A fit that came to nothing is counted and named wherever its scores go."""

import json

import numpy as np
import pandas as pd
import pytest
from rows import results_of
from run_folders import write_run
from verbs import TINY, launch

import jaxssl
from jaxssl.data.synthetic import make_synthetic
from jaxssl.evaluation import arms, classifier, network
from jaxssl.evaluation.arms import Fit, Inputs, fit_baseline
from jaxssl.evaluation.conclusions import conclude
from jaxssl.evaluation.fits import failed_fits, settle
from jaxssl.evaluation.grid import Point
from jaxssl.evaluation.headline import failure_notes, in_words
from jaxssl.files import write_json
from jaxssl.report.render import write_report
from jaxssl.runs.reading import read_runs
from jaxssl.studies.grid import able_points
from jaxssl.types import InputError

pytestmark = pytest.mark.usefixtures("drawn")

CODES = np.array([0, 0, 1, 1, 2, 2])
RIGHT = np.eye(3)[CODES]
KNOWS_NOTHING = "are no numbers and count as knowing nothing"


@pytest.mark.parametrize(
    ("probabilities", "loss", "state"),
    [
        (RIGHT, 0.1, ""),
        (np.where(CODES[:, None] == 2, np.nan, RIGHT), 0.1, "diverged"),
        (np.zeros((6, 3)), 0.1, "diverged"),
        (RIGHT, np.nan, "lost"),
        (RIGHT, 1.2, "lost"),  # ln 3 is 1.0986
        (np.eye(3)[[1] * 6], 0.1, "chance"),
        (np.eye(3)[[1, 2, 0, 2, 0, 1]], 0.1, "chance"),  # never right
        (np.eye(3)[[0, 1, 1, 0, 0, 2]], 0.1, ""),  # right half of the time, where 1 / 3 is chance
    ],
)
def test_a_fit_is_judged_by_its_numbers_its_own_labels_and_what_it_names(
    probabilities, loss, state
):
    settled, found = settle(CODES, Fit(probabilities, 0.0, loss))
    assert found == state
    np.testing.assert_allclose(settled.sum(axis=1), 1)
    if state != "diverged":
        np.testing.assert_array_equal(settled, probabilities)


def test_where_all_held_out_samples_are_of_one_class_none_is_at_chance():
    assert settle(np.zeros(6, int), Fit(np.eye(3)[[0] * 6], 0.0))[1] == ""


@pytest.mark.parametrize("error", [np.linalg.LinAlgError("singular"), FloatingPointError("over")])
def test_a_classical_fit_that_breaks_down_is_no_number_and_a_bug_is_a_bug(error, monkeypatch):
    x, codes = np.eye(6, dtype=np.float32), np.arange(6) % 2
    rows = {"test": np.array([4]), "validation": np.array([5])}
    inputs = Inputs(x, None, codes, {0: np.arange(4)}, np.arange(4), rows)

    def broken(problem):
        raise error

    monkeypatch.setitem(arms.BASELINES, "knn", arms.BASELINES["knn"]._replace(fit=broken))
    assert np.isnan(fit_baseline("knn", inputs, 4, [0])[0].probabilities).all()
    two = inputs._replace(orders={0: np.arange(4), 1: np.array([1, 0, 2, 3])})
    assert list(fit_baseline("knn", two, 3, [0, 1])) == [0, 1]
    error = ValueError("of our own")
    with pytest.raises(ValueError, match="of our own"):
        fit_baseline("knn", inputs, 4, [0])
    spoiled = inputs._replace(features=np.where(x > 0, np.inf, x))
    assert np.isnan(fit_baseline("knn", spoiled, 4, [0])[0].probabilities).all()


def test_a_fit_of_all_labels_is_the_same_whichever_seeds_run_together():
    rng = np.random.default_rng(0)
    x, codes, train = rng.normal(size=(60, 5)).astype(np.float32), np.arange(60) % 3, np.arange(40)
    rows = {"test": np.arange(40, 50), "validation": np.arange(50, 60)}
    orders = {seed: rng.permutation(train) for seed in range(4)}
    inputs = Inputs(x, x, codes, orders, train, rows)
    together = fit_baseline("random_forest", inputs, 40, [0, 1, 2, 3])
    apart = fit_baseline("random_forest", inputs, 40, [1, 3])
    fewer = fit_baseline("random_forest", inputs, 30, [1, 3])
    for seed in apart:
        np.testing.assert_array_equal(apart[seed].probabilities, together[seed].probabilities)
    assert (fewer[1].probabilities != fewer[3].probabilities).any()


SCORES = {"swav": [0.4, 0.4, 0.8], "scratch": [0.8, 0.7, 0.9], "logreg": [0.9, 0.9, 0.95]}


def failed_results(state="diverged", seeds=(0, 1), **options):
    """Scores at two shares; of swav at 10 %, some seeds failed."""
    tables = []
    for share in (0.1, 1.0):
        table = results_of(SCORES, share=share, **options)
        failed = (table["arm"] == "swav") & (share == 0.1) & table["seed"].isin(seeds)
        tables.append(table.assign(fit=np.where(failed, state, "")))
    return pd.concat(tables, ignore_index=True)


def said_of(results):
    found = conclude(results, ["scratch", "logreg"], lambda arm, share: None, pd.Series(dtype=str))
    return in_words(results, found)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("diverged", KNOWS_NOTHING),
        ("lost", "are worse on their own labels than knowing nothing"),
        ("chance", "do no better than chance"),
    ],
)
def test_the_verdict_says_how_many_fits_came_to_nothing(state, words):
    said = said_of(failed_results(state))
    assert said["headline"].startswith("Over 3 seeds on this split, swav")
    assert said["headline"].endswith(f" Of swav at 10 %, 2 of 3 fits {words}.")
    [row] = said["failed_fits"]
    assert (row["arm"], row["share"], row["fit"], row["n"], row["of"]) == ("swav", 0.1, state, 2, 3)
    assert row["seeds"] == "0, 1"


def test_a_run_without_failures_and_one_of_before_say_nothing_of_them():
    for results in (failed_results(""), failed_results().drop(columns="fit")):
        said = said_of(results)
        assert said["failed_fits"] == []
        assert "fits" not in said["headline"]


def test_a_note_names_seeds_and_splits_and_what_to_do():
    two = [failed_results(split=0, seeds=[2]), failed_results(split=1, seeds=[1, 2])]
    [note] = failure_notes(failed_fits(pd.concat(two)))
    assert note == (
        f"swav at 10 %: 3 of 6 fits {KNOWS_NOTHING} (seeds 0/2, 1/1, 1/2); lower "
        "`finetune.learning_rate` or `finetune.probe_learning_rate`, unless the pretraining itself "
        "diverged"
    )


def shard_of(folder, results):
    """A shard of a run whose fits are `results`."""
    write_run(folder, seeds=results["seed"].unique().tolist())
    results.to_parquet(folder / "results.parquet")
    found = said_of(results)
    summary = json.loads((folder / "summary.json").read_text()) | found
    summary["warnings"] += failure_notes(failed_fits(results))
    write_json(folder / "summary.json", summary)
    return folder


def test_merged_shards_count_the_failures_of_all_and_the_report_says_them(tmp_path):
    whole = failed_results()
    shards = [whole[whole["seed"].isin(seeds)] for seeds in ([0, 2], [1])]
    folders = [shard_of(tmp_path / f"shard_{i}_of_2", rows) for i, rows in enumerate(shards)]
    runs = read_runs(folders)
    sentence = f"Of swav at 10 %, 2 of 3 fits {KNOWS_NOTHING}."
    assert runs[0].headline.endswith(sentence)
    assert runs[0].failed_fits["seeds"].tolist() == ["0, 1"]
    of_fits = [text for text in runs[0].summary["warnings"] if "no number" in text]
    assert of_fits == failure_notes(failed_fits(whole)), "not those of the parts"
    write_report(runs, tmp_path / "report.md")
    page = (tmp_path / "report.md").read_text()
    assert f"**{sentence}**" in page
    assert "- Warning: swav at 10 %: 2 of 3 fits" in page


def test_a_point_with_a_fit_that_diverged_is_chosen_only_where_all_have_one():
    points = [Point(name, {}, jaxssl.Config()) for name in ("", "a=1")]
    states = {"": "diverged", "a=1": "chance"}
    rows = pd.concat([failed_results(s, [0]).assign(point=p) for p, s in states.items()])
    told = []
    assert able_points(points, rows, told.append) == points[1:]
    assert told[0].startswith("options as given: swav at 10 %: 1 of 3 fits is no number")
    assert told[1] == "a=1: swav at 10 %: 1 of 3 fits does no better than chance (seed 0)"
    assert able_points(points, rows.assign(fit="diverged"), told.append) == points
    assert "fits diverged at every point" in told[-1]


@pytest.fixture(scope="module")
def diverging():
    """Steps of size 10 are steps of nan."""
    recipe = network.make_recipe

    def nan_for_ten(arm, options, n_layers):
        made = recipe(arm, options, n_layers)
        return made._replace(learning_rate=np.nan) if made.learning_rate == 10 else made

    with pytest.MonkeyPatch.context() as patch:
        for module in (network, classifier):
            patch.setattr(module, "make_recipe", nan_for_ten)
        yield "--config.finetune.learning_rate=10"


@pytest.fixture(scope="module")
def study(diverging, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "diverged"
    return out, launch("study", *TINY, diverging, f"--out={out}")


def test_a_study_whose_fine_tuning_diverges_says_so_everywhere(study):
    folder, printed = study
    sentence = f"Of swav at 10 and 100 %, all 4 fits {KNOWS_NOTHING}."
    assert sentence in printed
    assert f"warning: swav at 10 %: both fits {KNOWS_NOTHING} (seeds 0, 1); lower --c" in printed
    summary = json.loads((folder / "summary.json").read_text())
    assert sentence in summary["headline"]
    assert any(text.startswith("swav at 10 %: both fits") for text in summary["warnings"])
    assert sentence in (folder / "report.html").read_text()
    result = jaxssl.open_study(folder)
    of_swav = result.failed_fits[result.failed_fits["arm"] == "swav"]
    assert of_swav[["share", "fit", "n", "of"]].to_numpy().tolist() == [
        [0.1, "diverged", 2, 2],
        [1.0, "diverged", 2, 2],
    ]
    assert result.results is not None
    states = result.results.groupby("arm")["fit"].unique()
    assert list(states["swav"]) == ["diverged"]
    assert list(states["majority"]) == [""]


@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.filterwarnings("ignore:this encoder's pretraining is not healthy")
def test_a_classifier_that_diverges_is_refused_and_nothing_is_written(study, diverging, tmp_path):
    out, encoder = tmp_path / "clf", study[0] / "encoder" / "seed_000"
    error = launch(
        "finetune", f"--encoder={encoder}", "--data=synthetic", diverging, f"--out={out}", code=2
    )
    assert "error: the fine-tuning diverged: the classifier is no numbers; lower --config" in error
    assert not out.exists()
    estimator = jaxssl.SSLClassifier(
        encoder, config={"finetune.learning_rate": 10.0}, label="class"
    )
    with pytest.raises(InputError, match=r"lower `finetune\.learning_rate`"):
        estimator.fit(make_synthetic())
    assert not hasattr(estimator, "bundle_")


@pytest.mark.usefixtures("standard_promotion")
def test_an_audit_names_fits_that_diverged(diverging, tmp_path):
    config = jaxssl.Config()
    config.encoder.hidden, config.finetune.transfer_layers = (8,), 1
    config.finetune.scratch_steps, config.finetune.scratch_learning_rate = 5, 10.0
    adata = make_synthetic(n_samples=120, n_genes=20, n_classes=3)
    with pytest.warns(UserWarning, match=f"of scratch at 50 %, all 40 fits {KNOWS_NOTHING}; lower"):
        table = jaxssl.audit(
            adata,
            out=tmp_path / "audit",
            n_comparisons=10,
            shares=[0.5],
            seeds=2,
            config=config,
            progress=False,
        )
    assert (table["diverged"] == 40).all()
