"""What a run remembers of itself: seconds a stage, memory, and the warnings on the way."""

import resource
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax

from jaxssl.types import InputError

WARNING = "warning: "  # how a line for people begins that is one
KINDS = (UserWarning, RuntimeWarning)  # of warnings that concern the user
LOWERED = "/jax/core/compile/jaxpr_to_mlir_module_duration"
COMPILED = "/jax/core/compile/backend_compile_duration"  # or read from the persistent cache


class Compilations:
    """The programs that JAX compiles from now on, and seconds of lowering and compiling them."""

    def __init__(self) -> None:
        self.programs: list[str] = []  # names of the functions
        self.seconds = 0.0
        jax.monitoring.register_event_duration_secs_listener(self._note)

    def close(self) -> None:
        """Count no more."""
        jax.monitoring.unregister_event_duration_listener(self._note)

    def _note(self, event: str, duration_secs: float, **details: Any) -> None:
        if event in (LOWERED, COMPILED):
            self.seconds += duration_secs
        if event == COMPILED:
            self.programs.append(str(details.get("fun_name", "")))


def _texts(caught: Sequence[warnings.WarningMessage]) -> list[str]:
    """What concerns the user, each once."""
    kept = (str(w.message) for w in caught if issubclass(w.category, KINDS))
    return list(dict.fromkeys(kept))


class Notes:
    """Seconds of every stage, without those of stages inside it, and the warnings on the way.

    Compiling is a stage of its own wherever it happens. Both end in `summary.json`.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.seconds: dict[str, float] = {}
        self.warnings: list[str] = []
        self.allowed_leaks: list[str] = []
        self._tell = tell
        self._inside = 0.0  # seconds of the running stage that are another's
        self._compilations, self._compiled = Compilations(), 0.0
        self._started = time.monotonic()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage and keep its warnings, each once."""
        self._note_compilations()
        started, outer, self._inside = time.monotonic(), self._inside, 0.0
        caught: list[warnings.WarningMessage] = []
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("default")
                yield
        except BaseException:  # nobody will read the notes: the warnings may say why
            for text in _texts(caught):
                warnings.warn(text, stacklevel=3)
            raise
        for text in _texts(caught):
            self.warn(text)
        self._note_compilations()
        total = time.monotonic() - started
        self._add(name, total - self._inside)
        self._inside = outer + total

    def warn(self, text: str) -> None:
        """Show a warning and keep it."""
        self._tell(f"{WARNING}{text}")
        self.warnings.append(text)

    def book(self, name: str, seconds: float) -> None:
        """Seconds of the running stage that are another's, which timed itself."""
        self._add(name, seconds - self._note_compilations())

    def leaks(self, found: dict[str, str], allowed: Sequence[str]) -> None:
        """Refuse leaks (kind → words) that are not allowed, and keep the others."""
        refused = [kind for kind in found if kind not in allowed]
        if refused:  # all at once, so that the advice is followed once
            leaks = "; ".join(f"leak ({kind}): {found[kind]}" for kind in refused)
            kinds = ",".join([*allowed, *refused])
            raise InputError(leaks, f"or pass `allow_leaks={kinds}`, which the report will say")
        for kind, leak in found.items():
            self.inherit([f"leak ({kind}), allowed: {leak}"])

    def inherit(self, allowed: Sequence[str]) -> None:
        """Keep leaks that were allowed, here or where an encoder was made, each once."""
        for text in allowed:
            if text not in self.allowed_leaks:
                self._tell(f"{WARNING}{text}")
                self.allowed_leaks.append(text)

    def found(self) -> dict[str, list[str]]:
        """The warnings and the allowed leaks so far."""
        return {"warnings": [*self.warnings], "allowed_leaks": [*self.allowed_leaks]}

    def close(self) -> None:
        """End the count of what is compiled."""
        self._compilations.close()

    def timings(self) -> dict[str, float]:
        """Seconds of every stage, and of the whole so far."""
        seconds = self.seconds | {"total": time.monotonic() - self._started}
        return {name: round(value, 2) for name, value in seconds.items()}

    def _add(self, name: str, seconds: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds
        self._inside += seconds

    def _note_compilations(self) -> float:
        """Book what was compiled since the last call; returns its seconds."""
        compiled = self._compilations.seconds
        fresh, self._compiled = compiled - self._compiled, compiled
        self._add("compile", fresh)
        return fresh


def peak_bytes() -> int:
    """Largest memory of this process so far."""
    status = Path("/proc/self/status")
    if status.exists():  # there getrusage would count the parent's memory at the start
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kibibytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
