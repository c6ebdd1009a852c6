"""What an overwriting deletes: the run that was there, whole or not at all, and nothing else."""

import os
import re
import shutil
import subprocess
import sys

import jax
import pandas as pd
import pytest
from run_folders import mark, overwrite
from verbs import PRETRAIN, TINY, beside, launch

import jaxssl
from jaxssl import SSLClassifier
from jaxssl.data.expression import prepare
from jaxssl.data.synthetic import make_synthetic
from jaxssl.runs import journal, previous
from jaxssl.runs.output import Output, new_file, open_folder, release
from jaxssl.types import InputError

pytestmark = pytest.mark.filterwarnings("ignore:.*not healthy:UserWarning")

OWN = ("results.parquet", "metrics.jsonl", "figures/recall.png", "encoder/seed_000/genes.txt")
OWN += ("predictions/swav_0.1000.parquet", "swav/trials/results.csv", "split_0/summary.json")
OF_USER = ("notes.txt", "figures/mine.png", "encoder/notes.txt", "encoder/seed_000/arrays/mine")
OF_USER += ("predictions/mine.parquet", "data/results.csv", ".thesis.part")


@pytest.fixture
def run(tmp_path):
    """A run folder in which a user keeps files, and a link."""
    folder = tmp_path / "run"
    mark(folder)
    (folder / "trials.json").write_text('{"trial_seeds": 3, "shares": [0.1]}')  # it compared
    (tmp_path / "elsewhere").mkdir()
    for name in (*OWN, *OF_USER, "../elsewhere/photo.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "checkpoints").symlink_to(tmp_path / "elsewhere")  # moved to another disk, say
    (folder / "photos").symlink_to(tmp_path / "elsewhere")
    yield folder
    release()


def files(folder):
    """All that lies in a folder, with what the files hold."""
    return {
        str(path.relative_to(folder)): path.read_text("latin-1") if path.is_file() else ""
        for path in folder.rglob("*")
        if not path.name.startswith((".lock", ".jaxssl"))
    }


def test_what_a_run_wrote_goes_and_all_else_stays(run):
    with pytest.warns(UserWarning, match=r"keeps what no run wrote: \.thesis\.part, .* and 3 more"):
        overwrite(run)
    left = {name for name, text in files(run).items() if text}
    assert left == set(OF_USER)
    assert os.readlink(run / "photos") == str(run.parent / "elsewhere")
    assert not os.path.lexists(run / "checkpoints")
    assert (run.parent / "elsewhere" / "photo.jpg").exists()
    open_folder(Output(str(run), resume=True))  # the user is not locked out
    release()
    with pytest.warns(UserWarning, match="keeps"):
        overwrite(run)
    assert {name for name, text in files(run).items() if text} == left


@pytest.mark.parametrize(
    "spelling", ["{run}/x.h5ad", "{run}/../run/x.h5ad", "{run.parent}/l/x.h5ad"]
)
@pytest.mark.parametrize("out", ["{run}", "{run.parent}/l"])
def test_an_input_in_the_folder_is_named_and_nothing_is_deleted(run, spelling, out):
    (run.parent / "l").symlink_to(run)
    (run / "x.h5ad").write_text("x")
    before = files(run)
    data = spelling.format(run=run)
    with pytest.raises(InputError, match=f"`data={re.escape(data)}` lies in .* would empty; move"):
        overwrite(out.format(run=run), ("data", data))
    assert files(run) == before


def test_links_that_lead_into_the_folder_are_followed(run):
    (run.parent / "pretrained").mkdir()
    (run.parent / "pretrained" / "encoder").symlink_to(run / "encoder")
    (run / "kept").symlink_to(run.parent / "elsewhere" / "photo.jpg")
    (run.parent / "data").symlink_to(run / "kept")
    for name, path in (("encoder", "pretrained"), ("data", "data"), ("data", "run/kept")):
        with pytest.raises(InputError, match=f"`{name}=.*` lies in"):
            overwrite(run, (name, run.parent / path))


def test_what_is_advised_for_a_folder_that_exists_works(run):
    inside = (("data", run / "x.h5ad"),)
    for out, words in (
        (Output(str(run)), "exists; pass `resume`, `overwrite` or another `out`"),
        (Output(str(run), inputs=inside), "exists; pass `resume` or another `out`"),
        (Output(str(run.parent)), "exists and is no run folder: .*; pass another `out`"),
        (Output(str(run), resume=True, overwrite=True), "pass one of them"),
    ):
        with pytest.raises(InputError, match=words):
            open_folder(out)


@pytest.mark.parametrize(
    "stray",
    [
        {"classifier/weights.bin": ""},
        {"classifier/bundle.json": '{"format": 2, "leaves": {}, "provenance": {}}'},
        {"summary.json": '{"classes": [], "n_labelled": 1, "share": 1}'},
        {"environment.json": '{"name": "conda"}', "config.json": "{}"},
        {"environment.json": '{"versions": {}, "data_hash": ""}', "results.csv": ""},
        {"environment.json": "[]", "config.json": '{"method": ', "summary.json": ""},
    ],
)
def test_one_mark_beside_other_files_makes_no_run(stray, tmp_path):
    for name, text in {"thesis.tex": "", **stray}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    before = files(tmp_path)
    with pytest.raises(InputError, match="is no run folder, so `overwrite` leaves it"):
        overwrite(tmp_path)
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    "names", [[], ["environment.json"], ["config.json"], [".lock", ".lock.owner"]]
)
@pytest.mark.parametrize("option", ["overwrite", "resume"])
def test_a_run_that_was_killed_at_its_beginning_locks_no_one_out(names, option, tmp_path):
    mark(tmp_path / "whole")
    folder = tmp_path / "run"
    folder.mkdir()
    for name in [*names, ".config.json.12.part"]:
        whole = tmp_path / "whole" / name
        (folder / name).write_text(whole.read_text() if whole.exists() else "")
    open_folder(Output(str(folder), **{option: True}))
    release()


