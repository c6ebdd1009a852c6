"""Config files: those that come with jaxssl, by name, and a user's own, by path."""

import difflib
from pathlib import Path
from runpy import run_path
from traceback import extract_tb

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
    """The configuration of a config file, which is Python of the user's."""
    file = config_file(name)
    try:
        get_config = run_path(str(file)).get("get_config")
        made = get_config() if callable(get_config) else None
    except InputError as error:
        raise InputError(f"{file}: {error.finding}", error.fix) from error
    except Exception as error:
        at = error.lineno if isinstance(error, SyntaxError) else _line_in(file, error)
        where = f"{file}, line {at}" if at else str(file)
        raise InputError(f"{where}: {error or type(error).__name__}", "correct the file") from error
    if not isinstance(made, Config):
        raise InputError(
            f"{file} returns no configuration",
            "it must hold a function get_config that returns a jaxssl.Config, as in configs/",
        )
    return made


def _line_in(file: Path, error: Exception) -> int:
    """The last line of a file on the way to an error; 0 for none."""
    lines = [at.lineno for at in extract_tb(error.__traceback__) if at.filename == str(file)]
    return (lines[-1] or 0) if lines else 0
