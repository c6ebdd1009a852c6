"""Wrong words, types and states end in one sentence, with a fix that can be followed."""

import ast
import contextlib
import inspect
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anndata
import jax
import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from verbs import run

import jaxssl
from jaxssl.arguments import checked, read_argument
from jaxssl.bounds import Share
from jaxssl.config import Config, SplitConfig, with_options
from jaxssl.data.expression import write_h5ad
from jaxssl.data.split import make_split
from jaxssl.data.synthetic import make_synthetic
from jaxssl.data.task import make_task
from jaxssl.runs.notes import Notes
from jaxssl.types import InputError

pytestmark = [
    pytest.mark.usefixtures("numerics"),
    pytest.mark.filterwarnings("ignore:this encoder's pretraining is not healthy"),
    pytest.mark.filterwarnings("ignore:.*bear the id of one whose label"),
    pytest.mark.filterwarnings("ignore:X does not have valid feature names"),
]
ROOT = Path(__file__).parents[1]
CLASSES = ("a", "b", "c")
FACES = ("estimators", "jaxssl")
"""Folders of what is called from Python alone."""
FEW = {"pretrain.n_steps": 10, "encoder.hidden": (8, 4), "finetune.transfer_layers": 2}
FEW |= {"finetune.n_steps": 3, "finetune.probe_steps": 3, "finetune.scratch_steps": 3}


@pytest.fixture(scope="module")
def data():
    return make_synthetic(n_samples=120, n_genes=60, n_classes=3)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory, data):
    """A run folder of `pretrain`, and that of a classifier made of its encoder."""
    folder, config = tmp_path_factory.mktemp("fitted"), with_options(Config(), FEW)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        jaxssl.pretrain(data, out=folder / "run", seeds=1, config=config, progress=False)
        jaxssl.finetune(folder / "run", data, out=folder / "clf", progress=False)
    return folder


# what is held out


def split(codes, groups, batches=None, protocol="grouped"):
    batches = np.full(len(codes), "", object) if batches is None else batches
    return make_split(codes, groups, batches, CLASSES, SplitConfig(protocol=protocol))


CODES = np.repeat(np.arange(3, dtype=np.int32), 30)
NAMES = np.array(CLASSES, object)[CODES]


@pytest.mark.parametrize("groups", [NAMES, np.full(90, "all", object)], ids=["label", "one"])
def test_groups_that_leave_nothing_to_hold_out_are_refused_with_what_can_be_done(groups):
    with pytest.raises(InputError) as error:
        split(CODES, groups)
    assert "leave_batch_out" not in error.value.fix
    assert re.search(
        "`split.protocol=stratified` .*and `allow_leaks=groups,twins`", error.value.fix
    )
    assert len(split(CODES, groups, protocol="stratified").test) == 14  # the fix, followed


def test_batches_that_share_no_class_cannot_be_left_out():
    alone = np.full(90, "", object)
    with pytest.raises(InputError, match="batch a shares no class with the others"):
        split(CODES, alone, NAMES, "leave_batch_out")
    with pytest.raises(InputError, match="leave none to train on"):
        split(CODES, alone, np.full(90, "one", object), "leave_batch_out")
    assert len(split(CODES, alone, NAMES).test) == 14


def test_the_advice_on_groups_that_are_classes_ends_in_a_study(data, tmp_path):
    config = with_options(Config(), FEW)
    asked = {"arms": ["logreg"], "shares": [1], "seeds": 1, "progress": False}
    with pytest.raises(InputError, match=r"every class lies in one group|too few"):
        jaxssl.study(data, group="class", config=config, **asked)
    config.split.protocol = "stratified"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        allowed = {"config": config, "allow_leaks": "groups", "out": tmp_path / "run"}
        result = jaxssl.study(data, group="class", **allowed, **asked)
    assert result.summary["allowed_leaks"]


