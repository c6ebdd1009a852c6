"""Strict numerics, enforced shapes and fixtures for the whole suite."""

import gc
import os
from contextlib import contextmanager, suppress
from pathlib import Path

from jaxtyping import install_import_hook

# Annotated shapes are checked on every call; the hook must precede the first import of jaxssl.
_hook = install_import_hook("jaxssl", "beartype.beartype")

import jax  # noqa: E402
import pytest  # noqa: E402
from blank import sketch  # noqa: E402
from jax._src.lru_cache import LRUCache  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from run_folders import write_run  # noqa: E402

from jaxssl.report import maps  # noqa: E402
from jaxssl.report.render import write_report  # noqa: E402
from jaxssl.runs.reading import read_runs  # noqa: E402
from jaxssl.studies import amount  # noqa: E402

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ["JAXSSL_SHARED_PROGRAMS"])
# most reports of the suite are not looked at: the fewest steps, few samples on their maps, and
# files in the place of figures
MANY, maps.MAX_SAMPLES, maps.N_STEPS = maps.MAX_SAMPLES, 120, 250
amount.N_SPLITS = 1  # data of tests are small, and a split says as much of what most look at
_draw = {name: vars(Figure)[name] for name in ("savefig", "draw_without_rendering")}
Figure.savefig, Figure.draw_without_rendering = sketch, lambda _: None
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

os.fsync = lambda _: None  # no test cuts the power, and a run waits for the disk fifty times
_get, _put = LRUCache.get, LRUCache.put


def get(cache: LRUCache, key: str) -> bytes | None:
    """A compiled program, also one that another worker has."""
    name = f"{key}-cache"
    with suppress(OSError):  # none has it, or it is here
        os.link(SHARED / name, cache.path / name)
    return _get(cache, key)


def put(cache: LRUCache, key: str, value: bytes) -> None:
    """Keep a compiled program; other workers see it once it is whole."""
    _put(cache, key, value)
    name = f"{key}-cache"
    with suppress(OSError):  # another was faster
        os.link(cache.path / name, SHARED / name)


LRUCache.get, LRUCache.put = get, put

if os.environ.get("JAXSSL_ATTACKS"):
    pytest_plugins = ["attacks"]  # fixtures of several files


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the real data sets; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("JAXSSL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data sets not found at {folder}; set JAXSSL_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def cases(data_dir: Path) -> Path:
    """Folder of files that were once read wrong, beside that of the data sets."""
    folder = data_dir.parent / "cases" / "import"
    if not folder.is_dir():
        pytest.skip(f"cases not found at {folder}; lay them beside the folder of JAXSSL_DATA")
    return folder


@pytest.fixture
def standard_promotion():
    """For tests that run optax, whose own bias correction mixes dtypes."""
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture(scope="module")
def numerics():
    """JAX's own promotion, as studies have it."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def pytest_collection_finish() -> None:
    """Let the garbage collector look seldom, and not at what the imports left."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


@contextmanager
def _drawing():
    with pytest.MonkeyPatch.context() as patch:
        for name, of_matplotlib in _draw.items():
            patch.setattr(Figure, name, of_matplotlib)
        patch.setattr(maps, "MAX_SAMPLES", MANY)
        yield


@pytest.fixture
def drawing():
    """Draws figures in full for a time."""
    return _drawing


@pytest.fixture(scope="module")
def drawn():
    """Figures in full, for tests of what is drawn and of names and numbers that are odd."""
    with _drawing():
        yield


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory) -> Path:
    """A run folder in miniature."""
    return write_run(tmp_path_factory.mktemp("runs") / "mini")


@pytest.fixture(scope="session")
def report(run_folder) -> Path:
    """The HTML report of that folder."""
    out = run_folder / "report.html"
    with _drawing():
        write_report(read_runs([run_folder]), out)
    return out
