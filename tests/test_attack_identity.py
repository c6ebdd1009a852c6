"""Attacks of kind 2: what belongs to different things is pooled."""

import shutil

import pandas as pd
import pytest
from attacks import CLASSICAL, GRID, PRETRAINED, go, held, scores, told_by_reading
from run_folders import write_run
from verbs import instead, launch, run

import jaxssl
from jaxssl.types import InputError

pytestmark = [
    pytest.mark.usefixtures("standard_promotion"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


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
