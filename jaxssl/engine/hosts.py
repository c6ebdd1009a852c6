"""Several processes, on one host or many, that pretrain as one program.

The first reads, writes and decides; the others compute with it what it asks for. Requests and
arrays travel by JAX's collectives, which wait for ever on a process that died. So every other
process also holds a connection to the first: when it closes, the process at its other end is gone.
"""

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Mapping
from importlib.metadata import version
from types import MappingProxyType
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import PyTree

from jaxssl.engine.launchers import ADDRESS, Process, find_process, size_variable
from jaxssl.types import InputError

START = 120  # seconds in which all processes must have started
STRAY = 5  # seconds for a connection to say which process it is of
PACKAGES = "jaxssl", "jax", "jaxlib", "flax", "optax", "numpy"  # which decide what is computed
PART = 1 << 26  # bytes sent at once
GOODBYE = b"."


def join(command: str, leave: Callable[[str], None]) -> Process:
    """Meet the other processes, before anything asks JAX for a device.

    Args:
        command: that every process must have been given alike.
        leave: ends this process at once, with a sentence, when another one has ended.

    Returns:
        This process among them.

    Raises:
        InputError: if nothing tells where they are, or one has another command, package or device.
    """
    process = find_process()
    if process.n == 1:
        return process
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.config.update("jax_enable_preemption_service", False)  # signals are ours
    lonely = (
        f"{process} did not meet the others in {START} s; see that all were started, set "
        f"{ADDRESS}=HOST:PORT, of the first, for all, or unset {size_variable()}"
    )
    if process.is_first and ADDRESS in os.environ:
        _require_free(os.environ[ADDRESS])
    late = threading.Timer(START, leave, [lonely])  # JAX would abort the process
    late.start()
    try:
        jax.distributed.initialize(
            num_processes=process.n, process_id=process.index, initialization_timeout=2 * START
        )
    except Exception as error:  # JAX raises many kinds
        raise InputError(f"{lonely} ({str(error).splitlines()[0]})") from error
    finally:
        late.cancel()
    try:
        _compare(process, command)
        _connect(process, leave)
    except InputError:
        goodbye()
        raise
    except OSError as error:  # a name that is not known, a port that is closed
        found = f"{process} cannot reach the others ({error})"
        raise InputError(found, "see that the hosts know each other's names") from error
    return process


def is_joined() -> bool:
    """Whether this process computes with others."""
    return jax.distributed.is_initialized()


def is_first() -> bool:
    """Whether this is the process that reads, writes and decides."""
    return jax.process_index() == 0


def on_host(tree: PyTree) -> Any:
    """Arrays of all processes as NumPy's, in each of them; what is NumPy's stays."""
    if not is_joined():
        return jax.device_get(tree)

    def gathered(leaf: Any) -> np.ndarray:
        if isinstance(leaf, np.ndarray):
            return leaf
        return multihost_utils.process_allgather(leaf, tiled=True)

    return jax.tree.map(gathered, tree)


def any_says(value: bool) -> bool:
    """Whether any process says so; all must ask."""
    if not is_joined():
        return value
    return bool(np.any(multihost_utils.process_allgather(np.array(value))))


def broadcast(message: Any, arrays: Mapping[str, np.ndarray] = MappingProxyType({})) -> None:
    """The first's part: let all others know something, and arrays by their names.

    Args:
        message: what JSON has.
        arrays: of any shape and plain type.
    """
    kinds = {name: [array.dtype.str, list(array.shape)] for name, array in arrays.items()}
    _broadcast_bytes(json.dumps([message, kinds]).encode())
    for array in arrays.values():
        _broadcast_bytes(np.ascontiguousarray(array).tobytes())


def receive() -> tuple[Any, dict[str, np.ndarray]]:
    """The others' part: what the first tells; nothing of it is run."""
    message, kinds = json.loads(_broadcast_bytes(b""))
    arrays = {
        name: np.frombuffer(_broadcast_bytes(b""), np.dtype(kind)).reshape(shape)
        for name, (kind, shape) in kinds.items()
    }
    return message, arrays


