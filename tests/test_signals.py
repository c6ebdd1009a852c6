"""A pretraining that is told to end saves first, and goes on to the same end."""

import os
import signal
import subprocess
import sys

import pytest
from verbs import PRETRAIN, ROOT, launch_alone

from launch import signals
from launch.benchmark.kills import differences

OPTIONS = [*PRETRAIN, "--config.pretrain.n_steps=1600"]


@pytest.fixture
def handlers(monkeypatch):
    """Our handlers, for the time of a test."""
    before = {number: signal.getsignal(number) for number in signals.NAMES}
    monkeypatch.setattr(signals._Asked, "number", 0)
    signals.install()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_sigterm_saves_and_the_resumed_run_is_bitwise_the_uninterrupted_one(tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    launch_alone("pretrain", *OPTIONS, f"--out={whole}")
    command = [sys.executable, "-m", "launch.pretrain", *OPTIONS, f"--out={cut}"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert any(", step 42:" in line for line in process.stdout), "the first epoch's end"
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    assert error == "error: terminated and saved; the same command with --resume goes on\n"
    assert not (cut / ".lock").exists()
    printed = launch_alone("pretrain", *OPTIONS, f"--out={cut}", "--resume")
    assert ", step 42:" not in printed, "no epoch that was saved is trained again"
    assert differences(cut, whole) == []


def signalled(number, told):
    """Two epochs, each ended by a signal; notes whether the first was asked to be the last."""
    with signals.patient() as asked:
        told.append(asked())
        os.kill(os.getpid(), number)
        told.append(asked())
        os.kill(os.getpid(), number)
        told.append("never")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_first_signal_asks_and_a_second_ends(number, handlers):
    told = []
    with pytest.raises(signals.Ended) as end:
        signalled(number, told)
    assert told == [False, True]
    assert end.value.code == 128 + number


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_outside_of_what_can_be_saved_the_first_signal_ends(number, handlers):
    with signals.patient() as asked:
        assert not asked()
    with pytest.raises(signals.Ended) as end:
        os.kill(os.getpid(), number)
    assert end.value.code == 128 + number
