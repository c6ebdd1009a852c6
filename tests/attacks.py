"""What trials of what users do and nobody meant share: runs, data and how a refusal sounds."""

import os
import re
import shutil
import warnings
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from jaxtyping import TypeCheckError
from verbs import TINY, beside, instead, launch, run

import jaxssl
from jaxssl.config import Config, with_options
from jaxssl.data.expression import write_h5ad
from jaxssl.data.synthetic import make_synthetic
from jaxssl.runs.output import release
from jaxssl.types import InputError

if not os.environ.get("JAXSSL_ATTACKS"):
    pytest.skip("set JAXSSL_ATTACKS=1: minutes", allow_module_level=True)


def in_session(call):
    """What a fixture computes before any test: with JAX's own promotion, and without warnings."""
    with jax.numpy_dtype_promotion("standard"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call()


# Runs of every kind, and copies of them to be changed

SHORT = "--shares=0.1", "--config.pretrain.n_steps=20"
PRETRAINED = instead(*SHORT, of=beside("scratch,swav"))
PRETRAINED[0] = "--config=demo_synthetic"  # by name: from any folder
CLASSICAL = beside("majority,pca_logreg", PRETRAINED)
GRID = [option for option in TINY if not option.startswith("--arms")]
GRID = [*instead(*SHORT, of=GRID), "--grid=augment.noise:0.5,1"]


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    """A run of every kind that takes seconds, on one data set, and another data set."""
    folder = tmp_path_factory.mktemp("base")
    for name, seed in (("data", 0), ("others", 1)):
        write_h5ad(synthetic(seed=seed), folder / f"{name}.h5ad")
    data = f"--data={folder / 'data.h5ad'}"
    launch("study", *PRETRAINED, data, f"--out={folder / 'run'}")
    launch("sweep", *CLASSICAL, data, f"--out={folder / 'sweep'}")
    launch("study", *CLASSICAL, "--splits=2", data, f"--out={folder / 'splits'}")
    for shard in ("0/2", "1/2"):
        launch("sweep", *CLASSICAL, f"--shard={shard}", data, f"--out={folder / 'shards'}")
    launch("search", *GRID, data, f"--out={folder / 'grid'}")
    launch("finetune", f"--encoder={folder / 'run'}", data, f"--out={folder / 'clf'}")
    return folder


@pytest.fixture
def at(base, tmp_path):
    """Copies of the runs to be changed."""

    def copy(name, place=None):
        shutil.copy(base / "data.h5ad", tmp_path)
        return shutil.copytree(base / name, place or tmp_path / name, symlinks=True)

    yield copy
    release()


def held(folder):
    """All that lies in a folder, bit for bit, but locks."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
        if not path.name.startswith(".lock")
    }


def go(verb, options, folder, *more, code=0):
    """A verb on the data beside a folder."""
    data = [f"--data={folder.parent / 'data.h5ad'}"]
    return launch(verb, *instead(*data, f"--out={folder}", *more, of=options), code=code)


def refused_at(verb, options, folder, *more):
    """The sentence by which a verb refuses, and leaves the folder as it was."""
    before = held(folder)
    error = go(verb, options, folder, *more, code=2)
    assert error.startswith("error: ")
    assert held(folder) == before
    return error


def scores(folder):
    """What a comparison comes to, in a fixed order."""
    table = jaxssl.open_study(folder).results
    assert table is not None
    return table.drop(columns="fit_seconds").sort_values(KEYS).reset_index(drop=True)


def told_by_reading(folder, read):
    """What reading a folder warns of or is refused for, and what it gives."""
    found = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = read(folder)
        except InputError as error:
            warnings.warn(str(error), stacklevel=1)
    return " ".join(str(warning.message) for warning in caught), found


# Options and messages

FEW = {"pretrain.n_steps": 5, "encoder.hidden": (8, 4), "finetune.transfer_layers": 2}
FEW |= {"finetune.n_steps": 2, "finetune.probe_steps": 2}
ASKED = {"arms": ["majority", "pca_logreg"], "shares": [1], "seeds": 1, "progress": False}
PYTHONS = re.compile(
    r"Traceback|this is a bug|KeyError|AttributeError|TypeError|invalid literal|"
    r"could not convert|dtype|np\.|get_config;|already defined|object at 0x"
)


@pytest.fixture(scope="session")
def data():
    return synthetic()


@pytest.fixture(scope="session")
def place(tmp_path_factory, data):
    """A data set, its text and tables, encoders, a classifier and a comparison."""
    folder = tmp_path_factory.mktemp("options")
    write_h5ad(data, folder / "data.h5ad")
    data.to_df().T.to_csv(folder / "x.csv")
    data.obs[["class", "donor"]].to_csv(folder / "classes.csv", index_label="id")
    data.obs[["batch"]].to_csv(folder / "batches.csv", index_label="id")

    def fit():
        config = with_options(Config(), FEW)
        jaxssl.pretrain(data, out=folder / "enc", seeds=2, config=config, progress=False)
        jaxssl.finetune(folder / "enc", data, out=folder / "clf", progress=False)
        bare_study(data, out=folder / "bare")

    in_session(fit)
    return folder


def refused(verb, *options, code=2):
    """The one sentence by which a verb refuses what it is told."""
    done = run(verb, *options)
    assert done.returncode == code, done.stdout + done.stderr
    *before, last = done.stderr.strip().splitlines()
    assert last.startswith("error: "), done.stderr
    assert all(line.startswith("warning: ") for line in before), done.stderr
    assert not PYTHONS.search(last), last
    return last


def is_refused(call, match=""):
    with pytest.raises(Exception, match=match) as error:
        call()
    if isinstance(error.value, TypeCheckError):
        pytest.skip("the suite compares annotations before the library does")
    assert isinstance(error.value, InputError), error.value
    assert "\n" not in str(error.value)
    assert not PYTHONS.search(str(error.value)), error.value


def sweep(place, tmp_path, *options):
    common = [f"--data={place / 'data.h5ad'}", f"--out={tmp_path / 'run'}", "--arms=pca_logreg"]
    return ["sweep", *instead(*options, of=[*common, "--shares=1", "--seeds=1"])]


def bare_study(data, **options):
    return jaxssl.study(data, **{**ASKED, **options})


# Numbers

ARMS = ["majority", "pca_logreg", "knn", "scratch"]
KEYS = ["split", "arm", "share", "seed", "part", "metric"]


def synthetic(n=200, genes=60, classes=4, **options) -> AnnData:
    return make_synthetic(
        n_samples=n, n_genes=genes, n_classes=classes, n_superclasses=2, **options
    )


def alone(**options) -> AnnData:
    """Without groups."""
    adata = synthetic(**options)
    assert isinstance(adata.obs, pd.DataFrame)
    del adata.obs["donor"]
    adata.uns["jaxssl"]["group"] = ""
    return adata


def tiny(shares=(0.05, 0.1, 1.0), seeds=3, protocol: Any = "grouped") -> Config:
    """Where training from scratch is the arm under test, so that nothing is pretrained."""
    config = Config()
    config.encoder.hidden, config.finetune.transfer_layers = (16, 8), 2
    config.pretrain.n_steps, config.finetune.n_steps = 20, 50
    config.finetune.scratch_steps, config.finetune.probe_steps = 20, 200
    config.finetune.scratch_learning_rate = 0.01
    config.sweep.shares, config.run.seeds = shares, seeds
    config.sweep.reference_arms = ("pca_logreg", "knn")
    config.split.protocol = protocol
    return config


def study(adata, config=None, arms=ARMS, **options):
    config = config or tiny()
    config.sweep.reference_arms = tuple(a for a in ("pca_logreg", "knn") if a in arms) or (
        "logreg",
    )
    return jaxssl.study(adata, config=config, arms=arms, progress=False, **options)


def values(result) -> pd.Series:
    return result.results.set_index(KEYS)["value"].sort_index()


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """Three seeds in one go."""
    out = tmp_path_factory.mktemp("whole") / "run"
    return in_session(lambda: study(synthetic(), out=out))


@pytest.fixture(scope="session")
def fitted():
    """An encoder and a classifier, of the samples of `synthetic`."""

    def fit():
        encoder = jaxssl.SSLEncoder(config=tiny()).fit(synthetic())
        classifier = jaxssl.SSLClassifier(encoder, config=tiny(), label="class")
        return encoder, classifier.fit(synthetic())

    return in_session(fit)


@pytest.fixture(scope="session")
def saved(fitted, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    fitted[0].save(folder / "encoder")
    fitted[1].save(folder / "classifier")
    return folder


# Names and values

SMALL = {
    "encoder.hidden": (8,),
    "pretrain.n_steps": 3,
    "finetune.transfer_layers": 1,
    "finetune.n_steps": 3,
    "finetune.probe_steps": 5,
}
SWEEP = ["--config=configs/demo_synthetic.py", "--arms=majority,pca_logreg", "--seeds=2"]
SAMPLES, GENES = [f"S{i}" for i in range(40)], [f"TP{i}" for i in range(30)]
X = (np.random.default_rng(0).random((40, 30)) * 100).astype(np.float32)
X[X < 20] = 0
CODES = np.arange(40) % 3
AS_IS = {"scale": "linear", "orientation": "samples_in_rows"}


def named(label="kind", classes=("a", "b", "c", "d"), **columns) -> AnnData:
    """Samples whose label column and classes have these names."""
    adata = synthetic()
    codes = pd.factorize(adata.obs["class"], sort=True)[0]
    obs = {label: np.array(classes, object)[codes]} | columns
    adata.obs = pd.DataFrame(obs, index=adata.obs_names)
    adata.uns["jaxssl"] = {"scale": "log2", "label": label, "notes": ""}
    return adata
