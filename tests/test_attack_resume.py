"""Attacks of kind 2: runs go on with more, with less, or after a change."""

import contextlib
import json
import shutil

import pandas as pd
import pytest
from attacks import CLASSICAL, PRETRAINED, go, refused_at, scores
from run_folders import mark, overwrite
from verbs import instead, launch

import jaxssl
from jaxssl.types import InputError

pytestmark = [
    pytest.mark.usefixtures("standard_promotion"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


def test_more_seeds_shares_and_arms_come_to_what_a_fresh_run_does(at, tmp_path):
    folder, fresh = at("sweep"), tmp_path / "fresh"
    go("sweep", [*CLASSICAL, "--seeds=3"], folder, "--resume")
    go("sweep", instead("--shares=0.1,1", of=CLASSICAL), folder, "--resume")  # 2 seeds of it
    more = ["--seeds=4", "--shares=0.1,1", "--arms=majority,pca_logreg,knn"]
    more = instead(*more, of=CLASSICAL)
    go("sweep", more, folder, "--resume")
    go("sweep", more, fresh)
    pd.testing.assert_frame_equal(scores(folder), scores(fresh))
    for arm in ("pca_logreg", "knn"):
        tables = [jaxssl.open_study(f).predictions(arm, 1.0) for f in (folder, fresh)]
        keys = ["seed", "sample_id"]
        pd.testing.assert_frame_equal(
            *(table.sort_values(keys).reset_index(drop=True) for table in tables)
        )
    file = next((folder / "predictions").glob("pca_logreg_0.1000_0*"))
    file.unlink()
    go("sweep", more, folder, "--resume")
    pd.testing.assert_frame_equal(scores(folder), scores(fresh))


def test_more_splits_come_to_what_a_fresh_run_does(at, tmp_path):
    folder, fresh = at("splits"), tmp_path / "fresh"
    go("study", CLASSICAL, folder, "--splits=3", "--resume")
    go("study", CLASSICAL, fresh, "--splits=3")
    pd.testing.assert_frame_equal(scores(folder), scores(fresh))


def test_splits_that_are_forgotten_or_new_on_a_resume_are_named(at):
    assert "splits" in refused_at("study", CLASSICAL, at("splits"), "--resume")
    assert "splits" in refused_at("study", CLASSICAL, at("sweep"), "--splits=3", "--resume")


@pytest.mark.parametrize(
    "option",
    [
        *("--config.split.seed=1", "--config.normalize.n_components=3", "--label=superclass"),
        *("--data=others.h5ad", "--config.split.test_share=0.2"),
    ],
)
def test_a_change_is_refused_and_the_run_goes_on_as_if_it_had_not_been(option, at, base):
    folder = at("sweep")
    refused_at("sweep", CLASSICAL, folder, "--resume", option.replace("others", f"{base}/others"))
    go("sweep", CLASSICAL, folder, "--resume")
    assert jaxssl.open_study(folder).headline == jaxssl.open_study(base / "sweep").headline
    pd.testing.assert_frame_equal(scores(folder), scores(base / "sweep"))


def test_a_run_that_was_moved_and_renamed_goes_on(at, base, tmp_path):
    for name in ("deep/er/my run", "split_3", "shard_5_of_7", "swav"):
        folder = at("sweep", tmp_path / name)
        go_on = [f"--data={tmp_path / 'data.h5ad'}", f"--out={folder}", "--resume"]
        launch("sweep", *CLASSICAL, *go_on)
        found = scores(folder).drop(columns="split")
        pd.testing.assert_frame_equal(found, scores(base / "sweep").drop(columns="split"))
        launch("report", folder, "--overwrite")
        assert (folder / "report.html").exists()


def test_a_pretraining_goes_on_in_a_study_and_keeps_what_it_came_to(at, base):
    folder = at("run")
    own = [o for o in PRETRAINED if not o.startswith(("--arms", "--shares"))]
    before = json.loads((folder / "summary.json").read_text())
    go("pretrain", own, folder, "--resume")
    after = json.loads((folder / "summary.json").read_text())
    for name in ("headline", "seeds", "arms", "warnings", "allowed_leaks"):
        assert after.get(name) == before.get(name), name


@pytest.mark.parametrize("kind", ["sweep", "splits", "shards"])
def test_a_run_without_its_summary_tells_the_same(kind, at, base):
    folder = at(kind)
    for path in folder.rglob("summary.json"):
        path.unlink()
    pd.testing.assert_frame_equal(scores(folder), scores(base / kind))
    launch("report", folder, f"--out={folder.parent / 'page' / 'r.html'}")


def test_a_split_that_is_gone_is_missed_and_not_counted(at):
    folder = at("splits")
    shutil.rmtree(folder / "split_1")
    with pytest.warns(UserWarning, match="lacks split_1"):
        result = jaxssl.open_study(folder)
    assert set(result.results["split"]) == {0}
    go("study", CLASSICAL, folder, "--splits=2", "--resume")


def test_a_mark_makes_a_folder_that_other_files_took_over_no_run(at):
    folder = at("sweep")
    (folder / "thesis.tex").write_text("mine")
    overwrite(folder)
    for name in ("results.csv", "summary.json", "report.html"):
        (folder / name).write_text("mine")
    with contextlib.suppress(InputError):
        overwrite(folder)
    assert (folder / "results.csv").read_text() == "mine"
    mark(folder)
