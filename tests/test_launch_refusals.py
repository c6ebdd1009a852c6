"""What a run refuses, in one line, leaving nothing behind."""

import pytest
from verbs import instead, launch

from jaxssl.config import Config, resolve, with_method, with_options
from jaxssl.runs.output import Output
from jaxssl.studies.job import Job
from jaxssl.studies.start import begin
from jaxssl.types import InputError
from jaxssl.validate import validate


@pytest.mark.parametrize(
    ("options", "finding"),
    [
        (["--config.method.sparkle=1"], "sparkle"),
        (["--config=configs/absent.py"], "absent.py"),
        (["--config.augment.nois=1"], "nois"),
        (["--shard=3/2"], "--shard=3/2"),
        (["stray"], "unexpected argument 'stray'"),
        (["--data=absent.csv"], "absent.csv"),
        (["--arms=scratch,simclr"], "pass --method=simclr"),
        (["--allow_leaks=groups", "--allow_leaks=twins"], "the flag stands there twice"),
        (["--config.method.name=byol"], "there is no option --config.method.name"),
        (["--method=byo"], "unknown method 'byo'; choose one of swav"),
    ],
)
def test_unusable_flags_are_one_line_that_names_the_finding(options, finding, tmp_path):
    message = launch("study", *instead(f"--out={tmp_path / 'run'}", *options), code=2)
    assert finding in message
    assert message.count("\n") == 1, message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("section", "option", "value", "finding"),
    [
        ("sweep", "arms", ("swan",), "unknown arm 'swan'"),
        ("sweep", "shares", (0.001,), "fewer than the 12 classes"),
        ("sweep", "shares", (1.5,), "lies in"),
        ("augment", "mask_rate", 2.0, r"augment\.mask_rate=2"),
        ("encoder", "norm", "batch", "choose one of layer, none"),
        ("data", "label", "colour", "no column 'colour'"),
        ("method", "n_prototypes", (500,), "500 prototypes"),
        ("method", "n_prototypes", (1,), "n_prototypes"),
        ("encoder", "hidden", (), "hidden"),
        ("finetune", "freeze_layers", 3, "freeze_layers"),
        ("split", "allow_leaks", ("fitted", "x"), "`allow_leaks=x` is unknown; choose among"),
        ("sweep", "shares", (0.1, 0.1), "holds one twice"),
        ("split", "test_share", 0.5, "leave nothing to train on"),
    ],
)
def test_unusable_options_leave_nothing_behind(section, option, value, finding, tmp_path):

    config = Config()
    config.data.path = "synthetic"
    config.sweep.shares = (0.1,)
    config.split.validation_share = 0.5 if section == "split" else 0.15
    setattr(getattr(config, section), option, value)
    if section == "finetune":
        config.finetune.transfer_layers = 2
    with pytest.raises(InputError, match=finding) as error:
        begin(Job(config, Output(str(tmp_path / "run"))), compares=True)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("method", "change", "finding"),
    [
        ("moco", {"method.queue_length": 0}, "queue_length=0` is out of its range"),
        ("vime", {"augment.noise": 0.5}, "which values were replaced"),
        ("scarf", {"augment.mask_rate": 0.0}, "the profiles themselves"),
        ("denoising", {"augment.noise": 0.0}, "the profiles themselves"),
        ("simclr", {"augment.n_views": 1}, "compares 2 views"),
        ("deepcluster", {"method.n_prototypes": (5, 5)}, "deepcluster has one number"),
        ("deepcluster", {"method.n_prototypes": (500,)}, "300 training samples"),
        ("deepcluster_v2", {"method.n_prototypes": (5, 500)}, "300 training samples"),
    ],
)
def test_options_from_which_a_method_learns_nothing_are_refused(method, change, finding):
    config = with_options(with_method(Config(), method), change)

    def check():
        validate(config)
        resolve(config, 300)

    with pytest.raises(InputError, match=finding):
        check()


def test_no_more_components_are_recorded_than_the_data_have():
    config = Config()
    assert resolve(config, 300, 20).normalize.n_components == 20
    assert resolve(config, 8, 20).normalize.n_components == 7
    config.normalize.n_components = 20
    assert resolve(config, 300, 20).normalize.n_components == 20
    assert resolve(config, 8).normalize.n_components == 20  # an encoder's
    for n_train, n_genes, max_genes in ((300, 19, 0), (20, 30, 0), (300, 30, 19)):
        config.normalize.max_genes = max_genes
        with pytest.raises(InputError, match="at most 19; lower it"):
            resolve(config, n_train, n_genes)


def test_clusters_that_are_left_to_the_data_are_no_more_than_the_samples():
    for method, heads in (("deepcluster", 1), ("deepcluster_v2", 3)):
        config = with_method(Config(), method)
        config.method.n_prototypes = (0,) * heads
        assert resolve(config, 300).method.n_prototypes == (50,) * heads
        assert resolve(config, 30).method.n_prototypes == (30,) * heads