def goodbye(*, is_done: bool = False) -> None:
    """End this process's part, so that none takes its end for an accident.

    With `is_done` the first lets the others, which wait for what it asks, end theirs.
    """
    if is_done and is_joined() and is_first():
        broadcast(None)
    for line in _lines:
        with contextlib.suppress(OSError):  # the other one was faster
            line.sendall(GOODBYE)


def _broadcast_bytes(message: bytes) -> bytes:
    """The first's bytes, in all processes."""
    own = np.frombuffer(message, np.uint8)
    # int64 in two halves, which JAX does not cut
    size = multihost_utils.broadcast_one_to_all(np.array([len(own)], np.int64).view(np.uint32))
    n = int(np.asarray(size, np.uint32).view(np.int64)[0])
    parts = []
    for start in range(0, n, PART):
        part = own[start : start + PART] if len(own) else np.zeros(min(PART, n - start), np.uint8)
        parts.append(np.asarray(multihost_utils.broadcast_one_to_all(part), np.uint8).tobytes())
    return b"".join(parts)


def _compare(process: Process, command: str) -> None:
    """Refuse processes that would compute something else than the first."""
    kind = jax.local_devices()[0].device_kind
    own = {name: version(name) for name in PACKAGES}
    own |= {"command": command, "device": f"{jax.local_device_count()} x {kind}"}
    said = json.dumps([socket.gethostname(), own]).encode()
    size = int(np.max(multihost_utils.process_allgather(np.int32(len(said)))))
    rows = multihost_utils.process_allgather(np.frombuffer(said.ljust(size), np.uint8))
    everyone = [json.loads(row.tobytes()) for row in rows]
    _, first = everyone[0]
    for index, (host, other) in enumerate(everyone):
        for what, value in other.items():
            if value != first[what]:
                found = f"process {index} of {process.n}, on {host}, has {what} {value}"
                fix = "start all alike, or each by itself, without what says that they are several"
                raise InputError(f"{found}, and the first {first[what]}", fix)


_lines: list[socket.socket] = []
"""To the other processes: of the first to all, of the others to the first."""


def _require_free(address: str) -> None:
    """Refuse the port of another run: gRPC would share it, and processes meet those of that run."""
    port = address.rpartition(":")[2]
    with socket.socket() as own:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what has ended may linger
        try:
            own.bind(("", int(port)))
        except (OSError, ValueError) as error:
            found = f"{ADDRESS}={address} cannot be used ({error}); another run may have that port"
            raise InputError(found, "set it to HOST:PORT with a free port, for all") from error


def _connect(process: Process, leave: Callable[[str], None]) -> None:
    """Hold a connection between the first and each of the others."""
    if process.is_first:
        with socket.create_server(("", 0)) as server:
            broadcast([socket.gethostname(), server.getsockname()[1]])
            server.settimeout(START)
            missing = set(range(1, process.n))
            while missing:
                line, _ = server.accept()
                line.settimeout(STRAY)
                try:
                    index = int.from_bytes(line.recv(4, socket.MSG_WAITALL))
                except OSError:  # of one that says nothing
                    index = 0
                if index not in missing:  # of something else that looks for open ports
                    line.close()
                    continue
                missing.remove(index)
                _hold(line, f"process {index} of {process.n}", leave)
    else:
        (host, port), _ = receive()
        host = "127.0.0.1" if host == socket.gethostname() else host
        line = socket.create_connection((host, port), START)
        line.sendall(process.index.to_bytes(4))
        _hold(line, f"the first of {process.n} processes", leave)


def _hold(line: socket.socket, name: str, leave: Callable[[str], None]) -> None:
    """Watch a connection in a thread of its own."""
    line.settimeout(None)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, seconds in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, option):  # of Linux; elsewhere a host that is cut off is noticed late
            line.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), seconds)
    _lines.append(line)

    def watch() -> None:
        try:
            received = line.recv(1)
        except OSError:  # reset, or silent for too long
            received = b""
        if received != GOODBYE:
            leave(f"{name} has ended, and the others cannot go on without it")

    threading.Thread(target=watch, daemon=True).start()
