"""The run that a folder held before: known by its marks, and set aside whole before it is deleted.

What a run writes is moved into BEFORE, a hidden folder beside it; only when all of it is there is
that called GONE, and deleted. Of a process that is killed in between, `settle` puts the run back
whole, or finishes. Links go as links, and what no run writes stays where it is.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from jaxssl.files import flush
from jaxssl.places import divide, matching, part_of
from jaxssl.runs import layout
from jaxssl.runs.kinds import is_another, names_of, signs_in
from jaxssl.types import InputError

BEFORE, GONE = ".jaxssl.before.part", ".jaxssl.gone.part"
KEPT = layout.KEPT

PAIRS = (set(layout.IDENTITY), {layout.SUMMARY, f"{layout.CLASSIFIER}/bundle.json"})
"""Signs that make sure of a run where both are there: one alone may be another tool's."""
_OURS = {layout.LOCK, f"{layout.LOCK}.owner"}
BEGUN = ({*layout.IDENTITY, *_OURS}, {layout.CLASSIFIER, layout.CLASSIFIED, *_OURS})
"""All that is there of a run that was killed before it had both: then one is enough."""


def why_no_run(folder: Path) -> str:
    """What a folder lacks to be known as one of a run; "" if it is one."""
    whole = layout.whole_folder(folder)
    if whole != folder and not why_no_run(whole):
        return ""
    found = signs_in(folder)
    if (folder / KEPT).is_file() or any(pair <= found for pair in PAIRS):
        return ""
    names = {path.name for path in folder.iterdir() if not part_of(path)}
    if any(pair & found and names <= begun for pair, begun in zip(PAIRS, BEGUN, strict=True)):
        return ""
    for pair in PAIRS:
        if pair & found:
            return f"it has {min(pair & found)}, but no {min(pair - found)} that belongs to it"
    return "it lacks what every run writes"


def run_of(file: Path) -> Path | None:
    """The run folder that a file is part of, if there is one."""
    file = Path(os.path.realpath(file.parent), file.name)
    within = (f for f in file.parents if None in matching(file.relative_to(f), names_of(f)))
    return next((folder for folder in within if not why_no_run(folder)), None)


def is_unsettled(folder: Path) -> bool:
    """Whether a process was killed that set a run aside there."""
    return any((folder / name).is_dir() for name in (BEFORE, GONE))


def settle(folder: Path) -> None:
    """Put back what a killed process had not yet set aside whole, delete what it had."""
    _put_back(folder / BEFORE, folder)
    _delete(folder / GONE)


def set_aside(folder: Path) -> list[Path]:
    """Delete the run of a folder; returns what else is there."""
    own, others = divide(folder, names_of(folder), is_another(folder))
    own = [path for path in own if not path.name.startswith((layout.LOCK, KEPT))]
    before, path = folder / BEFORE, folder
    try:
        for path in own:
            target = before / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.rename(path, target)
        if others:
            (folder / KEPT).write_text("written by jaxssl\n")
        flush(folder)
        if own:
            os.rename(before, folder / GONE)
    except BaseException as error:
        with suppress(OSError):  # else the next process does
            _put_back(before, folder)
        if not isinstance(error, OSError):
            raise
        raise InputError(
            f"{path} cannot be moved ({error.strerror}), so {folder} is left as it was",
            "make it and its folder writable, or pass another `out`",
        ) from error
    _delete(folder / GONE)
    if not others:
        (folder / KEPT).unlink(missing_ok=True)
    return others


def _put_back(source: Path, target: Path) -> None:
    """Move what lies in `source` to where it was; what has taken its place stays there."""
    for path in sorted(source.iterdir()) if source.is_dir() else []:
        place = target / path.name
        if not os.path.lexists(place):
            os.rename(path, place)
        elif path.is_dir() and not path.is_symlink():
            _put_back(path, place)
    with suppress(OSError):
        source.rmdir()


def _delete(folder: Path) -> None:
    """Delete a folder with all in it, read-only folders too; what cannot be is left to the next."""
    if folder.is_symlink():
        return
    for root, names, _ in os.walk(folder):
        for path in (Path(root, name) for name in names):
            if not path.is_symlink():
                with suppress(OSError):
                    path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
