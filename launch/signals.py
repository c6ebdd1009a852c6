"""SIGINT and SIGTERM: end at once where nothing is lost, else once the state is saved."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

GRACE, PATIENCE, SHORT = 5.0, 9.0, 1.0  # seconds
"""From a signal to the end by force: the first one, the same where a pretraining can save unless it
has begun to, and a second one."""
NAMES = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


class Ended(KeyboardInterrupt):
    """A signal that ends the process; no error, so that nothing takes it for one."""

    def __init__(self, number: int):
        super().__init__(NAMES[signal.Signals(number)])
        self.code = 128 + number  # as shells have it


class _Asked:
    """What the signals so far ask for."""

    patient = False  # whether the first one only asks
    is_heard = False  # whether who can save was told so
    number = 0  # of the first one


def end_at_once() -> None:
    """Until `install`, both signals end the process: while it imports, there is nothing to undo."""

    def end(number: int, _: FrameType | None) -> None:
        os.write(2, f"error: {NAMES[signal.Signals(number)]}\n".encode())
        os._exit(128 + number)

    for number in NAMES:
        signal.signal(number, end)


def install() -> None:
    """Handle both signals from here on."""
    for number in NAMES:
        signal.signal(number, _handle)


@contextmanager
def watched(leave: Callable[[Ended], None]) -> Iterator[None]:
    """Within the block, what does not end soon after a signal is ended by `leave`.

    Python's handlers run in the main thread, which hears nothing inside a compiler or a solver. The
    system writes signals to a pipe; a thread of ours reads them there.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader, leave), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(writer)


def _watch(reader: int, leave: Callable[[Ended], None]) -> None:
    """Read numbers of signals; time is taken by threads, for more may come."""
    n_received = 0
    while received := os.read(reader, 1):
        if received[0] in NAMES:
            n_received += 1
            after = (GRACE, PATIENCE) if n_received == 1 else (SHORT,)
            for seconds in after:
                timer = threading.Timer(seconds, _end_late, (leave, received[0], seconds))
                timer.daemon = True
                timer.start()
    os.close(reader)


def _end_late(leave: Callable[[Ended], None], number: int, waited: float) -> None:
    """End a process that has not by itself, unless it saves, or still may begin to."""
    may_save = _Asked.patient and _Asked.number > 0
    if waited == SHORT or not may_save or (waited == PATIENCE and not _Asked.is_heard):
        leave(Ended(number))


@contextmanager
def patient() -> Iterator[Callable[[], bool]]:
    """Within the block, a first signal only asks; the value tells whether one did.

    A second one ends the process at once. At the end of the block, the first one does.
    """
    _Asked.patient = True
    try:
        yield _is_asked
    finally:
        _Asked.patient = False
    if _Asked.number:
        raise Ended(_Asked.number)


def _is_asked() -> bool:
    _Asked.is_heard = _Asked.number > 0
    return _Asked.is_heard


def asked() -> Ended | None:
    """What the first signal ends the process with; None if there was none."""
    return Ended(_Asked.number) if _Asked.number else None


def _handle(number: int, _: FrameType | None) -> None:
    if _Asked.patient and not _Asked.number:
        _Asked.number = number
        name = NAMES[signal.Signals(number)]
        # not by print: the signal may have come in the middle of one
        os.write(1, f"{name}: saving after this epoch; once more ends at once\n".encode())
    else:
        raise Ended(number)
