"""Measurements in a process of their own, where nothing else was allocated or compiled before."""

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]


def run_module(module: str, *arguments: Any) -> str:
    """Run `python -m module arguments` and return what it printed.

    Raises:
        RuntimeError: with the end of its errors, if the process fails.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[1:])} failed: {done.stderr[-2000:]}")
    return done.stdout


def measure_in_child(module: str, *arguments: Any) -> dict[str, Any]:
    """The last line that `run_module` prints, read as JSON."""
    return json.loads(run_module(module, *arguments).splitlines()[-1])


def resident_bytes() -> int:
    """Memory of this process now."""
    return psutil.Process().memory_info().rss


def peak_bytes() -> int:
    """Largest memory of this process so far."""
    status = Path("/proc/self/status")
    if status.exists():  # there getrusage would count the parent's memory at the start
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
