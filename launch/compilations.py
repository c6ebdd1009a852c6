"""How many programs JAX compiles in this process, and how long that takes."""

from typing import Any

import jax

LOWERED = "/jax/core/compile/jaxpr_to_mlir_module_duration"
COMPILED = "/jax/core/compile/backend_compile_duration"  # or read from the persistent cache


class Compilations:
    """What is compiled from now on: names of the functions, and seconds.

    Seconds are of lowering and compiling; tracing is the caller's.
    """

    def __init__(self) -> None:
        self.programs: list[str] = []
        self.seconds = 0.0
        jax.monitoring.register_event_duration_secs_listener(self._note)

    def _note(self, event: str, duration_secs: float, **details: Any) -> None:
        if event in (LOWERED, COMPILED):
            self.seconds += duration_secs
        if event == COMPILED:
            self.programs.append(str(details.get("fun_name", "")))
