"""Where a run may write: an existing output is refused, resumed or replaced; one process at a time.

The lock is the system's, on a file: it goes with its process, however that ends.
"""

import atexit
import glob
import os
import socket
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from jaxssl.data.names import check_names
from jaxssl.files import sweep_parts
from jaxssl.places import input_within, part_of, refuse_tilde
from jaxssl.runs import kinds, previous
from jaxssl.runs.layout import LOCK
from jaxssl.types import InputError

_held: dict[Path, BaseFileLock] = {}
_blocks: dict[Path, object] = {}  # of `released`, by the lock that each will hold
MAX_NAME, MAX_PATH = 220, 3800  # bytes: 255 and 4,096, less what stands beside and inside
PATIENCE = 0.5  # seconds, for another that only looks or is about to end


class Output(NamedTuple):
    """Where a run writes, and what to do with what is there."""

    folder: str
    resume: bool = False
    overwrite: bool = False
    can_resume: bool = True  # whether the caller can go on with what is there
    inputs: tuple[tuple[str, str | Path], ...] = ()  # files that the run reads, by their options
    kind: str = ""  # of the run, out of `kinds.KINDS`
    part_of: str = ""  # id of the run that it is part of, if of any


def open_folder(output: Output) -> Path:
    """Create and lock the folder; one that holds something is refused unless told what to do."""
    folder = check_folder(output)
    _make_and_lock(folder, folder / LOCK)
    check_folder(output)  # again: another run may have ended meanwhile
    # what a killed run left; runs inside sweep their own
    for names in kinds.part_names(folder):
        sweep_parts(folder, names, but=LOCK)
    if output.overwrite:
        kept = [str(path.relative_to(folder)) for path in previous.set_aside(folder)]
        if kept:
            more = f" and {len(kept) - 5} more" if len(kept) > 5 else ""
            names = f"{', '.join(kept[:5])}{more}"
            warnings.warn(f"{folder} keeps what no run wrote: {names}", stacklevel=3)
    return folder


def check_folder(output: Output) -> Path:
    """The folder, if a run may write there; puts back what a killed overwriting had moved."""
    if output.resume and output.overwrite:
        raise InputError("`resume` goes on with what `overwrite` deletes", "pass one of them")
    if not output.folder:
        raise InputError("no output folder is given", "pass `out=runs/NAME`")
    folder = Path(output.folder)
    _require_name(folder)
    _require_writable(folder)
    check_lock(folder / LOCK)
    if previous.is_unsettled(folder):
        _make_and_lock(folder, folder / LOCK)
        previous.settle(folder)
    if not folder.is_dir() or not _content(folder):
        return folder
    _refuse_folder(folder, output)
    for lock in folder.rglob(LOCK) if output.overwrite else ():
        check_lock(lock)  # of a run inside
    return folder


def _refuse_folder(folder: Path, output: Output) -> None:
    """Refuse a folder that holds something, unless it is a run's whose fate is told."""
    reason, within = previous.why_no_run(folder), input_within(folder, output.inputs)
    is_asked = output.overwrite or output.resume
    if reason:
        option = "overwrite" if output.overwrite else "resume"
        leaves = f", so `{option}` leaves it" * is_asked
        exists = "is" if is_asked else "exists and is"
        raise InputError(f"{folder} {exists} no run folder{leaves}: {reason}", "pass another `out`")
    if not is_asked:
        can_resume = output.can_resume and kinds.can_go_on(folder, output.kind)
        options = ["`resume`"] * can_resume + ["`overwrite`"] * (not within)
        said = f"{', '.join(options)} or " if options else ""
        raise InputError(f"{folder} exists", f"pass {said}another `out`")
    if output.resume:
        kinds.check_kind(folder, output.kind)
    if within and output.overwrite:
        raise InputError(
            f"{within} lies in {folder}, which `overwrite` would empty",
            "move it, or pass another `out`",
        )


def new_file(
    name: str,
    suffixes: Sequence[str],
    *,
    overwrite: bool,
    inputs: Iterable[tuple[str, str | Path]] = (),
) -> Path:
    """Path of a file to write, locked; refused if it exists, is an input or of another kind."""
    path = Path(name)
    if path.suffix not in suffixes:
        raise InputError(
            f"`out={name}` must end in {' or '.join(suffixes)}", f"pass `out=NAME{suffixes[0]}`"
        )
    _require_name(path)
    check_file(path, inputs)
    _require_writable(path.parent)
    lock = path.with_name(f".{path.name}{LOCK}")
    check_lock(lock)
    _refuse_existing(path, overwrite)
    _make_and_lock(path, lock)
    _refuse_existing(path, overwrite)  # again: another may have written meanwhile
    for part in path.parent.glob(f".{glob.escape(path.name)}.*"):  # what a killed run left
        if part_of(part) == path.name:
            part.unlink()
    return path


