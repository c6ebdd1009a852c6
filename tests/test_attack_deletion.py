"""Attacks of kind 1: what is the user's is deleted or replaced."""

import contextlib

import pandas as pd
import pytest
from attacks import CLASSICAL, GRID, PRETRAINED, held, refused_at, scores
from run_folders import overwrite
from verbs import launch, run

from jaxssl.runs.kinds import names_of
from jaxssl.runs.previous import BEFORE
from jaxssl.types import InputError

pytestmark = [
    pytest.mark.usefixtures("standard_promotion"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *(("run", "byol"), ("sweep", "swav"), ("sweep", "trials"), ("sweep", "split_7")),
        *(("sweep", "shard_0_of_3"), ("clf", "classifier"), ("grid", "validation")),
    ],
)
def test_a_run_of_its_own_inside_a_run_is_not_deleted_with_it(kind, name, at, tmp_path):
    outer = at("sweep", tmp_path / "outer")
    inner = at(kind, outer / name)
    before = held(inner)
    with contextlib.suppress(InputError):
        overwrite(outer)
    assert held(inner) == before


@pytest.mark.parametrize(
    "name",
    [
        *("methods.md", "report_notes.md", "figures/figure_1.png", "figures/map.png"),
        *("predictions/mine_2.parquet", "trials.csv", "figures/confusion_mine.png", "audit.json"),
        *("figures/search.svg", "report_draft.html", "predictions.parquet", "variance.csv"),
    ],
)
def test_a_users_file_called_as_what_other_kinds_of_runs_write_stays(name, at):
    folder = at("sweep")
    (folder / name).write_text("mine")
    overwrite(folder)
    assert (folder / name).read_text() == "mine"


@pytest.mark.parametrize("verb", ["sweep", "study", "finetune"])
def test_a_tilde_that_no_shell_read_makes_no_folder_of_that_name(verb, at, tmp_path, monkeypatch):
    encoder = at("run")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    options = [f"--encoder={encoder}"] if verb == "finetune" else CLASSICAL
    done = run(verb, *options, f"--data={tmp_path / 'data.h5ad'}", "--out=~/x", cwd=tmp_path)
    assert not (tmp_path / "~").exists()
    assert done.returncode == 2 or (tmp_path / "home" / "x").exists()


@pytest.mark.parametrize("out", [".", "../sweep/", "./", "../sweep/figures/.."])
def test_a_folder_is_the_same_by_any_spelling(out, at):
    folder = at("sweep")
    (folder / "mine.txt").write_text("mine")
    expected = scores(folder)
    data = f"--data={folder.parent / 'data.h5ad'}"
    assert run("sweep", *CLASSICAL, data, f"--out={out}", cwd=folder).returncode == 2
    done = run("sweep", *CLASSICAL, data, f"--out={out}", "--overwrite", cwd=folder)
    assert done.returncode == 0, done.stderr
    done = run("sweep", *CLASSICAL, data, f"--out={out}", "--resume", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "mine.txt").read_text() == "mine"
    pd.testing.assert_frame_equal(scores(folder), expected)


def test_a_sweep_into_the_folder_of_its_encoders_is_refused(at):
    folder = at("run")
    for how in ("--resume", "--overwrite", "--noresume"):
        refused_at("sweep", PRETRAINED, folder, f"--encoder={folder}", how)


@pytest.mark.parametrize("how", ["--nooverwrite", "--overwrite"])
def test_a_fine_tuning_into_its_encoder_is_refused(how, at):
    folder = at("run")
    for out in (folder, folder / "encoder" / "seed_000", folder / "encoder"):
        before = held(folder)
        data = f"--data={folder.parent / 'data.h5ad'}"
        launch("finetune", f"--encoder={folder}", data, f"--out={out}", how, code=2)
        assert held(folder) == before


@pytest.mark.parametrize("name", ["report.html", "report.md", "mine.html"])
def test_the_report_of_one_run_takes_no_figure_from_another(name, at):
    one, other = at("sweep"), at("run")
    figures = held(other / "figures")
    launch("report", one, f"--out={other / name}", "--overwrite", code=2)
    assert held(other / "figures") == figures


