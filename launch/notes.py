"""What a run remembers of itself: seconds a stage, and the warnings on the way."""

import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from jaxssl.data import leakage
from jaxssl.data.leakage import Finding
from launch import exit
from launch.compilations import Compilations
from launch.memory import peak_bytes

FEW_SEEDS = 6  # from here on the signed-rank test can give a p below 0.05
KINDS = (UserWarning, RuntimeWarning)  # of warnings that concern the user


class Notes:
    """Seconds of every stage, without those of stages inside it, and the warnings on the way.

    Compiling is a stage of its own wherever it happens. Both end in `summary.json`.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.warnings: list[str] = []
        self.allowed_leaks: list[str] = []
        self._inside = 0.0  # seconds of the running stage that are another's
        self._compilations, self._compiled = Compilations(), 0.0
        self._started = time.monotonic()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage and collect its warnings, printing each once."""
        self._note_compilations()
        started, outer, self._inside = time.monotonic(), self._inside, 0.0
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            yield
        for text in dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, KINDS)):
            self.warn(text)
        self._note_compilations()
        total = time.monotonic() - started
        self._add(name, total - self._inside)
        self._inside = outer + total

    def warn(self, text: str) -> None:
        """Print a warning and keep it."""
        print(f"warning: {exit.as_flags(text)}", flush=True)
        self.warnings.append(text)

    def book(self, name: str, seconds: float) -> None:
        """Seconds of the running stage that are another's, which timed itself."""
        self._add(name, seconds - self._note_compilations())

    def count_seeds(self, n_seeds: int) -> None:
        """Warn of a comparison that has too few repetitions."""
        if n_seeds < FEW_SEEDS:
            self.warn(
                f"{n_seeds} seeds are few: intervals are wide, and no test on ranks can reject; "
                f"use at least {FEW_SEEDS}, set before the first look"
            )

    def leaks(self, findings: Sequence[Finding], allowed: Sequence[str]) -> None:
        """Refuse leaks that are not allowed, and keep the others.

        Raises:
            InputError: for the first finding of a kind that is not in `allowed`.
        """
        leakage.refuse(findings, allowed)
        for finding in findings:
            text = f"leak ({finding.kind}), allowed: {finding.message}"
            print(f"warning: {exit.as_flags(text)}", flush=True)
            self.allowed_leaks.append(text)

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


def peak_memory_gb() -> float:
    """Largest resident memory of this process so far."""
    return round(peak_bytes() / 1e9, 2)
