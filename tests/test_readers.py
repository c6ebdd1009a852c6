"""Who reads which option: what would be left unread is refused, by its name."""

import dataclasses
import math
import re

import pytest
from verbs import launch

import jaxssl
from jaxssl.config import Config, with_method, with_options
from jaxssl.readers import READERS, refuse_unread
from jaxssl.runs.output import Output
from jaxssl.studies.job import make_job
from jaxssl.types import InputError


@pytest.mark.parametrize(
    ("arms", "name"),
    [
        ("pca_logreg", "pretrain.n_steps"),
        ("pca_logreg", "finetune.n_steps"),
        ("logreg", "selftrain.n_steps"),
        ("scratch", "finetune.probe_steps"),
        ("majority", "normalize.clip"),
        ("swav", "finetune.scratch_steps"),
    ],
)
def test_options_that_no_arm_reads_are_refused_where_they_are_said(arms, name):
    words = {"arms": [arms], "said": [name]}
    with pytest.raises(InputError, match=f"`{name}` is not read by what is compared: {arms}"):
        make_job(Config(), "synthetic", Output(""), **words)
    make_job(Config(), "synthetic", Output(""), **words | {"arms": ["all"]})


def test_options_of_an_import_without_the_table_that_they_are_about_are_refused():
    for said, finding in (
        ({"sample_column": "id"}, "`sample_column=id` says nothing without `labels`"),
        ({"min_match": 0.9}, "`min_match=0.9` says nothing without `labels`"),
        ({"gene_column": "symbol"}, "`gene_column=symbol` says nothing without `gene_map`"),
        ({"min_match": math.nan, "labels": "x.csv"}, "`min_match=nan` is out of its range"),
        ({"min_class_size": -1}, "`min_class_size=-1` is out of its range"),
    ):
        with pytest.raises(InputError, match=re.escape(finding)):
            jaxssl.read("absent.csv", **said)


def test_a_table_of_samples_says_that_it_is_not_read_with_labels(tmp_path):
    table = tmp_path / "samples.csv"
    table.write_text("id,tissue,sex\na,liver,f\nb,skin,m\nc,skin,f\n")
    assert jaxssl.inspect(table).problems == []
    found = jaxssl.inspect(table, table).problems
    assert found == ["`labels` is not for a table of samples"]


UNREAD = [
    ("pretrain", "sweep.shares", "(0.5,)"),
    ("pretrain", "selftrain.n_steps", "5"),
    ("pretrain", "split.n_splits", "3"),
    ("finetune", "finetune.scratch_steps", "3"),
    ("finetune", "pretrain.n_steps", "3"),
    ("finetune", "sweep.shares", "(0.5,)"),
    ("search", "sweep.arms", "('scratch',)"),
    ("search", "split.n_splits", "2"),
    ("search", "pretrain.checkpoint_every", "1"),
    ("compare", "method.epsilon", "0.1"),
    ("compare", "augment.noise", "0.1"),
    ("compare", "selftrain.temperature", "2.0"),
    ("type1", "pretrain.n_steps", "3"),
    ("type1", "finetune.probe_steps", "3"),
    ("variance", "finetune.scratch_steps", "3"),
    ("variance", "run.seeds", "3"),
    ("reproduce", "pretrain.n_steps", "3"),
    ("doctor", "sweep.shares", "(0.5,)"),
    ("encoder", "split.seed", "1"),
    ("classifier", "finetune.scratch_steps", "1"),
]


@pytest.mark.parametrize(("reader", "name", "_"), UNREAD)
def test_an_option_that_a_reader_leaves_unread_is_refused(reader, name, _):
    with pytest.raises(InputError, match=rf"`{name}` is not for .*; drop it"):
        refuse_unread(reader, [name])


