"""What a run remembers of itself: seconds a stage, and the warnings on the way."""

import resource
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

KINDS = (UserWarning, RuntimeWarning)  # of warnings that concern the user


class Notes:
    """Seconds a stage took, and the warnings on the way; they end in `summary.json`."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.warnings: list[str] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage and collect its warnings, printing each once."""
        started = time.monotonic()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            yield
        for text in dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, KINDS)):
            print(f"warning: {text}", flush=True)
            self.warnings.append(text)
        self.seconds[name] = round(time.monotonic() - started, 2)


def peak_memory_gb() -> float:
    """Largest resident memory of this process so far."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kibibytes on Linux
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9, 2)
