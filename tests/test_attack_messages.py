"""Attacks of kind 7: messages that lead nowhere."""

import io
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from attacks import ASKED, bare_study, is_refused, refused, sweep
from sklearn.linear_model import LogisticRegression

import jaxssl
from jaxssl.config import Config, with_options
from jaxssl.types import InputError

pytestmark = [pytest.mark.usefixtures("numerics"), pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize(
    "option",
    [
        *("--seeds=2.0", "--seeds=1,000", "--seeds=two", "--seeds=-1", "--seeds="),
        *("--shares=10%", "--shares=0,1", "--shares=−0.1", "--shares=nan", "--shares=0"),
        *("--config.run.seeds=nan", "--config.split.test_share=15%", "--config.split.seed=1e3"),
        *("--config.encoder.hidden=8-4", "--config.finetune.transfer_layers=x"),
        *("--arms=[majority,pca_logreg]", "--arms=ALL", "--arms=majority,,pca_logreg"),
        *("--label=class ", "--group=None", "--shard=1/1", "--shard=1", "--nosuch", "stray"),
        *("--config=nope", "--config.nope=1", "--config.run=1", "--config.run.seed=1"),
    ],
)
def test_a_value_that_is_none_is_one_sentence(option, place, tmp_path):
    refused(*sweep(place, tmp_path, option))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        *((verb, []) for verb in ("study", "sweep", "pretrain", "search", "compare", "audit")),
        *((verb, []) for verb in ("finetune", "predict", "embed", "inspect", "prepare", "report")),
        ("audit", ["--what=variance", "--levels=2;2;2", "--out=OUT"]),
        ("audit", ["--what=variance", "--levels=2,x,2", "--out=OUT"]),
        ("audit", ["--what=variance", "--levels=", "--out=OUT"]),
        ("search", ["--grid=normalize.power:10%", "--out=OUT", "--arms=pca_logreg"]),
        ("search", ["--grid=normalize.power:", "--out=OUT", "--arms=pca_logreg"]),
        ("search", ["--grid=normalize.power", "--out=OUT", "--arms=pca_logreg"]),
        ("search", ["--grid=", "--out=OUT", "--arms=pca_logreg"]),
        ("search", ["--grid=:1", "--out=OUT", "--arms=pca_logreg"]),
        ("search", ["--grid=encoder.hidden:8-x", "--out=OUT"]),
        ("compare", ["--methods=swva", "--out=OUT"]),
        ("compare", ["--methods=", "--out=OUT"]),
        ("compare", ["--arms=swav", "--out=OUT"]),
        ("compare", ["--trial_seeds=0", "--out=OUT"]),
        ("predict", ["--classifier=ENC", "--out=OUT.csv"]),
        ("predict", ["--classifier=CLF", "--out=OUT.txt"]),
        ("embed", ["--encoder=CLF", "--out=OUT.h5ad"]),
        ("embed", ["--encoder=ENC", "--out=OUT.h5ad", "--max_missing=50%"]),
        ("report", ["nope"]),
        ("report", ["CLF/summary.json"]),
        ("inspect", ["nope.csv"]),
        ("doctor", ["--data=nope.h5ad"]),
        ("reproduce", ["--figure=99", "--out=OUT"]),
    ],
)
def test_a_verb_without_what_it_needs_is_one_sentence(verb, words, place, tmp_path):
    names = {"OUT": tmp_path / "out", "ENC": place / "enc", "CLF": place / "clf"}
    for name, path in names.items():
        words = [word.replace(name, str(path)) for word in words]
    if verb in ("search", "compare", "audit", "predict", "embed") and words:
        words = [*words, f"--data={place / 'data.h5ad'}"]
    refused(verb, *words)
    assert not [*tmp_path.iterdir()]


def test_the_advice_on_a_column_that_is_gone_can_be_followed(data):
    other = data.copy()
    del other.obs["batch"]  # as on record still
    assert len(bare_study(other).results)


def test_the_advice_on_a_label_of_numbers_leads_to_another_column(data, place, tmp_path):
    other = data.copy()
    other.obs["age"] = np.linspace(20, 80, 200)
    with pytest.raises(InputError, match="name another column with `label`"):
        bare_study(other, label="age")


@pytest.mark.parametrize("column", ["class", "batch", "superclass"])
def test_the_advice_on_groups_that_leave_nothing_is_followed(column, data):
    with pytest.raises(InputError, match=r"split\.protocol=stratified"):
        bare_study(data, group=column)
    config = with_options(Config(), {"split.protocol": "stratified"})
    assert len(
        bare_study(data, group=column, config=config, allow_leaks=["groups", "twins"]).results
    )


