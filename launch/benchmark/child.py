"""Measurements in a process of their own, where nothing else was allocated or compiled before."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def run_module(module: str, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    """Run `python -m module arguments` and return what it printed.

    Raises:
        RuntimeError: with the end of its errors, if the process fails.
    """
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | (env or {}), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[1:])} failed: {done.stderr[-2000:]}")
    return done.stdout


def ask(module: str, *arguments: Any, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What the module's `answer` returns for these arguments."""
    printed = run_module(module, *map(json.dumps, arguments), env=env)
    return json.loads(printed.splitlines()[-1])


def answer(measure: Callable[..., Mapping[str, Any]]) -> None:
    """Print what `measure` finds for the arguments of this process, as `ask` reads it."""
    print(json.dumps(measure(*map(json.loads, sys.argv[1:]))))
