"""One thread of BLAS and LAPACK: for small matrices, and where others fill the cores."""

from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController


def one_thread() -> AbstractContextManager[object]:
    """A context in which each call takes one thread; idle ones would spin on for a while."""
    return _libraries().limit(limits=1, user_api="blas")


@cache
def _libraries() -> ThreadpoolController:
    """Those that are loaded; to look for them takes longer than the spectrum of an embedding."""
    return ThreadpoolController()
