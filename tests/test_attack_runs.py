"""Attacks on run folders: what is the user's stays, what does not belong together is refused."""

import contextlib
import json
import os
import shutil
import warnings

import pandas as pd
import pytest
from run_folders import mark, write_run
from verbs import TINY, beside, instead, launch, run

import jaxssl
from jaxssl.data.expression import write_h5ad
from jaxssl.data.synthetic import make_synthetic
from jaxssl.runs.kinds import names_of
from jaxssl.runs.output import Output, open_folder, release
from jaxssl.runs.previous import BEFORE
from jaxssl.types import InputError

if not os.environ.get("JAXSSL_ATTACKS"):
    pytest.skip("set JAXSSL_ATTACKS=1: minutes", allow_module_level=True)

pytestmark = [
    pytest.mark.usefixtures("standard_promotion"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
SHORT = "--shares=0.1", "--config.pretrain.n_steps=20"
PRETRAINED = instead(*SHORT, of=beside("scratch,swav"))
PRETRAINED[0] = "--config=demo_synthetic"  # by name: from any folder
CLASSICAL = beside("majority,pca_logreg", PRETRAINED)
GRID = [option for option in TINY if not option.startswith("--arms")]
GRID = [*instead(*SHORT, of=GRID), "--grid=augment.noise:0.5,1"]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A run of every kind that takes seconds, on one data set, and another data set."""
    folder = tmp_path_factory.mktemp("base")
    for name, seed in (("data", 0), ("others", 1)):
        adata = make_synthetic(n_samples=200, n_genes=60, n_classes=4, n_superclasses=2, seed=seed)
        write_h5ad(adata, folder / f"{name}.h5ad")
    data = f"--data={folder / 'data.h5ad'}"
    launch("study", *PRETRAINED, data, f"--out={folder / 'run'}")
    launch("sweep", *CLASSICAL, data, f"--out={folder / 'sweep'}")
    launch("study", *CLASSICAL, "--splits=2", data, f"--out={folder / 'splits'}")
    for shard in ("0/2", "1/2"):
        launch("sweep", *CLASSICAL, f"--shard={shard}", data, f"--out={folder / 'shards'}")
    launch("search", *GRID, data, f"--out={folder / 'grid'}")
    launch("finetune", f"--encoder={folder / 'run'}", data, f"--out={folder / 'clf'}")
    return folder


@pytest.fixture
def at(base, tmp_path):
    """Copies of the runs to be changed."""

    def copy(name, place=None):
        shutil.copy(base / "data.h5ad", tmp_path)
        return shutil.copytree(base / name, place or tmp_path / name, symlinks=True)

    yield copy
    release()


def held(folder):
    """All that lies in a folder, bit for bit, but locks."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
        if not path.name.startswith(".lock")
    }


def overwrite(folder):
    try:
        open_folder(Output(str(folder), overwrite=True))
    finally:
        release()


def go(verb, options, folder, *more, code=0):
    """A verb on the data beside a folder."""
    data = [f"--data={folder.parent / 'data.h5ad'}"]
    return launch(verb, *instead(*data, f"--out={folder}", *more, of=options), code=code)


def refused(verb, options, folder, *more):
    """The sentence by which a verb refuses, and leaves the folder as it was."""
    before = held(folder)
    error = go(verb, options, folder, *more, code=2)
    assert error.startswith("error: ")
    assert held(folder) == before
    return error


def scores(folder):
    """What a comparison comes to, in a fixed order."""
    table = jaxssl.open_study(folder).results.drop(columns="fit_seconds")
    keys = ["split", "arm", "share", "seed", "part", "metric"]
    return table.sort_values(keys).reset_index(drop=True)


def told_by_reading(folder, read):
    """What reading a folder warns of or is refused for, and what it gives."""
    found = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = read(folder)
        except InputError as error:
            warnings.warn(str(error), stacklevel=1)
    return " ".join(str(warning.message) for warning in caught), found


# Kind 1: deletion and replacement of what is the user's


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
        refused("sweep", PRETRAINED, folder, f"--encoder={folder}", how)


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
    refused(verb, own, at("clf"), "--resume")


@pytest.mark.parametrize("verb", ["study", "sweep", "pretrain"])
def test_a_search_is_not_gone_on_with_by_another_verb(verb, at):
    own = [o for o in PRETRAINED if not o.startswith(("--arms", "--shares"))]
    error = refused(verb, own if verb == "pretrain" else CLASSICAL, at("grid"), "--resume")
    assert "search" in error or "grid" in error


@pytest.mark.parametrize("name", ["run", "sweep"])
def test_a_study_is_not_gone_on_with_by_a_search(name, at):
    assert "no" in refused("search", GRID, at(name), "--resume")


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
    refused(verb, options.get(verb, CLASSICAL), at("sweep"), "--overwrite", *more)


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


# Kind 2: what belongs to different things is not pooled


def test_the_encoder_of_one_seed_is_not_taken_for_another(at):
    folder = at("run")
    shutil.rmtree(folder / "encoder" / "seed_001")
    shutil.copytree(folder / "encoder" / "seed_000", folder / "encoder" / "seed_001")
    with pytest.raises(InputError, match="seed_001"):
        _ = jaxssl.open_study(folder).encoders
    assert "seed_001" in go("study", PRETRAINED, folder, "--resume", code=2)
    sweep = folder.parent / "sweep"
    assert "seed_001" in go("sweep", PRETRAINED, sweep, f"--encoder={folder}", code=2)
    assert not sweep.exists()


def test_a_copy_of_a_split_is_no_other_split(at):
    folder = at("splits")
    shutil.rmtree(folder / "split_1")
    shutil.copytree(folder / "split_0", folder / "split_1")
    with pytest.raises(InputError, match="split_1"):
        jaxssl.open_study(folder)
    assert "split_1" in launch("report", folder, "--overwrite", code=2)


def test_splits_that_changed_their_names_are_refused(at):
    folder = at("splits")
    (folder / "split_0").rename(folder / "split_2")
    (folder / "split_1").rename(folder / "split_0")
    (folder / "split_2").rename(folder / "split_1")
    with pytest.raises(InputError, match="split_"):
        jaxssl.open_study(folder)


def test_encoders_of_a_run_inside_do_not_normalize_a_run_that_goes_on(at, tmp_path):
    folder, fresh = at("sweep"), tmp_path / "fresh"
    inside = [o for o in PRETRAINED if not o.startswith(("--arms", "--shares", "--out"))]
    inner = [f"--out={folder / 'more'}", "--config.normalize.n_components=3", "--seeds=1"]
    launch("pretrain", *inside, *inner, f"--data={tmp_path / 'data.h5ad'}")
    more = instead("--shares=0.1,1", of=CLASSICAL)
    go("sweep", more, folder, "--resume")
    go("sweep", more, fresh)
    pd.testing.assert_frame_equal(scores(folder), scores(fresh))


def test_a_part_of_a_run_in_a_folder_of_an_earlier_version_is_refused(at, tmp_path):
    other = at("sweep")
    folder = write_run(tmp_path / "old")
    shutil.copy(other / "results.parquet", folder)
    with pytest.raises(InputError, match="of another run"):
        jaxssl.open_study(folder)


def test_an_encoder_of_a_run_in_a_folder_of_an_earlier_version_is_refused(at, tmp_path):
    other = at("run")
    folder = write_run(tmp_path / "old")
    shutil.copytree(other / "encoder", folder / "encoder")
    with pytest.raises(InputError, match="of another run"):
        _ = jaxssl.open_study(folder).encoders


@pytest.mark.parametrize("name", ["environment.json", "config.json"])
def test_a_run_that_lost_its_record_is_told_by_every_reader(name, at):
    folder = at("sweep")
    (folder / name).unlink()
    assert name in told_by_reading(folder, jaxssl.open_study)[0]


@pytest.mark.parametrize("names", [("environment.json", "config.json", "statistics.csv")])
def test_a_run_that_lost_several_files_is_a_sentence(names, at):
    folder = at("sweep")
    for name in names:
        (folder / name).unlink()
    done = run("report", folder, "--overwrite")
    assert done.returncode in (0, 2), done.stderr


@pytest.mark.parametrize(
    "option",
    [
        "--config.run.chunk=1",
        "--config.run.memory_gb=3",
        "--config.sweep.reference_arms=majority",
    ],
)
def test_shards_that_differ_in_what_decides_nothing_are_one_run(option, at, base):
    folder = at("shards")
    shutil.rmtree(folder / "shard_1_of_2")
    go("sweep", CLASSICAL, folder, "--shard=1/2", option)
    pd.testing.assert_frame_equal(scores(folder), scores(base / "shards"))


@pytest.mark.parametrize(("kind", "part"), [("shards", "shard_1_of_2"), ("splits", "split_1")])
@pytest.mark.parametrize("elsewhere", ["disk/{part}", "disk/part"])
def test_a_part_that_lies_on_another_disk_is_of_its_run(elsewhere, kind, part, at, base, tmp_path):
    folder, place = at(kind), tmp_path / elsewhere.format(part=part)
    place.parent.mkdir()
    (folder / part).rename(place)
    (folder / part).symlink_to(place)
    launch("report", folder, f"--out={tmp_path / 'page' / 'r.html'}")
    pd.testing.assert_frame_equal(scores(folder), scores(base / kind))


def test_a_shard_that_has_only_begun_is_missed_aloud(at):
    folder = at("shards")
    begun = folder / "shard_1_of_2"
    for path in [*begun.iterdir()]:
        if path.name not in ("config.json", "environment.json", "splits.parquet"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    told, result = told_by_reading(folder, jaxssl.open_study)
    assert result.seeds == [0]
    assert "lacks shards 1/2" in told


@pytest.mark.parametrize(
    "names", [("a b", "a-b"), ("日本", "中国"), ("x/run", "y/run", "z/run_1"), ("R", "r")]
)
@pytest.mark.parametrize("suffix", [".md", ".html"])
def test_runs_in_one_report_keep_their_figures_apart(suffix, names, tmp_path):
    folders = [
        write_run(tmp_path / "runs" / name, seeds=tuple(range(2 + i)))
        for i, name in enumerate(names)
    ]
    out = tmp_path / "page" / f"report{suffix}"
    launch("report", *folders, f"--out={out}")
    per_run = tmp_path / "one" / f"report{suffix}"
    launch("report", folders[0], f"--out={per_run}")
    n = len(list((per_run.parent / "figures").glob("endpoint*.csv")))
    assert len(list((out.parent / "figures").glob("*endpoint*.csv"))) == n * len(names)


@pytest.mark.parametrize("name", ["clf", "grid"])
def test_a_folder_of_another_verb_is_reported_or_refused_in_words(name, at):
    folder = at(name)
    before = held(folder)
    done = run("report", folder, f"--out={folder.parent / 'page' / 'r.html'}")
    assert done.returncode in (0, 2), done.stderr
    assert held(folder) == before
    assert done.returncode == 0 or str(folder) in done.stderr


FILES = [
    *("results.parquet", "results.csv", "summary.json", "splits.parquet", "statistics.csv"),
    *("manifest.json", "config.json", "environment.json", "batch.csv", "report.html"),
    "predictions/majority_0.1000.parquet",
]


@pytest.mark.parametrize("name", FILES)
def test_a_folder_in_the_place_of_a_file_is_a_sentence(name, at):
    folder = at("sweep")
    (folder / name).unlink()
    (folder / name).mkdir()
    for done in (
        run("report", folder, f"--out={folder.parent / 'page' / 'r.html'}"),
        run(
            "sweep",
            *CLASSICAL,
            f"--data={folder.parent / 'data.h5ad'}",
            f"--out={folder}",
            "--resume",
        ),
    ):
        assert done.returncode in (0, 2), done.stderr
        assert done.returncode == 0 or name in done.stderr


@pytest.mark.parametrize("name", ["predictions", "figures", "results"])
def test_a_file_in_the_place_of_a_folder_is_a_sentence(name, at):
    folder = at("sweep")
    if (folder / name).exists():
        shutil.rmtree(folder / name)
    (folder / name).write_text("")
    done = run(
        "sweep", *CLASSICAL, f"--data={folder.parent / 'data.h5ad'}", f"--out={folder}", "--resume"
    )
    assert done.returncode in (0, 2), done.stderr
    assert done.returncode == 0 or name in done.stderr


@pytest.mark.parametrize("name", ["encoder", "checkpoints"])
def test_a_file_in_the_place_of_a_folder_of_a_pretraining_is_a_sentence(name, at):
    folder = at("run")
    shutil.rmtree(folder / name)
    shutil.rmtree(folder / "encoder" / "seed_001", ignore_errors=True)
    (folder / name).write_text("")
    before = held(folder)
    done = run(
        "study", *PRETRAINED, f"--data={folder.parent / 'data.h5ad'}", f"--out={folder}", "--resume"
    )
    assert done.returncode == 2, done.stderr
    assert name in done.stderr
    assert held(folder).keys() == before.keys()


@pytest.mark.parametrize("cut", ["empty", "half"])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_of_a_finished_run_is_told(name, cut, at, base):
    folder = at("sweep")
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2] if cut == "half" else b"")
    told, found = told_by_reading(folder, scores)
    assert name == "report.html" or name in told
    if found is not None:
        pd.testing.assert_frame_equal(found, scores(base / "sweep"))
    options = (*CLASSICAL, f"--data={folder.parent / 'data.h5ad'}", f"--out={folder}", "--resume")
    done = run("sweep", *options)
    if done.returncode:
        assert done.returncode == 2, done.stderr
        assert name in done.stderr
        (folder / name).unlink()  # as it advises
        done = run("sweep", *options)
        if name in ("config.json", "environment.json"):
            assert name in done.stderr
            return
    assert done.returncode == 0, done.stderr
    pd.testing.assert_frame_equal(scores(folder), scores(base / "sweep"))


