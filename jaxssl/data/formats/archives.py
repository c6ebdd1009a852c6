"""The files of a folder, zip or tar, one after the other."""

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

from jaxssl.data.formats import containers, tenx
from jaxssl.types import InputError

_LARGEST = 1 << 30  # bytes of a file that is unpacked


def files_of(path: Path, place: Path) -> Iterator[tuple[PurePath, Path]]:
    """The files of a folder or archive; of an archive, each is there until the next is asked for.

    They are unpacked under names of their own, so none can lie outside `place`.
    """
    if path.is_dir():
        found = [file for file in path.rglob("*") if file.is_file() and file.name[0] != "."]
        yield from ((file, file) for file in sorted(found, key=lambda file: (file.name, file)))
        return
    try:
        for name, stream in _members(path):
            is_part = tenx.is_part(name)
            file = place / (name.name if is_part else "member")
            with file.open("wb") as out:
                _unpack(stream, out, path, name)
            yield name, file
            if not is_part:
                file.unlink()
    except (tarfile.TarError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise InputError(f"{path} ends early or is damaged ({error})", "fetch it again") from error


def names_in(path: Path) -> frozenset[PurePath]:
    """Names of all files in an archive, for which a tar is read through."""
    return frozenset(name for name, _ in _members(path))


def _members(path: Path) -> Iterator[tuple[PurePath, Any]]:
    """Names and bytes of the files in an archive, in its order; links are none."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in containers.members(archive):
                with archive.open(name) as stream:
                    yield PurePath(name), stream
        return
    with tarfile.open(path, "r|*") as archive:
        for member in archive:
            if member.isfile() and not PurePath(member.name).name.startswith("."):
                yield PurePath(member.name), archive.extractfile(member)


def _unpack(stream: Any, out: Any, path: Path, name: PurePath) -> None:
    """Write what is packed, up to a bound: a small archive may hold more than a disk."""
    n_bytes = 0
    while data := stream.read(1 << 20):
        n_bytes += len(data)
        if n_bytes > _LARGEST:
            raise InputError(
                f"{path}: {name} is larger than {_LARGEST >> 20} MB unpacked",
                "unpack it, and name the file or folder",
            )
        out.write(data)
