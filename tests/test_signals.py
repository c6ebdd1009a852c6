"""A pretraining that is told to end saves first, and goes on to the same end."""

import os
import signal
import subprocess
import sys
import time

import pytest
from verbs import PRETRAIN, ROOT, launch

from launch import signals
from launch.benchmark.kills import differences

OPTIONS = [*PRETRAIN, "--config.pretrain.n_steps=600"]


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
    launch("pretrain", *OPTIONS, f"--out={whole}")
    command = [sys.executable, "-m", "launch.pretrain", *OPTIONS, f"--out={cut}"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert any(", step 42:" in line for line in process.stdout), "the first epoch's end"
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    assert error == "error: terminated and saved; the same command with --resume goes on\n"
    assert not (cut / ".lock").exists()
    printed = launch("pretrain", *OPTIONS, f"--out={cut}", "--resume")
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


ENDLESS = [
    *("--config=configs/demo_synthetic.py", "--seeds=2", "--shares=1", "--arms=majority,scratch"),
    *("--config.encoder.hidden=(8,)", "--config.finetune.transfer_layers=1"),
    "--config.finetune.scratch_steps=1000000000",
]


def ended(number, begun, *command, after=0.0, again=0):
    """Code, output and error of a Python that gets a signal so long after a line with `begun`.

    Python itself forgets an interrupt that comes while a library calls back: then once more.
    """
    with subprocess.Popen(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env=os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": f"{ROOT}:{ROOT}/tests/offline"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        printed = next(line for line in process.stdout if begun in line)
        time.sleep(after)
        process.send_signal(number)
        try:
            for _ in range(again):
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.send_signal(number)
            rest, error = process.communicate(timeout=100)  # the fit itself would take days
        finally:
            process.kill()
    return process.returncode, printed + rest, error


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_fit_that_computes_for_days_ends_by_a_signal(number, tmp_path):
    out = tmp_path / "out"
    verb = ["-m", "launch.study", *ENDLESS, f"--out={out}"]
    code, _, error = ended(number, "arm and share 1/2", *verb, after=4)
    assert code == 128 + number
    assert error == f"error: {signals.NAMES[number]}; the same command with --resume goes on\n"
    assert not [*out.glob(".lock*")]


NOTEBOOK = """
import os, signal, sys, jaxssl
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background job ignores
config, out = jaxssl.Config(), sys.argv[1]
config.encoder.hidden, config.finetune.transfer_layers = (8,), 1
config.finetune.scratch_steps = 1_000_000_000
arms = ["majority", "scratch"]
try:
    jaxssl.study("synthetic", out=out, arms=arms, shares=[1.0], seeds=2, config=config)
except KeyboardInterrupt:
    print("locked" if os.path.exists(out + "/.lock") else "free", jaxssl.open_study(out).seeds)
    sys.stdout.flush()
    os._exit(7)  # what was compiled still computes
"""


def test_an_interrupt_in_python_ends_a_fit_and_leaves_a_folder_to_resume(tmp_path):
    notebook = ["-c", NOTEBOOK, tmp_path / "out"]
    code, printed, _ = ended(signal.SIGINT, "arm and share 1/2", *notebook, after=4, again=3)
    assert code == 7
    assert printed.endswith("free [0, 1]\n")


STUCK = """
import os, time
from launch import signals
signals.GRACE = 0.2
signals.install()
with signals.watched(lambda end: os._exit(end.code)):
    print("begun", flush=True)
    while True:
        try:
            time.sleep(1000)
        except signals.Ended:
            pass  # as if nothing were heard
"""


def test_a_main_thread_that_hears_of_no_signal_is_ended():
    code, _, error = ended(signal.SIGINT, "begun", "-c", STUCK)
    assert (code, error) == (128 + signal.SIGINT, "")


def test_a_signal_while_a_verb_is_imported_is_one_line():
    code = "import sys; sys.argv = ['-m']; import launch, os, signal; os.kill(os.getpid(), 2)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (130, "error: interrupted\n")
