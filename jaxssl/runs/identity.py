"""What identifies a run: its options, its data, its machine; a resumed run must be the same one."""

import hashlib
import json
import os
import platform
import subprocess
import warnings
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxssl.config import Config, from_dict, renamed, to_dict
from jaxssl.data.task import Task
from jaxssl.files import read_json, write_json
from jaxssl.runs.layout import CONFIG, ENVIRONMENT
from jaxssl.types import InputError

PACKAGES = ("jaxssl", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "scikit-learn")
MAY_CHANGE = {
    *{("run", "seeds"), ("sweep", "shares"), ("sweep", "arms"), ("sweep", "reference_arms")},
    *{("split", "allow_leaks"), ("split", "n_splits")},
    *{("run", "memory_gb"), ("run", "chunk"), ("pretrain", "checkpoint_every")},
    ("data", "path"),
}
"""Options a resume may change: they add results, or decide none."""
DECIDES_NUMBERS = ("versions", "device", "n_devices", "platform", "cores", "commit", "variables")
"""What of the environment can change the last bits of a result."""
VARIABLES = ("JAX_", "XLA_", "CUDA_VISIBLE", "OMP_", "OPENBLAS_", "MKL_")
"""How the names of those variables begin that decide how is computed."""


def write_identity(folder: Path, config: Config, data_hash: str, command: str = "") -> None:
    """Write `config.json` and `environment.json`; on a resume, compare with them first.

    `data_hash` is that of `hash_of`, and "" for a folder of several splits.
    """
    old = check_identity(folder, config, data_hash)
    environment = {
        "command": command,
        "versions": versions(),
        "device": jax.devices()[0].device_kind,
        "n_devices": jax.device_count(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "variables": {k: v for k, v in sorted(os.environ.items()) if k.startswith(VARIABLES)},
        "commit": _commit(),
        "data_hash": data_hash,
    }
    environment["before"] = _environments_before(old, environment)
    write_json(folder / ENVIRONMENT, environment)
    write_json(folder / CONFIG, to_dict(config))


def check_identity(folder: Path, config: Config, data_hash: str) -> dict[str, Any]:
    """What the folder was last run on, {} for a new one."""
    options = read_json(folder / CONFIG)
    if options:
        _check_options(folder, renamed(options), json.loads(json.dumps(to_dict(config))))
    old = read_json(folder / ENVIRONMENT)
    if old and old["data_hash"] != data_hash:
        raise InputError(
            f"{folder} was run on other data, labels or another split ({old['data_hash']}, now "
            f"{data_hash})",
            "pass `overwrite` or another `out`",
        )
    return old


def hash_of(task: Task) -> str:
    """Hash of all that a result depends on: expression, names, labels and split."""
    digest = hashlib.sha256(np.ascontiguousarray(task.expression).tobytes())
    for values in (task.sample_ids, task.genes, np.asarray(task.classes)):
        digest.update("\n".join(map(str, values)).encode())
    for codes in (task.codes, *task.split):
        digest.update(np.asarray(codes, np.int64).tobytes())
    return digest.hexdigest()[:16]


def _environments_before(old: dict[str, Any], new: dict[str, Any]) -> list[dict[str, Any]]:
    """All environments of a run before this one; warns where this one differs from the last."""
    if not old:
        return []
    before = old.pop("before", [])
    changed = [name for name in DECIDES_NUMBERS if old.get(name) != new[name]]
    if not changed:
        return before
    warnings.warn(
        f"this run was begun with other {', '.join(changed)} (environment.json tells which): its "
        "results need not be bit by bit those of one machine",
        stacklevel=3,
    )
    return [*before, old]


def _check_options(folder: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Compare all options; an older version lacks some, whose default stood for them."""
    defaults = to_dict(from_dict({"method": {"name": new["method"]["name"]}}))
    for section, options in new.items():
        before = {**json.loads(json.dumps(defaults[section])), **old.get(section, {})}
        for option, value in options.items():
            if before[option] != value and (section, option) not in MAY_CHANGE:
                raise InputError(
                    f"{folder} was run with {section}.{option}={before[option]}, now {value}",
                    "drop the change, or pass `overwrite` or another `out`",
                )


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Versions of Python and of packages; by default, of those that decide the numbers."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def _commit() -> str:
    """Of the source, with "-dirty" where files were changed since; "" outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    command += ["--abbrev=40", "--exclude=*"]
    try:
        return subprocess.check_output(command, stderr=subprocess.DEVNULL, text=True).strip()
    except (OSError, subprocess.CalledProcessError):
        return ""  # no git on this machine, or no checkout