def test_the_advice_on_an_empty_grid_can_be_typed(data, place, tmp_path):
    words = {**ASKED, "out": tmp_path / "run"}
    with pytest.raises(InputError, match=r"grid=\{'augment\.noise': \[0\.5, 1\]\}"):
        jaxssl.tune(data, grid={}, **words)
    message = refused("search", *sweep(place, tmp_path)[1:])
    assert "pass --grid=augment.noise:0.5,1, say" in message


@pytest.mark.parametrize(
    "call",
    [
        lambda data, bare, enc: jaxssl.pl.embedding(enc, color=None),
        lambda data, bare, enc: jaxssl.pl.embedding(enc, color=["label"]),
        lambda data, bare, enc: jaxssl.pl.embedding(enc, basis=["PCA"]),
        lambda data, bare, enc: jaxssl.pl.embedding(enc, color="gene_1"),
        lambda data, bare, enc: jaxssl.pl.embedding(bare),
        lambda data, bare, enc: jaxssl.pl.embedding(data),
        lambda data, bare, enc: jaxssl.pl.label_curve(bare, metric=["accuracy"]),
        lambda data, bare, enc: jaxssl.pl.label_curve(bare, ax=[1]),
        lambda data, bare, enc: jaxssl.pl.endpoint(bare),
        lambda data, bare, enc: jaxssl.pl.endpoint(enc, arm="swav"),
        lambda data, bare, enc: jaxssl.pl.confusion(bare, share="1"),
        lambda data, bare, enc: jaxssl.pl.confusion(bare, share=0),
        lambda data, bare, enc: jaxssl.pl.confusion(bare, share=float("nan")),
        lambda data, bare, enc: jaxssl.pl.confusion(bare, share=100),
        lambda data, bare, enc: jaxssl.pl.confusion(bare, arm=["majority"]),
        lambda data, bare, enc: jaxssl.pl.confusion(enc),
        lambda data, bare, enc: jaxssl.pl.pretraining(bare),
        lambda data, bare, enc: jaxssl.pl.pretraining(enc, measure=3),
        lambda data, bare, enc: jaxssl.pl.pretraining(LogisticRegression()),
        lambda data, bare, enc: bare.predictions(["majority"], 1),
        lambda data, bare, enc: bare.predictions("majority", "all"),
        lambda data, bare, enc: bare.report("x.pdf"),
        lambda data, bare, enc: bare.report(b"x.html"),
    ],
)
def test_a_figure_of_what_a_result_lacks_is_an_input_error(call, data, place):
    bare, enc = jaxssl.open_study(place / "bare"), jaxssl.open_study(place / "enc")
    is_refused(lambda: call(data, bare, enc))


def test_a_figure_names_no_function_that_python_lacks(place):
    with pytest.raises(InputError) as error:
        jaxssl.pl.label_curve(jaxssl.open_study(place / "enc"))
    assert "sweep" not in str(error.value)
    fitted = jaxssl.SSLClassifier.load(place / "clf")
    with pytest.raises(InputError, match="SSLClassifier has no log") as error:
        jaxssl.pl.pretraining(fitted)
    assert "call its" not in str(error.value)


class Tensor:
    """As those of other libraries: an array to NumPy, and no list."""

    def __init__(self, values):
        self.values = np.asarray(values)

    def __array__(self, dtype=None, copy=None):
        return self.values if dtype is None else self.values.astype(dtype)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("shares", ["10%"]),
        ("shares", "0.5,1"),
        ("shares", np.array([[0.5, 1]])),
        ("shares", [None]),
        ("shares", [True]),
        ("shares", [1j]),
        ("shares", {0.5: 1}),
        ("shares", Tensor([0.5, 1])),
        ("arms", "majority,pca_logreg"),
        ("arms", [b"majority"]),
        ("arms", [" majority"]),
        ("arms", Tensor(["majority"])),
        ("seeds", 2.0),
        ("seeds", [0, 1]),
        ("seeds", 10**12),
        ("splits", -1),
        ("method", "SwAV"),
        ("method", Config().method),
        ("allow_leaks", "groups,twins"),
        ("allow_leaks", True),
        ("config", Config),
        ("config", "demo"),
        ("stop", True),
        ("progress", 1),
        ("shard", " 0/1"),
        ("out", b"run"),
        ("out", "a\0b"),
        ("encoder", Path()),
        ("resume", True),
    ],
)
def test_a_keyword_of_another_kind_is_one_sentence(name, value, data):
    is_refused(lambda: bare_study(data, **{name: value}))


