"""The loops that a user would write instead, where the packages that they need are installed."""

import importlib
from collections.abc import Iterable, Mapping
from types import ModuleType

import joblib

References = Mapping[str, ModuleType]
"""Modules with the same training in another library, by the library's name."""

PACKAGES = {"torch": "PyTorch", "lightly": "lightly"}
INSTALL = "pip install '.[bench]'"


def find(names: Iterable[str] = PACKAGES) -> tuple[References, list[str]]:
    """The references that can be imported, on all cores; and why the others cannot."""
    found, left_out = {}, []
    for name in names:
        try:
            found[name] = importlib.import_module(f"launch.benchmark.{name}_reference")
        except (ImportError, RuntimeError) as error:  # a torchvision of another PyTorch: the latter
            left_out.append(f"{PACKAGES[name]} ({INSTALL}): {error}")
    if found:
        importlib.import_module("torch").set_num_threads(joblib.cpu_count())
    return found, left_out
