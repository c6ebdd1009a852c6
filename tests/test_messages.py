"""Wrong words, types and states end in one sentence, with a fix that can be followed."""

import ast
import contextlib
import inspect
import re
import warnings
from pathlib import Path

import jax
import pytest
from verbs import run

import jaxssl
from jaxssl.config import Config
from jaxssl.data.expression import write_h5ad
from jaxssl.data.synthetic import make_synthetic
from jaxssl.runs.notes import Notes
from jaxssl.types import InputError

pytestmark = [
    pytest.mark.usefixtures("numerics"),
    pytest.mark.filterwarnings("ignore:this encoder's pretraining is not healthy"),
    pytest.mark.filterwarnings("ignore:.*bear the id of one whose label"),
    pytest.mark.filterwarnings("ignore:X does not have valid feature names"),
]
ROOT = Path(__file__).parents[1]
FACES = ("estimators", "jaxssl")
"""Folders of what is called from Python alone."""


@pytest.fixture(scope="module")
def data():
    return make_synthetic(n_samples=120, n_genes=60, n_classes=3)


@pytest.mark.parametrize(
    "call",
    [
        lambda data: jaxssl.study(data, label=3),
        lambda data: jaxssl.study(data, label=data.obs["class"]),
        lambda data: jaxssl.study(data, out=["runs"]),
        lambda data: jaxssl.study(data, config={"pretrain.n_steps": 3}),
        lambda data: jaxssl.study(data, shares=object()),
        lambda data: jaxssl.study(data, arms=3),
        lambda data: jaxssl.study(data, shard=(0, 2)),
        lambda data: jaxssl.study(data, method=["swav"]),
        lambda data: jaxssl.study(data, progress="yes"),
        lambda data: jaxssl.study(data.to_df()),
        lambda data: jaxssl.study(data, encoder=data),
        lambda data: jaxssl.tune(data, grid=["augment.noise"], out="x"),
        lambda data: jaxssl.tune(data, grid={"augment.noise": None}, out="x"),
        lambda data: jaxssl.tune(data, grid={3: [1]}, out="x"),
        lambda data: jaxssl.compare_methods(data, methods=3),
        lambda data: jaxssl.compare_methods(data, trial_seeds=0),
        lambda data: jaxssl.audit(data, out="x", levels="many"),
        lambda data: jaxssl.audit(data, out="x", n_comparisons="many"),
        lambda data: jaxssl.embed(None, data),
        lambda data: jaxssl.predict(3, data),
        lambda data: jaxssl.predict("x", data, max_missing="all"),
        lambda data: jaxssl.load_bundle(None),
        lambda data: jaxssl.open_study(["runs"]),
        lambda data: jaxssl.inspect(None),
        lambda data: jaxssl.read(3),
        lambda data: jaxssl.read("x.csv", label=3),
        lambda data: jaxssl.prepare("x.csv", None),
        lambda data: jaxssl.prepare(ROOT / "README.md", "."),
        lambda data: jaxssl.prepare(ROOT / "README.md", ROOT / "README.md" / "x.h5ad"),
        lambda data: jaxssl.SSLEncoder(config="demo").fit(data),
        lambda data: jaxssl.SSLEncoder(n_prototypes="x").fit(data),
        lambda data: jaxssl.SSLEncoder(random_state="x").fit(data),
        lambda data: jaxssl.pl.label_curve(None),
        lambda data: jaxssl.pl.embedding("runs"),
        lambda data: jaxssl.pl.pretraining(data),
    ],
)
def test_no_public_function_ends_in_an_error_of_pythons_own(call, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as error:
        call(data)
    assert "\n" not in str(error.value)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("jax_enable_x64", True),
        ("jax_threefry_partitionable", False),
        ("jax_default_prng_impl", "rbg"),
    ],
)
def test_settings_of_jax_that_change_numbers_are_refused(name, value, data, tmp_path):
    before = getattr(jax.config, name)
    jax.config.update(name, value)
    try:
        with pytest.raises(InputError, match=f"{name} to {value}, .*update\\('{name}', "):
            jaxssl.SSLEncoder().fit(data)
        with pytest.raises(InputError, match=name):
            jaxssl.study(data, out=tmp_path / "run", progress=False)
    finally:
        jax.config.update(name, before)
    assert not (tmp_path / "run").exists()


def test_misspelt_names_get_a_proposal(data):
    with pytest.raises(InputError, match=r"did you mean logreg\?"):
        jaxssl.study(data, arms=["lgreg"])
    with pytest.raises(InputError, match=r"did you mean swav\?"):
        jaxssl.study(data, method="swva")
    with pytest.raises(InputError, match=r"did you mean pretrain\.n_steps\?"):
        jaxssl.SSLEncoder(config={"pretrain.nsteps": 3}).fit(data)
    with pytest.raises(InputError, match=r"did you mean class\?"):
        jaxssl.SSLClassifier(label="clas").fit(data)


