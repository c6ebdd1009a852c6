"""How a verb speaks while a study runs: on the screen, with options as flags."""

import sys
from pathlib import Path

from jaxssl.studies.progress import Hooks, Screen

from . import exit, signals


def hooks() -> Hooks:
    """A screen, patience while a pretraining can be saved, and the command for the record."""
    screen, spec = Screen(), getattr(sys.modules["__main__"], "__spec__", None)
    module = spec.name.removesuffix(".__main__") if spec else Path(sys.argv[0]).name
    return Hooks(
        lambda event: screen(event._replace(text=exit.as_flags(event.text))),
        signals.patient,
        " ".join([f"python -m {module}", *sys.argv[1:]]),
    )
