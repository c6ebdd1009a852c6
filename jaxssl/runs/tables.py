"""Tables and encoders of a run: each bears the run's id, and is read back as that run's alone."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import pandas as pd

from jaxssl.engine.bundle import EncoderBundle, load_bundle
from jaxssl.files import DAMAGED, read_json, write_json, write_table
from jaxssl.runs import layout
from jaxssl.runs.kinds import RUN
from jaxssl.types import InputError

T = TypeVar("T")


def run_of(folder: Path) -> str:
    """Id of the run that a folder holds; "" where an earlier version wrote none, or nothing did."""
    return str(read_json(folder / layout.ENVIRONMENT).get(RUN, ""))


def check_run(path: Path, found: str, folder: Path) -> None:
    """Refuse a part of a run folder that bears the id of another run."""
    run = run_of(folder)
    # encoders may be copied to a folder of no run
    if found != run and (folder / layout.ENVIRONMENT).is_file():
        raise InputError(
            f"{path} is of another run than {folder}: its data, options or split differ",
            "put the run's own there, or delete it and `resume` the run",
        )


def write_parquet(folder: Path, path: Path, table: pd.DataFrame) -> None:
    """Write a table of the run in `folder`."""
    run, table = run_of(folder), table.copy(deep=False)
    table.attrs = {RUN: run} if run else {}
    write_table(path, table)


def read_parquet(folder: Path, path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a table of the run in `folder`."""
    table = whole(path, lambda: pd.read_parquet(path, columns=columns, use_threads=False))
    check_run(path, str(table.attrs.pop(RUN, "")), folder)
    return table


def whole(path: Path, read: Callable[[], T]) -> T:
    """What `read` makes of a file; one that is damaged is refused by name."""
    try:
        return read()
    except InputError:
        raise
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is damaged ({' '.join(str(error).split())})",
            DAMAGED,
        ) from error


def read_own_bundle(path: Path) -> EncoderBundle:
    """An encoder that the run around it trained: RUN/encoder/SEED."""
    bundle = load_bundle(path)
    check_run(path, str(bundle.provenance.get(RUN, "")), path.absolute().parents[1])
    if "classes" in bundle.provenance:  # whose encoder has seen labels
        raise InputError(
            f"{path} is a classifier, and not the encoder of the run",
            "put the run's own encoder there, or delete it and `resume` the run",
        )
    if path.name != layout.encoder_folder(path, bundle.provenance["seed"]).name:
        raise InputError(
            f"{path} is of seed {bundle.provenance['seed']}, and not of its own",
            "put the seed's own encoder there, or delete it and `resume` the run",
        )
    return bundle


def write_manifest(folder: Path) -> None:
    """Note a hash of every table, of a run that has come to its end."""
    files = {path.relative_to(folder).as_posix(): _hash_of(path) for path in _tables(folder)}
    write_json(folder / layout.MANIFEST, files)


def altered(folder: Path) -> list[str]:
    """Names of the tables that are missing, or not as the run left them."""
    noted = read_json(folder / layout.MANIFEST)
    return [name for name, sha in noted.items() if _hash_of(folder / name) != sha]


def _tables(folder: Path) -> Iterable[Path]:
    named = [folder / name for name in layout.TABLES]
    return filter(Path.is_file, [*named, *sorted(folder.glob(f"{layout.PREDICTIONS}/*.parquet"))])


def _hash_of(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