def test_what_cannot_be_moved_is_a_sentence_and_nothing_is_lost(run, monkeypatch):
    before, rename = files(run), os.rename

    def refuse(source, target):
        if str(source).endswith("results.parquet"):
            raise PermissionError(13, "Permission denied")
        rename(source, target)

    monkeypatch.setattr("os.rename", refuse)
    words = r"results.parquet cannot be moved \(Permission denied\), so .* is left as it was"
    with pytest.raises(InputError, match=words):
        overwrite(run)
    assert files(run) == before


def test_a_process_killed_while_it_moves_leaves_the_run_whole(run, monkeypatch):
    before, rename, moved = files(run), os.rename, []

    def die(source, target):
        if len(moved) == 4:
            raise KeyboardInterrupt
        moved.append(source)
        rename(source, target)

    monkeypatch.setattr("os.rename", die)
    monkeypatch.setattr(previous, "_put_back", lambda *_: None)  # as where no more is run
    with pytest.raises(KeyboardInterrupt):
        overwrite(run)
    monkeypatch.undo()
    assert not all(map(os.path.lexists, moved))
    open_folder(Output(str(run), resume=True))
    assert files(run) == before


def test_a_process_killed_while_it_deletes_leaves_the_rest_to_the_next(run, monkeypatch):
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)
    with pytest.warns(UserWarning, match="keeps"):
        overwrite(run)
    monkeypatch.undo()
    (run / previous.GONE / "results.parquet").chmod(0o400)
    open_folder(Output(str(run), resume=True))
    assert not (run / previous.GONE).exists()
    assert {name for name, text in files(run).items() if text} == set(OF_USER)


