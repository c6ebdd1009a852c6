"""Measurements in a process of their own, where nothing else was allocated or compiled before."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

Found = TypeVar("Found")

LAUNCH = str(__package__).removesuffix(".benchmark")


def in_new_process(measure: Callable[..., Found], *arguments: object) -> Found:
    """Return what a function of a module finds for these arguments in a new process."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(measure, *arguments).result()


def command(verb: str, *flags: str) -> list[str]:
    """The command line of a verb."""
    return [sys.executable, "-m", f"{LAUNCH}.{verb}", *flags]


def run_verb(verb: str, *flags: str) -> None:
    """Run a verb to its end.

    Raises:
        RuntimeError: with the end of its errors, if it fails.
    """
    done = subprocess.run(command(verb, *flags), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{verb} {' '.join(flags)} failed: {done.stderr[-2000:]}")
