"""What all seeds and budgets have in common, computed once and kept as long as its matrix lives."""

import threading
import weakref
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

T = TypeVar("T")

_MADE: dict[int, dict[tuple[str, bytes, bytes], Any]] = {}  # by identity of a living matrix
_LOCK = threading.RLock()


def once(make: Callable[[Any], T]) -> Callable[[Any], T]:
    """A function of a matrix and its parts that is computed at its first call alone.

    It must not look at labels or seed, nor return what holds the matrix itself: the results leave
    with it. Calls by several threads wait for the first.

    Args:
        make: a function of something with a matrix `x`, which nobody writes to, and the rows
            `train` and `held_out`.

    Returns:
        The same function, which remembers.

    Example:
        >>> from types import SimpleNamespace
        >>> import numpy as np
        >>> calls = []
        >>> mean = once(lambda asked: calls.append(1) or asked.x.mean())
        >>> rows = np.arange(2)
        >>> asked = SimpleNamespace(x=np.ones((3, 2)), train=rows, held_out=rows)
        >>> mean(asked), mean(asked), len(calls)
        (np.float64(1.0), np.float64(1.0), 1)
    """

    @wraps(make)
    def remembered(asked: Any) -> T:
        identity = id(asked.x)
        key = (make.__qualname__, asked.train.tobytes(), asked.held_out.tobytes())
        with _LOCK:
            if identity not in _MADE:
                _MADE[identity] = {}
                weakref.finalize(asked.x, _MADE.pop, identity, None).atexit = False
            made = _MADE[identity]
            if key not in made:
                made[key] = make(asked)
            return made[key]

    return remembered