def test_a_shard_that_runs_inside_is_not_deleted(run):
    mark(run / "shard_0_of_2")
    code = f"""
import subprocess, sys
from jaxssl.runs.output import Output, open_folder
open_folder(Output({str(run / "shard_0_of_2")!r}, resume=True))
sys.exit(subprocess.run([sys.executable, "-c", '''
from jaxssl.runs.output import Output, open_folder
open_folder(Output({str(run)!r}, overwrite=True))
''']).returncode)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "is writing" in done.stderr
    assert (run / "results.parquet").exists()


def test_a_file_that_is_an_input_or_a_part_of_a_run_is_not_replaced(run):
    for path, inputs, words in (
        (run.parent / "x.csv", [("data", run / "../x.csv")], r"`data=.*x.csv` would be replaced"),
        (run / "results.csv", [], "results.csv is part of the run in .*run"),
        (run / "swav" / "trials" / "results.csv", [], "is part of the run in"),
    ):
        path.write_text("old")
        with pytest.raises(InputError, match=words):
            new_file(str(path), (".csv",), overwrite=True, inputs=inputs)
        assert path.read_text() == "old"
    (run / "mine.csv").write_text("old")
    assert new_file(str(run / "mine.csv"), (".csv",), overwrite=True) == run / "mine.csv"


VERBS = {
    "study": TINY,
    "pretrain": PRETRAIN,
    "sweep": beside("majority", PRETRAIN),
    "search": [*PRETRAIN, "--grid=augment.noise:0.5,1"],
    "compare": PRETRAIN,
    "audit": ["--config=configs/demo_synthetic.py"],
}


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_deletes_its_own_data(verb, run):
    (run / "x.h5ad").write_text("x")
    before = files(run)
    where = [f"--data={run / 'x.h5ad'}", f"--out={run}", "--overwrite"]
    error = launch(verb, *VERBS[verb], *where, code=2)
    assert f"--data={run / 'x.h5ad'} lies in {run}, which --overwrite would empty" in error
    assert files(run) == before


def test_no_verb_deletes_its_own_config(run):
    (run / "mine.py").write_text("from jaxssl.config import Config as get_config\n")
    before = files(run)
    where = ["--data=demo", f"--config={run / 'mine.py'}", f"--out={run}", "--overwrite"]
    assert "mine.py lies in" in launch("study", *where, code=2)
    assert files(run) == before


FUNCTIONS = {
    "study": {},
    "pretrain": {},
    "tune": {"grid": {"augment.noise": [0.5, 1]}},
    "compare_methods": {},
    "audit": {},
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_function_deletes_its_own_data(name, run):
    (run / "x.h5ad").write_text("x")
    before = files(run)
    with pytest.raises(InputError, match="lies in"):
        getattr(jaxssl, name)(run / "x.h5ad", out=run, overwrite=True, **FUNCTIONS[name])
    assert files(run) == before


@pytest.fixture(scope="module")
def plain():
    return make_synthetic(n_samples=90, n_genes=40, n_classes=3, n_superclasses=3)


@pytest.fixture(scope="module")
def classifier(plain, tmp_path_factory):
    """The bundle of a classifier, beside that of its encoder."""
    folder = tmp_path_factory.mktemp("fitted")
    options = {"encoder.hidden": (16, 8, 8), "pretrain.n_steps": 20}
    with jax.numpy_dtype_promotion("standard"):
        fitted = SSLClassifier(config=options, label="class").fit(plain)
    fitted.save(folder / "classifier")
    fitted.encoder_.save(folder / "encoder")
    return folder / "classifier"


def put(bundle, place):
    shutil.copytree(bundle, place)
    return place


def test_no_verb_deletes_the_encoder_that_it_is_given(run, classifier):
    shutil.rmtree(run / "encoder")
    bundle = put(classifier.with_name("encoder"), run / "encoder" / "seed_000")
    before = files(run)
    where = [f"--out={run}", "--overwrite", "--data=synthetic"]
    for verb, options in (("sweep", ["--arms=swav", "--seeds=1"]), ("finetune", [])):
        for encoder in (bundle, run):
            error = launch(verb, f"--encoder={encoder}", *options, *where, code=2)
            assert f"--encoder={encoder} lies in {run}, which --overwrite would empty" in error
    with pytest.raises(InputError, match=r"`encoder=.*` lies in"):
        jaxssl.study("synthetic", encoder=run, seeds=1, arms=["swav"], out=run, overwrite=True)
    with pytest.raises(InputError, match=r"`encoder=.*` lies in"):
        jaxssl.finetune(bundle, "synthetic", out=run, overwrite=True)
    assert files(run) == before


def test_predictions_replace_neither_their_input_nor_those_of_the_run(plain, run, classifier):
    bundle = put(classifier, run / "classifier")
    data = run / "x.csv"
    plain.to_df().to_csv(data)
    for out, words in (
        (data, f"--data={data} would be replaced by --out={data}"),
        (run.parent / "run" / ".." / "run" / "x.csv", "would be replaced by"),
        (run / "results.parquet", "is part of the run in"),
    ):
        before = files(run)
        where = [f"--classifier={bundle}", f"--data={data}", f"--out={out}", "--overwrite"]
        assert words in launch("predict", *where, code=2)
        assert files(run) == before


def test_an_import_replaces_neither_its_input_nor_what_is_no_record_of_one(plain, tmp_path):
    table, labels = tmp_path / "x.h5ad", tmp_path / "y.prepare.json"
    plain.write_h5ad(table)
    labels.write_text("{}")
    (tmp_path / "x.prepare.json").write_text('{"thesis": 1}')
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for out, words in (
        (table, "would be replaced by --out"),
        (tmp_path / "y.h5ad", f"--labels={labels} would be replaced by {labels}"),
    ):
        options = [table, f"--labels={labels}", f"--out={out}", "--overwrite"]
        assert words in launch("prepare", *options, code=2)
        with pytest.raises(InputError, match="would be replaced by"):
            prepare(table, out, labels=labels)
    copy = tmp_path / "copies" / "x.h5ad"
    with pytest.raises(InputError, match=r"x\.prepare\.json is no record of an import"):
        prepare(put(tmp_path, copy.parent) / "x.h5ad", table)
    assert before == {path: path.read_bytes() for path in before}
    shutil.rmtree(copy.parent)
    record = tmp_path / "new.h5ad"
    prepare(table, record)
    prepare(table, record)  # its own is replaced
    assert record.with_suffix(".prepare.json").exists()


def test_a_report_replaces_nothing_that_a_run_or_a_user_wrote(run_folder, run, tmp_path):
    result, page = jaxssl.open_study(run_folder), tmp_path / "paper.md"
    page.write_text("mine")
    with pytest.raises(InputError, match=r"paper\.md exists; pass `overwrite`"):
        result.report(page)
    (tmp_path / "figures").mkdir()
    with pytest.raises(InputError, match="figures of another report"):
        result.report(tmp_path / "new.md")
    assert page.read_text() == "mine"
    for name in ("methods.md", "encoder/seed_000/MODEL_CARD.md"):
        (run / name).write_text("of the run")
        with pytest.raises(InputError, match="is part of the run in"):
            result.report(run / name, overwrite=True)
        assert (run / name).read_text() == "of the run"


def test_parts_of_a_table_go_when_they_are_joined_and_nothing_else(tmp_path):
    mark(tmp_path)
    for value in (0.5, 0.7):
        journal.add_part(tmp_path / "points.parquet", pd.DataFrame({"value": [value]}))
    (tmp_path / "points" / "mine.parquet").write_text("")
    assert list(journal.join_parts(tmp_path / "points.parquet")["value"]) == [0.5, 0.7]
    assert [path.name for path in (tmp_path / "points").iterdir()] == ["mine.parquet"]
