"""Several processes that pretrain as one program, beside one process; and what a kill does to them.

Every process has one core: the first of n has the first, and so on.
"""

import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from jaxssl.engine.leaves import flatten
from jaxssl.runs.journal import load_encoders, read_metrics

from .kills import STEP, differences
from .timing import Bench, Row, command

N_STEPS = 200
OPTIONS = ["--config=demo_synthetic", "--config.pretrain.checkpoint_every=1"]
KILLED_AFTER = 3  # epochs


def measure(_: Bench, method: str, axis: str, n_processes: int) -> Row:
    """How far a run of several processes is from one of one, and what it takes beside it.

    `axis`: "rows" splits those of one seed; "seeds" has a seed a process.
    """
    n_seeds = n_processes if axis == "seeds" else 1
    flags = [*OPTIONS, f"--config.pretrain.n_steps={N_STEPS}"]
    flags += [f"--method={method}", f"--seeds={n_seeds}"]
    with tempfile.TemporaryDirectory() as parent:
        one, several, took = Path(parent) / "one", Path(parent) / "several", {}
        for out, n in ((one, 1), (several, n_processes)):
            _end(start([*flags, f"--out={out}"], n))  # compiles
            took[n] = _end(start([*flags, f"--out={out}", "--overwrite"], n))
        expected, found = (np.array(losses(out))[:, 2] for out in (one, several))
        return {
            "loss_apart": float(np.max(np.abs(found / expected - 1))),
            "weights_apart": _apart(several, one),
            "differing": len(differences(several, one)),
            "seconds": took[n_processes],
            "of_one": took[1],
        }


def measure_kill(_: Bench, n_left: int) -> Row:
    """Seconds from the kill of one of two processes to the other's end; what a resume differs in.

    `n_left`: processes that go on with the run.
    """
    flags = [*OPTIONS, "--config.pretrain.n_steps=600", "--seeds=2"]
    with tempfile.TemporaryDirectory() as parent:
        whole, cut = Path(parent) / "whole", Path(parent) / "cut"
        _end(start([*flags, f"--out={whole}"], 1))
        first, other = start([*flags, f"--out={cut}"], 2)
        assert first.stdout is not None
        epochs = (line for line in first.stdout if STEP.search(line))
        for _epoch in zip(range(KILLED_AFTER), epochs, strict=False):
            pass
        other.kill()
        killed = time.perf_counter()
        _, error = first.communicate()
        row: Row = {"s_to_the_end": time.perf_counter() - killed, "said": error.strip()}
        other.communicate()
        _end(start([*flags, f"--out={cut}", "--resume"], n_left))
        return row | {"differing": len(differences(cut, whole))}


def start(flags: list[str], n: int, own: list[list[str]] | None = None) -> list[subprocess.Popen]:
    """Start `launch.pretrain` in `n` processes of one program; `own`: further flags of each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = os.environ | {"JAX_PLATFORMS": "cpu", "OMP_NUM_THREADS": "1"}
    common["XLA_FLAGS"] = f"{common.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=1"
    if n > 1:
        common |= {"JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{port}", "JAX_NUM_PROCESSES": str(n)}
    started = [
        subprocess.Popen(
            command("pretrain", *flags, *(own[i] if own else [])),
            env=common | {"JAX_PROCESS_ID": str(i)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(n)
    ]
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        for i, process in enumerate(started):
            os.sched_setaffinity(process.pid, {cores[i % len(cores)]})
    return started


def _end(processes: list[subprocess.Popen]) -> float:
    """Wait for all; returns the seconds that it took, and raises RuntimeError if one failed."""
    started = time.perf_counter()
    ends = [process.communicate() for process in processes]
    for process, (_, error) in zip(processes, ends, strict=True):
        if process.returncode:
            raise RuntimeError(f"{process.args} failed: {error[-2000:]}")
    return time.perf_counter() - started


def losses(folder: Path) -> list[tuple[int, int, float]]:
    """Seed, step and loss of every epoch of a run."""
    return [(row["seed"], row["step"], row["loss"]) for row in read_metrics(folder)]


def _apart(folder: Path, reference: Path) -> float:
    """The largest difference of a parameter of any seed."""
    found, expected = (
        [flatten(bundle.params) for bundle in load_encoders(run).values()]
        for run in (folder, reference)
    )
    return max(
        float(np.abs(a[name] - b[name]).max())
        for a, b in zip(found, expected, strict=True)
        for name in b
    )
