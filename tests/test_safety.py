"""Nothing that comes from data or bundles is run, leads out of its folder, or breaks a page."""

import ast
import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from verbs import ROOT

from jaxssl.data.expression import read
from jaxssl.engine.bundle import load_bundle
from jaxssl.report.render import model_card
from jaxssl.types import InputError

pytestmark = pytest.mark.usefixtures("drawn")

RUNS_WHAT_IT_READS = {
    *("pickle", "cPickle", "_pickle", "dill", "cloudpickle", "shelve", "marshal", "jsonpickle"),
}
CALLS = {"eval", "exec", "__import__", "read_pickle", "to_pickle", "unsafe_load"}
NAMES = ("<script>alert(1)</script>", "](javascript:alert(1))", "a|b", "`c`", "$d$")


def called(node):
    """The last name of what a call calls."""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def may_be_true(keyword):
    return getattr(keyword.value, "value", True) is not False


def offences(tree):
    """Lines that import or call what runs code that it reads."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [alias.name for alias in node.names] + [getattr(node, "module", "") or ""]
            if RUNS_WHAT_IT_READS & {name.split(".")[0] for name in modules}:
                yield node.lineno
        elif isinstance(node, ast.Call) and called(node) in CALLS:
            yield node.lineno
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle" and may_be_true(node):
            yield node.value.lineno


def test_no_source_runs_what_it_reads():
    sample = (
        "import pickle\neval('1')\nnp.load(f, allow_pickle=True)\nnp.load(f, allow_pickle=False)"
    )
    assert sorted(offences(ast.parse(sample))) == [1, 2, 3]
    sources = [*(ROOT / "jaxssl").rglob("*.py"), *(ROOT / "launch").rglob("*.py")]
    found = {path: list(offences(ast.parse(path.read_text()))) for path in sources}
    assert len(found) > 100
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_a_pickle_inside_an_npz_is_refused_and_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "run",))

    trap, ids = np.array([Trap()], dtype=object), np.array(list("abc"))
    np.savez(tmp_path / "x.npz", X=np.ones((3, 1)), feature_ids=trap, sample_ids=ids)
    with pytest.raises(InputError, match="without pickled objects"):
        read(tmp_path / "x.npz")
    assert not (tmp_path / "run").exists()


def test_a_card_shows_names_from_the_data_and_none_is_taken_for_a_command():
    bundle = load_bundle(ROOT / "tests" / "bundles" / "format_2")
    genes = (*NAMES, *bundle.normalizer.genes[len(NAMES) :])
    origin = bundle.provenance | {"dataset": NAMES[0], "classes": NAMES, "n_labelled": 5}
    normalizer = dataclasses.replace(bundle.normalizer, genes=genes)
    card = model_card(dataclasses.replace(bundle, normalizer=normalizer, provenance=origin), {})
    as_written = re.sub(r"\\(.)", r"\1", card)
    assert all(as_written.count(name) >= 2 for name in NAMES), "as a gene and as a class"
    commands = re.sub(r"\\.", "", card)  # what is not escaped
    assert not any(mark in commands for mark in ("<", "](", "`c", "$"))
