"""Files are there whole or not at all, and what the disk refuses is said in words."""

import errno
import os

import pytest

from jaxssl.files import complete_folder, disk_trouble, sweep_parts, write_text


def test_what_the_disk_refuses_is_told_whichever_library_says_it():
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "out.h5ad")
    assert disk_trouble(full) == "out.h5ad: no space is left on the disk"
    of_hdf5 = RuntimeError(f"Can't write data (error message = '{os.strerror(errno.EDQUOT)}')")
    assert disk_trouble(of_hdf5) == "the disk quota is used up"
    assert disk_trouble(OSError(errno.EROFS, "")) == "the file system is read-only"
    assert disk_trouble(ValueError("a shape")) == ""


def test_only_what_killed_processes_left_is_swept_away(tmp_path):
    kept = [tmp_path / "x.part", tmp_path / ".hidden", tmp_path / "sub" / "x.csv"]
    (tmp_path / "sub" / ".seed.1.part" / "inner").mkdir(parents=True)
    for path in (*kept, tmp_path / ".x.csv.1.part", tmp_path / "sub" / ".seed.1.part" / "a"):
        path.touch()
    sweep_parts(tmp_path)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == set(kept)
    assert not (tmp_path / "sub" / ".seed.1.part").exists()


def test_a_folder_is_replaced_whole_or_stays_as_it_was(tmp_path):
    def write(text):
        with complete_folder(tmp_path / "seed") as part:
            (part / text).touch()
            assert text != "broken"

    write("first")
    with pytest.raises(AssertionError):
        write("broken")
    assert [path.name for path in (tmp_path / "seed").iterdir()] == ["first"]
    write("second")
    assert [path.name for path in (tmp_path / "seed").iterdir()] == ["second"]
    assert [path.name for path in tmp_path.iterdir()] == ["seed"]


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
