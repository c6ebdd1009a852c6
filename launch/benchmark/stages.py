"""A study end to end: seconds of every stage."""

import json
import tempfile
from pathlib import Path
from typing import NamedTuple

from launch.benchmark.child import run_module
from launch.benchmark.section import Column, Row, Section


class Case(NamedTuple):
    """A configuration and how many seeds of it."""

    config: str
    n_seeds: int


QUICK = (Case("configs/demo_synthetic.py", 4),)
FULL = (*QUICK, Case("configs/demo_synthetic.py", 16))


def measure(case: Case) -> Row:
    """One row, from the run's own `summary.json`."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        flags = (f"--config={case.config}", f"--seeds={case.n_seeds}", f"--out={out}")
        run_module("launch.study", *flags)
        return case._asdict() | json.loads((out / "summary.json").read_text())["timings"]


COLUMNS = (
    Column("config", "config"),
    Column("seeds", "n_seeds"),
    Column("compile", "compile", ".1f"),
    Column("read", "read", ".1f"),
    Column("normalize", "normalize", ".1f"),
    Column("pretrain", "pretrain", ".1f"),
    Column("maps", "maps", ".1f"),
    Column("baselines", "baselines", ".1f"),
    Column("finetune", "finetune", ".1f"),
    Column("evaluate", "evaluate", ".1f"),
    Column("report", "report", ".1f"),
    Column("total", "total", ".1f"),
)
SECTION = Section(COLUMNS, QUICK, FULL, lambda case, bench: measure(case))
