"""How a study speaks to whoever runs it: lines, counts with the time left, and when to stop."""

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from tqdm.auto import tqdm

from jaxssl.engine.pretrain import StopFn


class Event(NamedTuple):
    """A line for people, or how far a stage has come."""

    text: str
    unit: str = ""  # what is counted: "epoch", "fits"; "" for a line on its own
    done: int = 0
    total: int = 0
    left: float = 0.0  # seconds


Tell = Callable[[Event], None]


class Hooks(NamedTuple):
    """What a study calls on its way."""

    tell: Tell = lambda event: None
    # entered while a pretraining runs, which can save and end: gives what says whether to
    patient: Callable[[], AbstractContextManager[StopFn]] = lambda: nullcontext(lambda: False)
    command: str = ""  # that started the process, for the record

    def say(self, text: str) -> None:
        """Tell a line."""
        self.tell(Event(text))


SILENT = Hooks()


class Count:
    """Counts the finished units of a stage and tells of each, with the time that is left."""

    def __init__(self, tell: Tell, unit: str, total: int):
        self._tell, self._unit, self._total, self._done = tell, unit, total, 0
        self._started = time.monotonic()

    def advance(self, text: str, units: int = 1, *, restored: bool = False) -> None:
        """Count units; `restored` ones took no time and are not told."""
        if restored:
            self._started, self._total, self._done = time.monotonic(), self._total - units, 0
            return
        self._done += units
        left = (time.monotonic() - self._started) / self._done * (self._total - self._done)
        self._tell(Event(text, self._unit, self._done, self._total, left))


class Screen:
    """Shows events: a bar where someone looks on, else a line each."""

    def __init__(self) -> None:
        self._bar: tqdm | None = None
        self._unit = ""

    def __call__(self, event: Event) -> None:
        """Show an event."""
        if event.unit and (sys.stderr.isatty() or "ipykernel" in sys.modules):
            self._draw(event)
            return
        at = f"{event.unit} {event.done}/{event.total}, {event.left:.0f} s left: "
        tqdm.write(at + event.text if event.unit else event.text)
        sys.stdout.flush()

    def _draw(self, event: Event) -> None:
        if self._bar is None or event.unit != self._unit or event.done <= self._bar.n:
            self.close()
            self._bar, self._unit = tqdm(total=event.total, desc=event.unit), event.unit
        self._bar.total = event.total
        self._bar.set_postfix_str(event.text, refresh=False)
        self._bar.update(event.done - self._bar.n)
        if event.done >= event.total:
            self.close()

    def close(self) -> None:
        """End the bar's line."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
