"""Measure speed beside PyTorch and beside the machine's own limits, in one interleaved run.

Example:

  python -m launch.benchmark --suite=quick --out=runs/benchmark

prints a table and writes benchmark.json. PyTorch comes with `pip install ".[bench]"`; without it
the comparison is left out, and the table says so.
"""

import importlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import jax
import joblib
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
    torch = _torch()
    limits = machine.Limits()
    is_full = _SUITE.value == "full"
    sections = _chosen()
    result: dict[str, Any] = {"suite": _SUITE.value, "machine": machine.describe()}
    result["left_out"] = [] if torch else ["PyTorch (pip install '.[bench]')"]
    for name, section in sections.items():
        result[name] = []
        for case in _cases(section, is_full):
            print(f"{name}: {case}", flush=True)
            result[name].append(section.measure(case, limits, _ROUNDS.value, torch))
    result["limits"] = {
        "gemm_gflop_per_s": limits.flops_per_s / 1e9,
        "copy_gbyte_per_s": limits.bytes_per_s / 1e9,
    }
    folder = Path(_OUT.value)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmark.json").write_text(json.dumps(result, indent=2) + "\n")
    _print(result, list(sections))
    print(f"wrote {folder / 'benchmark.json'}")


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


def _torch() -> Any:
    """The PyTorch loops on all cores, or None where PyTorch is not installed."""
    if importlib.util.find_spec("torch") is None:
        return None
    importlib.import_module("torch").set_num_threads(joblib.cpu_count())
    return importlib.import_module("launch.benchmark.torch_reference")


def _print(result: dict[str, Any], sections: list[str]) -> None:
    print(f"cores: {result['machine']['cores']}, all of them for every candidate")
    for name, value in result["limits"].items():
        print(f"best {name}: {value:.1f}")
    for what in result["left_out"]:
        print(f"left out: {what}")
    for section in sections:
        table = pd.DataFrame(result[section])
        shown = [c for c in table if not str(c).endswith(("_range", "_error"))]
        print(f"\n{section}\n{table[shown].round(4).to_string(index=False)}")


if __name__ == "__main__":
    exit.run(main)
