"""Config files: those that come with jaxssl, by name, and a user's own, by path."""

import difflib
from pathlib import Path
from runpy import run_path

from jaxssl.config import Config
from jaxssl.types import InputError

FOLDER = Path(__file__).parents[1] / "configs"  # in a checkout and in an installed jaxssl alike
NAMES = tuple(sorted(file.stem for file in FOLDER.glob("[a-z]*.py")))


def config_file(text: str) -> Path:
    """The file that `--config` means: the path of one, or the name of one that jaxssl brings."""
    if text in NAMES:
        return FOLDER / f"{text}.py"
    if Path(text).is_file():
        return Path(text)
    close = difflib.get_close_matches(Path(text).stem, NAMES, n=1)
    meant = f"did you mean {close[0]}? There are" if close else "there are"
    raise InputError(f"no config {text}", f"{meant} {', '.join(NAMES)}, or pass a file's path")


def load(name: str) -> Config:
    """The configuration of a config file."""
    return run_path(str(config_file(name)))["get_config"]()
