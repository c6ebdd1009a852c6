"""Who reads which option: what would be left unread is refused, by its name."""

import dataclasses
import math
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from verbs import ROOT, launch

import jaxssl
from jaxssl.config import Config, with_method, with_options
from jaxssl.data.synthetic import make_synthetic
from jaxssl.estimators.options import tuned_config
from jaxssl.evaluation.arms import check_arms, check_references
from jaxssl.evaluation.grid import check_grid, points_at
from jaxssl.readers import NEEDS, READERS, idle, refuse_unread
from jaxssl.runs.output import Output
from jaxssl.studies.encoders import options_of
from jaxssl.studies.job import make_job
from jaxssl.types import InputError, Normalizer
from jaxssl.validate import get_option

N_TRAIN = 300


def of_method(name="swav", **provenance):
    """An encoder's bundle without arrays: of 80 steps, on batches cut to the training samples."""
    trained = with_method(Config(), name)
    trained = with_options(
        trained, {"pretrain.n_steps": 80, "pretrain.batch_size": 128, "run.seeds": 2}
    )
    normalizer = Normalizer((), "log2", *[np.empty(0)] * 4)
    return jaxssl.EncoderBundle(
        trained, normalizer, {}, {"seed": 0, "n_train": N_TRAIN} | provenance
    )


@pytest.fixture
def encoders(monkeypatch):
    """What `make_job(encoder="a/run")` reads."""
    monkeypatch.setattr(
        "jaxssl.studies.encoders.read_encoders", lambda folder, seeds: {0: of_method()}
    )


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"pretrain.n_steps": 20}, r"`pretrain\.n_steps=20` is not .* pretrained with 80; drop it"),
        ({"data.min_class_size": 9}, r"`data\.min_class_size=9`"),
        ({"data.use_unlabelled": False}, r"`data\.use_unlabelled=False`"),
        ({"split.seed": 3}, r"`split\.seed=3`"),
        ({"split.protocol": "stratified"}, r"`split\.protocol=stratified`"),
        ({"split.n_splits": 5}, "`splits` is not for given encoders, which are of one split"),
        ({"normalize.input": "genes"}, r"`normalize\.input=genes`"),
        ({"encoder.hidden": (7,)}, r"`encoder\.hidden=\(7,\)`"),
        ({"augment.noise": 2.0}, r"`augment\.noise=2\.0`"),
        ({"method.epsilon": 0.5}, r"`method\.epsilon=0\.5`"),
        ({"optimizer.learning_rate": 0.1}, r"`optimizer\.learning_rate=0\.1`"),
    ],
)
def test_what_given_encoders_have_otherwise_is_refused(encoders, changes, finding):
    with pytest.raises(InputError, match=finding):
        make_job(with_options(Config(), changes), None, Output(""), encoder="a/run")


@pytest.mark.usefixtures("encoders")
def test_what_they_have_too_or_reads_the_comparison_passes():
    read = {"finetune.n_steps": 7, "selftrain.n_steps": 5, "run.root_key": 1, "data.name": "mine"}
    same = {"pretrain.n_steps": 80, "pretrain.batch_size": 128}
    job = make_job(with_options(Config(), read | same), None, Output(""), encoder="a/run")
    assert {name: get_option(job.config, name) for name in read} == read
    given = of_method().config
    assert make_job(given, None, Output(""), encoder="a/run").config.pretrain == given.pretrain


@pytest.mark.usefixtures("encoders")
def test_a_default_that_is_said_by_name_is_no_less_a_contradiction():
    make_job(Config(), None, Output(""), encoder="a/run")
    with pytest.raises(InputError, match=r"`pretrain\.n_steps=0` is not for given encoders"):
        make_job(None, None, Output(""), encoder="a/run", said=["pretrain.n_steps"])


@pytest.mark.usefixtures("encoders")
def test_another_method_in_the_configuration_is_refused_and_the_default_is_not_said():
    with pytest.raises(InputError, match="`method=simclr`, but the encoders are of swav"):
        make_job(with_method(Config(), "simclr"), None, Output(""), encoder="a/run")


def test_a_batch_that_the_samples_cut_is_what_the_encoder_has():
    bundle = of_method()
    given = with_options(Config(), {"pretrain.batch_size": 1000, "pretrain.n_steps": 80})
    bundle.config.pretrain.batch_size = N_TRAIN
    options_of(bundle, given)
    with pytest.raises(InputError, match=r"`pretrain\.batch_size=200`"):
        options_of(bundle, with_options(given, {"pretrain.batch_size": 200}))