def test_the_advice_on_groups_that_are_classes_ends_in_a_classifier(fitted, data, tmp_path):
    other = data.copy()
    other.obs_names = [f"other_{i}" for i in range(other.n_obs)]
    other.uns["jaxssl"] = {**data.uns["jaxssl"], "group": "class"}
    allowed = {"out": tmp_path / "clf", "allow_leaks": ["groups", "twins"], "progress": False}
    options = {"split.protocol": "stratified"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(InputError, match=r"every class lies in one group|too few"):
            jaxssl.finetune(fitted / "run", other, **allowed)
        made = jaxssl.finetune(fitted / "run", other, options=options, **allowed)
        assert made.config.split.protocol == "stratified"
        with pytest.raises(InputError, match="not for samples of the pretraining"):
            jaxssl.finetune(fitted / "run", data, options=options, **{**allowed, "out": "no"})
        with pytest.raises(InputError, match=r"did you mean split\.protocol"):
            jaxssl.finetune(fitted / "run", other, options={"split.protcol": "x"}, **allowed)
    write_h5ad(other, tmp_path / "other.h5ad")
    verb = [f"--encoder={fitted / 'run'}", f"--data={tmp_path / 'other.h5ad'}"]
    verb += [f"--out={tmp_path / 'verb'}", "--allow_leaks=groups,twins"]
    refused = run("finetune", *verb)
    assert "--config.split.protocol=stratified" in refused.stderr
    for config in ([], ["--config=default", "--transfer_layers=2"]):
        words = [*verb, *config, "--config.split.protocol=stratified", "--overwrite"]
        done = run("finetune", *words)
        assert done.returncode == 0, done.stderr


# columns of another file


def test_columns_on_record_that_are_gone_are_dropped_or_asked_about(data):
    config, gone = Config(), data.copy()
    del gone.obs["batch"]
    with pytest.warns(UserWarning, match="batch column 'batch', and it is gone: none is used"):
        task = make_task(gone, config)
    assert task.batch == ""
    with pytest.raises(InputError, match=r"no column 'batch' for `batch`"):
        make_task(gone, with_options(config, {"data.batch": "batch"}))
    gone.uns["jaxssl"] = {**data.uns["jaxssl"], "batch": ""}
    for role, column in (("group", "donor"), ("label", "class")):
        other = gone.copy()
        del other.obs[column]
        with pytest.raises(InputError, match=f"the {role} column '{column}', and it is gone"):
            make_task(other, config)
    gone.uns["jaxssl"] = {**gone.uns["jaxssl"], "group": ""}  # the fix, followed
    del gone.obs["donor"]
    assert make_task(gone, config).group == ""


def test_columns_of_the_pretraining_are_not_asked_of_other_data(fitted, data, tmp_path):
    other = data.copy()
    del other.obs["batch"], other.obs["donor"], other.uns["jaxssl"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = jaxssl.finetune(fitted / "run", other, out=tmp_path / "clf", progress=False)
        named = other[:, :].copy()
        named.obs = named.obs.rename(columns={"class": "tissue"})
        with pytest.raises(InputError, match=r"the data have superclass, tissue|tissue"):
            jaxssl.finetune(fitted / "run", named, out=tmp_path / "no", progress=False)
        jaxssl.finetune(fitted / "run", named, out=tmp_path / "yes", label="tissue", progress=False)
        with pytest.raises(InputError, match=r"no column 'batch' for `batch`"):
            jaxssl.finetune(fitted / "run", other, out=tmp_path / "batch", batch="batch")
    assert made.provenance["classes"] == sorted(set(data.obs["class"]))


def test_other_data_go_by_what_is_on_record_of_them(fitted, data, tmp_path):
    other = data.copy()
    other.obs_names = [f"other_{i}" for i in range(other.n_obs)]
    other.uns["jaxssl"] = {**data.uns["jaxssl"], "label": "superclass"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = jaxssl.finetune(fitted / "run", other, out=tmp_path / "clf", progress=False)
    assert made.provenance["classes"] == sorted(set(data.obs["superclass"]))


def test_encoders_are_compared_on_data_without_the_batch(fitted, data):
    other = data.copy()
    del other.obs["batch"]
    other.uns["jaxssl"] = {**data.uns["jaxssl"], "batch": ""}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        asked = {"arms": ["swav"], "shares": [1], "seeds": 1, "progress": False}
        config = with_options(Config(), {"finetune.transfer_layers": 2, "finetune.n_steps": 3})
        result = jaxssl.study(other, encoder=fitted / "run", config=config, **asked)
    assert result.config["data"]["batch"] == ""


# encoders and classifiers


def test_a_classifier_is_no_encoder(fitted, data):
    classifier = jaxssl.SSLClassifier.load(fitted / "clf")
    bundle = jaxssl.load_bundle(fitted / "clf" / "classifier")
    for given in (fitted / "clf" / "classifier", bundle):
        with pytest.raises(InputError, match="a classifier, whose encoder was fine-tuned"):
            jaxssl.embed(given, data)
        with pytest.raises(InputError, match="a classifier, whose encoder was fine-tuned"):
            jaxssl.SSLClassifier(given, label="class").fit(data)
    with pytest.raises(InputError, match="a classifier, whose encoder was fine-tuned"):
        jaxssl.study(data, encoder=fitted / "clf" / "classifier", arms=["swav"])
    with pytest.raises(InputError, match="a classifier, whose encoder was fine-tuned"):
        jaxssl.SSLEncoder.from_bundle(bundle)
    with pytest.raises(InputError, match="a classifier, whose encoder was fine-tuned"):
        jaxssl.SSLClassifier(classifier, label="class").fit(data)
    with pytest.raises(InputError, match="an encoder, not a classifier"):
        jaxssl.predict(fitted / "run", data)


@pytest.mark.parametrize(
    ("place", "finding"),
    [
        ("empty", "is no bundle; pass an encoder such as"),
        ("absent", "does not exist"),
        ("run/config.json", "is a file, no folder"),
        ("run/encoder", r"is no bundle; pass .*seed_000"),
        ("run/encoder/seed_000/bundle.json", r"is a file, no folder; pass .*seed_000"),
        (".", r"is no bundle; pass .*classifier"),
    ],
)
def test_a_place_without_an_encoder_says_what_it_is_and_where_one_lies(place, finding, fitted):
    (fitted / "empty").mkdir(exist_ok=True)
    with pytest.raises(InputError, match=finding):
        jaxssl.SSLEncoder.load(fitted / place)
    with pytest.raises(
        InputError, match=r"holds no encoders|does not exist|is a file|of the seeds"
    ):
        jaxssl.study("synthetic", encoder=fitted / place, arms=["swav"])


# data


def states(data):
    without = anndata.AnnData(obs=data.obs, var=data.var, layers={"log": np.asarray(data.X)})
    text, told = data.copy(), data.copy()
    text.X = np.asarray(data.X).astype(str)
    told.uns["jaxssl"] = "by hand"
    return {
        "no X, and it has adata.layers\\['log'\\]": without,
        "empty: 0 samples x 60 genes": data[:0].copy(),
        "empty: 120 samples x 0 genes": data[:, :0].copy(),
        "not numbers": text,
        "not a record of `read\\(\\)`": told,
    }


def test_data_in_a_state_that_holds_nothing_are_refused_by_all_that_take_them(data, fitted):
    encoder = jaxssl.SSLEncoder.load(fitted / "run")
    for finding, adata in states(data).items():
        for take in (
            lambda x: jaxssl.study(x, arms=["logreg"], progress=False),
            lambda x: jaxssl.embed(fitted / "run", x),
            lambda x: jaxssl.predict(fitted / "clf", x),
            encoder.transform,
        ):
            with pytest.raises(InputError, match=finding):
                take(adata)


def test_a_backed_data_set_is_read(data, fitted, tmp_path):
    write_h5ad(data, tmp_path / "data.h5ad")
    for mode in ("r", "r+"):
        backed = anndata.read_h5ad(tmp_path / "data.h5ad", backed=mode)
        assert len(jaxssl.predict(fitted / "clf", backed)) == 120
        backed.file.close()


def test_samples_of_another_width_or_type_are_an_input_error_of_the_estimators(data, fitted):
    encoder = jaxssl.SSLEncoder.load(fitted / "run")
    for x, finding in (
        (np.zeros((4, 7)), "7 features, but SSLEncoder is expecting 60"),
        (np.zeros(60), "Expected 2D array"),
        ("data.h5ad", "of type str; pass an array"),
        ({}, "of type dict"),
        (None, "of type NoneType"),
    ):
        with pytest.raises(InputError, match=finding):
            encoder.transform(x)
    with pytest.raises(InputError, match=r"`adata` is of type DataFrame"):
        encoder.embed(data.to_df())
    with pytest.raises(NotFittedError):
        jaxssl.SSLEncoder().transform(data)


# arguments


@pytest.mark.parametrize(
    ("value", "declared", "found"),
    [
        (0.5, Sequence[float], (0.5,)),
        (np.float32(0.1), Sequence[float], (0.1,)),
        (np.array(0.5), Sequence[float], (0.5,)),
        ({1.0, 0.5}, Sequence[float], (0.5, 1.0)),
        ((x for x in [0.5]), Sequence[float], (0.5,)),
        (pd.Series(["a"]), Sequence[str], ("a",)),
        (np.int64(3), int, 3),
        ("runs", str | Path, "runs"),
        ({"a": 0.5}, Mapping[str, Sequence[Any]], {"a": (0.5,)}),
    ],
)
def test_what_means_the_same_is_read_as_declared(value, declared, found):
    assert read_argument("option", value, declared) == found


@pytest.mark.parametrize(
    ("value", "declared", "finding"),
    [
        ({0.5: 1}, Sequence[float], "`option` is of type dict; pass a number"),
        (True, Sequence[float], "`option=True` is of type bool"),
        ([[0.5]], Sequence[float], "of type list"),
        (None, Sequence[str], "`option=None` says nothing; pass text"),
        (3, str, "`option=3` is of type int; pass text"),
        (1.5, int, "pass a whole number"),
        (2, Share, r"out of its range; choose a number in 0 \.\. 1"),
        (float("nan"), Share, "out of its range"),
        ("x", bool | Callable, "pass True or False or a function"),
        (["a"], Mapping[str, Sequence[Any]], "pass a dict"),
    ],
)
def test_what_is_of_another_type_is_refused_in_words(value, declared, finding):
    with pytest.raises(InputError, match=finding):
        read_argument("option", value, declared)


def test_none_is_not_said_where_there_is_a_default():
    @checked
    def function(first: int, second: str = "default"):
        return first, second

    assert function(1, None) == (1, "default")
    with pytest.raises(InputError, match=r"`first=None`"):
        function(None)


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
