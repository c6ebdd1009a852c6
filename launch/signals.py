"""SIGINT and SIGTERM: end at once where nothing is lost, else once the state is saved."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

NAMES = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


class Ended(KeyboardInterrupt):
    """A signal that ends the process; no error, so that nothing takes it for one."""

    def __init__(self, number: int):
        super().__init__(NAMES[signal.Signals(number)])
        self.code = 128 + number  # as shells have it


class _Asked:
    """What the signals so far ask for."""

    patient = False  # whether the first one only asks
    number = 0  # of the first one


def install() -> None:
    """Handle both signals from here on."""
    for number in NAMES:
        signal.signal(number, _handle)


@contextmanager
def patient() -> Iterator[Callable[[], bool]]:
    """Within the block, a first signal only asks; the value tells whether one did.

    A second one ends the process at once. At the end of the block, the first one does.
    """
    _Asked.patient = True
    try:
        yield lambda: _Asked.number > 0
    finally:
        _Asked.patient = False
    if _Asked.number:
        raise Ended(_Asked.number)


def asked() -> Ended:
    """What the first signal ends the process with."""
    return Ended(_Asked.number)


def _handle(number: int, _: FrameType | None) -> None:
    if _Asked.patient and not _Asked.number:
        _Asked.number = number
        name = NAMES[signal.Signals(number)]
        # not by print: the signal may have come in the middle of one
        os.write(1, f"{name}: saving after this epoch; once more ends at once\n".encode())
    else:
        raise Ended(number)
