"""Data, encoders and places that a function cannot use are refused with what they are."""

import warnings

import anndata
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from verbs import run

import jaxssl
from jaxssl.config import Config, with_options
from jaxssl.data.expression import write_h5ad
from jaxssl.data.synthetic import make_synthetic
from jaxssl.data.task import make_task
from jaxssl.types import InputError

pytestmark = [
    pytest.mark.usefixtures("numerics"),
    pytest.mark.filterwarnings("ignore:this encoder's pretraining is not healthy"),
    pytest.mark.filterwarnings("ignore:.*bear the id of one whose label"),
    pytest.mark.filterwarnings("ignore:X does not have valid feature names"),
]
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


def test_the_advice_on_groups_that_are_classes_ends_in_a_classifier(fitted, data, tmp_path):
    other = data.copy()
    other.obs_names = [f"other_{i}" for i in range(other.n_obs)]
    other.obs["lot"] = other.obs["class"]
    other.uns["jaxssl"] = {**data.uns["jaxssl"], "group": "lot"}
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
