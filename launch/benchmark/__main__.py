"""Measure speed beside PyTorch and beside the machine's own limits, in one interleaved run.

Example:

  python -m launch.benchmark --suite=quick --out=runs/benchmark

prints a table and writes benchmark.json. PyTorch and lightly's SwAV come with
`pip install ".[bench]"`; what is not installed is left out, and the table says so.
`--suite=faults` kills verbs at random moments instead and counts what is lost; `--suite=guard`
counts which samples of real data sets (folders in JAXSSL_DATA) are wrongly refused or warned of, or
wrongly not.
"""

import json
import os
from pathlib import Path
from typing import Any

import jax
import joblib
from absl import flags

from jaxssl.engine.ensemble import MAX_CORES, use_cores
from jaxssl.runs.identity import PACKAGES, versions
from jaxssl.types import InputError

from .. import exit
from .suites import APART, FAULTS, GUARD, SECTIONS, Section, find_references, table
from .timing import Bench

ROUNDS = 5  # where --rounds says nothing
_SUITE = flags.DEFINE_enum(
    "suite",
    "quick",
    ["quick", "full", *APART],
    "Sizes to measure; faults to survive; or shifts to be found, of the sets in JAXSSL_DATA.",
)
_OUT = flags.DEFINE_string("out", "runs/benchmark", "Folder for benchmark.json.")
_SECTIONS = flags.DEFINE_list("sections", [], "Only these tables; default: all.")
_ROUNDS = flags.DEFINE_integer("rounds", None, "Turns of every candidate; default: 5.", 1)


def main() -> None:
    """Measure all sections, print them, write them."""
    chosen = _chosen()
    if _ROUNDS.value and not chosen.keys() - {name for suite in APART.values() for name in suite}:
        found = f"`rounds={_ROUNDS.value}` is not for faults and shifts, which are counted"
        raise InputError(found, "drop it")
    use_cores(MAX_CORES)
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # processes share a card
    file = Path(_OUT.value) / "benchmark.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    found, left_out = find_references()
    bench = Bench(_ROUNDS.value or ROUNDS, found)
    machine = {
        "cores": joblib.cpu_count(),  # every candidate gets all
        "devices": [f"{device.device_kind} ({device.platform})" for device in jax.devices()],
        "load_average": os.getloadavg()[0],
        "versions": versions((*PACKAGES, "torch", "torchvision", "lightly")),
    }
    result: dict[str, Any] = {"suite": _SUITE.value, "machine": machine, "left_out": left_out}
    result["sections"] = {}
    for name, section in chosen.items():
        rows = result["sections"][name] = []
        sizes = [*(section.quick if _SUITE.value == "quick" else section.full)]
        if jax.default_backend() == "gpu":
            sizes += section.on_gpu
        for size in sizes:
            print(f"{name}: {', '.join(map(str, size))}", flush=True)
            rows.append(section.row(bench, size))
            result["limits"] = bench.best
            # after every row: an interrupted suite leaves those that it has
            file.write_text(json.dumps(result, indent=2) + "\n")
    _print(result)
    print(f"wrote {file}")


def _chosen() -> dict[str, Section]:
    own = APART.get(_SUITE.value)
    there = own or SECTIONS | FAULTS | GUARD
    for name in _SECTIONS.value:
        if name not in there:
            raise InputError(f"no section {name!r} for --sections: there are {', '.join(there)}")
    return {name: there[name] for name in _SECTIONS.value or own or SECTIONS}


def _print(result: dict[str, Any]) -> None:
    print(f"cores: {result['machine']['cores']}, all of them for every candidate")
    for name, value in result["limits"].items():
        print(f"best {name}: {value:.1f}")
    for what in result["left_out"]:
        print(f"left out: {what}")
    for name, rows in result["sections"].items():
        print(f"\n`{name}`\n\n{table(rows)}")
        for error in {row[field] for row in rows for field in row if field.endswith("_error")}:
            print(f"not measured: {error}")


if __name__ == "__main__":
    exit.run(main)
