"""What all seeds and budgets have in common, computed once and kept as long as their inputs."""

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

T = TypeVar("T")

_LOCK = threading.RLock()


def once(make: Callable[[Any], T]) -> Callable[[Any], T]:
    """A function of a matrix and its parts that is computed at its first call alone.

    It must not look at labels or seed. Calls by several threads wait for the first.

    Args:
        make: a function of something with a matrix `x`, which nobody writes to, the rows `train`
            and `held_out`, and a dict `shared` with all that have the same inputs; None: with none.

    Returns:
        The same function, which remembers in `shared`.

    Example:
        >>> from types import SimpleNamespace
        >>> import numpy as np
        >>> calls = []
        >>> mean = once(lambda asked: calls.append(1) or asked.x.mean())
        >>> rows = np.arange(2)
        >>> asked = SimpleNamespace(x=np.ones((3, 2)), train=rows, held_out=rows, shared={})
        >>> mean(asked), mean(asked), len(calls)
        (np.float64(1.0), np.float64(1.0), 1)
    """

    @wraps(make)
    def remembered(asked: Any) -> T:
        if asked.shared is None:
            return make(asked)
        rows = asked.train.tobytes(), asked.held_out.tobytes()
        matrices = asked.x, getattr(asked, "genes", None)
        key = (make.__qualname__, *map(id, matrices), *rows)
        with _LOCK:
            if key not in asked.shared:  # with the matrices, so that no others come by their ids
                asked.shared[key] = make(asked), matrices
            return asked.shared[key][0]

    return remembered