@pytest.mark.parametrize(
    ("words", "finding"),
    [
        ({"seeds": 2}, "`seeds=2` is not for a single encoder, which brings its own seed"),
        ({"shard": "0/2"}, "`shard=0/2` is not for a single encoder"),
        ({"splits": 1}, "`splits` is not for given encoders"),
    ],
)
def test_counts_beside_a_single_encoder_are_refused(encoders, monkeypatch, words, finding):
    for module in ("job", "encoders"):
        monkeypatch.setattr(f"jaxssl.studies.{module}.is_bundle", lambda folder: True)
    with pytest.raises(InputError, match=finding):
        make_job(None, None, Output(""), encoder="a/run/encoder/seed_000", **words)
    job = make_job(None, None, Output(""), encoder="a/run/encoder/seed_000", seeds=1)
    assert list(job.seeds) == [0]


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


def test_a_fine_tuning_takes_data_and_options_of_a_configuration_and_refuses_contradictions():
    given = with_options(Config(), {"finetune.n_steps": 9, "data.path": "x.h5ad"})
    options = options_of(of_method(), given)
    assert (options.finetune.n_steps, options.data.path) == (9, "x.h5ad")
    assert options.pretrain.n_steps == 80
    for wrong in ({"run.root_key": 5}, {"run.precision": "bfloat16"}, {"split.seed": 1}):
        with pytest.raises(InputError, match="is not for given encoders"):
            options_of(of_method(), with_options(given, wrong))


def test_a_method_beside_options_of_another_is_refused_and_its_own_stay():
    own = with_options(Config(), {"method.epsilon": 0.03, "augment.noise": 2.0})
    job = make_job(own, None, Output(""), method="swav")
    assert (job.config.method.epsilon, job.config.augment.noise) == (0.03, 2.0)
    with pytest.raises(InputError, match=r"`method\.epsilon=0\.03` is of swav, and `method=byol`"):
        make_job(own, None, Output(""), method="byol")


def test_a_method_none_of_whose_arms_is_compared_is_refused():
    with pytest.raises(InputError, match="`method=byol`, and no arm of it is in `arms`"):
        make_job(None, None, Output(""), method="byol", arms=["scratch", "logreg"])
    with pytest.raises(InputError, match="`method=byol`, and no arm of it"):
        jaxssl.tune(grid={"normalize.clip": [5.0]}, out="unused", method="byol", arms=["logreg"])


@pytest.mark.parametrize("rate", [math.nan, -1.0, math.inf, "fast", None, True])
def test_a_rate_of_fine_tuning_that_is_no_number_in_its_range_is_refused(rate, tmp_path):
    options = Config().finetune
    options.learning_rate = rate
    said = {"out": tmp_path / "clf", "options": options, "progress": False}
    with pytest.raises(InputError, match=r"^`finetune\.learning_rate=.*; (choose|pass) "):
        jaxssl.finetune(of_method(), "synthetic", **said)
    assert not (tmp_path / "clf").exists()
    if isinstance(rate, float):
        grid = {"finetune.learning_rate": [rate]}
        with pytest.raises(InputError, match=r"every point of the grid is refused; the first: `fi"):
            points_at(Config(), [{name: values[0]} for name, values in grid.items()], N_TRAIN)
    config = {"finetune.learning_rate": rate}
    with pytest.raises(InputError, match=r"^`finetune\.learning_rate="):
        tuned_config(config, of_method(), has_encoder=True)


@pytest.mark.parametrize(
    ("said", "finding"),
    [
        ({"share": math.nan}, "`share=nan` is out of its range; choose a number that lies in"),
        ({"share": 0.0}, "`share=0.0` is out of its range"),
        ({"share": 5.0}, "; 5 % is 0.05"),
        ({"max_missing": math.nan}, "`max_missing=nan` is out of its range"),
        ({"max_missing": 1.5}, "`max_missing=1.5` is out of its range"),
    ],
)
def test_a_share_of_a_fine_tuning_is_one(said, finding, tmp_path):
    data = make_synthetic(n_samples=60, n_genes=30, n_classes=3)
    with pytest.raises(InputError, match=re.escape(finding)):
        jaxssl.finetune(of_method(), data, out=tmp_path / "clf", progress=False, **said)
    if "max_missing" in said:
        with pytest.raises(InputError, match=re.escape(finding)):
            jaxssl.embed(of_method(), data, **said)


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


