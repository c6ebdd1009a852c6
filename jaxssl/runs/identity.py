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
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxssl.config import Config, from_dict, renamed, to_dict
from jaxssl.data.backed import blocks
from jaxssl.data.task import Task
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.files import plain, read_json, write_json
from jaxssl.runs.kinds import KIND, OF
from jaxssl.runs.layout import CONFIG, ENVIRONMENT, FILES, FOLDERS, KEPT, PARTS
from jaxssl.runs.tables import RUN
from jaxssl.types import InputError

PACKAGES = ("jaxssl", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "scikit-learn")
MAY_CHANGE = {
    *{("run", "seeds"), ("sweep", "shares"), ("sweep", "arms"), ("sweep", "reference_arms")},
    *{("sweep", "frames"), ("split", "allow_leaks"), ("split", "n_splits")},
    *{("run", "memory_gb"), ("run", "chunk"), ("pretrain", "checkpoint_every")},
    *{("data", "path"), ("data", "unlabelled"), ("data", "backed")},
}
"""Options a resume may change: they add results, or decide none."""
DECIDES_NUMBERS = ("versions", "device", "n_devices", "platform", "cores", "commit", "variables")
"""What of the environment can change the last bits of a result."""
VARIABLES = ("JAX_", "XLA_", "CUDA_VISIBLE", "OMP_", "OPENBLAS_", "MKL_")
"""How the names of those variables begin that decide how is computed."""


class Origin(NamedTuple):
    """What a run is on, besides its options."""

    data: str = ""  # hash of expression, names and labels; "" for a folder of several splits
    data_hash: str = ""  # the same, with the split
    encoders: str = ""  # run that trained the encoders which are compared; "": this one


def write_identity(
    folder: Path,
    config: Config,
    origin: Origin,
    command: str = "",
    *,
    kind: str = "",
    part_of: str = "",
) -> None:
    """Write `config.json` and `environment.json`; on a resume, compare with them first."""
    old = check_identity(folder, config, origin)
    options = _hash_of_options(to_dict(config))
    environment = {
        # kept on a resume: a later version may have more options
        RUN: old.get(RUN, "") if old else _hash(options, *origin),
        KIND: kind,
        OF: part_of or old.get(OF, ""),
        "options": options,
        "command": command,
        "versions": versions(),
        "device": jax.devices()[0].device_kind,
        "n_devices": jax.device_count(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "variables": {k: v for k, v in sorted(os.environ.items()) if k.startswith(VARIABLES)},
        "commit": _commit(),
        **origin._asdict(),
    }
    environment["before"] = _environments_before(old, environment)
    write_json(folder / ENVIRONMENT, environment)
    write_json(folder / CONFIG, to_dict(config))
    (folder / KEPT).unlink(missing_ok=True)  # a run is there again


def check_identity(folder: Path, config: Config, origin: Origin) -> dict[str, Any]:
    """What the folder was last run on, {} for a new one."""
    for name in (*FILES, *FOLDERS):
        path, is_file = folder / name, name in FILES
        if path.exists() and path.is_dir() == is_file:
            swapped = "folder where a file" if is_file else "file where a folder"
            raise InputError(f"{path} is a {swapped} belongs", "move it away")
    options, old = read_json(folder / CONFIG), read_json(folder / ENVIRONMENT)
    for name, found in ((CONFIG, options), (ENVIRONMENT, old)):
        if not found and any((folder / part).exists() for part in PARTS):
            raise InputError(
                f"{folder} holds results but no {name}, so which run they are of is not known",
                "put the file back, or pass `overwrite` or another `out`",
            )
    if options:
        _check_options(folder, renamed(options), json.loads(json.dumps(to_dict(config))))
    for name, now in origin._asdict().items():
        then = old.get(name, now)  # an earlier version noted less
        if then != now:
            what = "encoders" if name == "encoders" else "data, labels or another split"
            raise InputError(
                f"{folder} was run on other {what} ({then or 'its own'}, now {now or 'its own'})",
                "pass `overwrite` or another `out`",
            )
    return old


def check_record(folder: Path) -> None:
    """Refuse a `config.json` that is not that of the `environment.json` beside it."""
    noted = read_json(folder / ENVIRONMENT).get("options")
    if noted and noted != _hash_of_options(read_json(folder / CONFIG)):
        raise InputError(
            f"{folder / CONFIG} is not of the run that {ENVIRONMENT} is of",
            "put the run's own file there",
        )


def origin_of(task: Task, encoders: Iterable[EncoderBundle] = ()) -> Origin:
    """Hashes of all that a result depends on: expression, names, labels, split and encoders."""
    digest = hashlib.sha256()
    for rows in blocks(task.expression):
        digest.update(np.ascontiguousarray(task.expression[rows]).data)
    for values in (task.sample_ids, task.genes, np.asarray(task.classes)):
        digest.update("\n".join(map(str, values)).encode())
    digest.update(np.asarray(task.codes, np.int64).tobytes())
    data = digest.hexdigest()[:16]
    for rows in task.split:
        digest.update(np.asarray(rows, np.int64).tobytes())
    runs = sorted({str(bundle.provenance.get(RUN, "")) for bundle in encoders})
    return Origin(data, digest.hexdigest()[:16], " ".join(runs))


def _hash_of_options(stored: Mapping[str, Any]) -> str:
    """Hash of the options that a resume may not change."""
    kept = {
        section: {
            name: value for name, value in options.items() if (section, name) not in MAY_CHANGE
        }
        for section, options in stored.items()
    }
    return _hash(json.dumps(plain(kept), sort_keys=True))


def _hash(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


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