@pytest.mark.parametrize(
    ("verb", "name", "value"),
    [
        case
        for case in UNREAD
        if case[0] in ("pretrain", "search", "compare", "doctor")  # no encoder is needed
    ],
)
def test_so_it_is_on_the_command_line_before_anything_is_done(verb, name, value, tmp_path):
    out = [] if verb == "doctor" else ["--data=synthetic", f"--out={tmp_path / 'run'}"]
    message = launch(verb, *out, f"--config.{name}={value}", code=2)
    assert f"--config.{name} is not for" in message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "finding"),
    [
        (["--what=type1", "--levels=2,2,2"], "--levels=2,2,2 is not for --what=type1"),
        (["--what=type1", "--splits=3"], "--splits=3 is not for an audit of the tests"),
        (["--what=type1", "--method=byol"], "--method=byol is not for an audit of the tests"),
        (["--what=variance", "--comparisons=20"], "--comparisons=20 is not for --what=variance"),
        (["--what=variance", "--seeds=3"], "--seeds=3 is not for an audit of the variance"),
        (["--what=variance", "--levels=a,2,2"], "of another type; pass int"),
        (["--resume"], "there is no flag --resume"),
        (["--arms=scratch"], "there is no flag --arms"),
        (["--shard=0/2"], "there is no flag --shard"),
        (["--config.pretrain.n_steps=3"], "--config.pretrain.n_steps is not for an audit"),
    ],
)
def test_an_audit_refuses_what_it_does_not_read(words, finding, tmp_path):
    message = launch("audit", "--data=synthetic", f"--out={tmp_path / 'audit'}", *words, code=2)
    assert finding in message
    assert not (tmp_path / "audit").exists()


def test_so_it_does_in_python(tmp_path):
    for said in (
        {"levels": (2, 2, 2)},
        {"splits": 2},
        {"seeds": 1},
        {"config": with_options(Config(), {"split.n_splits": 3})},
        {"what": "variance", "n_comparisons": 20},
        {"what": "variance", "seeds": 3},
        {"what": "variance", "levels": (5, 1, 1)},
        {"what": "variance", "levels": (5, 0, 2)},
    ):
        with pytest.raises(InputError):
            jaxssl.audit("synthetic", out=tmp_path / "audit", progress=False, **said)
    assert not (tmp_path / "audit").exists()


def test_a_configuration_of_several_splits_is_not_for_who_has_one(tmp_path):
    five = with_options(Config(), {"split.n_splits": 5})
    said = {"out": tmp_path / "run", "config": five, "progress": False}
    for call in (
        lambda: jaxssl.pretrain("synthetic", **said),
        lambda: jaxssl.tune("synthetic", grid={"augment.noise": [1.0, 2.0]}, **said),
        lambda: jaxssl.compare_methods("synthetic", **said),
    ):
        with pytest.raises(InputError, match=r"`split\.n_splits` is not for .*; drop it"):
            call()
    assert not (tmp_path / "run").exists()


def test_a_comparison_of_methods_refuses_a_configuration_of_one(tmp_path):
    for config, finding in (
        (with_method(Config(), "simclr"), "`method=simclr` is not for a comparison"),
        (with_options(Config(), {"augment.noise": 2.0}), r"`augment\.noise` is not for a"),
        (with_options(Config(), {"selftrain.student": "random"}), r"`selftrain\.student` is not"),
    ):
        with pytest.raises(InputError, match=finding):
            jaxssl.compare_methods("synthetic", out=tmp_path, config=config, progress=False)


def test_every_reader_names_options_that_exist():
    known = {
        *vars(Config()),
        *(f"{s}.{o.name}" for s, v in vars(Config()).items() for o in dataclasses.fields(v)),
    }
    for name, reader in READERS.items():
        assert {*reader.reads, *reader.unread, *reader.settled} <= known, name


def test_a_benchmark_of_faults_takes_no_rounds(tmp_path):
    words = ["--suite=faults", "--rounds=3", f"--out={tmp_path / 'benchmark'}"]
    assert "--rounds=3 is not for faults" in launch("benchmark", *words, code=2)
    assert not (tmp_path / "benchmark").exists()
