"""A study end to end: seconds of every stage."""

import json
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from launch.benchmark.child import run_module
from launch.benchmark.machine import Limits
from launch.benchmark.references import References


class Case(NamedTuple):
    """A configuration and how many seeds of it."""

    config: str
    n_seeds: int


QUICK = (Case("configs/demo_synthetic.py", 4),)
FULL = (*QUICK, Case("configs/demo_synthetic.py", 16))


def measure(case: Case, limits: Limits, n_rounds: int, references: References) -> dict[str, Any]:
    """One row, from the run's own `summary.json`."""
    del limits, n_rounds, references  # as every section takes them
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        flags = (f"--config={case.config}", f"--seeds={case.n_seeds}", f"--out={out}")
        run_module("launch.study", *flags)
        return case._asdict() | json.loads((out / "summary.json").read_text())["timings"]
