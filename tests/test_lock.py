"""Locks: one process writes an output, and a dead one locks nothing."""

import os
import signal
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


def test_the_lock_of_a_killed_process_is_free(other, tmp_path):
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    assert (tmp_path / lock.LOCK).exists()
    lock.hold(tmp_path / lock.LOCK)
    lock.hold(tmp_path / lock.LOCK)  # one's own is no other's
    lock.release()
    assert not (tmp_path / lock.LOCK).exists()
