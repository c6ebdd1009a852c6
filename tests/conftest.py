"""The environment of the suite: no network, small programs, each compiled once.

Fixtures and strict numerics are in `strict.py`, which whoever only hands tests out does not load.
"""

import atexit
import gc
import os
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

from threadpoolctl import threadpool_limits

gc.disable()  # until all tests are imported

ROOT = Path(__file__).parents[1]
IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
# For this process and those that tests start: no network; small programs, of which compiling is the
# cost, each compiled once; no threads that wait for each other on small matrices. Every worker has
# its own folder of programs, for JAX neither writes them whole nor waits for who does; what is
# whole they share by `strict.py`.
_programs = tempfile.mkdtemp(prefix="jaxssl-programs-")
atexit.register(shutil.rmtree, _programs, ignore_errors=True)
if not IS_WORKER:
    os.environ["JAXSSL_SHARED_PROGRAMS"] = _programs
    if version("jaxlib").startswith("0.10."):  # halves compiling; XLA ends at a flag unknown to it
        flags = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()
os.environ |= {
    "PYTHONPATH": str(ROOT / "tests" / "offline"),
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    "JAX_COMPILATION_CACHE_DIR": _programs,
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.01",
}

threadpool_limits(1)  # of NumPy, if a plugin loaded it before

import offline.sitecustomize  # noqa: E402, F401 (the network is cut from here on)


def pytest_configure(config) -> None:
    """Load what tests need where they are collected: importing it takes as long as many of them."""
    hands_out = config.getoption("tx", None) and not config.getoption("collectonly")
    if IS_WORKER or not hands_out:
        config.pluginmanager.import_plugin("strict")
