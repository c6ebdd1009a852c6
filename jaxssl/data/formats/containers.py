"""Packed files, by their first bytes: texts unpacked as they are read, and what cannot be read."""

import bz2
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jaxssl.data.formats import excel, r
from jaxssl.types import InputError

_UNPACKERS: dict[bytes, Any] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
}
_PACKINGS = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz"}
_START = 1 << 10  # bytes that tell what is inside
_TO_CSV = "write.csv(as.matrix({}), 'x.csv')"
_UNREAD = {
    b"\x0b\x0e\x0a\x0c": ("of R's qs", f"in R: {_TO_CSV.format('qs::qread(FILE)')}"),
    b"\x0b\x0e\x0a\xc1": ("of R's qs2", f"in R: {_TO_CSV.format('qs2::qs_read(FILE)')}"),
    b"\x93NUMPY": (
        "an array without names",
        "save it with them: numpy.savez('x.npz', X=array, sample_ids=samples, feature_ids=genes)",
    ),
    b"ARROW1": ("of feather", "in Python: pandas.read_feather(FILE).to_parquet('x.parquet')"),
    b"\x80\x03": ("a pickle", "in Python: pandas.read_pickle(FILE).to_parquet('x.parquet')"),
    b"MATLAB": ("of MATLAB", "in MATLAB: writetable() of the matrix with its names, as csv"),
    b"SQLite": ("a database of SQLite", "export the table as csv"),
    b"(\xb5/\xfd": ("packed by zstd", "unpack it: zstd -d FILE"),
    b"\x1f\x9d": ("packed by compress", "unpack it: gunzip FILE"),
    b"7z\xbc\xaf": ("an archive of 7-Zip", "unpack it: 7z x FILE"),
    b"Rar!": ("an archive of RAR", "unpack it"),
    b"BAM\1": ("of aligned reads", "count them, by featureCounts for instance"),
    b"CDF\1": ("of NetCDF", "write the matrix as csv"),
    b"%PDF": ("a PDF", "look for the table itself"),
}
_UNREAD |= {b"\x80" + bytes([v]): _UNREAD[b"\x80\x03"] for v in (2, 4, 5)}
_HIDDEN = ("__MACOSX/", ".")
_TAR_MARK, _TAR_AT = b"ustar", 257
_R_MARK = re.compile(rb"RD[XAB][23]\n|X\n\0\0\0|B\n[\2\3]\0|A\n[23]\n\d{6}\n")
_ZIP = b"PK\x03\x04"
_DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


class Rows(io.RawIOBase):
    """Lines that are made one after the other, as the bytes of a file."""

    def __init__(self, lines: Iterable[bytes]):
        self.lines, self.rest = iter(lines), b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer from the lines that come next."""
        self.rest = self.rest or next(self.lines, b"")
        n_bytes = min(len(buffer), len(self.rest))
        buffer[:n_bytes], self.rest = self.rest[:n_bytes], self.rest[n_bytes:]
        return n_bytes


def packing_of(path: Path) -> str:
    """What the lines of a text come out of; "" for the text itself."""
    kind = kind_inside(path)
    if kind == "r" or excel.is_workbook(path):
        return "R" if kind == "r" else "Excel"
    with path.open("rb") as raw:
        start = raw.read(8)
    if start.startswith(_ZIP):
        return "zip"
    return next((name for mark, name in _PACKINGS.items() if start.startswith(mark)), "")


def unpacked(path: Path, raw: Any, member: str = "") -> Any:
    """The bytes of a text, from a file that is open; `member` is a sheet of a workbook."""
    if excel.is_workbook(path):
        return io.BufferedReader(Rows(excel.lines(path, member)))
    start, file = raw.peek(8)[:8], raw
    for mark, unpacker in _UNPACKERS.items():
        if start.startswith(mark):
            file = unpacker(raw)
    if _R_MARK.match(file.peek(16)):
        return io.BufferedReader(Rows(r.lines(path, member)))
    if not start.startswith(_ZIP):
        return file
    archive = zipfile.ZipFile(raw)
    names = members(archive)
    if len(names) != 1:
        raise InputError(
            f"{path} is a zip of {len(names)} files ({', '.join(names[:4])})",
            "unpack it and name one",
        )
    return io.BufferedReader(archive.open(names[0]))  # pyright: ignore[reportArgumentType]


def members(archive: zipfile.ZipFile) -> list[str]:
    """Names of the files in a zip; none of those that systems add."""
    infos = [i for i in archive.infolist() if not i.is_dir()]
    names = [i.filename for i in infos if not i.filename.startswith(_HIDDEN)]
    if any(i.flag_bits & 1 for i in infos):
        raise InputError(f"{archive.filename} is locked by a password", "unpack it")
    return [name for name in names if not Path(name).name.startswith(".")]


def as_damage(path: Path, error: Exception) -> InputError | None:
    """What is said of a file whose packing is damaged; None for an error of another kind."""
    is_bz2 = isinstance(error, OSError) and str(error) == "Invalid data stream"
    if not is_bz2 and not isinstance(error, _DAMAGE):
        return None
    return InputError(f"{path} ends early or is damaged ({error})", "fetch it again")


def kind_inside(path: Path) -> str:
    """What a file that may be packed holds: "text", "npz", "archive" or "r"; refuses the unread."""
    try:
        if excel.is_workbook(path):
            return "text"
    except (*_DAMAGE, OSError) as error:
        raise as_damage(path, error) or error from error
    with path.open("rb") as raw:
        start = raw.peek(8)[:8]
        if start.startswith(_ZIP):
            return _kind_of_zip(path)
        unpacker = next((u for mark, u in _UNPACKERS.items() if start.startswith(mark)), None)
        try:
            start = (unpacker(raw) if unpacker else raw).read(_START)
        except (*_DAMAGE, OSError) as error:
            raise as_damage(path, error) or error from error
    refuse_unread(path, start)
    if start[_TAR_AT:].startswith(_TAR_MARK):
        return "archive"
    return "r" if _R_MARK.match(start) else "text"


def refuse_unread(path: Path, start: bytes) -> None:
    """Name a format that is not read, by its first bytes, and how to convert it."""
    for mark, (what, fix) in _UNREAD.items():
        if start.startswith(mark):
            raise InputError(
                f"{path} is {what if what[:2] in ('a ', 'an', 'pa') else f'a file {what}'}, which "
                "is not read",
                fix.replace("FILE", repr(path.name)),
            )


def _kind_of_zip(path: Path) -> str:
    """ "npz", "text" of one file, or "archive"."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = members(archive)
            if not names or all(name.endswith(".npy") for name in names):
                return "npz"
            excel.refuse_other(path, names)
            if len(names) > 1:
                return "archive"
            with archive.open(names[0]) as file:
                start = file.read(_START)
    except zipfile.BadZipFile as error:
        if path.suffix == ".npz":
            return "npz"
        raise InputError(f"{path} is a damaged zip ({error})", "fetch it again") from error
    if names[0].endswith(".h5"):  # kallisto's, as one of several
        return "archive"
    if b"\0" in start:
        raise InputError(f"{path} is a zip of {names[0]}, which is no text", "unpack it")
    return "text"
