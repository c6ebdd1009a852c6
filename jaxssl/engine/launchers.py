"""Which of several processes this one is, as the environment of `srun`, `mpirun` or a user says."""

import os
from collections.abc import Mapping
from typing import NamedTuple

from jaxssl.types import InputError

LAUNCHERS = {
    "JAX_NUM_PROCESSES": "JAX_PROCESS_ID",
    "SLURM_STEP_NUM_TASKS": "SLURM_PROCID",
    "OMPI_COMM_WORLD_SIZE": "OMPI_COMM_WORLD_RANK",
    "PMI_SIZE": "PMI_RANK",
}
"""What says how many processes were started together → which of them this one is."""
ADDRESS = "JAX_COORDINATOR_ADDRESS"


class Process(NamedTuple):
    """One of the processes that were started together."""

    index: int
    n: int

    @property
    def is_first(self) -> bool:
        """Whether it is the one that reads, writes and decides."""
        return self.index == 0

    def __str__(self) -> str:
        return f"process {self.index} of {self.n}"


def find_process(environ: Mapping[str, str] = os.environ) -> Process:
    """This process among those that `srun`, `mpirun` or the user started together.

    Raises:
        InputError: if the environment says how many there are, and not which one this is.

    Example:
        >>> find_process({"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "1"})
        Process(index=1, n=4)
        >>> find_process({"SLURM_NTASKS": "4"})  # of a batch script, which is one process
        Process(index=0, n=1)
    """
    size = size_variable(environ)
    if size:
        rank = LAUNCHERS[size]
        try:
            found = Process(int(environ[rank]), int(environ[size]))
        except (KeyError, ValueError):
            found = Process(-1, 0)
        if not 0 <= found.index < found.n:
            raise InputError(
                f"{size} is {environ[size]}, and {rank}={environ.get(rank, '')} is no process of "
                "so many",
                f"set {rank} to 0, 1, 2 …, one for each process, or unset {size}",
            )
        return found
    if ADDRESS in environ:
        raise InputError(
            f"{ADDRESS} is set, and nothing says how many processes there are",
            f"set JAX_NUM_PROCESSES and JAX_PROCESS_ID, or unset {ADDRESS}",
        )
    return Process(0, 1)


def size_variable(environ: Mapping[str, str] = os.environ) -> str:
    """The variable by which a launcher says that there are several processes; "": none does."""
    return next((name for name in LAUNCHERS if environ.get(name, "1") != "1"), "")
