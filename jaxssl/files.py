"""Files and folders that are there whole or not at all.

What is written goes to a hidden neighbour first, is flushed to the disk and takes its name by a
rename. A process that is killed leaves a neighbour that ends in `.part` and nothing else;
`sweep_parts` removes those of a folder that no one else writes to. A tree of names tells what a
writer may delete; the rest is the user's.
"""

import errno
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxssl.places import Tree, divide, matching, part_of, refuse_tilde
from jaxssl.types import InputError

if TYPE_CHECKING:
    import pandas as pd

DAMAGED = "put a whole copy there, or delete it and run the verb again with `resume`"
PART, OLD = ".part", ".old.part"
DISK = {
    errno.ENOSPC: "no space is left on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would be larger than this system allows",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "access is denied",
    errno.ENAMETOOLONG: "the name is longer than this system allows",
}
"""What a disk refuses, in words; libraries that write for us tell the number in their own way."""
TEXT = frozenset(
    [
        *("dataset", "task", "arm", "method", "device", "reference", "part", "metric", "fit"),
        *("estimand", "shares", "representation", "point"),
        *("sample_id", "label", "predicted", "class", "group", "batch"),
    ]
)
"""Columns of tables that hold text, whatever it looks like; a list of one share is no number."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary neighbour of `path` that takes its place when the block ends well."""
    refuse_tilde(path)
    if path.is_dir() and not path.is_symlink():
        raise InputError(f"{path} is a folder, where a file belongs", "move it elsewhere")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise InputError(f"{path.parent} is a file, where a folder belongs", "move it") from error
    part = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    try:
        yield part
        flush(part)
        os.replace(part, path)
        flush(path.parent)
    finally:
        part.unlink(missing_ok=True)


def require_room(folder: Path, n_bytes: int, what: str) -> None:
    """Refuse to begin a file that the disk of a folder has no room for."""
    free = shutil.disk_usage(folder).free
    if free < n_bytes:
        raise InputError(
            f"{what} takes {n_bytes / 1e9:.1f} GB, and {folder} has {free / 1e9:.1f} GB free",
            "free some, or have it written to another disk",
        )


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file; {} where there is none."""
    try:
        read = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (ValueError, OSError) as error:
        raise InputError(f"{path} is damaged ({error})", DAMAGED) from error
    if not isinstance(read, dict):
        raise InputError(f"{path} is damaged (it holds no object)", DAMAGED)
    return read


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with replacing(path) as part:
        # of a path that is no text: better a mark than no file
        part.write_text(text, encoding="utf-8", errors="backslashreplace")


@contextmanager
def complete_folder(folder: Path, names: Tree | None = None) -> Iterator[Path]:
    """A temporary neighbour that becomes `folder` when the block ends well.

    A folder that is there already is set aside first: for that instant there is none. Of a process
    that is killed in it, `sweep_parts` puts the old one back. What it holds beside the writer's
    `names` comes along.
    """
    refuse_tilde(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # absolute: orbax refuses any other path
    parent = folder.parent.absolute()
    prefix = f".{folder.name}.{os.getpid()}."
    part = Path(tempfile.mkdtemp(prefix=prefix, suffix=PART, dir=parent))
    old = part.with_name(f".{folder.name}{OLD}")
    try:
        yield part
        for path in divide(folder, names)[1] if names and folder.is_dir() else ():
            _copy(path, part / path.relative_to(folder))
        for path in (part, *part.rglob("*")):
            if not path.is_symlink():
                flush(path)
        part.chmod(0o755)  # as any other folder, not as a temporary one
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            os.replace(folder, old)
        os.replace(part, folder)
        flush(parent)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        _put_back(old)


def sweep_parts(folder: Path, names: Tree, but: str = "") -> None:
    """Remove what killed processes left half-written of `names`; put back what they moved.

    A folder inside that holds a file called `but` is left alone.
    """
    for path in sorted(folder.rglob(f".*{PART}")):
        inside = path.relative_to(folder)
        if but and any((folder / parent / but).exists() for parent in [*inside.parents][:-1]):
            continue
        if not part_of(path) or not matching(inside.with_name(part_of(path)), names):
            continue
        _put_back(path)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _copy(path: Path, place: Path) -> None:
    """Copy a file, link or folder; links stay links."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir() and not path.is_symlink():
        shutil.copytree(path, place, symlinks=True)
    else:
        shutil.copy2(path, place, follow_symlinks=False)


def _put_back(old: Path) -> None:
    """Give a folder that was set aside its name again, unless another has it."""
    name = old.name.removeprefix(".").removesuffix(OLD)
    if old.name.endswith(OLD) and old.is_dir() and not old.with_name(name).exists():
        os.replace(old, old.with_name(name))


def disk_trouble(error: BaseException) -> str:
    """What the disk refused, if that is what an error is about; else ""."""
    if isinstance(error, OSError) and error.errno in DISK:
        written = error.filename2 or error.filename  # of a copy, the second
        name = f"{_whole(Path(str(written)))}: " if written else ""
        return f"{name}{DISK[error.errno]}"
    # HDF5, Arrow and TensorStore put the system's own words into theirs
    text = str(error)
    return next((words for number, words in DISK.items() if os.strerror(number) in text), "")


def _whole(path: Path) -> Path:
    """What a file that is written under another name was to become."""
    return path.with_name(part_of(path)) if part_of(path) else path


def flush(path: Path) -> None:
    """Have the system write what it still holds of a file, or of a folder's names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems have no such call
            raise
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write as JSON, whole or not at all."""
    write_text(path, json.dumps(plain(value), indent=2, allow_nan=False))


def write_table(path: Path, table: Any) -> None:
    """Write a DataFrame as .parquet or .csv, whole or not at all."""
    with replacing(path) as part:
        if path.suffix == ".parquet":
            table.to_parquet(part, index=False)
        else:
            table.to_csv(part, index=False)


def read_table(path: Path) -> "pd.DataFrame":
    """Read what `write_table` wrote: text as text, numbers to the last bit.

    A .csv does not tell them apart: `TEXT` names the columns in which "001" and "NA" are names.
    """
    import pandas as pd  # slow, and whatever writes a text file imports this module

    if path.suffix == ".parquet":
        return pd.read_parquet(path, use_threads=False)  # none is left when Python ends
    names = pd.read_csv(path, nrows=0).columns
    kinds = {name: str for name in names if name in TEXT}
    missing = {name: ["", "nan", "NaN"] for name in names if name not in TEXT}
    options: dict[str, Any] = {"dtype": kinds, "na_values": missing, "keep_default_na": False}
    # shares are keys: the fast parser may miss them by one bit
    return pd.read_csv(path, float_precision="round_trip", **options)


def plain(value: Any) -> Any:
    """What JSON can hold: NumPy scalars as numbers, NaN as null, paths as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)
