"""Runs of all kinds: none deletes, goes on with or is shown as what is another's."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from run_folders import mark, overwrite, write_run
from verbs import PRETRAIN, launch

import jaxssl
from jaxssl.config import Config
from jaxssl.data.synthetic import make_synthetic
from jaxssl.files import complete_folder, write_text
from jaxssl.runs.identity import Origin, write_identity
from jaxssl.runs.kinds import KINDS, OF_READER, kind_of
from jaxssl.runs.output import Output, check_folder, new_file, open_folder, release
from jaxssl.runs.tables import run_of
from jaxssl.studies.audit import AUDITS
from jaxssl.types import InputError

NAMES = {
    "study": ("statistics.csv", "predictions/swav_0.1000.parquet", "figures/confusion_swav.png"),
    "search": ("points.csv", "results/000001.parquet"),
    "compare": ("methods.md", "byol/metrics.jsonl", "swav/trials/trials.csv"),
    "audit": ("variance_scores.csv", "type1_best.csv", "audit.json"),
    "finetune": ("predictions.parquet", "summary.json"),
    "reproduce": ("report_11b.md", "verdicts.csv", "validation/pretraining.parquet"),
    "adapt": ("predictions.parquet", "summary.json", "classifier/ensemble.json"),
    "classify": ("predictions.parquet", "summary.json", "classifier/ensemble.json"),
    "explain": (
        "explanation.md",
        "targets.csv",
        "sets.csv",
        "ranks/class_LIHC.rnk",
        "ranks/prototype_012.rnk",
        "figures/genes_class.svg",
    ),
    "transfer": (
        "transfer.md",
        "differences.csv",
        "transfer/000001.parquet",
        "figures/transfer.png",
    ),
}
"""Some of what every kind of run writes."""
MINE = ("report_notes.md", "figures/mine.png", "predictions/mine_2.parquet", "report_draft.html")


@pytest.fixture(autouse=True)
def _released():
    yield
    release()


def begin(folder, kind="study", part_of="", config=None, origin=None):
    """A run that has begun in a folder; returns its id."""
    folder.mkdir(parents=True, exist_ok=True)
    origin = origin or Origin("d", "s")
    write_identity(folder, config or Config(), origin, kind=kind, part_of=part_of)
    return run_of(folder)


def fill(folder, names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith((".lock", ".jaxssl"))
    }


@pytest.mark.filterwarnings("ignore:.*keeps what no run wrote")
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "finetune"])
def test_a_run_deletes_what_its_kind_writes_and_no_more(kind, tmp_path):
    begin(tmp_path, kind)
    fill(tmp_path, NAMES[kind])
    names = {name for of in NAMES.values() for name in of} - {*NAMES[kind]}
    shared = ("summary.json", "results/", "figures/confusion")  # what other kinds write too
    others = {*MINE, *(name for name in names if not name.startswith(shared))}
    if kind == "compare":  # of which every method is a study
        others -= {*NAMES["study"]}
    fill(tmp_path, others)
    overwrite(tmp_path)
    assert set(files(tmp_path)) == others


@pytest.mark.filterwarnings("ignore:.*keeps what no run wrote")
@pytest.mark.parametrize("name", ["byol", "trials", "split_7", "shard_0_of_3", "validation"])
@pytest.mark.parametrize("kind", KINDS[:3])
def test_a_run_inside_that_is_no_part_stays(kind, name, tmp_path):
    begin(tmp_path, kind, origin=Origin() if name == "split_7" else None)
    begin(tmp_path / name)
    fill(tmp_path / name, NAMES["study"])
    before = files(tmp_path / name)
    overwrite(tmp_path)
    assert files(tmp_path / name) == before


@pytest.mark.parametrize(("kind", "name"), [("study", "split_7"), ("compare", "byol/trials")])
def test_a_part_of_a_run_goes_with_it(kind, name, tmp_path):
    run = begin(tmp_path, kind)
    begin(tmp_path / name, kind, part_of=run)
    overwrite(tmp_path)
    assert not files(tmp_path)


def test_parts_of_an_earlier_version_go_and_a_run_on_other_data_stays(tmp_path):
    for name, data in ((".", "a"), ("swav", "a"), ("byol", "b")):
        mark(tmp_path / name)
        record = json.dumps({"versions": {}, "data_hash": data})
        (tmp_path / name / "environment.json").write_text(record)
    (tmp_path / "trials.json").write_text('{"trial_seeds": 1, "shares": []}')
    with pytest.warns(UserWarning, match="keeps what no run wrote: byol"):
        overwrite(tmp_path)
    assert {name.split("/")[0] for name in files(tmp_path)} == {"byol"}


OLD = {
    "trials.json": ("compare", '{"trial_seeds": 1, "shares": []}'),
    "audit.json": ("audit", '{"audit": "type1", "timings": {}}'),
    "validation/pretraining.parquet": ("reproduce", ""),
    "pretraining.parquet": ("search", ""),
    "results.parquet": ("study", ""),
    "metrics.jsonl": ("study", ""),
    "notes.txt": ("", ""),
}


@pytest.mark.parametrize("name", OLD)
def test_a_run_of_an_earlier_version_is_known_by_what_it_holds(name, tmp_path):
    kind, text = OLD[name]
    mark(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    assert kind_of(tmp_path) == kind
    other = "search" if kind != "search" else "study"
    if kind:
        with pytest.raises(InputError, match="cannot go on with"):
            check_folder(Output(str(tmp_path), resume=True, kind=other))
    check_folder(Output(str(tmp_path), resume=True, kind=kind))
    rows = pd.DataFrame({"point": ["a"]})
    if name == "results.parquet":
        rows.to_parquet(tmp_path / name)
        assert kind_of(tmp_path) == "search"


@pytest.mark.parametrize("kind", KINDS)
def test_no_run_goes_on_with_one_of_another_kind(kind, tmp_path):
    begin(tmp_path, kind)
    before = files(tmp_path)
    for other in KINDS:
        output = Output(str(tmp_path), resume=True, kind=other)
        if other == kind:
            check_folder(output)
            continue
        with pytest.raises(InputError, match="cannot go on with; pass another `out`"):
            open_folder(output)
        with pytest.raises(InputError, match="exists; pass `overwrite` or another `out`"):
            open_folder(output._replace(resume=False))
    assert files(tmp_path) == before


def test_a_fine_tuning_is_known_by_its_bundle(tmp_path):
    bundle = tmp_path / "classifier" / "bundle.json"
    fill(tmp_path, ["classifier/genes.txt", "summary.json"])
    bundle.write_text('{"format": 2, "leaves": {}, "provenance": {}}')
    (tmp_path / "summary.json").write_text('{"classes": [], "n_labelled": 1, "share": 1}')
    with pytest.raises(InputError, match="holds a fine-tuning, which a study, sweep or pretrain"):
        check_folder(Output(str(tmp_path), resume=True, kind="study"))
    inside = shutil.copytree(tmp_path, tmp_path.with_name("outer") / "byol")
    before = files(inside)
    begin(inside.parent, "compare")
    with pytest.warns(UserWarning, match="keeps"):
        overwrite(inside.parent)
    assert files(inside) == before


def test_every_verb_says_of_what_kind_it_is(tmp_path):
    begin(tmp_path, "reproduce")
    before = files(tmp_path)
    data, out = make_synthetic(n_samples=60, n_genes=20), {"out": tmp_path, "resume": True}
    for function, words in (
        (jaxssl.study, {}),
        (jaxssl.pretrain, {}),
        (jaxssl.tune, {"grid": {"augment.noise": [0.5, 1]}}),
        (jaxssl.compare_methods, {}),
    ):
        with pytest.raises(InputError, match="holds a reproduction, which"):
            function(data, **out, **words)
    own = ["--data=synthetic", f"--out={tmp_path}", "--resume"]
    options = [*PRETRAIN, *own]
    for verb, more in (
        ("study", []),
        ("pretrain", []),
        ("search", ["--grid=augment.noise:0.5,1"]),
        ("compare", []),
    ):
        assert "holds a reproduction, which" in launch(verb, *options, *more, code=2)
    assert "holds a reproduction, which" in launch("sweep", *own, "--arms=majority", code=2)
    assert files(tmp_path) == before


def tiny():
    config = Config()
    config.pretrain.n_steps, config.encoder.hidden, config.finetune.transfer_layers = 2, (8, 4), 1
    config.finetune.n_steps, config.finetune.probe_steps = 2, 2
    return config


BAD = [
    ({"augment.noise": [-1, -2]}, "every point of the grid is refused"),
    ({"augment.mask_fill": ["normal", "zero"]}, "does nothing without"),
    ({"finetune.transfer_layers": [8, 9]}, "every point of the grid is refused"),
]


@pytest.fixture(scope="module")
def data():
    return make_synthetic(n_samples=200, n_genes=20, n_classes=2, n_superclasses=2)


@pytest.mark.parametrize(("grid", "match"), BAD)
def test_a_grid_that_is_refused_deletes_no_run(grid, match, data, tmp_path):
    begin(tmp_path)
    fill(tmp_path, NAMES["study"])
    before = files(tmp_path)
    with pytest.raises(InputError, match=match):
        jaxssl.tune(data, grid=grid, out=tmp_path, shares=[0.1], overwrite=True)
    with pytest.raises(InputError, match=match):
        jaxssl.tune(data, grid=grid, out=tmp_path / "new", shares=[0.1])
    assert files(tmp_path) == before


@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.filterwarnings("ignore:.*no better than chance")
@pytest.mark.filterwarnings("ignore:.*is worse on its own labels")  # after two steps
def test_a_grid_that_is_refused_leaves_what_is_gone_on_with(data, tmp_path):
    words = {"out": tmp_path, "shares": [0.5], "seeds": 1, "config": tiny()}
    jaxssl.tune(data, grid={"augment.noise": [0.5, 1]}, **words)
    before = files(tmp_path)
    for grid, match in BAD:
        with pytest.raises(InputError, match=match):
            jaxssl.tune(data, grid=grid, **words, resume=True)
    assert files(tmp_path) == before


@pytest.mark.parametrize("how", ["overwrite", "resume"])
def test_a_comparison_that_cannot_try_leaves_what_is_there(how, data, tmp_path):
    begin(tmp_path, "compare")
    fill(tmp_path, ["results.csv", "manifest.json"])
    before = files(tmp_path)
    with pytest.raises(InputError, match="1 to 10 % of the labels"):
        jaxssl.compare_methods(data, out=tmp_path, methods=["swav"], shares=[0.5], **{how: True})
    assert files(tmp_path) == before


@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_pretraining_keeps_what_a_study_came_to(data, tmp_path):
    words = {"out": tmp_path, "seeds": 2, "config": tiny()}
    jaxssl.study(data, arms=["majority", "logreg"], shares=[0.5], **words)
    before = json.loads((tmp_path / "summary.json").read_text())
    jaxssl.pretrain(data, **words, resume=True)
    after = json.loads((tmp_path / "summary.json").read_text())
    assert before["warnings"]
    for name in ("headline", "arms", "warnings", "allowed_leaks"):
        assert after[name] == before[name]


def test_no_folder_is_called_as_a_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    data = make_synthetic(n_samples=60, n_genes=20)
    for write in (
        lambda: open_folder(Output("~/x")),
        lambda: new_file("~/x.csv", (".csv",), overwrite=False),
        lambda: complete_folder(Path("~/x")).__enter__(),
        lambda: write_text(Path("~/x"), ""),
        lambda: jaxssl.study(data, out="~/x"),
        lambda: jaxssl.tune(data, out="~/x", grid={"augment.noise": [1, 2]}),
        lambda: jaxssl.audit(data, out="~/x"),
        lambda: jaxssl.open_study(write_run(tmp_path / "run")).report("~/x/r.html"),
    ):
        with pytest.raises(InputError, match=r"~/x.* begins with ~, .*; write /home/me/x"):
            write()
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
    for read in (jaxssl.read, jaxssl.open_study, jaxssl.load_bundle):
        with pytest.raises(InputError, match=r"~/x does not exist \(.* write /home/me/x\)"):
            read("~/x")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["report.html", "report.md", "mine.html"])
def test_a_report_takes_no_figure_of_another_run(name, tmp_path):
    one, other = write_run(tmp_path / "one"), write_run(tmp_path / "other")
    mark(other)
    fill(other, ["figures/endpoint.png", "report.html"])
    before = files(other)
    with pytest.raises(InputError, match="is the folder of another run, whose figures"):
        jaxssl.open_study(one).report(other / name, overwrite=True)
    assert "is the folder of another run" in launch(
        "report", one, f"--out={other / name}", "--overwrite", code=2
    )
    assert files(other) == before


def test_a_mark_lasts_until_another_run_is_there(tmp_path):
    begin(tmp_path)
    fill(tmp_path, ["thesis.tex", "statistics.csv"])
    with pytest.warns(UserWarning, match="keeps"):
        overwrite(tmp_path)
    assert (tmp_path / ".jaxssl").is_file()
    mine = ("results.csv", "summary.json", "report.html", "config.json")
    fill(tmp_path, mine)
    with pytest.warns(UserWarning, match="keeps"):
        overwrite(tmp_path)
    assert set(files(tmp_path)) == {"thesis.tex", *mine}
    for name in mine:
        (tmp_path / name).unlink()
    begin(tmp_path)
    assert not (tmp_path / ".jaxssl").exists()


def test_every_audit_is_of_the_kind_of_audits():
    assert {OF_READER[what] for what in AUDITS} == {"audit"}
