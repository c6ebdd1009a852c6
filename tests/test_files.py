"""Artefacts are there whole or not at all, whatever the disk or the writer does."""

import errno
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from run_folders import mark
from verbs import PRETRAIN, at_most, launch

from jaxssl.files import complete_folder, disk_trouble, replacing, sweep_parts, write_text
from jaxssl.runs.output import Output, open_folder, release
from jaxssl.types import InputError
from launch.benchmark.kills import differences

READ_ONLY = 'mount --bind {0} {0} && mount -o remount,bind,ro {0} && exec "$@"'


@pytest.fixture
def matrix(tmp_path):
    values = np.random.default_rng(0).poisson(90, (400, 30))
    genes, samples = ([f"{k}{i:011d}" for i in range(n)] for k, n in (("ENSG", 400), ("S", 30)))
    pd.DataFrame(values, genes, samples).to_csv(tmp_path / "x.csv")
    return tmp_path / "x.csv"


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with replacing(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def fail_halfway(make, path, file):
    with make(path) as part:
        (part / file).write_text("new")
        raise ZeroDivisionError


@pytest.mark.parametrize(("make", "file"), [(replacing, ""), (complete_folder, "file")])
def test_a_writer_that_fails_leaves_what_was_there(make, file, tmp_path):
    path = tmp_path / "name"
    before = path / file
    before.parent.mkdir(exist_ok=True)
    before.write_text("old")
    with pytest.raises(ZeroDivisionError):
        fail_halfway(make, path, file)
    assert before.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_stood_in_a_place_is_back_when_the_new_one_cannot_take_it(tmp_path, monkeypatch):
    with complete_folder(tmp_path / "run") as part:
        (part / "file").write_text("old")
    replace = os.replace

    def fail(source, target):
        if str(source).endswith(".part") and ".old." not in str(source):
            raise OSError(errno.EIO, "failed")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="failed"), complete_folder(tmp_path / "run") as part:
        (part / "file").write_text("new")
    assert (tmp_path / "run" / "file").read_text() == "old"
    assert list(tmp_path.iterdir()) == [tmp_path / "run"]


def test_a_run_inside_a_run_sweeps_its_own(tmp_path):
    inner = tmp_path / "run" / "split_0"
    inner.mkdir(parents=True)
    mark(tmp_path / "run")
    for name in (".lock", ".results.csv.7.part"):
        (inner / name).write_text("")
    open_folder(Output(str(tmp_path / "run"), resume=True))
    release()
    assert (inner / ".results.csv.7.part").exists()


@pytest.mark.parametrize("flag", ["resume", "overwrite"])
def test_a_folder_that_no_run_made_is_left_alone(flag, tmp_path):
    (tmp_path / "thesis.docx").write_text("")
    with pytest.raises(InputError, match=f"no run folder, so `{flag}` leaves it"):
        open_folder(Output(str(tmp_path), **{flag: True}))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.docx"]