@pytest.mark.parametrize("verb", ["study", "pretrain", "sweep", "search"])
def test_a_fine_tuning_is_not_gone_on_with_by_another_verb(verb, at):
    options = {"study": CLASSICAL, "sweep": CLASSICAL, "search": GRID}
    own = options.get(verb, [o for o in PRETRAINED if not o.startswith(("--arms", "--shares"))])
    refused_at(verb, own, at("clf"), "--resume")


@pytest.mark.parametrize("verb", ["study", "sweep", "pretrain"])
def test_a_search_is_not_gone_on_with_by_another_verb(verb, at):
    own = [o for o in PRETRAINED if not o.startswith(("--arms", "--shares"))]
    error = refused_at(verb, own if verb == "pretrain" else CLASSICAL, at("grid"), "--resume")
    assert "search" in error or "grid" in error


@pytest.mark.parametrize("name", ["run", "sweep"])
def test_a_study_is_not_gone_on_with_by_a_search(name, at):
    assert "no" in refused_at("search", GRID, at(name), "--resume")


REFUSED = {
    "an encoder": ("sweep", ["--arms=swav"]),
    "data": ("sweep", ["--data=none.h5ad"]),
    "a label": ("sweep", ["--label=none"]),
    "a group": ("sweep", ["--group=class"]),
    "a share": ("sweep", ["--shares=0.00001"]),
    "prototypes": ("study", ["--arms=swav", "--config.method.n_prototypes=(5000,)"]),
    "layers": ("study", ["--arms=swav", "--config.finetune.transfer_layers=9"]),
    "shards": ("study", ["--arms=majority", "--shard=3/2"]),
    "a point": ("search", ["--grid=augment.noise:-1,-2"]),
    "an idle point": ("search", ["--grid=augment.mask_fill:normal,zero"]),
    "a point of layers": ("search", ["--grid=finetune.transfer_layers:8,9"]),
    "trials": ("compare", ["--shares=0.5", "--methods=swav", "--arms=logreg"]),
    "few prototypes": ("search", ["--grid=method.n_prototypes:5000,6000"]),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_deletes_no_run(what, at):
    verb, more = REFUSED[what]
    options = {"search": GRID[:-1], "compare": [o for o in GRID[:-1] if "shares" not in o]}
    refused_at(verb, options.get(verb, CLASSICAL), at("sweep"), "--overwrite", *more)


@pytest.mark.parametrize("n_moved", [1, 4, 7, 10, 13])
def test_a_run_that_is_half_set_aside_is_told_and_not_read_in_parts(n_moved, at):
    folder = at("sweep")
    from jaxssl.places import divide

    own = [path for path in divide(folder, names_of(folder))[0] if ".lock" not in path.name]
    (folder / BEFORE).mkdir()
    for path in own[:n_moved]:
        path.rename(folder / BEFORE / path.name)
    before = held(folder)
    error = launch("report", folder, "--overwrite", code=2)
    assert "resume" in error
    assert held(folder) == before


@pytest.mark.parametrize(
    ("verb", "file"), [("predict", "clf/predictions.parquet"), ("embed", "run/embedding.h5ad")]
)
def test_no_table_replaces_a_part_of_a_run(verb, file, at, tmp_path):
    folders = {name: at(name) for name in ("clf", "run")}
    given = {"predict": f"--classifier={folders['clf']}", "embed": f"--encoder={folders['run']}"}
    before = (tmp_path / file).read_bytes()
    data, out = f"--data={tmp_path / 'data.h5ad'}", f"--out={tmp_path / file}"
    assert "is part of the run" in launch(verb, given[verb], data, out, "--overwrite", code=2)
    (tmp_path / "link").symlink_to(tmp_path / file)
    link = tmp_path / f"link{(tmp_path / file).suffix}"
    link.symlink_to(tmp_path / file)
    run(verb, given[verb], data, f"--out={link}", "--overwrite")
    assert (tmp_path / file).read_bytes() == before
