"""Where the seconds of a run are booked."""

import time
import warnings

import jax
import jax.numpy as jnp
import pytest

from launch.compilations import compilations
from launch.notes import Notes


def test_every_second_is_booked_once():
    notes = Notes()
    with notes.stage("outer"):
        time.sleep(0.05)
        with notes.stage("inner"):
            jax.jit(lambda x: jnp.sin(x) + 1.25)(jnp.ones(3))
            time.sleep(0.05)
        notes.book("elsewhere", 0.02)
    booked = notes.seconds
    assert set(booked) == {"outer", "inner", "elsewhere", "compile"}
    assert booked["inner"] >= 0.05
    assert booked["elsewhere"] == pytest.approx(0.02, abs=0.01)
    assert sum(booked.values()) == pytest.approx(notes.timings()["total"], abs=0.03)


def test_warnings_of_a_stage_are_kept_once(capsys):
    notes = Notes()
    with notes.stage("any"):
        for _ in range(2):
            warnings.warn("beware", stacklevel=1)
    assert notes.warnings == ["beware"]
    assert capsys.readouterr().out == "warning: beware\n"


def test_a_program_is_counted_when_it_is_compiled_and_not_when_it_runs():
    def fresh(x):
        return x * 3.5

    before = compilations()
    run, x = jax.jit(fresh), jnp.ones(5)
    run(x)
    once = compilations()
    run(x)
    assert compilations() == once
    new = once.programs[len(before.programs) :]
    assert new.count("jit(fresh)") == 1
    assert once.seconds > before.seconds
