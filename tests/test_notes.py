"""Where the seconds of a run are booked."""

import warnings

import jax
import jax.numpy as jnp
import pytest

from jaxssl.runs import notes as notes_module
from jaxssl.runs.notes import Compilations, Notes
from jaxssl.types import InputError


class Clock:
    """Seconds that pass when they are told to, and compilations that take them."""

    def __init__(self, monkeypatch):
        self.now, self.seconds = 100.0, 0.0
        monkeypatch.setattr(notes_module.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(notes_module, "Compilations", lambda: self)

    def work(self, seconds, compiling=0.0):
        self.now += seconds + compiling
        self.seconds += compiling


def test_every_second_is_booked_once(monkeypatch):
    clock = Clock(monkeypatch)
    notes = Notes(print)
    with notes.stage("outer"):
        clock.work(1)
        with notes.stage("inner"):
            clock.work(2, compiling=4)
        clock.work(8, compiling=16)  # a stage that times itself
        notes.book("elsewhere", 24.0)
        clock.work(32)
    with notes.stage("inner"):
        clock.work(64)
    assert notes.seconds == {"compile": 20, "inner": 66, "elsewhere": 8, "outer": 33}
    assert notes.timings()["total"] == sum(notes.seconds.values())


def test_seconds_too_short_to_show_add_up(monkeypatch):
    clock = Clock(monkeypatch)
    notes = Notes(print)
    for _ in range(1000):
        with notes.stage("short"):
            clock.work(0.004)
    assert notes.timings() == {"compile": 0, "short": 4.0, "total": 4.0}


def test_warnings_of_a_stage_are_kept_once(capsys):
    notes = Notes(print)
    with notes.stage("any"):
        for _ in range(2):
            warnings.warn("beware", stacklevel=1)
    assert notes.warnings == ["beware"]
    assert capsys.readouterr().out == "warning: beware\n"


def test_a_program_is_counted_when_it_is_compiled_and_not_when_it_runs():
    def fresh(x):
        return x * 3.5

    found = Compilations()
    run, x = jax.jit(fresh), jnp.ones(5)
    run(x)
    programs, seconds = list(found.programs), found.seconds
    run(x)
    assert (found.programs, found.seconds) == (programs, seconds)
    assert programs.count("jit(fresh)") == 1
    assert seconds > 0


def test_all_leaks_that_are_not_allowed_are_named_at_once():
    found = {"groups": "a patient in two parts", "twins": "a pair in two parts"}
    with pytest.raises(InputError, match=r"leak \(groups\).*leak \(twins\)") as refused:
        Notes(print).leaks(found, ["fitted"])
    assert "`allow_leaks=fitted,groups,twins`" in refused.value.fix
    notes = Notes(print)
    notes.leaks(found, ["groups", "twins"])
    assert len(notes.allowed_leaks) == 2
