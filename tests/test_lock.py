"""Locks: one process writes an output, and a dead one locks nothing."""

import errno
import os
import signal
import subprocess
import sys

import pytest
from verbs import ROOT

from jaxssl.runs import output
from jaxssl.runs.layout import LOCK
from jaxssl.types import InputError

HOLD = "import sys, time; from pathlib import Path; from jaxssl.runs import output; "
HOLD += "output.hold(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"


@pytest.fixture
def other(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path / LOCK)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_and_told_of_the_first(other, tmp_path):
    for act in (output.hold, output.check_lock):
        with pytest.raises(InputError, match=f"process {other.pid} on"):
            act(tmp_path / LOCK)


@pytest.fixture
def without_locks(monkeypatch):
    """A file system that has no locks."""

    def refuse(path, **_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(output, "FileLock", refuse)


def test_without_locks_a_file_does_and_that_of_a_dead_process_is_free(without_locks, tmp_path):
    soft = HOLD.replace("output.hold", "output.FileLock = output.SoftFileLock; output.hold")
    command = [sys.executable, "-c", soft, str(tmp_path / LOCK)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=f"process {process.pid} on .*delete {tmp_path}"):
            output.hold(tmp_path / LOCK)
        process.kill()
    output.hold(tmp_path / LOCK)
    output.release()
    assert not list(tmp_path.iterdir())


def test_the_lock_of_a_killed_process_is_free(other, tmp_path):
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    assert (tmp_path / LOCK).exists()
    output.hold(tmp_path / LOCK)
    output.hold(tmp_path / LOCK)  # one's own is no other's
    output.release()
    assert not (tmp_path / LOCK).exists()


def test_two_blocks_of_one_process_share_no_folder(tmp_path):
    refused = pytest.raises(InputError, match="another study of this process writes")
    with output.released(tmp_path), refused, output.released(tmp_path):
        pass  # before the lock is there, too
    with output.released(tmp_path):
        output.hold(tmp_path / LOCK)
    assert not (tmp_path / LOCK).exists()
