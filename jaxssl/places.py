"""Whose a file is: the writer's, by the names it gives, half-written, an input, or the user's."""

import itertools
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jaxssl.types import InputError

Tree = Mapping[str, Any]
"""Names that a writer gives: pattern of a name → the tree of that folder, or None for a file."""
_PART = re.compile(r"\.(.+?)\.(?:\d+(?:\.\w{8})?|(?=[a-z]*[\d_])[a-z0-9_]{8}|old)\.part")
"""Neighbours of NAME: `.NAME.PROCESS.part` and the like. Other hidden files are the user's."""


def refuse_tilde(path: str | Path) -> None:
    """Refuse to make a folder that is called ~: no shell has read what was to be a home."""
    if str(path).startswith("~"):
        raise InputError(
            f"{path} begins with ~, which stands for a home only where a shell reads it",
            f"write {os.path.expanduser(path)}, or ./{path} for what is called so",
        )


def missing(path: str | Path) -> str:
    """That a path does not exist, in words; of one that no shell has read, what it may mean."""
    home = os.path.expanduser(path)
    return "does not exist" + (f" (~ is not read here: write {home})" if home != str(path) else "")


def part_of(path: Path) -> str:
    """The name of what a file or folder was to become that was never completed; else ""."""
    found = _PART.fullmatch(path.name)
    return found[1] if found else ""


def matching(path: Path, names: Tree) -> list[Tree | None]:
    """What names know of a relative path: [None] for a file, the trees of a folder, [] for none."""
    known: list[Tree | None] = [names]
    for name in path.parts:
        trees = [tree for tree in known if tree]
        known = [tree[p] for tree in trees for p in tree if re.fullmatch(p, name)]
    return known


def divide(
    folder: Path, names: Tree, is_another: Callable[[Path], bool] = lambda _: False
) -> tuple[list[Path], list[Path]]:
    """What a folder holds of names, whole folders where nothing else is in them; and the rest.

    A folder that `is_another` writer's is of the rest, by whatever name.
    """
    own, others = [], []
    for path in sorted(folder.iterdir()):
        known = matching(Path(part_of(path) or path.name), names)
        inside = next(filter(None, known), None)
        is_link, is_folder = path.is_symlink(), path.is_dir()
        if inside and is_folder and not is_link and is_another(path):
            others.append(path)
        elif inside and is_folder and not is_link and not part_of(path):
            of_own, of_others = divide(path, inside, is_another)
            own += of_own if of_others else [path]
            others += of_others
        else:
            is_own = is_link or bool(part_of(path)) or (None in known and not is_folder)
            (own if known and is_own else others).append(path)
    return own, others


def input_within(place: Path, inputs: Iterable[tuple[str, str | Path]]) -> str:
    """The first input, by its option, that is `place` or lies in it by any name; "" for none."""
    names = {Path(os.path.realpath(place)), Path(os.path.abspath(place))}
    for option, given in inputs:
        path = Path(given)
        links = (p for p in path.rglob("*") if p.is_symlink()) if path.is_dir() else ()
        for at in itertools.chain.from_iterable(map(_ways, (path, *links))):
            if any(at.is_relative_to(name) for name in names):
                return f"`{option}={given}`" if option else str(given)
    return ""


def _ways(path: Path) -> Iterator[Path]:
    """Where a path leads: itself as it is written, and every link on the way."""
    yield Path(os.path.abspath(path))
    for _ in range(40):  # as many links as a system follows
        yield Path(os.path.realpath(path.parent), path.name)
        if not path.is_symlink():
            break
        path = path.parent / path.readlink()