@pytest.mark.parametrize("cut", ["empty", "half", "gone"])
@pytest.mark.parametrize(
    "name",
    [
        *("metrics.jsonl", "embedding.h5ad", "prototype_usage.csv", "checkpoints/chunk.json"),
        *("encoder/seed_001/bundle.json", "encoder/seed_001/genes.txt"),
    ],
)
def test_a_damaged_file_of_a_pretraining_is_told(name, cut, at):
    folder = at("run")
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2] if cut == "half" else b"")
    if cut == "gone":
        (folder / name).unlink()
    told, _ = told_by_reading(folder, lambda place: jaxssl.open_study(place).encoders)
    needless = ("checkpoints/chunk.json", "embedding.h5ad")  # as a report says
    assert name.rpartition("/")[0 if "encoder" in name else 2] in told or name in needless


@pytest.mark.parametrize("name", ["pretraining.parquet", "results.parquet", "points.csv"])
@pytest.mark.parametrize("cut", ["gone", "half"])
def test_a_damaged_table_of_a_search_is_told_or_computed_again(name, cut, at, base):
    folder = at("grid")
    whole = (folder / name).read_bytes()
    (folder / name).unlink()
    if cut == "half":
        (folder / name).write_bytes(whole[: len(whole) // 2])
    data = (f"--data={folder.parent / 'data.h5ad'}", f"--out={folder}", "--resume")
    done = run("search", *GRID, *data)
    if done.returncode:
        assert done.returncode == 2, done.stderr
        assert name in done.stderr
    else:
        one, two = (pd.read_csv(f / "points.csv") for f in (folder, base / "grid"))
        pd.testing.assert_frame_equal(one, two)


# Kind 2: runs that go on with more, with less, or after a change


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
    assert "splits" in refused("study", CLASSICAL, at("splits"), "--resume")
    assert "splits" in refused("study", CLASSICAL, at("sweep"), "--splits=3", "--resume")


@pytest.mark.parametrize(
    "option",
    [
        *("--config.split.seed=1", "--config.normalize.n_components=3", "--label=superclass"),
        *("--data=others.h5ad", "--config.split.test_share=0.2"),
    ],
)
def test_a_change_is_refused_and_the_run_goes_on_as_if_it_had_not_been(option, at, base):
    folder = at("sweep")
    refused("sweep", CLASSICAL, folder, "--resume", option.replace("others", f"{base}/others"))
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
