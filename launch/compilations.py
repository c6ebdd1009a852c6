"""How many programs JAX has compiled in this process, and how long that took."""

from typing import Any, NamedTuple

import jax

LOWERED = "/jax/core/compile/jaxpr_to_mlir_module_duration"
COMPILED = "/jax/core/compile/backend_compile_duration"  # or read from the persistent cache


class Compilations(NamedTuple):
    """Since the process started."""

    programs: tuple[str, ...]  # names of the compiled functions
    seconds: float  # of lowering and compiling; tracing is the caller's


_programs: list[str] = []
_seconds: list[float] = [0.0]


def compilations() -> Compilations:
    """What was compiled so far; the difference of two calls is what was compiled between them."""
    return Compilations(tuple(_programs), _seconds[0])


def _note(event: str, duration_secs: float, **details: Any) -> None:
    if event in (LOWERED, COMPILED):
        _seconds[0] += duration_secs
    if event == COMPILED:
        _programs.append(str(details.get("fun_name", "")))


jax.monitoring.register_event_duration_secs_listener(_note)
