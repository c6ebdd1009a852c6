"""Locks: one process writes an output, and a dead one locks nothing."""

import errno
import os
import signal
import socket
import subprocess
import sys

import pytest
from verbs import ROOT

from jaxssl.types import InputError
from launch import lock

HOLD = "import sys, time; from pathlib import Path; from launch import lock; "
HOLD += "lock.hold(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"


@pytest.fixture
def other(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path / lock.LOCK)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_and_told_of_the_first(other, tmp_path):
    for act in (lock.hold, lock.check):
        with pytest.raises(InputError, match=f"process {other.pid} on"):
            act(tmp_path / lock.LOCK)


@pytest.fixture
def without_locks(monkeypatch):
    """A file system that has no locks."""

    def flock(file, kind):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(lock.fcntl, "flock", flock)


def test_without_locks_the_process_that_the_file_names_decides(without_locks, tmp_path):
    file, here = tmp_path / lock.LOCK, socket.gethostname()
    for owner in (
        f"process {os.getppid()} on {here} since then",
        "process 1 on elsewhere since then",
    ):
        file.write_text(owner)
        with pytest.raises(InputError, match=f"{owner} .*delete {file}"):
            lock.hold(file)
    with subprocess.Popen(["true"]) as dead:
        dead.wait()
    file.write_text(f"process {dead.pid} on {here} since then")
    lock.hold(file)
    assert f"process {os.getpid()} on {here}" in file.read_text()
    lock.release()


def test_the_lock_of_a_killed_process_is_free(other, tmp_path):
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    assert (tmp_path / lock.LOCK).exists()
    lock.hold(tmp_path / lock.LOCK)
    lock.hold(tmp_path / lock.LOCK)  # one's own is no other's
    lock.release()
    assert not (tmp_path / lock.LOCK).exists()