# warnings


def test_warnings_are_not_lost_where_an_error_follows():
    notes = Notes(lambda text: None)

    def fail():
        with notes.stage("read"):
            warnings.warn("this may be why", stacklevel=1)
            raise InputError("no")

    with pytest.warns(UserWarning, match="this may be why"), pytest.raises(InputError):
        fail()


def test_a_verb_prints_its_warnings_before_its_error(tmp_path, data):
    adata = data.copy()
    adata.obs["patient"] = [f"p{i // 2}" for i in range(adata.n_obs)]
    adata.uns["jaxssl"] = {**data.uns["jaxssl"], "group": ""}
    write_h5ad(adata, tmp_path / "data.h5ad")
    options = [f"--data={tmp_path / 'data.h5ad'}", f"--out={tmp_path / 'run'}", "--shares=0.001"]
    done = run("study", *options)
    assert done.returncode == 2
    assert re.search(r"warning: no group column is used.*\nerror: ", done.stderr, re.DOTALL)


# what a message names


def texts():
    """Every text but docstrings and comments, with a 0 in the place of what is computed."""
    for file in [*(ROOT / "jaxssl").rglob("*.py"), *(ROOT / "launch").rglob("*.py")]:
        nodes = [*ast.walk(ast.parse(file.read_text()))]
        parts = [part for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values]
        known = {*map(id, parts), *(id(n.value) for n in nodes if isinstance(n, ast.Expr))}
        for node in nodes:
            if isinstance(node, ast.JoinedStr):
                values = [getattr(part, "value", 0) for part in node.values]
                yield file, "".join(v if isinstance(v, str) else "0" for v in values)
            elif isinstance(getattr(node, "value", 0), str) and id(node) not in known:
                yield file, node.value


def imports(file):
    """The files of the project that one imports, also inside functions."""
    for node in ast.walk(ast.parse(file.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            up = file.parents[node.level - 1].relative_to(ROOT).parts if node.level else ()
            module = ".".join([*up, *([node.module] if node.module else [])])
            names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        for name in names:
            place = ROOT / name.replace(".", "/")
            yield from (p for p in (place.with_suffix(".py"), place / "__init__.py") if p.is_file())


def reached(verb):
    """The files that a verb imports, and those that they import."""
    own = ROOT / "launch" / f"{verb}.py"
    waiting, seen = [own if own.is_file() else ROOT / "launch" / verb / "__main__.py"], set()
    while waiting:
        file = waiting.pop()
        if file not in seen and file != ROOT / "jaxssl" / "__init__.py":  # it is lazy
            seen.add(file)
            waiting += imports(file)
    return seen


def keywords():
    """What the functions of the library, and its estimators, take by name."""
    faces = [getattr(jaxssl, name) for name in jaxssl.__all__]
    faces += [face for name, face in vars(jaxssl.pl).items() if name[0] != "_"]
    of_classes = [vars(face) for face in faces if isinstance(face, type)]
    methods = [method for members in of_classes for method in members.values()]
    yield from (name for members in of_classes for name in members)
    for face in (f for f in [*faces, *methods] if callable(f)):
        with contextlib.suppress(ValueError, TypeError):
            yield from inspect.signature(face).parameters


def test_every_option_and_function_that_a_message_names_exists():
    from jaxssl.methods import METHODS
    from launch.__main__ import VERBS
    from launch.exit import _CALL, _NAMES, _OPTION, _VERBS

    options = {name: {*vars(section)} for name, section in vars(Config()).items()}
    options["method"] = {name for m in METHODS.values() for name in vars(m.options())}
    of_verb = {v: {*re.findall(r"--(?:\[no\])?(\w+)", run(v, "--help").stdout)} for v in VERBS}
    of_verb["inspect"] |= of_verb["prepare"]  # of which it speaks
    files = {verb: reached(verb) for verb in VERBS}
    of_python, unknown = {*keywords()}, []
    for file, text in texts():
        flags = set().union(*(of_verb[verb] for verb in VERBS if file in files[verb]))
        for section, name, _ in _OPTION.findall(text):
            if section:
                is_known = name in options.get(section[:-1], ()) or section in ("adata.", "obs.")
            else:
                is_ours = file.is_relative_to(ROOT / "launch")
                is_flag = _NAMES.get(name, name) in flags
                is_known = is_flag and (is_ours or name in of_python)
                is_known |= file.parent.name in FACES and name in of_python
            if not is_known and name != "0":
                unknown.append((str(file.relative_to(ROOT)), f"{section}{name}"))
        for verb, _ in _CALL.findall(text):
            if _VERBS.get(verb, verb) not in VERBS and not hasattr(jaxssl, verb):
                unknown.append((file.name, f"{verb}()"))
    assert not sorted({*unknown})
