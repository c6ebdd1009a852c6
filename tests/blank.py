"""Files in the place of figures, here and in processes that have no `conftest`."""

from pathlib import Path
from typing import TextIO

from matplotlib.figure import Figure

BLANK = '<svg xmlns="http://www.w3.org/2000/svg" height="1"></svg>'


def sketch(_: Figure, file: Path | TextIO, **__) -> None:
    """Write a blank page: to draw a run's figures takes longer than to train its networks."""
    file.write_text(BLANK) if isinstance(file, Path) else file.write(BLANK)
