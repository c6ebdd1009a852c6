"""Measure speed beside PyTorch and beside the machine's own limits, in one interleaved run.

Example:

  python -m launch.benchmark --suite=quick --out=runs/benchmark

prints a table and writes benchmark.json. PyTorch and lightly's SwAV come with
`pip install ".[bench]"`; what is not installed is left out, and the table says so. `--suite=faults`
kills verbs at random moments instead and counts what is lost.
"""

import json
from pathlib import Path
from typing import Any

import jax
from absl import flags

from jaxssl.engine.ensemble import MAX_CORES, use_cores
from jaxssl.types import InputError
from launch import exit
from launch.benchmark import (
    chunks,
    conditioning,
    draws,
    finetuning,
    imports,
    kills,
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
from launch.benchmark.section import Bench, Section

SECTIONS: dict[str, Section] = {
    "draws": draws.SECTION,
    "pretraining": pretraining.SECTION,
    "finetuning": finetuning.SECTION,
    "chunks": chunks.SECTION,
    "scaling": scaling.SECTION,
    "protocol": protocol.SECTION,
    "memory": memory.SECTION,
    "programs": programs.SECTION,
    "stages": stages.SECTION,
    "conditioning": conditioning.SECTION,
    "imports": imports.SECTION,
    "roofline": roofline.SECTION,
}

FAULTS: dict[str, Section] = {"kills": kills.SECTION}

_SUITE = flags.DEFINE_enum(
    "suite", "quick", ["quick", "full", "faults"], "Sizes to measure; or faults to survive."
)
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
    bench = Bench(machine.Limits(), _ROUNDS.value, found)
    result: dict[str, Any] = {"suite": _SUITE.value, "machine": machine.describe()}
    result |= {"left_out": left_out, "sections": {}}
    for name, section in _chosen().items():
        rows = result["sections"][name] = []
        on_gpu = jax.default_backend() == "gpu"
        for case in section.cases(full=_SUITE.value != "quick", gpu=on_gpu):
            print(f"{name}: {case}", flush=True)
            rows.append(section.measure(case, bench))
            result["limits"] = bench.limits.best.in_words()
            file.write_text(
                json.dumps(result, indent=2) + "\n"
            )  # an interrupted suite leaves these
    _print(result)
    print(f"wrote {file}")


def _chosen() -> dict[str, Section]:
    there = FAULTS if _SUITE.value == "faults" else SECTIONS | FAULTS
    for name in _SECTIONS.value:
        if name not in there:
            raise InputError(f"no section {name!r} for --sections: there are {', '.join(there)}")
    default = FAULTS if _SUITE.value == "faults" else SECTIONS
    return {name: there[name] for name in _SECTIONS.value or default}


def _print(result: dict[str, Any]) -> None:
    print(f"cores: {result['machine']['cores']}, all of them for every candidate")
    for name, value in result["limits"].items():
        if value:  # no section asked otherwise
            print(f"best {name}: {value:.1f}")
    for what in result["left_out"]:
        print(f"left out: {what}")
    for name, rows in result["sections"].items():
        print(f"\n`{name}`\n\n{(SECTIONS | FAULTS)[name].table(rows)}")
        for error in {row[field] for row in rows for field in row if field.endswith("_error")}:
            print(f"not measured: {error}")


if __name__ == "__main__":
    exit.run(main)
