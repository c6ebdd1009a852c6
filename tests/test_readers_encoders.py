"""What is said beside given encoders: what they have otherwise is refused."""

import math
import re

import numpy as np
import pytest

import jaxssl
from jaxssl.config import Config, with_method, with_options
from jaxssl.data.synthetic import make_synthetic
from jaxssl.estimators.options import tuned_config
from jaxssl.evaluation.grid import points_at
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