def test_an_estimator_refuses_what_it_does_not_read():
    data = make_synthetic(n_samples=60, n_genes=30, n_classes=3)
    for options in ({"split.seed": 3}, {"sweep.shares": (0.5,)}, {"run.seeds": 2}):
        with pytest.raises(InputError, match=r"is not for an `SSLEncoder\(\)`"):
            jaxssl.SSLEncoder(config=options).fit(data)
    bundle, given = of_method(), with_options(Config(), {"pretrain.n_steps": 20})
    given.finetune.n_steps = 3
    with pytest.raises(InputError, match=r"`pretrain\.n_steps=20` is not for given encoders"):
        tuned_config(given, bundle, has_encoder=True)
    scratch = {"finetune.scratch_steps": 3}
    with pytest.raises(InputError, match=r"`finetune\.scratch_steps` is not for an"):
        tuned_config(scratch, bundle, has_encoder=True)


def test_every_reader_names_options_that_exist():
    known = {
        *vars(Config()),
        *(f"{s}.{o.name}" for s, v in vars(Config()).items() for o in dataclasses.fields(v)),
    }
    for name, reader in READERS.items():
        assert {*reader.reads, *reader.unread, *reader.settled} <= known, name


@pytest.mark.parametrize(
    ("option", "arms"),
    [
        ("finetune.scratch_steps", ("swav",)),
        ("finetune.n_steps", ("swav+components", "scratch")),
        ("method.epsilon", ("logreg", "scratch")),
        ("selftrain.n_steps", ("swav",)),
        ("selftrain.student", ("scratch+selftrain",)),
        ("normalize.power", ("logreg", "majority")),
        ("encoder.norm", ("knn",)),
        ("finetune.learning_rate", ("random_encoder",)),
    ],
)
def test_a_grid_over_what_no_arm_reads_is_refused(option, arms):
    config = with_options(Config(), {"sweep.arms": arms})
    with pytest.raises(
        InputError, match=rf"`{option}` is not read by what is scored.*{re.escape(arms[0])}"
    ):
        check_grid({option: [1, 2]}, config)


def test_a_grid_over_an_option_that_another_switches_off_is_refused():
    config = with_options(Config(), {"sweep.arms": ("swav",)})
    for option, values in (
        ("optimizer.weight_decay", (0.0, 0.1)),
        ("augment.mask_fill", ("zero", "mean")),
        ("method.projection_hidden", (8, 16)),
        ("method.queue_start", (1, 2)),
    ):
        with pytest.raises(InputError, match=rf"`{option}` does nothing without"):
            points_at(config, [{option: value} for value in values], N_TRAIN)
    on = [{"optimizer.weight_decay": d, "optimizer.name": "adamw"} for d in (0.0, 0.1)]
    assert len(points_at(config, on, N_TRAIN)[0]) == 2


def test_an_option_that_does_nothing_beside_the_others_is_warned_of():
    for method in ("swav", "byol", "vime"):
        assert not any(
            idle(name, with_method(Config(), method))
            and get_option(with_method(Config(), method), name) is None
            for name in NEEDS
            if not name.startswith("method.")
        )
    for options, finding in (
        ({"optimizer.weight_decay": 0.1}, r"`optimizer\.weight_decay=0\.1` does nothing without"),
        (
            {"split.test_share": 0.3, "split.protocol": "leave_batch_out"},
            r"`split\.test_share=0\.3` does nothing without `split\.protocol=grouped`",
        ),
    ):
        with pytest.warns(UserWarning, match=finding):
            make_job(with_options(Config(), options), None, Output(""))


def test_a_benchmark_of_faults_takes_no_rounds(tmp_path):
    words = ["--suite=faults", "--rounds=3", f"--out={tmp_path / 'benchmark'}"]
    assert "--rounds=3 is not for faults" in launch("benchmark", *words, code=2)
    assert not (tmp_path / "benchmark").exists()


def test_a_resumed_grid_shows_only_the_shares_and_arms_that_are_asked_for(tmp_path):
    said = {"grid": {"normalize.max_genes": [30, 60]}, "out": tmp_path / "grid", "seeds": 2}
    said |= {"progress": False}
    jaxssl.tune("synthetic", arms=["logreg", "pca_logreg"], shares=[0.1, 0.5], **said)
    found = jaxssl.tune("synthetic", arms=["logreg"], shares=[0.2], resume=True, **said)
    assert set(found.table["share"]) == {0.2}
    assert set(found.table["arm"]) == {"logreg"}
    kept = pd.read_csv(tmp_path / "grid" / "points.csv")
    assert set(kept["share"]) == {0.2}
    assert found.score == found.table.groupby("point")["mean"].mean().max()
    assert set(pd.read_parquet(tmp_path / "grid" / "results.parquet")["share"]) == {0.1, 0.2, 0.5}