def check_file(path: Path, inputs: Iterable[tuple[str, str | Path]] = ()) -> None:
    """Refuse a place that is an input, or where a run has a file of its own."""
    within = input_within(path, inputs)
    if within:
        raise InputError(f"{within} would be replaced by `out={path}`", "pass another `out`")
    run = previous.run_of(path) if path.exists() else None
    if run:
        raise InputError(f"{path} is part of the run in {run}", "pass another `out`")


def hold(path: Path) -> None:
    """Lock by the file `path` until this process ends or calls `release`."""
    path = path.resolve()
    while path not in _held:
        lock = _acquire(path)
        if path.exists():  # else its last holder has just removed it
            _held[path] = lock
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    _owner_file(path).write_text(f"process {os.getpid()} on {socket.gethostname()} since {now}\n")


@atexit.register
def release(folder: Path | None = None) -> None:
    """Give back the locks below a folder, by default all; a process that ends does so by itself."""
    within = folder and folder.resolve()
    for path in [path for path in _held if within is None or path.is_relative_to(within)]:
        lock = _held.pop(path)
        _owner_file(path).unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        lock.release()


@contextmanager
def released(folder: str | Path) -> Iterator[None]:
    """Give back the locks below a folder at the end of the block; no two blocks share one."""
    _require_name(Path(folder))
    lock, block = (Path(folder) / LOCK).resolve(), object()
    if lock in _held or _blocks.setdefault(lock, block) is not block:
        raise InputError(f"another study of this process writes {folder}", "pass another `out`")
    try:
        yield
    finally:
        del _blocks[lock]
        release(Path(folder))


def check_lock(path: Path) -> None:
    """Raise InputError if another process has the lock."""
    path = path.resolve()
    if path not in _held and path.exists():
        _acquire(path).release()


def _acquire(path: Path) -> BaseFileLock:
    """The lock, if no other process has it."""
    try:
        try:
            lock: BaseFileLock = FileLock(path, timeout=PATIENCE, poll_interval=0.05)
            lock.acquire()
        except (OSError, NotImplementedError) as error:
            if isinstance(error, PermissionError | Timeout) or not path.parent.is_dir():
                raise
            # a file system without locks
            lock = SoftFileLock(path, timeout=PATIENCE, poll_interval=0.05)
            lock.acquire()
    except Timeout as error:
        owner_file = _owner_file(path)
        owner = owner_file.read_text().strip() if owner_file.exists() else "another process"
        raise InputError(
            f"{owner} is writing {path.parent}",
            f"wait for its end, or pass another `out` (if it is long dead, delete {path})",
        ) from error
    return lock


def _owner_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.owner")


def _require_name(path: Path) -> None:
    """Refuse a name that no file beside or inside could have, and one that no text can hold."""
    check_names([path], "paths in `out`")
    refuse_tilde(path)
    lengths = [len(os.fsencode(name)) for name in path.parts]
    if max(lengths, default=0) > MAX_NAME or len(os.fsencode(path.absolute())) > MAX_PATH:
        raise InputError(f"the name {path.name[:20]}... is too long", "pass a shorter `out`")


def _require_writable(path: Path) -> None:
    """Refuse a place where nothing can be made, before anything is read."""
    there = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        what = "is no folder" if not there.is_dir() else "cannot be written"
        raise InputError(f"{there} {what}", "pass another `out`")


def _refuse_existing(path: Path, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists", "pass `overwrite`, or another `out`")


def _make_and_lock(out: Path, lock: Path) -> None:
    """Take the lock of an output, in a folder that is made if need be."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        hold(lock)
    except OSError as error:
        raise InputError(
            f"{out} cannot be made ({error.strerror})", "pass another `out`"
        ) from error


def _content(folder: Path) -> list[Path]:
    """What a folder holds beside what is hidden of us: its lock, marks, and the half-written."""
    ours = (LOCK, f"{LOCK}.owner", previous.KEPT, previous.GONE)
    return [path for path in folder.iterdir() if path.name not in ours and not part_of(path)]