@pytest.mark.parametrize("value", [["10%"], [None], [[0.5]]])
def test_the_sentence_on_a_list_says_which_of_it_is_meant(value, data):
    with pytest.raises(InputError) as error:
        bare_study(data, shares=value)
    assert ("of type list" in str(error.value)) == isinstance(value[0], list)


def test_no_sentence_speaks_of_a_none_type(data):
    with pytest.raises(InputError) as error:
        bare_study(data, shares=[None])
    assert "NoneType" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("shares", (share for share in (0.5, 1.0))),
        ("shares", range(1, 2)),
        ("shares", np.float32(1)),
        ("arms", pd.Series(["majority", "pca_logreg"])),
        ("arms", {"majority": 1}.keys()),
        ("seeds", np.int64(1)),
        ("label", None),
    ],
)
def test_what_means_the_same_is_taken(name, value, data):
    result = bare_study(data, **{name: value})
    assert len(result.results)


@pytest.mark.parametrize("form", ["csr", "csc", "view", "int", "float64", "fortran"])
def test_any_form_of_the_same_data_is_taken(form, data):
    x = np.asarray(data.X)
    made = {
        "csr": lambda: scipy.sparse.csr_matrix(x),
        "csc": lambda: scipy.sparse.csc_matrix(x),
        "float64": lambda: x.astype(np.float64),
        "fortran": lambda: np.asfortranarray(x),
        "int": lambda: np.round(x).astype(int),
        "view": lambda: x,
    }[form]()
    other = anndata.AnnData(made, obs=data.obs, var=data.var, uns=data.uns)
    other = other[:, :] if form == "view" else other
    assert len(bare_study(other).results)


@pytest.mark.parametrize(
    "change",
    [
        lambda a: setattr(a, "X", np.asarray(a.X) + 0j),
        lambda a: setattr(a, "obs_names", ["s"] * 200),
        lambda a: setattr(a, "var_names", ["g"] * 60),
        lambda a: a.uns.__setitem__("jaxssl", {**a.uns["jaxssl"], "label": "gone"}),
        lambda a: a.uns.__setitem__("jaxssl", {**a.uns["jaxssl"], "label": 3}),
        lambda a: a.obs.__setitem__("class", "one"),
        lambda a: a.obs.__setitem__("class", a.obs_names),
        lambda a: a.obs.__setitem__("class", np.nan),
    ],
)
def test_data_that_hold_no_question_are_one_sentence(change, data):
    other = data.copy()
    change(other)
    is_refused(lambda: bare_study(other))


@pytest.mark.parametrize(
    "call",
    [
        lambda p: jaxssl.read(p / "x.csv", labels=pd.DataFrame({"a": [1]})),
        lambda p: jaxssl.read(p / "x.csv", labels=p / "classes.csv", min_match="half"),
        lambda p: jaxssl.read(p / "x.csv", labels=p / "classes.csv", min_match=50),
        lambda p: jaxssl.read(p / "x.csv", scale="ln"),
        lambda p: jaxssl.read(p / "x.csv", orientation="samples"),
        lambda p: jaxssl.read([]),
        lambda p: jaxssl.read(b"x.csv"),
        lambda p: jaxssl.read(io.StringIO((p / "x.csv").read_text())),
        lambda p: jaxssl.read(p / "x.csv", orientation="genes_in_rows", min_match=0.9),
        lambda p: jaxssl.inspect(pd.DataFrame({"a": [1]})),
        lambda p: jaxssl.prepare(p / "x.csv", p / "z.csv"),
        lambda p: jaxssl.open_study(p / "data.h5ad"),
        lambda p: jaxssl.open_study(p / "enc" / "encoder" / "seed_000"),
        lambda p: jaxssl.load_bundle(p / "enc"),
        lambda p: jaxssl.SSLEncoder.from_bundle(p / "enc"),
        lambda p: jaxssl.SSLClassifier.load(p / "enc"),
    ],
)
def test_files_of_another_kind_are_one_sentence(call, place):
    is_refused(lambda: call(place))


@pytest.mark.parametrize("words", [["swep"], ["--seeds=2", "sweep"], ["Study"], ["sweep.py"]])
def test_a_misspelt_verb_is_told(words, monkeypatch, capsys):
    import sys

    from launch.__main__ import main

    monkeypatch.setattr(sys, "argv", ["jaxssl", *words])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("error: no verb ")