def test_arms_and_references_that_do_not_exist_are_refused_with_what_may_be_meant():
    with pytest.raises(InputError, match=r"unknown arm 'logref'.*did you mean logreg"):
        check_arms(["logref"])
    with pytest.raises(InputError, match=r"in `sweep\.reference_arms`"):
        check_arms(["scrtch"], "sweep.reference_arms")
    with pytest.raises(InputError, match=r"unknown method 'simcrl'.*did you mean simclr"):
        with_method(Config(), "simcrl")
    named = {"sweep.reference_arms": ("knn",), "sweep.arms": ("scratch", "swav")}
    with pytest.raises(InputError, match="has knn, which is not compared; name it in `arms` too"):
        check_references(with_options(Config(), named))
    check_references(Config())


def test_references_are_checked_before_anything_is_written(tmp_path):
    for references, finding in (
        (("swan",), "unknown arm 'swan' in `sweep.reference_arms`"),
        (("knn",), "which is not compared"),
        (("scratch", "scratch"), "holds one twice"),
    ):
        config = with_options(Config(), {"sweep.reference_arms": references})
        with pytest.raises(InputError, match=finding):
            jaxssl.study(
                "synthetic", out=tmp_path / "run", arms=["scratch", "majority"], seeds=1,
                config=config, progress=False,
            )  # fmt: skip
    assert not (tmp_path / "run").exists()


MISTAKES = """
import math, sys
import jaxssl
from jaxssl.config import Config, FinetuneConfig
from jaxssl.validate import validate

def refused(call, **said):
    try:
        call(**said)
    except jaxssl.InputError as error:
        print(error)
    except Exception as error:
        print("TRACEBACK", call, said, type(error).__name__, error)
    else:
        print("ACCEPTED", call, said)

def study(**said): jaxssl.study("synthetic", progress=False, **said)
def audit(**said): jaxssl.audit("synthetic", out=sys.argv[1], progress=False, **said)
def tune(**said):
    said = {"grid": {"augment.noise": [1.0]}} | said
    jaxssl.tune("synthetic", out=sys.argv[1], progress=False, **said)
def compare(**said): jaxssl.compare_methods("synthetic", progress=False, **said)

for value in (2.5, True, -1, math.nan, "many", None, [1]):
    refused(study, seeds=value)
    refused(compare, trial_seeds=value)
for value in (2.5, True, -1, math.nan, "many", [1]):
    refused(study, splits=value)
    refused(audit, n_comparisons=value)
for value in (5, math.nan, None, "many", [math.nan], [-1], ["x"], [None], [True], [[0.1]]):
    refused(study, shares=value)
    refused(compare, shares=value)
for value in (5, "555", [5], [True, 2, 2], [5, 5, math.nan], ["a", "b", "c"]):
    refused(audit, what="variance", levels=value)
for value in (5, None, [5], [None], "logref", ["scratch", "scratch"]):
    refused(study, arms=value)
for value in (5, ["swav"], "swan"):
    refused(study, method=value)
refused(study, config=5)
refused(study, config=FinetuneConfig())
for section in vars(Config()):
    refused(study, config=Config(**{section: {"n_steps": 3}}))
refused(study, shard=3)
refused(study, allow_leaks=5)
refused(study, label=5)
refused(tune, grid=5)
refused(tune, grid={5: [1]})
refused(tune, grid={"augment.noise": None})
for values in (["loud"], [math.nan], [-1.0, 0.5], [True], [None], [[1]], "nan", 1e300):
    refused(tune, grid={"augment.noise": values})
    refused(tune, grid={"finetune.learning_rate": values})
refused(tune, metric=5)
refused(tune, metric=["accuracy"])
refused(audit, what=5)
refused(audit, what=["type1"])
for state in (True, "one", 1.5, -1):
    refused(jaxssl.SSLEncoder(random_state=state).fit, X=[[1.0, 2.0], [2.0, 1.0]])
for n in (True, "many", -5, 1.5, math.nan, [None]):
    refused(jaxssl.SSLEncoder(n_prototypes=n).fit, X=[[1.0, 2.0], [2.0, 1.0]])
refused(jaxssl.SSLEncoder(config=5).fit, X=[[1.0, 2.0], [2.0, 1.0]])
"""


def test_values_of_another_type_or_without_range_are_refused_in_a_sentence(tmp_path):
    done = subprocess.run(  # in a process whose annotations are not checked, as a user's are not
        [sys.executable, "-c", MISTAKES, str(tmp_path / "out")],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert not [line for line in lines if line.startswith(("TRACEBACK", "ACCEPTED"))]
    assert len(lines) > 90
    assert not (tmp_path / "out").exists()