def test_what_differs_is_named_and_nothing_is_no_reference(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing to compare"):
        differences(tmp_path, tmp_path)
    for name, value in (("a", 0.5), ("b", np.nextafter(0.5, 1))):
        (tmp_path / name).mkdir()
        rows = pd.DataFrame({"arm": ["swav"], "value": [value], "seconds": [len(name)]})
        rows.to_parquet(tmp_path / name / "results.parquet")
    assert differences(tmp_path / "a", tmp_path / "a") == []
    assert differences(tmp_path / "a", tmp_path / "b") == ["results.parquet"]


def test_what_killed_writers_left_is_swept_and_nothing_else(tmp_path):
    mark(tmp_path / "run")
    names = ("a.part", ".hidden", ".thesis.part", ".thesis.2024.part", ".results.csv.draft.part")
    kept = [*(tmp_path / "run").iterdir(), *(tmp_path / "run" / name for name in names)]
    left = (".results.csv.123.part", "encoder/.seed_000.12.x1y2z3_4.part/arrays/d")
    for path in (*kept, *(tmp_path / "run" / name for name in left)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a").close()
    open_folder(Output(str(tmp_path / "run"), resume=True))
    release()
    assert sorted((tmp_path / "run").rglob("*")) == sorted([*kept, tmp_path / "run" / "encoder"])


def test_a_folder_that_was_set_aside_when_its_writer_was_killed_is_put_back(tmp_path):
    bundle = tmp_path / "seed_000"
    for text in ("old", "new"):
        with complete_folder(bundle) as part:
            (part / "file").write_text(text)
            assert (bundle / "file").exists() == (text == "new")
    assert [path.name for path in tmp_path.iterdir()] == ["seed_000"]
    bundle.rename(tmp_path / ".seed_000.old.part")
    sweep_parts(tmp_path, {"seed_000": {"file": None}})
    assert (bundle / "file").read_text() == "new"


def test_a_link_named_as_a_half_written_file_leads_nowhere(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "data").write_text("")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".a.1.part").symlink_to(tmp_path / "elsewhere")
    sweep_parts(tmp_path / "run", {"a": None})
    assert not list((tmp_path / "run").iterdir())
    assert (tmp_path / "elsewhere" / "data").exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_what_the_disk_refuses_is_told_also_in_the_words_of_other_libraries(number):
    own = disk_trouble(OSError(number, os.strerror(number), "runs/a"))
    assert own.startswith("runs/a: ")
    other = f"Can't write data (errno = {number}, error message = '{os.strerror(number)}')"
    assert disk_trouble(RuntimeError(other)) == own.removeprefix("runs/a: ")
    assert disk_trouble(OSError(errno.ENOENT, "no such file")) == ""


def test_a_copy_that_the_disk_refuses_is_told_of_by_what_was_to_be_written():
    error = OSError(errno.EFBIG, "File too large", "data.h5ad", None, "out/.new.h5ad.77.part")
    assert disk_trouble(error).startswith("out/new.h5ad: the file would be larger")


def test_an_import_that_the_disk_refuses_leaves_the_one_before(matrix):
    out = matrix.with_suffix(".h5ad")
    launch("prepare", matrix, f"--out={out}")
    before = {path: path.read_bytes() for path in matrix.parent.iterdir()}
    error = launch("prepare", matrix, f"--out={out}", "--overwrite", prefix=at_most(30), code=2)
    assert re.fullmatch(
        r"error: .*larger than this system allows; what was there .* whole\n", error
    )
    assert {path: path.read_bytes() for path in matrix.parent.iterdir()} == before


def test_a_folder_that_cannot_be_written_is_named_before_anything_is_read(matrix):
    folder = matrix.parent / "locked"
    folder.mkdir()
    prefix = ["unshare", "--map-root-user", "--mount", "bash", "-c", READ_ONLY.format(folder), "_"]
    try:
        subprocess.run([*prefix, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this system lets no process mount a folder: {error}")
    for words in (
        ["prepare", matrix, f"--out={folder}/x.h5ad"],
        ["pretrain", *PRETRAIN, "--data=absent.h5ad", f"--out={folder}"],
    ):
        error = launch(*words, prefix=prefix, code=2)
        assert error == f"error: {folder} cannot be written; pass another --out\n"
    assert not list(Path(folder).iterdir())


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_file_systems_that_cannot_flush_are_written_to_all_the_same(tmp_path, monkeypatch, number):
    def refuse(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("os.fsync", refuse)
    write_text(tmp_path / "x", "text")
    assert (tmp_path / "x").read_text() == "text"


def test_a_disk_that_fails_to_flush_ends_the_write_and_leaves_the_old_file(tmp_path, monkeypatch):
    def fail(_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    write_text(tmp_path / "x", "old")
    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        write_text(tmp_path / "x", "new")
    assert (tmp_path / "x").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
