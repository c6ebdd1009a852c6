"""Verbs as a user runs them, without a network: in this process, or in one of their own.

In this process a verb's module is run as `python -m` runs it, flags and exit status included. What
starts, signals or limits a process takes one of its own, and so do verbs that run side by side.
"""

import contextlib
import copy
import io
import os
import runpy
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jax
from absl import app, flags

from jaxssl.evaluation import grid
from jaxssl.runs import output
from jaxssl.types import InputError

ROOT = Path(__file__).parents[1]
TINY = [
    "--config=configs/demo_synthetic.py",
    "--seeds=2",
    "--shares=0.1,1",
    "--arms=majority,scratch,pca_logreg,swav",
    "--config.pretrain.n_steps=80",
    "--config.encoder.hidden=(32,16)",
    "--config.finetune.transfer_layers=2",
    "--config.finetune.scratch_steps=20",
    "--config.finetune.n_steps=10",
    "--config.finetune.probe_steps=20",
]


def beside(arms, options=TINY):
    """Options for other arms: without those that none of them reads."""
    kept = []
    for option in options:
        name = option.partition("=")[0].removeprefix("--config.")
        with contextlib.suppress(InputError):
            grid.refuse_unread_by(tuple(arms.split(",")), [name])
            kept += [] if name == "--arms" else [option]
    return [*kept, f"--arms={arms}"]


def instead(*options, of=TINY):
    """Options with these in the place of those that have their names."""
    named = {option.partition("=")[0] for option in options}
    return [*(kept for kept in of if kept.partition("=")[0] not in named), *options]


PRETRAIN = [option for option in TINY if not option.startswith(("--shares", "--arms"))]
"""Of these, what a pretraining alone has."""
_READS = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "1e9",
    "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=1",
}
"""Reads programs that this process compiled and leaves none: those of one that may write little
would be cut short."""

jax.devices()  # as one device, whichever test is the first: a verb makes several of a CPU's cores
app.define_help_flags()  # absl does so once a process, and `_own_flags` forgets


class Done(NamedTuple):
    """What a verb left, as `subprocess.run` has it."""

    returncode: int
    stdout: str
    stderr: str


def at_most(kib):
    """A command that runs another, which the system lets write no larger file."""
    return ["bash", "-c", 'ulimit -f "$0" && exec "$@"', str(kib)]


def launch(verb, *args, code=0, prefix=()):
    """Run a verb here, or by a command that runs it; returns what it printed, or its error."""
    return _checked(_process(verb, args, prefix, ROOT) if prefix else run(verb, *args), code)


def launch_alone(verb, *args, code=0):
    """Run a verb in a process of its own; returns what it printed, or a failure's error."""
    return _checked(_process(verb, args, (), ROOT), code)


def run(verb, *args, cwd=ROOT) -> Done:
    """Run a verb in this process, as if it were a new one."""
    printed, error, code = io.StringIO(), io.StringIO(), 0
    with (
        contextlib.chdir(cwd),
        _new_process(["launch", *map(str, args)]),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(error),
    ):
        try:
            runpy.run_module(f"launch.{verb}", run_name="__main__", alter_sys=True)
        except SystemExit as end:
            code = end.code or 0
    return Done(code, printed.getvalue(), error.getvalue())


def _process(verb, args, prefix, cwd) -> Done:
    done = subprocess.run(
        [*prefix, sys.executable, "-m", f"launch.{verb}", *map(str, args)],
        cwd=cwd,
        capture_output=True,
        text=True,
        env=os.environ | {"JAX_PLATFORMS": "cpu"} | (_READS if prefix else {}),
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def _checked(done: Done, code: int) -> str:
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


@contextlib.contextmanager
def _new_process(arguments: list[str]) -> Iterator[None]:
    """What a process begins with and gives back at its end."""
    with _own_flags(), _own_modules(), _own_signals(), _own_numerics():
        before, sys.argv = sys.argv, arguments
        hook = sys.unraisablehook
        try:
            yield
        finally:
            sys.argv, sys.unraisablehook = before, hook
            output.release()


@contextlib.contextmanager
def _own_modules() -> Iterator[None]:
    """The modules of `launch` are imported anew: each defines its flags."""
    kept = {name: sys.modules.pop(name) for name in [*sys.modules] if _is_ours(name)}
    try:
        yield
    finally:
        for name in filter(_is_ours, [*sys.modules]):
            del sys.modules[name]
        sys.modules.update(kept)


@contextlib.contextmanager
def _own_flags() -> Iterator[None]:
    """No flag of `launch` is defined, and no other is set."""
    values = flags.FLAGS
    state = {name: copy.copy(value) for name, value in vars(values).items()}
    for name in ("__flags_by_module", "__flags_by_module_id", "__key_flags_by_module"):
        state[name] = {module: [*defined] for module, defined in state[name].items()}
    options = {name: dict(vars(values[name])) for name in values}
    for module, defined in values.flags_by_module_dict().items():
        for flag in [*defined] if _is_ours(module) else []:
            delattr(values, flag.name)
    try:
        yield
    finally:
        vars(values).clear()
        vars(values).update(state)
        for name, option in options.items():
            vars(values[name]).update(option)


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    handlers = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _own_numerics() -> Iterator[None]:
    """JAX's and Python's defaults in the place of the suite's strict ones."""
    with (
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
        warnings.catch_warnings(),
    ):
        warnings.resetwarnings()
        for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning):
            warnings.simplefilter("ignore", category)
        warnings.simplefilter("ignore", ResourceWarning)
        yield


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] == "launch"
