"""A verb that several processes run as one program: the first is the verb, the others help it."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from jaxssl.types import Stopped

from . import exit, flags, signals


@contextmanager
def joined() -> Iterator[bool]:
    """Whether this process is to do the verb's work; where it is not, it helps in the block.

    Processes that have a shard of the seeds each are none of one another's.
    """
    if flags.value_of("shard"):
        yield True
        return
    from jaxssl.engine import hosts, pretrain  # not for --help

    process = hosts.join(shlex.join(sys.argv[1:]), exit.abandon)
    try:
        yield process.is_first
        if not process.is_first:
            with signals.patient() as stop:
                pretrain.assist(stop)
    except Stopped:
        hosts.goodbye()  # all stop
        raise
    hosts.goodbye(is_done=True)
