"""One process writes an output at a time.

The system's lock on a file: it goes with its process, however that ends, so the file of a killed
run locks nothing. On a file system without such locks, the process that the file names decides.
"""

import atexit
import errno
import fcntl
import os
import socket
from datetime import datetime
from pathlib import Path
from typing import IO

import psutil

from jaxssl.types import InputError

LOCK = ".lock"
_UNSUPPORTED = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
_held: dict[Path, IO[str]] = {}


def hold(path: Path) -> None:
    """Lock by the file `path` until this process ends.

    Raises:
        InputError: if another process has it.
    """
    path = path.resolve()
    while path not in _held:
        file = path.open("a+", encoding="utf-8")
        try:
            _take(file, path)
        except InputError:
            file.close()
            raise
        if _is(file, path):  # else its last holder has just removed it
            file.seek(0)
            file.truncate()
            now = datetime.now().astimezone().isoformat(timespec="seconds")
            file.write(f"process {os.getpid()} on {socket.gethostname()} since {now}\n")
            file.flush()
            _held[path] = file
        else:
            file.close()


def check(path: Path) -> None:
    """Raise InputError if another process has the lock; touches nothing."""
    path = path.resolve()
    if path in _held or not path.exists():
        return
    with path.open("r", encoding="utf-8") as file:
        _take(file, path, fcntl.LOCK_SH)


@atexit.register
def release() -> None:
    """Give all locks back; happens by itself when the process ends."""
    while _held:
        path, file = _held.popitem()
        path.unlink(missing_ok=True)
        file.close()


def _take(file: IO[str], path: Path, kind: int = fcntl.LOCK_EX) -> None:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
        return
    except BlockingIOError:
        pass
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        if not _may_run(path.read_text(encoding="utf-8")):
            return
    owner = path.read_text(encoding="utf-8").strip() or "another process"
    raise InputError(
        f"{owner} is writing {path.parent}; wait for its end, or pass another --out (if it is long "
        f"dead, delete {path})"
    )


def _may_run(owner: str) -> bool:
    """Whether the process that a lock names may be running; unknown on another machine."""
    words = owner.split()
    if len(words) < 4 or not words[1].isdigit():
        return False
    return words[3] != socket.gethostname() or psutil.pid_exists(int(words[1]))


def _is(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
