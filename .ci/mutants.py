"""Break a module in many small ways and count which breaks its tests notice.

A random sample of the mutants that cosmic-ray can make is run, in a copy of the checkout, each
against the tests of its module. Left out are those that no test could miss: of type annotations,
and bit operations in the place of arithmetic or the reverse.
"""

import argparse
import ast
import difflib
import gc
import importlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

MODULES = {
    "methods/sinkhorn": ("sinkhorn",),
    "methods/losses": ("losses", "simclr", "moco"),
    "evaluation/stats": ("stats",),
    "data/split": ("split",),
}
"""Module → its test files."""
HEAVY = (
    *("anndata", "beartype", "flax", "hypothesis.extra.numpy", "jax", "jaxtyping", "matplotlib"),
    *("optax", "orbax.checkpoint", "pandas", "scipy.stats", "sklearn.model_selection"),
    *("statsmodels.stats.multitest",),
)
SHIFTS, LOGIC = {"RShift", "LShift"}, {"BitAnd", "BitOr", "BitXor"}
PYTEST = (
    *("-x", "-q", "-n0", "-p", "no:cacheprovider"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # of libraries imported before
)
TIMEOUT = 600  # seconds; a mutant that runs longer counts as killed


def mutants(code: str) -> Iterator[tuple[str, int]]:
    """Name of the operator and its occurrence, of every mutant of a file."""
    annotations = [
        (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)
        for owner in ast.walk(ast.parse(code))
        for field in ("annotation", "returns")
        if (node := getattr(owner, field, None)) is not None
    ]
    for name in sorted(operator_names()):
        kind, words = get_operator(name), set(name.split("_"))
        if kind.arguments() or words & SHIFTS or ("Binary" in name and len(words & LOGIC) == 1):
            continue
        operator, occurrence = kind(), -1
        for node in ast_nodes(get_ast(code)):
            for start, _ in operator.mutation_positions(node):
                occurrence += 1
                if not any(a[:2] <= start < a[2:] for a in annotations):
                    yield name, occurrence


def passes(tests: Sequence[str], timeout: float) -> bool:
    """Whether tests pass, in a fork: the libraries are imported once for all."""
    child = os.fork()
    if not child:
        os.setsid()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        try:
            os._exit(pytest.main([*PYTEST, *tests]))
        finally:
            os._exit(1)  # whatever happens, the child must not go on as its parent
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.1)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def run(module: str, size: int, seed: int) -> None:
    """Print the survivors of a sample of one module's mutants, and their number."""
    file, tests = Path(f"jaxssl/{module}.py"), [f"tests/test_{t}.py" for t in MODULES[module]]
    code = file.read_text(encoding="utf-8")
    everything = list(mutants(code))
    sample = random.Random(seed).sample(everything, min(size, len(everything)))
    sys.dont_write_bytecode = False
    if not passes(tests, TIMEOUT):
        raise SystemExit(f"{tests} fail without a mutant")
    sys.dont_write_bytecode = True  # a mutant may have the size and the second of the one before
    for cached in file.parent.glob(f"__pycache__/{file.stem}.*"):
        cached.unlink()
    n_killed = 0
    for name, occurrence in sample:
        mutant = mutate_code(code, get_operator(name)(), occurrence)
        file.write_text(mutant, encoding="utf-8")
        survived = passes(tests, TIMEOUT)
        n_killed += not survived
        if survived:
            lines = difflib.unified_diff(code.splitlines(), mutant.splitlines(), str(file), n=0)
            print(f"survived: {name} {occurrence}", *list(lines)[2:], sep="\n", flush=True)
        file.write_text(code, encoding="utf-8")
    print(f"{file}: {n_killed} of {len(sample)} killed ({len(everything)} in all)", flush=True)


def main() -> None:
    """Run the modules that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", default=list(MODULES), help="such as methods/losses")
    parser.add_argument("--size", type=int, default=40, help="mutants a module")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as copy:
        root = Path(__file__).parents[1]
        for folder in ("jaxssl", "launch", "configs", "tests"):
            shutil.copytree(root / folder, Path(copy) / folder)
        shutil.copy(root / "pyproject.toml", copy)
        os.chdir(copy)
        sys.path.insert(0, copy)
        for name in HEAVY:
            importlib.import_module(name)
        gc.freeze()
        for module in args.modules:
            run(module, args.size, args.seed)


if __name__ == "__main__":
    main()
