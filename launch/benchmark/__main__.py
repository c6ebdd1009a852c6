"""Measure speed beside PyTorch and beside the machine's own limits, in one interleaved run.

Example:

  python -m launch.benchmark --suite=quick --out=runs/benchmark

prints a table and writes benchmark.json. PyTorch comes with `pip install ".[bench]"`, and lightly's
SwAV with `pip install lightly`; what is not installed is left out, and the table says so.
"""

import json
from pathlib import Path
from typing import Any

import jax
import pandas as pd
from absl import flags

from jaxssl.engine.ensemble import MAX_CORES, use_cores
from jaxssl.types import InputError
from launch import exit
from launch.benchmark import (
    chunks,
    conditioning,
    draws,
    finetuning,
    machine,
    memory,
    pretraining,
    programs,
    protocol,
    references,
    roofline,
    scaling,
    stages,
)

SECTIONS: dict[str, Any] = {
    "draws": draws,
    "pretraining": pretraining,
    "finetuning": finetuning,
    "chunks": chunks,
    "scaling": scaling,
    "protocol": protocol,
    "memory": memory,
    "programs": programs,
    "stages": stages,
    "conditioning": conditioning,
    "roofline": roofline,
}

_SUITE = flags.DEFINE_enum("suite", "quick", ["quick", "full"], "Sizes to measure.")
_OUT = flags.DEFINE_string("out", "runs/benchmark", "Folder for benchmark.json.")
_SECTIONS = flags.DEFINE_list("sections", [], "Only these tables; default: all.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Turns of every candidate.", lower_bound=1)


def main(arguments: list[str]) -> None:
    """Measure all sections, print them, write them."""
    exit.no_arguments(arguments)
    use_cores(MAX_CORES)
    file = Path(_OUT.value) / "benchmark.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    found, left_out = references.find()
    limits = machine.Limits()
    limits.measure()
    result: dict[str, Any] = {"suite": _SUITE.value, "machine": machine.describe()}
    result |= {"left_out": left_out, "sections": {}}
    for name, section in _chosen().items():
        rows = result["sections"][name] = []
        for case in _cases(section, _SUITE.value == "full"):
            print(f"{name}: {case}", flush=True)
            rows.append(section.measure(case, limits, _ROUNDS.value, found))
            result["limits"] = limits.rates()
            file.write_text(
                json.dumps(result, indent=2) + "\n"
            )  # an interrupted suite leaves these
    _print(result)
    print(f"wrote {file}")


def _chosen() -> dict[str, Any]:
    for name in _SECTIONS.value:
        if name not in SECTIONS:
            raise InputError(f"no section {name!r} for --sections: there are {', '.join(SECTIONS)}")
    return {name: SECTIONS[name] for name in _SECTIONS.value or SECTIONS}


def _cases(section: Any, is_full: bool) -> tuple[Any, ...]:
    """The suite's sizes; what only a GPU can hold is added where there is one."""
    on_gpu = section is pretraining and jax.default_backend() == "gpu"
    cases = section.FULL if is_full else section.QUICK
    return (*cases, *pretraining.ON_GPU) if on_gpu else cases


def _print(result: dict[str, Any]) -> None:
    print(f"cores: {result['machine']['cores']}, all of them for every candidate")
    for name, value in result["limits"].items():
        print(f"best {name}: {value:.1f}")
    for what in result["left_out"]:
        print(f"left out: {what}")
    for section, rows in result["sections"].items():
        table = pd.DataFrame(rows)
        shown = [c for c in table if not str(c).endswith(("_range", "_error"))]
        print(f"\n{section}\n{table[shown].round(4).to_string(index=False)}")


if __name__ == "__main__":
    exit.run(main)
